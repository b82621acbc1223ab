"""The helper process of the namespace sandbox: mounts, runs one command as Docker would, tidies up.

It is forked from a process that fork_server.py starts (`python -I -S -c ...`), with this folder and the one
above first on the path, and imports only what it must: the first RUN waits for it. Its mounts are in its own
mount namespace, so they are gone when it is, whatever ended it.
"""
# pathlib would take longer to import than all the mounts take:
# ruff: noqa: PTH102, PTH103, PTH106, PTH108, PTH112, PTH114, PTH116, PTH120, PTH211

from __future__ import annotations

import _socket  # socket's own takes longer to import than a RUN's mounts take
import errno
import marshal
import os
import select
import stat
import sys

TYPE_CHECKING = False  # typing's own takes 8 ms to import
if TYPE_CHECKING:
    from typing import NoReturn, TypedDict

    from dockerlab.engines.embedded.sandbox import docker_defaults as docker
    from dockerlab.engines.embedded.sandbox import syscalls
else:
    import docker_defaults as docker
    import syscalls

PLAIN = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC

if TYPE_CHECKING:

    class Bind(TypedDict):
        """One more mount: a host file or folder, or a tmpfs where `source` is None."""

        source: str | None
        target: str
        folder: bool
        read_only: bool
        flags: int
        nested: bool  # it lies in another mount: nothing of it is in the image; found out in the image
        size: str  # ",size=BYTES" of a tmpfs, or ""

    class Spec(TypedDict):
        """What to run; marshalled, because json takes longer to import than the mounts take."""

        folder: str  # holds what `options` names, and "merged"
        options: str  # of the overlay mount, relative to `folder`
        argv: list[str]
        env: dict[str, str]
        cwd: str
        uid: int
        gid: int
        groups: list[int]
        network: bool
        hostname: str
        binds: list[Bind]  # their targets are taken away again where they had to be made


def serve(channel: int) -> None:
    """Fork a helper for every message on a socket, until its other end is closed.

    With a message come five file descriptors: standard input, output and error in one, and main()'s three.
    The answer is a file descriptor of the helper's process.
    """
    asked = _socket.socket(fileno=channel)
    helpers: dict[int, int] = {}  # file descriptor -> process
    while True:
        ready = select.select([channel, *helpers], [], [])[0]
        for ended in helpers.keys() & ready:
            os.waitpid(helpers.pop(ended), 0)
            os.close(ended)
        if channel not in ready:
            continue
        message, extra, _, _ = asked.recvmsg(1, _socket.CMSG_SPACE(5 * 4))
        if not message:
            return
        files = [int.from_bytes(extra[0][2][at : at + 4], sys.byteorder) for at in range(0, 20, 4)]
        child = os.fork()
        if child == 0:
            asked.close()
            _begin(*files)
        process = os.pidfd_open(child)
        helpers[process] = child
        sent = process.to_bytes(4, sys.byteorder)
        asked.sendmsg([b"h"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, sent)])
        for fd in files:
            os.close(fd)


def _begin(stdin: int, output: int, request: int, status: int, leash: int) -> NoReturn:
    """Be the helper. Never returns."""
    try:
        syscalls.default_signals()
        os.setsid()
        for fd, place in ((stdin, 0), (output, 1), (output, 2)):
            os.dup2(fd, place)
        for fd in {stdin, output}:
            os.close(fd)
        main(request, status, leash)
    finally:
        os._exit(0)


def main(request: int, status: int, leash: int) -> None:
    """Read the spec from `request`, run it, and write "exit NUMBER" or "error TEXT" to `status`.

    All three are file descriptors. `leash` is a pipe whose other end closes when the parent is gone, or wants
    the command to end.
    """
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, 9)
    for fd in (request, status, leash):
        os.set_inheritable(fd, False)
    try:
        with open(request, "rb", closefd=False) as stream:
            spec: Spec = marshal.load(stream)
        result = _run(spec, leash)
    except OSError as error:
        result = _trouble(error)
    os.write(status, os.fsencode(result))


def _run(spec: Spec, leash: int) -> str:
    os.umask(0o022)
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
    os.chdir(spec["folder"])
    # No device of the machine may be used that the command makes: Docker's device rules, without a cgroup.
    syscalls.mount("overlay", "merged", "overlay", syscalls.MS_NODEV, spec["options"])
    outside = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    os.chroot("merged")  # from here on paths, and the symlinks in them, are the image's
    os.chdir("/")
    _find_nested(spec["binds"])
    stubs = _missing([bind["target"] for bind in spec["binds"] if not bind["nested"]])
    _make_targets(spec)
    os.fchdir(outside)
    os.chroot(".")
    os.close(outside)
    os.chdir(spec["folder"])
    flags = syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWPID
    syscalls.unshare(flags if spec["network"] else flags | syscalls.CLONE_NEWNET)
    reader, writer = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        _become(spec, set(stubs), leash, writer)
    os.close(writer)
    os.chroot("merged")
    os.chdir("/")
    _wait_or_kill(child, leash)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    trouble = os.read(reader, 65536)
    if trouble:
        return os.fsdecode(trouble)
    _remove(stubs)
    return f"exit {code if code >= 0 else 128 - code}"


