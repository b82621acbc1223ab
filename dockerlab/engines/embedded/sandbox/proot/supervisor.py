"""The process between the builder and proot: starts it filtered, records owners, and ends every process.

Run as a script of its own (`python -I -S supervisor.py REQUEST LIFE_FD`), so that a notebook kernel neither
forks itself nor becomes the parent of strays. Nothing of the package is imported: it must start fast.
REQUEST is a JSON file; see `main`. When LIFE_FD closes (the builder died, or gave up), everything is killed.
"""

# ruff: noqa: PTH101,PTH113,PTH115,PTH116,PTH118,PTH119,PTH123,PTH208
# It starts with every RUN, and pathlib would double its start.

from __future__ import annotations

import base64
import ctypes
import errno
import fcntl
import json
import os
import re
import select
import signal
import socket
import stat
import struct
import sys
import time
from typing import Any

# linux/prctl.h, linux/seccomp.h
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 36, 38
SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER = 1, 8
SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_SEND, SECCOMP_IOCTL_NOTIF_ID_VALID = (
    0xC0502100,
    0xC0182101,
    0x40082102,
)
NOTIF = struct.Struct("QIIiIQ6Q")  # id, pid, flags; data: nr, arch, instruction pointer, six arguments
ANSWER = struct.Struct("QqiI")  # id, value, error, flags
AT_FDCWD = 0xFFFFFF9C
AT_EMPTY_PATH = 0x1000
AT_SYMLINK_NOFOLLOW = 0x100
KEEP = 0xFFFFFFFF  # chown's -1: leave as it is
PATH_MAX = 4096
STATX_BTIME, STATX_BASIC = 0x800, 0x7FF
AT_FDCWD_SIGNED = -100
CHOWN_TOOLS = frozenset({"chown", "chgrp", "install"})
# What these set they were told or read in an archive; other tools may hand on what a stat under proot said.
TELLING_TOOLS = CHOWN_TOOLS | {"dpkg", "tar", "bsdtar", "busybox"}
# Tools that make a user give the new home to that user, and rewrite files below /etc that stay root's.
ACCOUNT_TOOLS = frozenset({"useradd", "adduser", "usermod", "newusers", "addgroup", "groupadd"})
GRACE_SECONDS = 10.0

libc = ctypes.CDLL(None, use_errno=True)


def birth(path: str) -> int:
    """Return when an inode was made, in nanoseconds, or 0 where the file system does not say (statx(2))."""
    buffer = ctypes.create_string_buffer(256)
    result = libc.statx(
        AT_FDCWD_SIGNED, os.fsencode(path), AT_SYMLINK_NOFOLLOW, STATX_BASIC | STATX_BTIME, buffer
    )
    if result or not struct.unpack_from("I", buffer, 0)[0] & STATX_BTIME:
        return 0
    seconds, nanoseconds = struct.unpack_from("qI", buffer, 80)
    return int(seconds * 1_000_000_000 + nanoseconds)


