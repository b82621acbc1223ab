"""A layer being drawn up in memory: changes on top of a merged tree, then the entries of their tar.

COPY, ADD and WORKDIR need no mounted file system: what they would do to one is worked out here, to the same
entries that an overlay's upper folder would hold.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from dockerlab.engines.cache.copy_sources import Text
from dockerlab.engines.embedded.store.store import Store
from dockerlab.image.filesystem import Contents, Entry, Node, Tree
from dockerlab.image.image import Layer
from dockerlab.image.tar_writer import LayerWriter, in_order

NOTHING = Text(b"")


class LayerDraft:
    """Changes to `base`, which is changed along with them."""

    def __init__(self, base: Tree, *, now: int) -> None:
        self.tree = base
        self.now = now
        self._changed: dict[str, Node] = {}
        self._inodes: dict[str, int] = {}  # of files that have, or had, several names
        self._numbers = itertools.count()
        self._gone: set[str] = set()
        self._new: set[str] = set()
        self._opaque: set[str] = set()
        self._added_to: set[str] = set()

    def get(self, path: str) -> Entry | None:
        """Return the entry at exactly `path`, or None."""
        node = self.tree.get(path)
        return node.entry if node else None

    def make_folders(
        self,
        path: str,
        *,
        owner: tuple[int, int] | None,
        mode: int = 0o755,
        inherit: bool = True,
        mtime: int | None = None,
    ) -> None:
        """Make `path` and every missing parent; what exists stays as it is.

        As mkdir(2), below a folder with the set-group-ID bit they get its group, and the bit with `inherit`.
        """
        parts = path.split("/") if path else []
        for depth in range(1, len(parts) + 1):
            here = "/".join(parts[:depth])
            entry = self.get(here)
            if entry is None:
                above = self.get("/".join(parts[: depth - 1]))
                inherits = above is not None and bool(above.mode & 0o2000)
                uid, gid = owner or (0, above.gid if above is not None and inherits else 0)
                when = self.now if mtime is None else mtime
                self.put(
                    Entry(here, "dir", mode | (0o2000 * (inherits and inherit)), uid, gid, when), NOTHING
                )
            elif entry.kind != "dir":
                raise NotADirectoryError(f"/{here} is a {entry.kind}, not a folder")

    def put(self, entry: Entry, origin: Contents) -> None:
        """Write `entry`; a file in its place is replaced, a folder stays a folder."""
        old = self.get(entry.path)
        if old is not None and old.kind != "dir" and entry.kind == "dir":
            self.remove(entry.path)
            old = None
        if entry.kind == "dir" and entry.path in self._gone:
            self._opaque.add(entry.path)
        if old is None and entry.path not in self._gone:
            self._new.add(entry.path)
        self._gone.discard(entry.path)
        if old is None or old.kind != "dir":
            self._touch_parent(entry.path)
        node = Node(entry, origin)
        self._changed[entry.path] = node
        self._inodes.pop(entry.path, None)
        self.tree.put(entry.path, node)

    def link(self, path: str, target: str, *, like: Entry | None = None) -> None:
        """Make `path` one more name of the file at `target`, which then counts as changed.

        `like` gives the file, under all its names, another mode, owner and time.
        """
        node = self._changed.get(target) or self.tree.get(target)
        if node is None:
            raise FileNotFoundError(f"/{target} is not there to be linked to")
        if like is not None:
            entry = replace(node.entry, mode=like.mode, uid=like.uid, gid=like.gid, mtime=like.mtime)
            node = Node(entry, node.origin)
        if self.get(path) is None and path not in self._gone:
            self._new.add(path)
        self._touch_parent(path)
        self._gone.discard(path)
        inode = self._inodes.setdefault(target, next(self._numbers))
        self._inodes[path] = inode
        for name in [name for name, number in self._inodes.items() if number == inode]:
            self._changed[name] = node
            self.tree.put(name, node)

    def remove(self, path: str) -> None:
        """Remove `path` and all below it."""
        for gone in [path, *self.tree.walk(path)]:
            self._changed.pop(gone, None)
            self._inodes.pop(gone, None)
            self._opaque.discard(gone)
            self._added_to.discard(gone)
            self._gone.discard(gone)
        if path in self._new:
            self._new.discard(path)
        else:
            self._gone.add(path)
        self._touch_parent(path)
        self.tree.remove(path)

    def set_mtime(self, path: str, mtime: int) -> None:
        """Give the folder at `path` a modification time; the folder then counts as changed."""
        node = self.tree.get(path)
        if node is not None:
            node = Node(replace(node.entry, path=path, mtime=mtime), node.origin)
            self._changed[path] = node
            self._added_to.discard(path)
            self.tree.put(path, node)

    def entries(self) -> list[tuple[Entry, Contents]]:
        """Return the layer's entries in the order of its tar: changes and the folders they are in."""
        nodes = dict(self._changed)
        for path in [*self._changed, *self._gone]:
            for parent in _parents(path):
                if parent not in nodes:
                    node = self.tree.get(parent)
                    if node is not None:
                        nodes[parent] = node
        found: dict[tuple[str, str], Contents] = {}
        rows: list[Entry] = []
        for path, node in nodes.items():
            entry = replace(node.entry, path=path)
            if path in self._added_to:
                entry = replace(entry, mtime=self.now)
            rows.append(entry)
            found[path, entry.kind] = node.origin
        rows += [Entry(path, "whiteout") for path in self._gone if path not in nodes]
        rows += [Entry(path, "opaque") for path in self._opaque if path in nodes]
        return [
            (entry, found.get((entry.path, entry.kind), NOTHING)) for entry in self._linked(in_order(rows))
        ]

    def _linked(self, rows: list[Entry]) -> Iterator[Entry]:
        """Turn all but the first name of each file with several into hard links."""
        first: dict[int, str] = {}
        for entry in rows:
            inode = self._inodes.get(entry.path)
            if inode is None or entry.kind == "whiteout":
                yield entry
                continue
            name = first.setdefault(inode, entry.path)
            linked = name != entry.path
            yield replace(entry, kind="hardlink", link=name, size=0) if linked else entry

    def write(self, out: BinaryIO) -> None:
        """Write the layer tar."""
        writer = LayerWriter(out)
        for entry, origin in self.entries():
            if entry.kind == "file" and entry.size:
                with origin.open(entry) as content:
                    writer.add(entry, content)
            else:
                writer.add(entry)
        writer.close()

    def _touch_parent(self, path: str) -> None:
        parent = path.rpartition("/")[0]
        if parent and parent not in self._changed:
            self._added_to.add(parent)


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def written(draft: LayerDraft, store: Store) -> Layer:
    """Write a draft as a layer of the store."""
    with store.new_layer() as out:
        draft.write(out)
        return out.commit()