def _wait_or_kill(child: int, leash: int) -> None:
    """Wait until the child has ended; when the parent lets go of the leash, end it."""
    ended = os.pidfd_open(child)
    if leash in select.select([ended, leash], [], [])[0]:
        os.kill(child, 9)
    os.close(ended)


def _missing(targets: list[str]) -> list[str]:
    """Return what must be made for these targets and taken away again, each deepest first."""
    found = []
    for target in targets:
        place = os.path.realpath(target)
        while place != "/" and not os.path.lexists(place):
            found.append(place)
            place = os.path.dirname(place)
    return found


def _make_targets(spec: Spec) -> None:
    for folder in ("/proc", "/dev", "/sys"):
        if os.path.islink(folder):
            raise OSError(errno.ELOOP, "the image has a symbolic link where a folder must be", folder)
        os.makedirs(folder, 0o755, exist_ok=True)
    for bind in spec["binds"]:
        if not bind["nested"]:
            _make_target(os.path.realpath(bind["target"]), folder=bind["folder"])
    os.makedirs(os.path.realpath(spec["cwd"]), 0o755, exist_ok=True)


def _find_nested(binds: list[Bind]) -> None:
    """Mark what lies in another mount (/dev is one of our own), and put outer mounts before inner ones."""
    places = {id(bind): os.path.realpath(bind["target"]) for bind in binds}
    outer = [f"{place}/" for place in ("/dev", *places.values())]
    for bind in binds:
        bind["nested"] = places[id(bind)].startswith(tuple(outer))
    binds.sort(key=lambda bind: places[id(bind)].count("/") if bind["nested"] else 0)


def _make_target(place: str, *, folder: bool) -> None:
    if folder:
        os.makedirs(place, 0o755, exist_ok=True)
    elif not os.path.lexists(place):
        os.makedirs(os.path.dirname(place), 0o755, exist_ok=True)
        os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644))


def _remove(stubs: list[str]) -> None:
    """Take away the mount points that are still empty, as BuildKit does; their folders keep their times."""
    for path in stubs:
        place = os.path.realpath(path)
        try:
            status = os.lstat(place)
        except OSError:
            continue  # the command removed it itself, or what it was in
        parent = os.path.dirname(place)
        before = os.stat(parent)
        if stat.S_ISDIR(status.st_mode):
            try:
                os.rmdir(place)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                continue
        elif status.st_size:
            continue
        else:
            os.unlink(place)
        os.utime(parent, ns=(before.st_atime_ns, before.st_mtime_ns))


def _become(spec: Spec, made: set[str], leash: int, trouble: int) -> NoReturn:
    """Turn this process, the first of its PID namespace, into the command. Never returns."""
    try:
        syscalls.die_with_parent(0)
        if select.select([leash], [], [], 0)[0]:
            os._exit(1)
        os.setsid()
        syscalls.unshare(syscalls.CLONE_NEWNS)  # so that the mount points can be removed outside of it
        os.umask(0)
        _enter_root(spec, made)
        os.umask(0o022)
        syscalls.set_hostname(spec["hostname"])
        if not spec["network"]:
            syscalls.raise_loopback()
        syscalls.default_signals()
        os.chdir(spec["cwd"])
        syscalls.install_filter(
            syscalls.error_filter(
                {**dict.fromkeys(docker.REFUSED, errno.EPERM), "clone3": errno.ENOSYS},
                bits=[("clone", syscalls.CLONE_NAMESPACES, errno.EPERM)],
            )
        )
        syscalls.limit_capabilities(docker.CAPABILITIES)
        for stream in (0, 1, 2):
            if not stat.S_ISCHR(os.fstat(stream).st_mode):
                os.fchown(stream, spec["uid"], -1)  # else `> /dev/stdout` is refused to other users than root
        os.setgroups(list(dict.fromkeys([spec["gid"], *spec["groups"]])))
        os.setresgid(spec["gid"], spec["gid"], spec["gid"])
        if spec["uid"]:
            os.setresuid(spec["uid"], spec["uid"], spec["uid"])
            syscalls.die_with_parent(0)  # a change of user forgets it
        else:
            syscalls.set_capabilities(docker.CAPABILITIES)
    except OSError as error:
        os.write(trouble, os.fsencode(_trouble(error)))
        os._exit(1)
    os.write(2, os.fsencode(_execute(spec["argv"], spec["env"])) + b"\n")
    os._exit(1)


def _execute(argv: list[str], env: dict[str, str]) -> str:
    """Replace this process by the command; return why it could not be."""
    name = argv[0]
    places = [name]
    if "/" not in name:
        folders = env.get("PATH", "").split(":") if name else []
        places = [f"{folder or '.'}/{name}" for folder in folders]
    reason = f'exec: "{name}": executable file not found in $PATH'
    for place in places:
        try:
            os.execve(place, argv, env)
        except FileNotFoundError:
            if os.access(place, os.X_OK):  # it is there, the interpreter or loader that it names is not
                return f"exec {place}: no such file or directory"
            if "/" in name:
                reason = f'exec: "{name}": no such file or directory'
        except NotADirectoryError:
            continue
        except PermissionError:
            reason = f'exec: "{name}": permission denied'
        except OSError as error:
            return f"exec {place}: {(error.strerror or str(error)).lower()}"
    return reason


