"""Images that live Builds hold: while a notebook has a Build, no prune takes its image.

In a folder of the store each holder has one file, locked while its process lives, with a line for each image
it takes (+) or lets go (-). A process that dies gives its lock up, so what it held is known to be free; its
file goes with the next look.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from dockerlab.image.image import Image
from dockerlab.image.temporary import lock


class HeldImages:
    """Keys of what is held, by this process and by others. hold() and held() are for within changing()."""

    def __init__(self, root: Path) -> None:
        self._root = root
        # What this store calls itself where others keep images too: a Docker daemon serves many stores.
        self._file: _File | None = None
        self.place = hashlib.sha256(str(root.absolute()).encode()).hexdigest()[:8]

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Keep other processes from holding, looking and moving names for the block; milliseconds."""
        self._root.mkdir(parents=True, exist_ok=True)
        fd = os.open(self._root / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            while not lock(fd, wait=True):  # Windows gives up every ten seconds
                pass
            yield
        finally:
            os.close(fd)

    def hold(self, key: str) -> Callable[[], None]:
        """Hold a key until the function returned is called, or this process ends."""
        if self._file is None or self._file.owner != os.getpid():  # a fork has a file of its own
            self._file = _File(self._root / secrets.token_hex(8))
        file = self._file
        file.write(f"+{key}\n")
        return partial(file.write, f"-{key}\n")

    def hold_image(self, image: Image) -> None:
        """Hold an image's ID for as long as the object lives."""
        weakref.finalize(image, self.hold(key(image.id)))

    def held(self) -> set[str]:
        """Return every key that is held; files of processes that are gone, or hold nothing, are removed."""
        held: set[str] = set()
        for path in self._root.glob("[!.]*"):
            try:
                fd = os.open(path, os.O_RDWR)
            except FileNotFoundError:
                continue  # removed just now
            try:
                free = lock(fd, wait=False)
                keys = set() if free else _keys(path.read_text(encoding="ascii"))
            finally:
                os.close(fd)
            if free:
                path.unlink(missing_ok=True)
            elif not keys and self._file is not None and path == self._file.path:
                self._file = None  # nothing is left of it: the last reference closes and removes it
            held |= keys
        return held


class _File:
    """One holder's file, locked until nothing refers to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.owner = os.getpid()
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        lock(self._fd, wait=False)
        weakref.finalize(self, _close, self._fd, path, self.owner)

    def write(self, line: str) -> None:
        """Add a line, whole or not at all; what a fork of the holder lets go is not its to let go."""
        if os.getpid() == self.owner:
            os.write(self._fd, line.encode())


def _close(fd: int, path: Path, owner: int) -> None:
    os.close(fd)
    if os.getpid() == owner:
        path.unlink(missing_ok=True)


def _keys(lines: str) -> set[str]:
    """Return what is taken more often than let go."""
    times: Counter[str] = Counter()
    for line in lines.splitlines():
        times[line[1:]] += 1 if line[0] == "+" else -1
    return {key for key, count in times.items() if count > 0}


def key(identity: str) -> str:
    """Return the key of an image's ID: its first twelve digits, as `docker images` shows them."""
    return identity.removeprefix("sha256:")[:12]
