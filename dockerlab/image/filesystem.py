"""Entries of a layer tar, and the merged tree that a stack of layers shows a container."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, make_dataclass
from typing import Any, BinaryIO, Literal, Protocol, cast

Kind = Literal["file", "dir", "symlink", "hardlink", "char", "block", "fifo", "whiteout", "opaque"]

CHUNK = 1 << 20  # bytes of a file read at a time
MAX_SYMLINKS = 40  # what the Linux kernel follows before it says ELOOP


@dataclass(frozen=True, slots=True)
class Entry:
    """One member of a layer tar, or one file of a build context.

    `path` has no leading or trailing slash ("" is the root). A "whiteout" carries the path it hides, an
    "opaque" the folder whose lower content it hides (OCI image spec, layer.md, "Whiteouts"). `size` is the
    bytes of content. `link` is a symlink's text, or the path a hard link points to. `mtime` is in seconds.
    `offset` is where the content starts in the uncompressed layer tar (-1: not in a tar).
    """

    path: str
    kind: Kind
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    size: int = 0
    link: str = ""
    xattrs: tuple[tuple[str, bytes], ...] = ()
    device: tuple[int, int] = (0, 0)
    offset: int = field(default=-1, compare=False)


_Fields = make_dataclass("_Fields", [one.name for one in fields(Entry)], slots=True)


def quick_entry(*values: object) -> Entry:
    """Return Entry(*values), all of them given, in a tenth of the time a frozen dataclass takes to make."""
    made: Any = _Fields(*values)
    made.__class__ = Entry
    return cast(Entry, made)


class Contents(Protocol):
    """What can hand out the content of its entries: a layer, or a build context."""

    def open(self, entry: Entry) -> BinaryIO:
        """Return a binary stream over exactly `entry.size` bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Node:
    """An entry as the merged tree shows it, and where its content is."""

    entry: Entry
    origin: Contents


class Tree:
    """The file system that stacked layers show: path -> node, whiteouts applied.

    Hard links appear as regular files: their node is the one of the file they point to, under their own path.
    """

    def __init__(self, nodes: Mapping[str, Node] | None = None) -> None:
        self._nodes: dict[str, Node] = dict(nodes or {})
        self._children: dict[str, set[str]] = {}
        for path in self._nodes:
            self._link_parent(path)

    @classmethod
    def stacked(cls, layers: Iterable[tuple[Iterable[Entry], Contents]]) -> Tree:
        """Merge layers, lowest first."""
        tree = cls()
        for entries, origin in layers:
            tree.apply(entries, origin)
        return tree

    def copy(self) -> Tree:
        """Return an independent tree with the same nodes."""
        twin = Tree()
        twin._nodes = dict(self._nodes)
        twin._children = {path: set(names) for path, names in self._children.items()}
        return twin

    def apply(self, entries: Iterable[Entry], origin: Contents) -> None:
        """Put one more layer on top: its whiteouts hide what is below, never what it brings itself."""
        entries = list(entries)
        for entry in entries:
            if entry.kind == "whiteout":
                self.remove(entry.path)
            elif entry.kind == "opaque":
                for name in list(self._children.get(entry.path, ())):
                    self.remove(join(entry.path, name))
        links = []
        for entry in entries:
            kind, path = entry.kind, entry.path
            if kind == "hardlink":
                links.append(entry)
            elif kind != "whiteout" and kind != "opaque" and path:
                self._imply_parents(path, origin)
                self.put(path, Node(entry, origin))
        for entry in links:
            target = self._nodes.get(entry.link)
            if target is not None and entry.path:
                self._imply_parents(entry.path, origin)
                self.put(entry.path, target)

    def _imply_parents(self, path: str, origin: Contents) -> None:
        """Make the folders above `path` that no layer has: a tar need not name them.

        What is no folder gives way to one: nothing may lie below a symlink, which could lead anywhere.
        """
        parent = path.rpartition("/")[0]
        if parent and not self.is_dir(parent):
            self._imply_parents(parent, origin)
            self.put(parent, Node(Entry(parent, "dir", 0o755), origin))

    def get(self, path: str) -> Node | None:
        """Return the node at exactly `path`, following no symlink, or None."""
        return self._nodes.get(path)

    def __contains__(self, path: object) -> bool:
        return path in self._nodes

    def __iter__(self) -> Iterator[str]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    def children(self, path: str) -> list[str]:
        """Return the names in folder `path`, sorted by their bytes."""
        return sorted(self._children.get(path, ()), key=lambda name: name.encode("utf-8", "surrogateescape"))

    def walk(self, path: str) -> Iterator[str]:
        """Yield every path below `path`, parents before children, siblings sorted."""
        for name in self.children(path):
            child = join(path, name)
            yield child
            yield from self.walk(child)

    def is_dir(self, path: str) -> bool:
        """Tell whether `path` itself is a folder (the root always is)."""
        node = self._nodes.get(path)
        return path == "" or (node is not None and node.entry.kind == "dir")

    def resolve(self, path: str, *, follow_last: bool = True, root: str = "") -> str:
        """Return `path` with symlinks followed, as inside a chroot; parts that do not exist stay as they are.

        `root` is a folder that nothing leads out of: `path` and absolute links count from there. Raises
        OSError (ELOOP) after 40 links, and (EXDEV) where `..` would leave a `root`.
        """
        import errno

        todo = [part for part in path.split("/") if part not in ("", ".")][::-1]
        done: list[str] = []
        followed = 0
        while todo:
            part = todo.pop()
            if part == "..":
                if done:
                    done.pop()
                elif root:
                    raise OSError(errno.EXDEV, "leads out of the folder", path)
                continue
            here = join(root, "/".join([*done, part]))
            node = self._nodes.get(here)
            if node is not None and node.entry.kind == "symlink" and (todo or follow_last):
                followed += 1
                if followed > MAX_SYMLINKS:
                    raise OSError(errno.ELOOP, "too many levels of symbolic links", path)
                if node.entry.link.startswith("/"):
                    done = []
                todo += [step for step in node.entry.link.split("/") if step not in ("", ".")][::-1]
                continue
            done.append(part)
        return join(root, "/".join(done)).rstrip("/")

    def read(self, path: str) -> bytes | None:
        """Return the content of the file at `path` (symlinks followed), or None where there is none."""
        node = self._nodes.get(self.resolve(path))
        if node is None or node.entry.kind != "file":
            return None
        with node.origin.open(node.entry) as stream:
            return stream.read()

    def put(self, path: str, node: Node) -> None:
        """Set what is at `path`; a folder that gives way to something else takes its content with it."""
        old = self._nodes.get(path)
        if old is not None and old.entry.kind == "dir" and node.entry.kind != "dir":
            self.remove(path)
        self._nodes[path] = node
        self._link_parent(path)

    def _link_parent(self, path: str) -> None:
        parent, _, name = path.rpartition("/")
        children = self._children.get(parent)
        if children is None:
            children = self._children[parent] = set()
        children.add(name)

    def remove(self, path: str) -> None:
        """Drop `path` and all below it."""
        for name in list(self._children.pop(path, ())):
            self.remove(join(path, name))
        self._nodes.pop(path, None)
        parent, _, name = path.rpartition("/")
        self._children.get(parent, set()).discard(name)


def join(folder: str, name: str) -> str:
    """Join two parts of a slash-less path; `folder` may be "" (the root)."""
    return f"{folder}/{name}" if folder else name
