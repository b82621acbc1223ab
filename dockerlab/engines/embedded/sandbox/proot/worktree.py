"""One tree of real files, moved between layer stacks by rewriting only what differs.

Where nothing can be mounted, this stands in for an overlay mount. Each path of the tree has an identity
(which file of which layer it shows) and a change key; after a RUN the keys tell what changed.
"""

# ruff: noqa: PTH101,PTH102,PTH106,PTH108,PTH118,PTH208,PTH211
# Thousands of paths a RUN: Path objects would cost more than the calls.

from __future__ import annotations

import json
import os
import shutil
import stat
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dockerlab.engines.embedded.sandbox.proot.treescan import Key, Scan, Seen, key_of
from dockerlab.errors import ImageError
from dockerlab.image.filesystem import CHUNK, Entry, Node, Tree
from dockerlab.image.image import Layer

# Names of one file are kept as copies, as touching one of them under overlay leaves the others alone; where
# that takes more extra bytes than this they are real links.
LINK_COPY_BYTES = 16 << 20
_STATE_VERSION = 1
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(slots=True)
class Held:
    """A path of the tree: what it shows ("": nothing a layer has), its change key, the names it has."""

    identity: str
    key: Key
    links: int = 1


def identity(node: Node) -> str:
    """Return what tells whether two nodes are the same thing on disk; owners are not on disk."""
    entry = node.entry
    if entry.kind == "dir":
        return f"dir {entry.mode:o} {entry.mtime}"
    if entry.kind == "symlink":
        return f"link {entry.mtime} {entry.link}"
    origin = getattr(node.origin, "diff_id", "")
    return f"{entry.kind} {origin} {entry.path}"