def _enter_root(spec: Spec, made: set[str]) -> None:
    """Mount what a container has and make the merged folder the root. Symlinks resolve inside of it."""
    # Opened in this mount namespace, and before the root changes: afterwards there is no way to them.
    sources = {
        path: os.open(path, os.O_PATH | os.O_CLOEXEC)
        for path in [bind["source"] for bind in spec["binds"]]
        + ["/sys", "/sys/fs/cgroup"]
        + [f"/dev/{n}" for n, _, _ in docker.NODES]
        if path is not None and os.path.lexists(path)
    }
    os.chdir("merged")
    syscalls.pivot_root(".", ".")
    syscalls.mount("proc", "/proc", "proc", PLAIN)
    _fill_dev(sources)
    try:
        syscalls.mount("sysfs", "/sys", "sysfs", PLAIN | syscalls.MS_RDONLY)
    except PermissionError:  # in a user namespace with the machine's network: its view of that is borrowed
        _bind(sources["/sys"], "/sys")
        syscalls.make_read_only("/sys")
    else:
        if "/sys/fs/cgroup" in sources and os.path.isdir("/sys/fs/cgroup"):
            _bind(sources["/sys/fs/cgroup"], "/sys/fs/cgroup")
            syscalls.make_read_only("/sys/fs/cgroup")
    for bind in spec["binds"]:
        # The old root lies on top of this one, and the kernel takes ".." for a way to it; realpath does not.
        source, target = bind["source"], os.path.realpath(bind["target"])
        if bind["nested"] and not os.path.lexists(target):
            _make_target(target, folder=bind["folder"])
            made.add(target)
        if source is None:
            mode = 0o1777 if target in made else stat.S_IMODE(os.stat(target).st_mode)
            syscalls.mount(
                "tmpfs", target, "tmpfs", syscalls.MS_NOSUID | bind["flags"], f"mode={mode:o}{bind['size']}"
            )
        else:
            _bind(sources[source], target)
            if bind["flags"]:
                flags = syscalls.MS_REMOUNT | syscalls.MS_BIND | bind["flags"] | syscalls.locked_flags(target)
                syscalls.mount(None, target, None, flags)
        if bind["read_only"]:
            syscalls.make_read_only(target)
    for path in docker.READ_ONLY:
        if os.path.lexists(path):
            syscalls.mount(path, path, None, syscalls.MS_BIND | syscalls.MS_REC)
            syscalls.mount(
                None, path, None, syscalls.MS_REMOUNT | syscalls.MS_BIND | syscalls.MS_RDONLY | PLAIN
            )
    for path in docker.MASKED:
        if os.path.isdir(path):
            syscalls.mount("tmpfs", path, "tmpfs", syscalls.MS_RDONLY)
        elif os.path.lexists(path):
            syscalls.mount("/dev/null", path, None, syscalls.MS_BIND)
    syscalls.unmount(".", syscalls.MNT_DETACH)  # the old root, which pivot_root left on top of this folder
    os.chdir("/")
    for fd in sources.values():
        os.close(fd)


def _bind(source: int, target: str) -> None:
    syscalls.mount(f"/proc/self/fd/{source}", target, None, syscalls.MS_BIND | syscalls.MS_REC)


def _fill_dev(sources: dict[str, int]) -> None:
    # The nodes are on a file system of their own, below the one the command sees, where no other node works.
    syscalls.mount("tmpfs", "/dev", "tmpfs", syscalls.MS_NOSUID, "mode=755,size=64k")
    nodes = {}
    for name, major, minor in docker.NODES:
        path = f"/dev/{name}"
        try:
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(major, minor))
            nodes[path] = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except PermissionError:  # inside a container that may not make devices: borrow its own
            nodes[path] = os.dup(sources[path])
    syscalls.mount("tmpfs", "/dev", "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "mode=755,size=65536k")
    for path, node in nodes.items():
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666))
        _bind(node, path)
        os.close(node)
    for name, target in docker.LINKS:
        os.symlink(target, f"/dev/{name}")
    for name in ("pts", "shm", "mqueue"):
        os.mkdir(f"/dev/{name}", 0o755)
    syscalls.mount(
        "devpts",
        "/dev/pts",
        "devpts",
        syscalls.MS_NOSUID | syscalls.MS_NOEXEC,
        "newinstance,ptmxmode=0666,mode=0620,gid=5",
    )
    syscalls.mount("shm", "/dev/shm", "tmpfs", PLAIN, "mode=1777,size=65536k")
    syscalls.mount("mqueue", "/dev/mqueue", "mqueue", PLAIN)


def _trouble(error: OSError) -> str:
    return f"error {error.strerror}" + (f": {error.filename!r}" if error.filename else "")
