"""Where the helper process of a RUN comes from: a process that has Python started already forks it.

Starting Python costs more than all the mounts of a RUN. What forks is a process of its own, as a notebook
kernel has threads, and a fork of those may hang. There is one for each process that builds, started with its
first RUN, and it ends when that one does.
"""

from __future__ import annotations

import atexit
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from dockerlab.errors import EngineError

_FOLDERS = [
    str(folder) for folder in Path(__file__).parents[:2]
]  # the runner's, and that of the system calls
_START = "import sys; sys.path[:0] = sys.argv[1:3]; import runner; runner.serve(int(sys.argv[3]))"
_END_SECONDS = 5.0


class Container:
    """A helper under way, in a `with`: it has ended when the block has, killed if need be."""

    def __init__(self, pidfd: int) -> None:
        self._pidfd = pidfd

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has ended, at most `timeout` seconds; tell whether it has."""
        return bool(select.select([self._pidfd], [], [], timeout)[0])

    def kill(self) -> None:
        """End it, and with it, by PDEATHSIG, its command."""
        try:
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        except ProcessLookupError:
            return

    def __enter__(self) -> Container:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if not self.wait(0):
                self.kill()
                self.wait()
        finally:
            os.close(self._pidfd)


class _ForkServer:
    """The process that forks, and the socket to it."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _START, *_FOLDERS, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is for us, who then end what runs
                cwd="/",
            )

    def start(self, files: Sequence[int]) -> int | None:
        """Have a helper forked; return its pidfd, None when the process is gone."""
        try:
            socket.send_fds(self._channel, [b"f"], list(files))
            _, received, _, _ = socket.recv_fds(self._channel, 1, 1)
        except OSError:
            return None
        return received[0] if received else None

    def end(self) -> None:
        """End it. A copy of this object that a fork made only lets go of the socket."""
        self._channel.close()
        if self.owner == os.getpid():
            try:
                self._process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


_nursery: _ForkServer | None = None
_lock = threading.Lock()


def start(*, stdin: int, output: int, request: int, status: int, leash: int) -> Container:
    """Start a helper on these file descriptors; see runner.main(). Raises EngineError."""
    global _nursery
    files = (stdin, output, request, status, leash)
    with _lock:
        for _ in range(2):  # the second time with a new process, where somebody killed the old one
            if _nursery is not None and _nursery.owner != os.getpid():
                _nursery = None
            if _nursery is None:
                _nursery = _ForkServer()
            pidfd = _nursery.start(files)
            if pidfd is not None:
                return Container(pidfd)
            _nursery.end()
            _nursery = None
    raise EngineError(
        "The process that starts the commands of RUN has ended by itself.",
        hint="Build again; if it happens again, set DOCKERLAB_SANDBOX=proot.",
    )


@atexit.register
def _end() -> None:
    if _nursery is not None:
        _nursery.end()