class WorkTree:
    """The files of one tree, and what is known about them. Hold its lock (see `pool`) while you use it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.stack: list[str] = []
        self.held: dict[str, Held] = {}
        self._root = ""

    @property
    def root(self) -> Path:
        """Where the files are. The name is new whenever the tree was thrown away, so that strays miss it."""
        return self.home / self._root

    @property
    def scratch(self) -> Path:
        """A folder beside the tree for what one RUN needs, from `load` until the tree is given back."""
        return self.home / "scratch"

    @property
    def _dirty(self) -> Path:
        return self.home / "dirty"

    @property
    def _state(self) -> Path:
        return self.home / "state.json"

    def load(self) -> None:
        """Read what an earlier holder left; when it died half way, start an empty tree."""
        state = None if self._dirty.exists() else self._read_state()
        keep = ""
        if state is not None:
            keep = self._root = state["root"]
            self.stack = state["stack"]
            self.held = {path: Held(row[0], tuple(row[2:]), row[1]) for path, row in state["held"].items()}
        for name in os.listdir(self.home):
            if (name.startswith("root-") and name != keep) or name == "scratch":
                remove_tree(self.home / name)
        self.scratch.mkdir()
        if not keep:
            self._root = f"root-{uuid.uuid4().hex[:12]}"
            self.stack, self.held = [], {}
            self.root.mkdir(mode=0o755)
            self.save()

    def _read_state(self) -> dict[str, Any] | None:
        try:
            state = json.loads(self._state.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        known = isinstance(state, dict) and state.get("version") == _STATE_VERSION
        if not known or state["boot"] != _boot() or not (self.home / state["root"]).is_dir():
            return None
        return dict(state)

    def begin(self) -> None:
        """Mark the tree as being changed: whoever finds the mark without us throws the tree away."""
        self._dirty.touch()

    def save(self) -> None:
        """Write down what is known, and take the mark of `begin` away."""
        state = {
            "version": _STATE_VERSION,
            "boot": _boot(),
            "root": self._root,
            "stack": self.stack,
            "held": {path: [item.identity, item.links, *item.key] for path, item in self.held.items()},
        }
        temporary = self.home / "state.json.new"
        temporary.write_text(json.dumps(state, separators=(",", ":")), encoding="utf-8")
        temporary.replace(self._state)
        (self.home / "stack").write_text("\n".join(self.stack), encoding="utf-8")
        self._dirty.unlink(missing_ok=True)

    def move(self, layers: Sequence[Layer], tree: Tree) -> int:
        """Make the files those of `tree`, the merged `layers`; return how many paths that touched.

        Raises ImageError when a layer holds what cannot be made.
        """
        wanted = {path: node for path in tree if (node := tree.get(path)) is not None}
        names = {path: identity(node) for path, node in wanted.items()}
        stack = [layer.diff_id for layer in layers]
        gone = [path for path in self.held if path not in names]
        other = [
            path for path, name in names.items() if path not in self.held or self.held[path].identity != name
        ]
        if not gone and not other:
            if stack != self.stack:
                self.stack = stack
                self.save()
            return 0
        self.begin()
        touched = self._open_parents([*gone, *other])
        for path in sorted([*gone, *(path for path in other if path in self.held)], reverse=True):
            if stat.S_ISDIR(self.held[path].key[4]):
                if path in wanted and wanted[path].entry.kind == "dir":
                    continue
                os.rmdir(self._path(path))
                touched.discard(path)
            else:
                os.unlink(self._path(path))
        for path in gone:
            del self.held[path]
        self._make(sorted(other), wanted, names, touched)
        for path in other:
            if wanted[path].entry.kind != "dir":
                self.held[path] = _held(names[path], self._path(path))
        for path in sorted(touched & names.keys(), reverse=True):
            entry, place = wanted[path].entry, self._path(path)
            os.chmod(place, entry.mode & 0o7777)
            os.utime(place, (entry.mtime, entry.mtime))
            self.held[path] = _held(names[path], place)
        self.stack = stack
        self.save()
        return len(gone) + len(other)

    def _path(self, path: str) -> str:
        return os.path.join(self.home, self._root, path)

    def _open_parents(self, paths: Sequence[str]) -> set[str]:
        """Make the folders that will change writable; return them, since their mtime will need setting."""
        folders = {path for path, item in self.held.items() if stat.S_ISDIR(item.key[4])}
        closed = {path for path in folders if self.held[path].key[4] & 0o700 != 0o700}
        touched = {path.rpartition("/")[0] for path in paths} & folders
        touched |= folders.intersection(paths)
        if closed:
            for path in list(touched):
                touched |= closed & set(_above(path))
        for path in sorted(touched & closed):
            os.chmod(self._path(path), 0o700)
        return touched

    def _make(
        self, paths: Sequence[str], wanted: dict[str, Node], names: dict[str, str], touched: set[str]
    ) -> None:
        uses = Counter(names[path] for path in wanted if wanted[path].entry.kind == "file")
        linked: dict[str, str] = {}
        for path, name in names.items():
            extra = (uses[name] - 1) * wanted[path].entry.size
            if extra > LINK_COPY_BYTES and path in self.held and self.held[path].identity == name:
                linked.setdefault(name, path)
        for path in paths:
            entry, name, place = wanted[path].entry, names[path], self._path(path)
            if entry.kind == "dir":
                touched.add(path)
                if path not in self.held or not stat.S_ISDIR(self.held[path].key[4]):
                    os.mkdir(place, 0o700)
                continue
            if entry.kind == "symlink":
                os.symlink(entry.link, place)
                os.utime(place, (entry.mtime, entry.mtime), follow_symlinks=False)
                continue
            if entry.kind == "file" and (uses[name] - 1) * entry.size > LINK_COPY_BYTES:
                if name in linked:
                    os.link(self._path(linked[name]), place)
                    continue
                linked[name] = path
            make_file(place, wanted[path])

    def changed(self, found: dict[str, Seen]) -> set[str]:
        """Return which paths of a scan are not as they were."""
        held = self.held
        return {path for path, seen in found.items() if path not in held or self._differs(held[path], seen)}

    @staticmethod
    def _differs(held: Held, seen: Seen) -> bool:
        if held.key == seen.key:
            return False
        if not seen.is_dir and seen.links <= held.links > 1:
            # The ctime of a file with several names moves when one of the others goes.
            return (held.key[0], *held.key[2:]) != (seen.key[0], *seen.key[2:])
        return True

    def adopt(self, seen: Scan, changed: set[str], *, diff_id: str | None, entries: Sequence[Entry]) -> None:
        """Take a RUN's files as they are: as the layer `diff_id` made of `entries`, or as nothing known.

        The next `move` puts back whatever is then not wanted.
        """
        made: dict[str, str] = {}
        if diff_id is not None:
            origin = _Origin(diff_id)
            made = {entry.path: identity(Node(entry, origin)) for entry in entries}
            self.stack = [*self.stack, diff_id]
        else:
            self.stack = []
        for path in [path for path in self.held if path not in seen.found]:
            del self.held[path]
        for path, item in seen.found.items():
            if path in changed:
                name = "" if item.links > 1 and not item.is_dir else made.get(path, "")
                self.held[path] = Held(name, item.key, item.links)
            else:
                self.held[path].key, self.held[path].links = item.key, item.links
        for path, mode in sorted(seen.opened, reverse=True):
            os.chmod(self._path(path), mode)
            self.held[path].key = key_of(os.lstat(self._path(path)))
        self.save()


@dataclass(frozen=True)
class _Origin:
    """Stands for a layer that is only known by its digest."""

    diff_id: str

    def open(self, entry: Entry) -> Any:
        raise ImageError(f"the content of {entry.path} is in layer {self.diff_id}, which is not at hand")


def _held(name: str, place: str) -> Held:
    found = os.lstat(place)
    return Held(name, key_of(found), found.st_nlink)


def _above(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path.rpartition("/")[0]


def make_file(place: str, node: Node) -> None:
    """Make one file, FIFO, or a placeholder for a device (which a user cannot make)."""
    entry = node.entry
    mode = entry.mode & 0o7777
    if entry.kind == "fifo":
        os.mkfifo(place)
        os.chmod(place, mode)
    else:
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            if entry.kind == "file" and entry.size:
                with node.origin.open(entry) as content:
                    while chunk := content.read(CHUNK):
                        os.write(handle, chunk)
            os.fchmod(handle, mode)
        finally:
            os.close(handle)
    os.utime(place, (entry.mtime, entry.mtime))


def remove_tree(path: Path) -> None:
    """Remove a folder whose folders may keep even their owner out."""
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
        return
    for folder in _closed_folders(path):
        os.chmod(folder, 0o700)
    shutil.rmtree(path)


def _closed_folders(path: Path) -> Iterator[str]:
    todo = [str(path)]
    while todo:
        folder = todo.pop()
        if os.lstat(folder).st_mode & 0o700 != 0o700:
            yield folder
        with os.scandir(folder) as listing:
            todo += [item.path for item in listing if item.is_dir(follow_symlinks=False)]


def _boot() -> str:
    return _BOOT_ID.read_text(encoding="ascii").strip() if _BOOT_ID.exists() else ""
