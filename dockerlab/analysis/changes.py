"""What one layer changed, or what parts two states of a file system: paths with bytes, as a folder tree."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from dockerlab.image.filesystem import CHUNK, Entry, Node, Tree
from dockerlab.image.image import Layer
from dockerlab.units import count, human_bytes

Change = Literal["added", "changed", "removed"]
CHANGES: tuple[Change, ...] = ("added", "changed", "removed")
Order = Literal["size", "name"]

TEXT_LIMIT = 64_000  # bytes of a file that are read to be shown


@dataclass(frozen=True, slots=True)
class Item:
    """One path, and what happened to it. Sizes are bytes of file content.

    A folder on the way to a change, itself as before, has no `change`. The numbers of a folder hold all that
    is below it; a hard link stores nothing.
    """

    path: str
    change: Change | None
    is_dir: bool
    stored: int  # bytes of the files added or changed
    removed: int  # bytes that went out of sight: of what was removed, and of what was replaced
    paths: int  # how many paths were added, changed or removed here and below
    note: str = ""  # "mode 644 → 755", "link to ../lib"

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Sum:
    """How many paths had one kind of change, and their bytes (of those removed: as they were)."""

    paths: int
    bytes: int


class Changes:
    """All changes between two states of a file system, folder by folder."""

    def __init__(self, changes: Iterable[Item]) -> None:
        self.changes = tuple(changes)  # one for each path that was added, changed or removed

    def __len__(self) -> int:
        return len(self.changes)

    def children(self, folder: str, *, by: Order = "size") -> list[Item]:
        """List what is directly in `folder` ("" is the root): the most bytes first, or by name."""
        return ordered((self._items[path] for path in self._below.get(folder, ())), by=by)

    def get(self, path: str) -> Item | None:
        """Return what happened at `path` and below it, or None when nothing did."""
        return self._items.get(path)

    def find(self, pattern: str, *, by: Order = "size") -> list[Item]:
        """List the changes whose path matches, from all folders.

        A pattern with *, ? or [ is a glob on the name, or on the whole path when it has a slash; other text
        is looked for anywhere in the path. Case does not matter.
        """
        wanted = pattern.strip().lower()
        if not wanted:
            return []
        if not any(sign in wanted for sign in "*?["):
            wanted = wanted.strip("/")
            return ordered((item for item in self.changes if wanted in item.path.lower()), by=by)
        if "/" in wanted:
            wanted = wanted.lstrip("/")
            return ordered((item for item in self.changes if _matches(item.path, wanted)), by=by)
        return ordered((item for item in self.changes if _matches(item.name, wanted)), by=by)

    @cached_property
    def sums(self) -> Mapping[Change, Sum]:
        """Paths and bytes of each kind of change."""
        found: dict[Change, Sum] = {}
        for kind in CHANGES:
            some = [item for item in self.changes if item.change == kind]
            found[kind] = Sum(
                len(some), sum(item.removed if kind == "removed" else item.stored for item in some)
            )
        return found

    @property
    def largest(self) -> Item | None:
        """The change that moved most bytes, or None when nothing moved any."""
        top = max(self.changes, key=lambda item: (item.stored + item.removed, item.path), default=None)
        return top if top is not None and top.stored + top.removed else None

    @cached_property
    def _items(self) -> dict[str, Item]:
        """Each path with a change in it or below it, folders summed up."""
        own = {item.path: item for item in self.changes}
        sums: dict[str, list[int]] = {path: [item.stored, item.removed, 1] for path, item in own.items()}
        waiting = list(own)
        for path in waiting:  # grows: the folders on the way
            parent = path.rpartition("/")[0]
            if path and parent not in sums:
                sums[parent] = [0, 0, 0]
                waiting.append(parent)
        for path in sorted(sums, key=lambda path: -path.count("/") if path else 1):
            if path:
                above, mine = sums[path.rpartition("/")[0]], sums[path]
                for i, number in enumerate(mine):
                    above[i] += number
        return {path: _summed(path, own.get(path), *numbers) for path, numbers in sums.items()}

    @cached_property
    def _below(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for path in self._items:
            if path:
                found.setdefault(path.rpartition("/")[0], []).append(path)
        return found


def each_layer(layers: Sequence[Layer]) -> Iterator[Changes]:
    """Yield what each layer did to those below it, lowest first.

    A folder that a layer carries only because something in it changed is no change: its mode, owner and
    attributes are as before.
    """
    tree = Tree()
    for layer in layers:
        yield _apply(tree, layer)


def of_layer(layers: Sequence[Layer], number: int) -> Changes:
    """Return what layer `number` (1-based, lowest first) did to those below it."""
    tree = Tree.stacked((layer.entries, layer) for layer in layers[: number - 1])
    return _apply(tree, layers[number - 1])


def between(before: Tree, after: Tree) -> Changes:
    """Return what makes `after` another file system than `before`; times do not count.

    Reads the content of files at the same path that are equally long and come from different layers.
    """
    paths = dict.fromkeys([*before, *after])
    items = []
    for path in paths:
        old, new = before.get(path), after.get(path)
        if old is not None and new is not None and _same(old, new):
            continue
        items.append(_item(path, old, new))
    return Changes(items)


def read_text(tree: Tree, path: str) -> tuple[str | None, str]:
    """Return the text of the small file at `path` (None when it cannot be shown), and a sentence about it."""
    node = tree.get(path)
    if node is None:
        return None, "There is no such path."
    entry = node.entry
    facts = f"mode {entry.mode:o}, owner {entry.uid}:{entry.gid}"
    if entry.kind == "dir":
        return None, f"A folder: {count(len(tree.children(path)), 'entry', 'entries')}, {facts}."
    if entry.kind == "symlink":
        return None, f"A symbolic link to {entry.link}."
    if entry.kind != "file":
        return None, f"A {entry.kind} device, {facts}." if entry.kind != "fifo" else f"A named pipe, {facts}."
    size = human_bytes(entry.size)
    with node.origin.open(entry) as stream:
        head = stream.read(TEXT_LIMIT)
    if b"\0" in head:
        return None, f"No text: {size} of binary content, {facts}."
    text = head.decode("utf-8", "replace")
    if entry.size > TEXT_LIMIT:
        return text, f"The first {human_bytes(TEXT_LIMIT)} of {size}, {facts}."
    return text, f"{size}, {facts}."


def ordered(items: Iterable[Item], *, by: Order) -> list[Item]:
    """Sort by bytes, the most first (equal ones by name), or by name."""
    named = sorted(items, key=lambda one: one.path.encode("utf-8", "surrogateescape"))
    return named if by == "name" else sorted(named, key=lambda one: -(one.stored + one.removed))


def _apply(tree: Tree, layer: Layer) -> Changes:
    """Put a layer on the tree and return what that changed."""
    entries = layer.entries
    before: dict[str, Node | None] = {}
    brought: set[str] = set()
    for entry in entries:
        path = entry.path
        if entry.kind == "whiteout":
            _note(before, tree, [path, *tree.walk(path)])
        elif entry.kind == "opaque":
            _note(before, tree, tree.walk(path))
        elif path:
            brought.add(path)
            old = tree.get(path)
            before[path] = old
            if old is not None and old.entry.kind == "dir" and entry.kind != "dir":
                _note(before, tree, tree.walk(path))
    tree.apply(entries, layer)
    items = []
    for path, old in before.items():
        new = tree.get(path)
        if old is None and new is None:
            continue  # a whiteout of what is not there
        if new is not None and old is not None:
            untouched = path not in brought
            folder = new.entry.kind == "dir" and _traits(old.entry) == _traits(new.entry)
            if untouched or folder:
                continue
        items.append(_item(path, old, new))
    return Changes(items)


def _note(before: dict[str, Node | None], tree: Tree, paths: Iterable[str]) -> None:
    for path in paths:
        before[path] = tree.get(path)


def _item(path: str, old: Node | None, new: Node | None) -> Item:
    shown = new or old
    assert shown is not None
    change: Change = "added" if old is None else "removed" if new is None else "changed"
    return Item(
        path,
        change,
        shown.entry.kind == "dir",
        _bytes(path, new),
        _bytes(path, old),
        1,
        _what(path, old, new),
    )


def _bytes(path: str, node: Node | None) -> int:
    """Return the content a path stores: none for a hard link, which the tree shows as its target's entry."""
    return node.entry.size if node is not None and node.entry.path == path else 0


def _what(path: str, old: Node | None, new: Node | None) -> str:
    """Say in a few words what size and name do not tell."""
    shown = new or old
    assert shown is not None
    entry = shown.entry
    if old is not None and new is not None:
        facts = []
        if old.entry.kind != entry.kind:
            facts.append(f"{old.entry.kind} → {entry.kind}")
        elif old.entry.mode != entry.mode:
            facts.append(f"mode {old.entry.mode:o} → {entry.mode:o}")
        if (old.entry.uid, old.entry.gid) != (entry.uid, entry.gid):
            facts.append(f"owner {old.entry.uid}:{old.entry.gid} → {entry.uid}:{entry.gid}")
        if facts:
            return ", ".join(facts)
    if entry.kind == "symlink":
        return f"link to {entry.link}"
    if entry.path != path:
        return f"hard link to {entry.path}"
    return "" if entry.kind in ("file", "dir") else entry.kind


def _traits(entry: Entry) -> tuple[object, ...]:
    return entry.kind, entry.mode, entry.uid, entry.gid, entry.xattrs


def _same(old: Node, new: Node) -> bool:
    if old == new:
        return True
    one, other = old.entry, new.entry
    if _traits(one) != _traits(other) or one.link != other.link or one.device != other.device:
        return False
    if one.kind != "file":
        return True
    if one.size != other.size:
        return False
    with old.origin.open(one) as left, new.origin.open(other) as right:
        while chunk := left.read(CHUNK):
            if chunk != right.read(CHUNK):
                return False
    return True


def _summed(path: str, own: Item | None, stored: int, removed: int, paths: int) -> Item:
    if own is None:
        return Item(path, None, True, stored, removed, paths)
    return Item(path, own.change, own.is_dir or paths > 1, stored, removed, paths, own.note)


def _matches(text: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(text.lower(), pattern)
