"""What a RUN changed in a work tree, as the entries an overlay mount's upper folder would have."""

# ruff: noqa: PTH101,PTH115,PTH123
# Thousands of paths a RUN: Path objects would cost more than the calls.

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, replace
from typing import BinaryIO

from dockerlab.engines.embedded.sandbox.proot import supervisor as supervise
from dockerlab.engines.embedded.sandbox.proot.owners import Chowned, Recorded, owner
from dockerlab.engines.embedded.sandbox.proot.treescan import Scan, Seen, key_of
from dockerlab.engines.embedded.sandbox.proot.worktree import Held, WorkTree
from dockerlab.image.filesystem import CHUNK, Entry, Kind, Node, Tree
from dockerlab.image.tar_writer import LayerWriter, in_order

_KINDS: dict[int, Kind] = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
}


@dataclass(frozen=True)
class TreeChanges:
    """One RUN's difference: `entries` in canonical order, and the paths that are not as they were."""

    entries: tuple[Entry, ...]
    paths: frozenset[str]


class Differ:
    """Compares a scan with what the tree held before.

    `began` is the file system's clock (ns) when the RUN started: a folder born later is a new one, even under
    an old inode number.
    """

    def __init__(
        self,
        tree: WorkTree,
        below: Tree,
        seen: Scan,
        *,
        recorded: Recorded,
        user: tuple[int, int],
        began: int,
    ) -> None:
        self._tree = tree
        self._root = str(tree.root)
        self._below = below
        self._found = seen.found
        self._recorded = recorded
        self._user = user
        self._began = began
        self._entries: dict[str, Entry] = {}
        self._by_inode: dict[int, str] = {}
        self._first: dict[tuple[int, int], str] = {}

    def changes(self) -> TreeChanges:
        """Return the difference."""
        chowned = self._chowned()
        moved = self._tree.changed(self._found)
        changed = {path for path in moved if not self._only_opened(path)} | chowned.keys()
        gone = [path for path in self._tree.held if path not in self._found]
        replaced = {path for path in changed if self._is_new_folder(path)}
        marks: list[Entry] = [
            Entry(path, "opaque")
            for path in replaced
            if path in self._below and not self._inside(path, replaced)
        ]
        for path in gone:
            parent = path.rpartition("/")[0]
            if (not parent or self._is_folder(parent)) and not self._inside(path, replaced):
                marks.append(Entry(path, "whiteout"))
        wanted = set(changed)
        for path in [*changed, *(mark.path for mark in marks)]:
            parent = path.rpartition("/")[0]
            while parent and parent not in wanted:
                wanted.add(parent)
                parent = parent.rpartition("/")[0]
        for path in [entry.path for entry in in_order(Entry(path, "dir") for path in wanted)]:
            self._entries[path] = self._entry(path, changed, chowned.get(path))
        return TreeChanges(tuple(in_order([*self._entries.values(), *marks])), frozenset(changed))

    def _only_opened(self, path: str) -> bool:
        """Tell whether a path is as it was, but for its ctime.

        For a RUN as root, proot opens what keeps its owner from reading and writing, and closes it again.
        """
        seen, held, node = self._found[path], self._tree.held.get(path), self._below.get(path)
        if held is None or node is None or (seen.key[0], *seen.key[2:]) != (held.key[0], *held.key[2:]):
            return False
        if seen.is_dir:
            return seen.mode & stat.S_IRWXU != stat.S_IRWXU
        closed = seen.mode & (stat.S_IRUSR | stat.S_IWUSR) == stat.S_IRUSR
        return closed and seen.links == held.links and self._has_content(path, node)

    def _has_content(self, path: str, node: Node) -> bool:
        if node.entry.kind != "file":
            return False
        with open(self._place(path), "rb") as now, node.origin.open(node.entry) as before:
            while chunk := now.read(CHUNK):
                if chunk != before.read(len(chunk)):
                    return False
        return True

    def _chowned(self) -> dict[str, Chowned]:
        if not self._recorded.owners:
            return {}
        result = {}
        for path, seen in self._found.items():
            said = self._recorded.chowned(self._place(path), seen) if self._is_recorded(seen) else None
            if said is not None:
                result[path] = said
        return result

    def _is_recorded(self, seen: Seen) -> bool:
        return f"{seen.device}:{seen.inode}" in self._recorded.owners

    def _place(self, path: str) -> str:
        return f"{self._root}/{path}"

    def _is_folder(self, path: str) -> bool:
        seen = self._found.get(path)
        return seen is not None and seen.is_dir

    def _is_new_folder(self, path: str) -> bool:
        """Tell whether a folder is there in the place of another entry of the layers below."""
        seen, held = self._found[path], self._tree.held.get(path)
        if not seen.is_dir or held is None:
            return False
        if not stat.S_ISDIR(held.key[4]) or held.key[3] != seen.inode:
            return True
        return supervise.birth(self._place(path)) > self._began

    @staticmethod
    def _inside(path: str, folders: set[str]) -> bool:
        parent = path.rpartition("/")[0]
        while parent:
            if parent in folders:
                return True
            parent = parent.rpartition("/")[0]
        return False

    def _was(self, path: str, seen: Seen) -> tuple[Entry, Held] | None:
        """Return what a file was before the RUN, under this name or another; None when the RUN made it."""
        if supervise.birth(self._place(path)) > self._began:
            return None
        held = self._tree.held.get(path)
        if held is None or held.key[3] != seen.inode:
            path = self._inodes().get(seen.inode, "")
            held = self._tree.held.get(path)
        node = self._below.get(path)
        if held is None or node is None or stat.S_IFMT(held.key[4]) != stat.S_IFMT(seen.mode):
            return None
        return node.entry, held

    def _inodes(self) -> dict[int, str]:
        if not self._by_inode:
            self._by_inode = {held.key[3]: path for path, held in self._tree.held.items()}
        return self._by_inode

    def _entry(self, path: str, changed: set[str], chowned: Chowned | None) -> Entry:
        node = self._below.get(path)
        if path not in changed and node is not None:
            return replace(node.entry, path=path)
        seen, place = self._found[path], self._place(path)
        kind = _KINDS.get(stat.S_IFMT(seen.mode), "file")
        was = self._was(path, seen)
        before = was[0] if was is not None else None
        parent = path.rpartition("/")[0]
        folder = self._entries.get(parent)
        if folder is None and (above := self._below.get(parent)) is not None:
            folder = above.entry
        replaced = node.entry if node is not None and kind == node.entry.kind == "file" else None
        uid, gid = owner(chowned, before=before, replaced=replaced, folder=folder, user=self._user)
        mode, mtime = stat.S_IMODE(seen.mode), seen.key[0] // 1_000_000_000
        entry = Entry(path, kind, mode, uid, gid, mtime)
        if kind == "symlink":
            first = self._first.setdefault((seen.device, seen.inode), path) if seen.links > 1 else path
            if first != path:
                return replace(entry, kind="hardlink", mode=0o777, link=first)
            return replace(entry, mode=0o777, link=os.readlink(place))
        if kind != "file":
            return entry
        made = self._recorded.device(place, seen)
        if made is not None:
            return replace(entry, kind="block" if made.block else "char", device=(made.major, made.minor))
        if before is not None and before.kind in ("char", "block"):
            return replace(before, path=path, mode=mode, uid=uid, gid=gid, mtime=mtime)
        if seen.links > 1:
            first = self._first.setdefault((seen.device, seen.inode), path)
            if first != path:
                return replace(entry, kind="hardlink", link=first)
        kept = (
            was[0].xattrs
            if was is not None and (was[1].key[0], was[1].key[2]) == (seen.key[0], seen.key[2])
            else ()
        )
        return replace(entry, size=seen.key[2], xattrs=kept)


def write_layer(out: BinaryIO, tree: WorkTree, changes: TreeChanges, seen: Scan) -> str:
    """Write the layer tar of `changes`; return its diff ID.

    A file that keeps even its owner out is opened for the while; `seen` then gets its new change key.
    """
    writer = LayerWriter(out)
    root = str(tree.root)
    for entry in changes.entries:
        if entry.kind == "file":
            place = f"{root}/{entry.path}"
            closed = os.geteuid() != 0 and not entry.mode & stat.S_IRUSR
            if closed:
                os.chmod(place, entry.mode | stat.S_IRUSR)
            with open(place, "rb") as content:
                writer.add(entry, content)
            if closed:
                os.chmod(place, entry.mode)
                old = seen.found[entry.path]
                seen.found[entry.path] = Seen(key_of(os.lstat(place)), old.links, old.device)
        else:
            writer.add(entry)
    writer.close()
    return writer.digest
