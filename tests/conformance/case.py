"""What one conformance case is, and how its build context comes to be on disk."""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dockerlab.context.context import File

# Seconds. Every item of a context gets a time of its own, counted up from one drawn from the case's name:
# BuildKit does not send a file again that has the path, size and time of one it has, from whatever build.
FIRST_MTIME = 1_500_000_000


@dataclass(frozen=True)
class Link:
    """A symlink in the context."""

    text: str


@dataclass(frozen=True)
class Hard:
    """One more name of a file of the context that is listed before it."""

    path: str


@dataclass(frozen=True)
class Folder:
    """A folder in the context that is empty, or whose mode matters."""

    mode: int = 0o755


@dataclass(frozen=True)
class Fifo:
    """A named pipe in the context."""


@dataclass(frozen=True)
class Sparse:
    """A file of `size` bytes that is a hole but for its last byte."""

    size: int


Item = str | bytes | File | Link | Hard | Folder | Fifo | Sparse


@dataclass(frozen=True)
class Again:
    """A second build: what is different in it, and what we say of the first step that is done again.

    `context` holds what changes (None: removed); the others replace what the first had.
    Every file's modification time is another one in the second build.
    """

    text: str | None = None
    context: Mapping[str, Item | None] = field(default_factory=dict)
    build_args: Mapping[str, str] | None = None
    secrets: Mapping[str, bytes] | None = None
    no_cache: bool = False
    reason: str | None = None  # words in the reason of the first miss; None: every step must be cached


@dataclass(frozen=True)
class Case:
    """One Dockerfile, built by BuildKit and by us; the results must be equal, or both must refuse it.

    In `text` and in the context's text @base, @rich, @other, @server and @nonce stand for the images of
    bases.py, a web server on loopback, and a word of this run that no cache has seen.
    """

    name: str
    text: str
    context: Mapping[str, Item] = field(default_factory=dict)
    build_args: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, bytes] = field(default_factory=dict)
    target: str | None = None
    again: Again | None = None
    refused: str | None = None  # words in our message: this build must fail in both
    dates: bool = False  # the dates of the image and of its history must be equal too
    mtimes: tuple[str, ...] = ()  # paths whose modification times must be equal too
    differs: str | None = None  # the name of a known difference, see differences.py
    differs_unprivileged: str | None = None  # one that is there when we are not root

    @property
    def sandboxes(self) -> tuple[str, ...]:
        """Return the sandboxes to build in: what is cached or downloaded is no matter of the sandbox.

        Root has namespaces, an ordinary user those of a user namespace; that one goes by recorded outcomes.
        """
        runs = (
            self.again is None and ("RUN" in self.text or "@rich" in self.text) and "@server" not in self.text
        )
        if os.geteuid():
            return ("rootless", "proot") if runs else ()
        return ("namespaces", "proot") if runs else ("namespaces",)


@dataclass(frozen=True)
class Names:
    """What the @words of a case stand for in this run."""

    words: Mapping[str, str]

    def fill(self, text: str) -> str:
        """Return `text` with every @word replaced."""
        for word, value in self.words.items():
            text = text.replace(f"@{word}", value)
        return text


def write_context(root: Path, items: Mapping[str, Item], names: Names, *, name: str) -> Path:
    """Write the items of a context below `root`, with modification times that follow from `name`."""
    root.mkdir(parents=True)
    for path, item in items.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        _write(place, item, root, names)
    first = FIRST_MTIME + zlib.crc32(name.encode()) % 200_000_000
    for when, path in enumerate(sorted(_all_paths(root), reverse=True), first):
        os.utime(root / path, (when, when), follow_symlinks=False)
    for path, item in items.items():
        if isinstance(item, Folder):
            (root / path).chmod(item.mode)
    return root


def _write(place: Path, item: Item, root: Path, names: Names) -> None:
    if isinstance(item, Link):
        place.symlink_to(item.text)
    elif isinstance(item, Hard):
        place.hardlink_to(root / item.path)
    elif isinstance(item, Folder):
        place.mkdir(exist_ok=True)
    elif isinstance(item, Fifo):
        os.mkfifo(place)
    elif isinstance(item, Sparse):
        with place.open("wb") as file:
            file.seek(item.size - 1)
            file.write(b"\1")
    else:
        file_item = item if isinstance(item, File) else File(item)
        content = file_item.content
        place.write_bytes(names.fill(content).encode() if isinstance(content, str) else content)
        place.chmod(file_item.mode)


def _all_paths(root: Path) -> list[str]:
    found = []
    for folder, folders, files in os.walk(root):
        found += [str((Path(folder) / name).relative_to(root)) for name in [*folders, *files]]
    return found