class Recorder:
    """Answers chown and mknod of devices, and keeps by inode what they would have done.

    `host` is our own (uid, gid): proot swaps the RUN's own ids with these before the kernel sees them.
    """

    def __init__(self, request: dict[str, Any]) -> None:
        self.root: str = request["root"]
        self.calls: dict[int, str] = {int(number): name for number, name in request["calls"].items()}
        self.host: tuple[int, int] = (os.getuid(), os.getgid())
        self.guest: tuple[int, int] = (request["uid"], request["gid"])
        self.owners: dict[str, list[int]] = {}
        self.devices: dict[str, list[int]] = {}

    def answer(self, pid: int, number: int, args: list[int]) -> int:
        """Do one call; return 0 or a negative errno."""
        name = self.calls[number]
        path = self._path(pid, name, args)
        if name.startswith("mknod"):
            if self.guest[0] != 0:
                return -errno.EPERM
            mode, device = (args[1], args[2]) if name == "mknod" else (args[2], args[3])
            return self._mknod(path, mode, device)
        by_descriptor = path.startswith(f"/proc/{pid}/fd/")
        real = os.readlink(path) if by_descriptor else path
        ids = list(self._ids(name, args))
        for group in (False, True):
            if ids[group] != KEEP:
                ids[group] = self._meant(pid, real, ids[group], group=group)
            if self.guest[0] != 0 and ids[group] not in (KEEP, self.guest[group]):
                return -errno.EPERM
        told = _comm(pid) in TELLING_TOOLS
        return self._chown(path, real, ids, follow=by_descriptor, told=told)

    @staticmethod
    def _ids(name: str, args: list[int]) -> tuple[int, int]:
        first = 2 if name == "fchownat" else 1
        return args[first] & 0xFFFFFFFF, args[first + 1] & 0xFFFFFFFF

    def _path(self, pid: int, name: str, args: list[int]) -> str:
        if name == "fchown":
            return f"/proc/{pid}/fd/{args[0] & 0xFFFFFFFF}"
        at = name in ("fchownat", "mknodat")
        text = _string(pid, args[1] if at else args[0])
        if text.startswith("/"):
            return text
        folder = args[0] & 0xFFFFFFFF if at else AT_FDCWD
        if not text and folder != AT_FDCWD:
            return f"/proc/{pid}/fd/{folder}"
        start = f"/proc/{pid}/cwd" if folder == AT_FDCWD else f"/proc/{pid}/fd/{folder}"
        return os.path.join(os.readlink(start), text)

    def _chown(self, path: str, real: str, ids: list[int], *, follow: bool, told: bool) -> int:
        found = os.stat(path, follow_symlinks=follow)
        key = f"{found.st_dev}:{found.st_ino}"
        made = birth(real)
        old = self.owners.get(key)
        if old is None or old[2] != made:
            old = [-1, -1, made, 0]
        old[3] = int(told)
        for group in (False, True):
            if ids[group] != KEEP:
                old[group] = ids[group]
        self.owners[key] = old
        mode = found.st_mode
        if stat.S_ISREG(mode) and (mode & stat.S_ISUID or mode & (stat.S_ISGID | stat.S_IXGRP) == 0o2010):
            # chown(2): a change of owner clears these bits of an executable file
            os.chmod(path, stat.S_IMODE(mode) & ~(stat.S_ISUID | stat.S_ISGID))
        return 0

    def _meant(self, pid: int, path: str, seen: int, *, group: bool) -> int:
        """Tell the RUN's own id from ours: the kernel sees our number for both."""
        ours, own = self.host[group], self.guest[group]
        if seen != ours or ours == own:
            return seen
        with open(f"/proc/{pid}/cmdline", "rb") as stream:
            words = [os.fsdecode(word) for word in stream.read().split(b"\0")[:-1]]
        tools = {os.path.basename(word) for word in words[:2]}
        if tools & CHOWN_TOOLS:
            wanted = self._asked(words, group=group)
            return wanted if wanted in (ours, own) else own
        tool = _comm(pid)
        if tool in CHOWN_TOOLS and "-c" in words[1:-1]:
            # busybox's shell does its own chown in a copy of itself, which has the shell's command line
            calls = [
                call for call in _calls(words[-1], tool) if _may_name(call, path.removeprefix(self.root))
            ]
            asked = {self._asked(call, group=group) for call in calls}
            return ours if asked & {ours, own} == {ours} else own
        if tools & ACCOUNT_TOOLS and not path.startswith(os.path.join(self.root, "etc") + "/"):
            return ours
        return own

    def _asked(self, words: list[str], *, group: bool) -> int:
        """Return the id that a chown, chgrp or install command line names, or -1."""
        tool = next(os.path.basename(word) for word in words[:2] if os.path.basename(word) in CHOWN_TOOLS)
        rest = words[[os.path.basename(word) for word in words].index(tool) + 1 :]
        text = ""
        if tool == "install":
            short, long = ("-g", "--group=") if group else ("-o", "--owner=")
            for word, following in zip(rest, [*rest[1:], ""], strict=True):
                if word == short:
                    text = following
                elif word.startswith(long):
                    text = word[len(long) :]
        else:
            spec = next((word for word in rest if not word.startswith("-")), "")
            user, _, second = spec.partition(":")
            text = second if group and tool == "chown" else user
        if text.isdigit():
            return int(text)
        database = os.path.join(self.root, "etc", "group" if group else "passwd")
        if text and os.path.isfile(database):
            with open(database, encoding="utf-8", errors="surrogateescape") as stream:
                for line in stream:
                    fields = line.split(":")
                    if fields[0] == text and len(fields) > 2 and fields[2].strip().isdigit():
                        return int(fields[2])
        return -1

    def _mknod(self, path: str, mode: int, device: int) -> int:
        if os.path.lexists(path):
            return -errno.EEXIST
        made = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode & 0o7777)
        found = os.fstat(made)
        os.close(made)
        number = device & 0xFFFFFFFF
        kind = int(stat.S_ISCHR(mode))
        self.devices[f"{found.st_dev}:{found.st_ino}"] = [
            kind,
            os.major(number),
            os.minor(number),
            birth(path),
        ]
        return 0


