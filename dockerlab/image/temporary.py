"""This process's folder for temporary files: gone when it ends; if it was killed, with the next process."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def lock(fd: int, *, wait: bool) -> bool:
        """Lock an open file alone; tell whether it is now."""
        os.lseek(fd, 1 << 30, os.SEEK_SET)  # what is locked cannot be read there: not what is in it, then
        try:
            msvcrt.locking(fd, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def lock(fd: int, *, wait: bool) -> bool:
        """Lock an open file alone; tell whether it is now."""
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True


_PREFIX, _SUFFIX = "dockerlab-", ".process"
_LOCK = "lock"  # in the folder: locked while its process lives


def home() -> Path:
    """Return the folder, made on first use."""
    return _home(tempfile.gettempdir(), os.getpid())


@cache
def _home(parent: str, owner: int) -> Path:
    for left in Path(parent).glob(f"{_PREFIX}*{_SUFFIX}"):
        _clear(left)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, suffix=_SUFFIX, dir=parent))
        fd = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        if lock(fd, wait=False):
            break
        os.close(fd)  # a process that clears up was quicker, and takes it for one left behind
    atexit.register(_leave, folder, fd, owner)
    return folder


def _clear(folder: Path) -> None:
    """Remove the folder of a process of this user's that is gone."""
    try:
        fd = os.open(folder / _LOCK, os.O_RDWR)
    except OSError:
        return  # another user's, or not locked yet
    free = lock(fd, wait=False)
    os.close(fd)
    if free:
        shutil.rmtree(folder, ignore_errors=True)


def _leave(folder: Path, fd: int, owner: int) -> None:
    if os.getpid() == owner:  # a fork has one of its own
        os.close(fd)
        shutil.rmtree(folder, ignore_errors=True)
