"""Images that live Builds hold: while a notebook has a Build, no prune takes its image.

One file a held image in a folder of the store, locked by the process that holds it. A process that dies gives
its locks up, so what it held is known to be free; its files go with the next look.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dockerlab.image.image import Image

if sys.platform == "win32":
    import msvcrt

    def _lock(fd: int, *, wait: bool) -> bool:
        try:
            msvcrt.locking(fd, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _lock(fd: int, *, wait: bool) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True


class Kept:
    """Keys of what is held, by this process and by others. hold() and held() are for within changing()."""

    def __init__(self, root: Path) -> None:
        self._root = root
        # What this store calls itself where others keep images too: a Docker daemon serves many stores.
        self.place = hashlib.sha256(str(root.absolute()).encode()).hexdigest()[:8]

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Keep other processes from holding, looking and moving names for the block; milliseconds."""
        self._root.mkdir(parents=True, exist_ok=True)
        fd = os.open(self._root / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            while not _lock(fd, wait=True):  # Windows gives up every ten seconds
                pass
            yield
        finally:
            os.close(fd)

    def hold(self, key: str) -> Callable[[], None]:
        """Hold a key until the function returned is called, or this process ends."""
        path = self._root / f"{key}.{secrets.token_hex(8)}"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        _lock(fd, wait=False)
        owner = os.getpid()

        def release() -> None:
            os.close(fd)
            if os.getpid() == owner:  # not a fork of it that ends
                path.unlink(missing_ok=True)

        return release

    def hold_image(self, image: Image) -> None:
        """Hold an image's ID for as long as the object lives."""
        weakref.finalize(image, self.hold(key(image.id)))

    def held(self) -> set[str]:
        """Return every key that is held; files of processes that are gone are removed."""
        held = set()
        for path in self._root.glob("[!.]*"):
            try:
                fd = os.open(path, os.O_RDWR)
            except FileNotFoundError:
                continue  # released just now
            free = _lock(fd, wait=False)
            os.close(fd)
            if free:
                path.unlink(missing_ok=True)
            else:
                held.add(path.name.partition(".")[0])
        return held


def key(identity: str) -> str:
    """Return the key of an image's ID: its first twelve digits, as `docker images` shows them."""
    return identity.removeprefix("sha256:")[:12]