def _calls(script: str, tool: str) -> list[list[str]]:
    """Return the command lines of a shell script that begin with `tool`, or have it after other words."""
    lines = [re.sub("[\"']", "", part).split() for part in re.split(r"[;&|(){}\n]+", script)]
    return [words[words.index(tool) :] for words in lines if tool in words]


def _may_name(call: list[str], path: str) -> bool:
    """Tell whether a chown's or chgrp's arguments can lead to `path`, as the RUN names it."""
    places = [word.rstrip("/") for word in call[1:] if not word.startswith("-")][1:]
    return any(
        not place.startswith("/") or set(place) & set("$*?[") or path == place or path.startswith(f"{place}/")
        for place in places
    )


def _comm(pid: int) -> str:
    with open(f"/proc/{pid}/comm", encoding="utf-8", errors="surrogateescape") as stream:
        return stream.read().strip()


def _string(pid: int, address: int) -> str:
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        memory.seek(address)
        text = b""
        while b"\0" not in text and len(text) <= PATH_MAX:
            chunk = memory.read(min(256, 4096 - (address + len(text)) % 4096))
            if not chunk:
                break
            text += chunk
    return os.fsdecode(text.split(b"\0")[0])


def serve(listener: int, recorder: Recorder) -> None:
    """Answer one notification."""
    buffer = bytearray(NOTIF.size)
    try:
        fcntl.ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, buffer)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EINTR):  # the caller died or was interrupted meanwhile
            return
        raise
    identity, pid, _flags, number, _arch, _pointer, *args = NOTIF.unpack(buffer)
    try:
        fcntl.ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, struct.pack("Q", identity))
        result = recorder.answer(pid, number, args)
    except OSError as error:
        result = -(error.errno or errno.EIO)
    try:
        fcntl.ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, ANSWER.pack(identity, 0, result, 0))
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise


def start(request: dict[str, Any]) -> tuple[int, int]:
    """Fork, filter and exec proot; return its pid and the notification listener."""
    ours, theirs = socket.socketpair()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            ours.close()
            _become(request, theirs, parent)
        except OSError as error:
            os.write(2, f"dockerlab: could not start proot: {error}\n".encode())
        finally:
            os._exit(126)
    theirs.close()
    _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
    ours.close()
    if not descriptors:
        os.waitpid(pid, 0)
        raise OSError(errno.ENOSYS, "no seccomp notification listener")
    return pid, descriptors[0]


