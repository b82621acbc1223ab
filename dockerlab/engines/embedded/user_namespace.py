"""Having something done as root of a user namespace, where who has no rights owns files as anyone and mounts.

The ids are those that /etc/subuid and /etc/subgid give this user (subuid(5)), set up by newuidmap(1). What is
made belongs to them, so that it can be read whole and removed only from such a namespace again.
"""

from __future__ import annotations

import atexit
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from dockerlab.engines.embedded.sandbox import syscalls
from dockerlab.errors import EngineError

_START = (
    "import sys; sys.path.insert(0, sys.argv[1]);"
    "from dockerlab.engines.embedded.user_namespace import serve; serve(int(sys.argv[2]), int(sys.argv[3]))"
)
_ENOUGH = 65_535  # ids beside our own: with these all of 0 to 65535 are there, as in an image
_END_SECONDS = 15.0  # for what runs inside to end everything; killing takes milliseconds
_SET_UP_SECONDS = 10.0
_LENGTH = 8  # bytes that say how long a message is
_FILES = 4  # at most, with a message


class Inside:
    """A process that is root of a user namespace of its own, and calls functions of the package for us."""

    def __init__(self) -> None:
        maps = [_map(os.getuid(), "uid"), _map(os.getgid(), "gid")]
        self._channel, theirs = socket.socketpair()
        leash_end, self._leash = os.pipe()
        with theirs, os.fdopen(leash_end, "rb"):
            files = [theirs.fileno(), leash_end]
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _START, str(Path(__file__).parents[3]), *map(str, files)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=files,
                start_new_session=True,  # Ctrl-C is for us, who then end what runs
                cwd="/",
            )
        try:
            self._channel.settimeout(_SET_UP_SECONDS)
            if self._channel.recv(1) != b"u":
                raise EngineError("this user may make no user namespace")
            for program, ids in zip(("newuidmap", "newgidmap"), maps, strict=True):
                _set_up([program, str(self._process.pid), *ids])
            self._channel.sendall(b"m")
            self._channel.settimeout(None)
        except BaseException as error:
            self.end()
            if isinstance(error, OSError):
                raise EngineError(f"this user may make no user namespace ({error})") from error
            raise

    @property
    def alive(self) -> bool:
        """Tell whether it can be asked: somebody may have killed it."""
        return self._process.poll() is None

    def ask(self, function: Callable[..., Any], *arguments: Any, files: Sequence[int] = ()) -> None:
        """Have a function of a module called, with pickled arguments and then the numbers of open files."""
        request = pickle.dumps((function.__module__, function.__qualname__, arguments))
        with suppress(BrokenPipeError):  # it was killed: answer() says so
            socket.send_fds(self._channel, [len(request).to_bytes(_LENGTH, "big")], list(files))
            self._channel.sendall(request)

    def answer(self) -> Any:
        """Return what the function returned, or raise what it raised."""
        data = _received(self._channel)
        if data is None:
            raise EngineError(
                "The process that works as another user has ended by itself.",
                hint="Build again; if it happens again, set DOCKERLAB_SANDBOX=proot.",
            )
        done, result = pickle.loads(data)
        if not done:
            raise result
        return result

    def stop(self) -> None:
        """Have KeyboardInterrupt raised in it, and let it end; from any thread, and more than once."""
        leash, self._leash = self._leash, -1
        if leash >= 0:
            os.close(leash)

    def end(self) -> None:
        """Stop it and wait until it has ended."""
        self.stop()
        self._channel.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


_idle: list[tuple[int, Inside]] = []  # with the process that started each: a fork must leave them alone


@atexit.register
def _end() -> None:
    for started_by, process in _idle:
        if started_by == os.getpid():
            process.end()


@contextmanager
def inside() -> Iterator[Inside]:
    """Give such a process for the block: one that an earlier block left, or a new one. Raises EngineError.

    After an exception it is ended, since nobody knows what it was doing.
    """
    owner = os.getpid()
    process = None
    while process is None and _idle:
        started_by, found = _idle.pop()
        if started_by == owner and found.alive:
            process = found
        elif started_by == owner:
            found.end()
    process = process or Inside()
    try:
        yield process
    except BaseException:
        process.end()
        raise
    _idle.append((owner, process))


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of a module as root of a user namespace; return or raise what it does."""
    with inside() as process:
        process.ask(function, *arguments)
        return process.answer()


def serve(channel: int, leash: int) -> None:
    """Be such a process: call what is asked for until the channel or the leash is closed."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with socket.socket(fileno=channel) as asked:
        syscalls.unshare(syscalls.CLONE_NEWUSER)
        asked.sendall(b"u")
        if asked.recv(1) != b"m":
            return
        os.setresgid(0, 0, 0)
        os.setgroups([])
        os.setresuid(0, 0, 0)
        threading.Thread(target=_watch, args=(leash,), daemon=True).start()
        with suppress(KeyboardInterrupt, BrokenPipeError):
            while _served(asked):
                pass


def _watch(leash: int) -> None:
    os.read(leash, 1)  # nothing is ever written to it
    os.kill(os.getpid(), signal.SIGINT)


def _served(asked: socket.socket) -> bool:
    files: list[int] = []
    request = _received(asked, files)
    if request is None:
        return False
    module, name, arguments = pickle.loads(request)
    try:
        answer = (True, getattr(import_module(module), name)(*arguments, *files))
    except Exception as error:  # noqa: BLE001 - it is the caller's
        answer = (False, error)
    data = pickle.dumps(answer)
    asked.sendall(len(data).to_bytes(_LENGTH, "big") + data)
    return True


def _received(channel: socket.socket, files: list[int] | None = None) -> bytes | None:
    """Return the next message, None at the end; the files that come with it are added to `files`."""
    try:
        head, found, _, _ = socket.recv_fds(channel, _LENGTH, _FILES)
        if files is not None:
            files += found
        data = bytearray()
        size = int.from_bytes(head, "big")
        while len(data) < size:
            chunk = channel.recv(size - len(data))
            if not chunk:
                return None
            data += chunk
    except ConnectionResetError:
        return None
    return bytes(data) or None


def _map(own: int, kind: str) -> list[str]:
    """Return the arguments of newuidmap or newgidmap: root inside is us, the others are those given to us."""
    import pwd

    if shutil.which(f"new{kind}map") is None:
        raise EngineError(f"there is no new{kind}map (package uidmap)")
    try:
        names = {pwd.getpwuid(os.getuid()).pw_name, str(os.getuid())}
    except KeyError:
        names = {str(os.getuid())}
    path = Path(f"/etc/sub{kind}")
    words, inside = ["0", str(own), "1"], 1
    for line in path.read_text().splitlines() if path.exists() else []:
        name, _, numbers = line.partition(":")
        first, _, count = numbers.partition(":")
        if name in names and first.isdigit() and count.isdigit():
            words += [str(inside), first, count]
            inside += int(count)
    if inside <= _ENOUGH:
        raise EngineError(
            f"{path} gives this user {inside - 1} ids, {_ENOUGH} are needed",
            hint=f"As root: usermod --add-sub{kind}s 100000-165535 USER.",
        )
    return words


def _set_up(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_SET_UP_SECONDS, check=False)
    if done.returncode:
        raise EngineError(f"{done.stderr.strip() or command[0]}")