def _become(request: dict[str, Any], channel: socket.socket, parent: int) -> None:
    code = base64.b64decode(request["filter"])
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(126)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no-new-privileges")
    buffer = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer))
    header_buffer = ctypes.create_string_buffer(header, len(header))
    listener = libc.syscall(
        request["seccomp"],
        SECCOMP_SET_MODE_FILTER,
        SECCOMP_FILTER_FLAG_NEW_LISTENER,
        ctypes.c_void_p(ctypes.addressof(header_buffer)),
    )
    if listener < 0:
        raise OSError(ctypes.get_errno(), "seccomp filter with a listener")
    socket.send_fds(channel, [b"l"], [listener])
    os.close(listener)
    os.umask(0o022)
    # The command would inherit what Python, a shell or a supervisor ignores.
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    os.execve(request["argv"][0], request["argv"], request["env"])


def stay_on_one_cpu() -> None:
    """Keep this process and all it starts on the processor it is on.

    Every system call under proot is a hand-over between two processes, and across processors each is slow.
    Measured on `apt-get install python3`, 2 cores, busy machine: 21 s free, 7.9 s on one (nproc then says 1).
    """
    allowed = os.sched_getaffinity(0)
    here = libc.sched_getcpu()
    os.sched_setaffinity(0, {here if here in allowed else min(allowed)})


def descendants(pid: int) -> list[int]:
    """Return every living process below `pid`."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as stream:
                    fields = stream.read().rpartition(b")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(int(fields[1]), []).append(int(name))
    found: list[int] = []
    todo = [pid]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def end(proot: int) -> None:
    """Kill every process below this one, proot last: were it first, what it holds would go on outside."""
    deadline = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < deadline and set(descendants(os.getpid())) - {proot}:
        kill_all(keep=proot)
        select.select([], [], [], 0.001)
    kill_all()


def kill_all(keep: int = 0) -> None:
    """Kill every process below this one, but `keep`; reap what becomes ours."""
    deadline = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < deadline:
        alive = [pid for pid in descendants(os.getpid()) if pid != keep]
        if not alive:
            return
        for pid in alive:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if keep:
            return
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        select.select([], [], [], 0.005)


def children(pid: int) -> list[int]:
    """Return the child processes of a process's main thread."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", "rb") as stream:
            return [int(word) for word in stream.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def watch(proot: int, listener: int, life: int, recorder: Recorder) -> int:
    """Serve until proot ends; return its wait status. What the command left running is killed."""
    poll = select.poll()
    ended = os.pidfd_open(proot)
    command = 0
    for descriptor in (listener, life, ended):
        poll.register(descriptor, select.POLLIN)
    while True:
        events = dict(poll.poll(1000 if command else 5))
        if events.get(listener, 0) & select.POLLIN:
            serve(listener, recorder)
        elif events.get(listener, 0):
            poll.unregister(listener)
        if life in events:
            end(proot)
            sys.exit(1)
        if ended in events:
            return os.waitpid(proot, 0)[1]
        if not command:
            orphans = set(children(os.getpid())) - {proot}
            first = children(proot)[:1]
            if first:
                try:
                    command = os.pidfd_open(first[0])
                except ProcessLookupError:
                    continue
                poll.register(command, select.POLLIN)
            elif orphans:  # the command has come and gone, and these are what it left
                kill_all(keep=proot)
        if command and command in events:
            poll.unregister(command)
            kill_all(keep=proot)


def main() -> None:
    """Run one request and write its result, a JSON file: status, owners and devices by "device:inode".

    The request: argv (proot's), env, filter (base64 BPF), seccomp (the call's number), calls (number ->
    name), root (the work tree), uid and gid (the RUN's), result (where to write).
    """
    with open(sys.argv[1], encoding="utf-8") as stream:
        request = json.load(stream)
    life = int(sys.argv[2])
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    stay_on_one_cpu()
    recorder = Recorder(request)
    proot, listener = start(request)
    status = watch(proot, listener, life, recorder)
    kill_all()
    with open(request["result"], "w", encoding="utf-8") as stream:
        json.dump({"status": status, "owners": recorder.owners, "devices": recorder.devices}, stream)


if __name__ == "__main__":
    main()
