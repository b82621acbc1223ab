"""A build context: a folder, or a dict of files; .dockerignore; checksums.

Sources: https://docs.docker.com/build/concepts/context/; tonistiigi/fsutil, by which BuildKit walks a folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from dockerlab.context.files import file_digest, inside, read_entry, unreadable
from dockerlab.context.ignorefile import parse_ignore_file
from dockerlab.context.materialized import materialized
from dockerlab.dockerfile.patterns import Patterns
from dockerlab.errors import ContextError
from dockerlab.image.filesystem import Entry, Node, Tree, join

FIXED_MTIME = (
    1_704_067_200  # seconds: 2024-01-01, for what has no file of its own, so that layers are repeatable
)


@dataclass(frozen=True)
class File:
    """Content and mode of one file in an in-memory context."""

    content: str | bytes
    mode: int = 0o644

    @property
    def data(self) -> bytes:
        """The content as bytes (text is UTF-8)."""
        return self.content.encode() if isinstance(self.content, str) else self.content


class Context:
    """What a build may COPY from. It looks at a folder afresh on every call of tree() and never writes to it.

    `dockerfile` is the path of the Dockerfile in the context: `<dockerfile>.dockerignore` goes before
    `.dockerignore`. Make one with folder() or files().
    """

    def __init__(self, root: Path | None, files: Mapping[str, File | None], *, dockerfile: str) -> None:
        self.root = root
        self._root = "" if root is None else str(root)
        self.dockerfile = dockerfile
        self._files = dict(files)  # None: gone from the folder

    @classmethod
    def folder(cls, path: Path | str, *, dockerfile: str = "Dockerfile") -> Context:
        """Take a folder; raises ContextError when there is none."""
        root = Path(path)
        if not root.is_dir():
            what = "is not a folder" if root.exists() else "does not exist"
            raise ContextError(
                f"the build context {root} {what}", hint="Pass the folder that holds the files to COPY."
            )
        return cls(root.resolve(), {}, dockerfile=dockerfile)

    @classmethod
    def files(cls, files: Mapping[str, str | bytes | File], *, dockerfile: str = "Dockerfile") -> Context:
        """Take files from memory: path -> content, or a File where the mode matters; folders are implied."""
        made = {inside(path): _file(content, 0o644) for path, content in files.items()}
        _refuse_files_as_folders(made)
        return cls(None, made, dockerfile=dockerfile)

    def tree(self) -> Tree:
        """Return what .dockerignore lets through, owned by 0:0, modification times in whole seconds."""
        return self._tree(self.ignore_file())

    def all_files(self) -> Tree:
        """Return everything, before .dockerignore."""
        return self._tree(Patterns())

    def ignore_file(self) -> Patterns:
        """Return the patterns in force; raises ContextError naming file and line of a bad one."""
        for name in (f"{self.dockerfile}.dockerignore", ".dockerignore"):
            content = self._read_if_there(name)
            if content is not None:
                return parse_ignore_file(content.decode("utf-8", "surrogateescape"), name=name)
        return Patterns()

    def open(self, entry: Entry) -> BinaryIO:
        """Return a stream over the content of a listed file; raises ContextError if its size has changed."""
        file = self._files.get(entry.path)
        if file is not None:
            return io.BytesIO(file.data)
        place = self._place(entry.path)
        try:
            stream = open(place, "rb")  # noqa: PTH123, SIM115 - see _place; the caller closes it
        except OSError as error:
            raise unreadable(entry.path, error) from error
        size = os.fstat(stream.fileno()).st_size
        if size != entry.size:
            stream.close()
            message = f"{entry.path} went from {entry.size} to {size} bytes while it was being read"
            raise ContextError(message, hint="Wait until nothing writes to it, then build again.")
        return stream

    def digest(self, entry: Entry) -> str:
        """Return "sha256:..." of the content of a listed file.

        One that has the same inode, size and times as before is not read again.
        """
        file = self._files.get(entry.path)
        if file is not None:
            return f"sha256:{hashlib.sha256(file.data).hexdigest()}"
        place = self._place(entry.path)
        try:
            info = os.stat(place)  # noqa: PTH116 - see _place
            return file_digest(place, (info.st_mtime_ns, info.st_ctime_ns, info.st_size, info.st_ino))
        except OSError as error:
            raise unreadable(entry.path, error) from error

    def edited(self, changes: Mapping[str, str | bytes | File | None]) -> Context:
        """Return a new context with some files changed or added, or removed (None); this one stays as it is.

        Text or bytes over a file keep its mode. Raises ContextError on removing what is not there.
        """
        files = dict(self._files)
        before = self.all_files()
        for written, content in changes.items():
            path = inside(written)
            old = before.get(path)
            if content is not None:
                if old is not None and old.entry.kind == "dir":
                    raise ContextError(f"{path} is a folder, not a file", hint="Name a file inside it.")
                _refuse_a_file_above(path, before)
                files[path] = _file(content, old.entry.mode if old and old.entry.kind == "file" else 0o644)
                continue
            if old is None:
                raise ContextError(f"cannot remove {path}: it is not there", hint="Check the name.")
            for gone in [name for name in files if name == path or name.startswith(f"{path}/")]:
                del files[gone]
            if self.root is not None:
                files[path] = None
        _refuse_files_as_folders(files)
        return Context(self.root, files, dockerfile=self.dockerfile)

    def materialised(self) -> AbstractContextManager[Path]:
        """Give a real folder: the folder itself, or a temporary copy that is gone after the `with`.

        Files from memory get a fixed modification time, so that a COPY of them always gives the same layer.
        """
        if self.root is not None and not self._files:
            return contextlib.nullcontext(self.root)
        return materialized(self.to_send())

    def to_send(self) -> Tree:
        """Return what a builder may ask for: what is not ignored, the Dockerfile, the ignore files."""
        tree = self.tree()
        everything = None
        for name in (self.dockerfile, f"{self.dockerfile}.dockerignore", ".dockerignore"):
            if name in tree or not self._exists(name):
                continue
            everything = everything or self.all_files()
            wanted = [name, *map(str, list(PurePosixPath(name).parents)[:-1])]
            entries = [
                node.entry for path in reversed(wanted) if path not in tree and (node := everything.get(path))
            ]
            tree.apply(entries, self)
        return tree

    def _tree(self, ignore: Patterns) -> Tree:
        nodes: dict[str, Node] = {}
        self._walk("", None, ignore, [], nodes, {})
        return Tree(nodes)

    def _walk(
        self,
        folder: str,
        matched: tuple[bool, ...] | None,
        ignore: Patterns,
        waiting: list[Entry],
        nodes: dict[str, Node],
        linked: dict[tuple[int, int], Node],
    ) -> None:
        """Collect what is below `folder`; `waiting` are ignored parents: kept if something in them is.

        Names of one file (hard links) get the same node, which is how a copy knows to link them again.
        """
        inodes: dict[str, tuple[int, int]] = {}
        for entry in self._listing(folder, inodes):
            ignored, hits = ignore.decide(entry.path, matched)
            below = [*waiting, entry] if ignored else []
            if not ignored:
                for kept in (*waiting, entry):
                    nodes[kept.path] = Node(kept, self)
                if entry.path in inodes:
                    nodes[entry.path] = linked.setdefault(inodes[entry.path], nodes[entry.path])
                waiting = []
            if entry.kind == "dir" and (not ignored or ignore.may_return_below(entry.path)):
                self._walk(entry.path, hits, ignore, below, nodes, linked)
                waiting = [parent for parent in waiting if parent.path not in nodes]

    def _listing(self, folder: str, inodes: dict[str, tuple[int, int]]) -> list[Entry]:
        """Return the entries right in `folder`, from disk and from memory; note files with several names."""
        found: dict[str, Entry] = {}
        real = self.root is not None and self._on_disk(folder)
        if self.root is not None and real:
            try:
                with os.scandir(self.root / folder) as entries:
                    for item in entries:
                        entry = read_entry(join(folder, item.name), item)
                        if entry is not None:
                            found[item.name] = entry
                            info = item.stat(follow_symlinks=False)
                            if entry.kind == "file" and info.st_nlink > 1:
                                inodes[entry.path] = (info.st_dev, info.st_ino)
            except OSError as error:
                raise unreadable(folder or ".", error) from error
        start = f"{folder}/" if folder else ""
        for path, file in self._files.items():
            if not path.startswith(start):
                continue
            name, _, rest = path[len(start) :].partition("/")
            here = join(folder, name)
            if not rest:
                inodes.pop(here, None)
            if not rest and file is None:
                found.pop(name, None)
            elif not rest and file is not None:
                found[name] = Entry(here, "file", file.mode, mtime=FIXED_MTIME, size=len(file.data))
            elif file is not None and (name not in found or found[name].kind != "dir"):
                found[name] = Entry(here, "dir", 0o755, mtime=FIXED_MTIME)
            elif "/" not in rest and name in found and (file is None or not self._beneath(path)):
                # A file came or went in it: that changes the time of a real folder too.
                found[name] = replace(found[name], mtime=FIXED_MTIME)
        return [found[name] for name in sorted(found)]

    def _on_disk(self, path: str) -> bool:
        """Whether what is at `path` is the folder's own, not removed or replaced by an edit."""
        return self.root is not None and not self._edited(path) and os.path.lexists(self._place(path))

    def _edited(self, path: str) -> bool:
        """Whether an edit has to do with `path` or a folder it is in."""
        if not self._files:
            return False
        parts = path.split("/")
        return any("/".join(parts[: count + 1]) in self._files for count in range(len(parts)))

    def _beneath(self, path: str) -> bool:
        """Whether the folder on disk has `path`, edited or not."""
        return self.root is not None and os.path.lexists(self._place(path))

    def _exists(self, path: str) -> bool:
        if self._files.get(path) is not None or any(
            file is not None and name.startswith(f"{path}/") for name, file in self._files.items()
        ):
            return True
        return not path or self._on_disk(path)

    def _read_if_there(self, path: str) -> bytes | None:
        if path in self._files:
            file = self._files[path]
            return None if file is None else file.data
        if self.root is None or not self._on_disk(path) or not self._path(path).is_file():
            return None
        try:
            return self._path(path).read_bytes()
        except OSError as error:
            raise unreadable(path, error) from error

    def _place(self, path: str) -> str:
        """Return where `path` is on disk. As text: to make a Path takes longer than to look at the file."""
        if self.root is None:
            raise ContextError(
                f"{path} is not in the build context", hint="Check the name; capital letters matter."
            )
        return f"{self._root}/{path}"

    def _path(self, path: str) -> Path:
        return Path(self._place(path))


def _file(content: str | bytes | File, mode: int) -> File:
    return content if isinstance(content, File) else File(content, mode)


def _refuse_files_as_folders(files: Mapping[str, File | None]) -> None:
    for path in files:
        for parent in PurePosixPath(path).parents:
            if files[path] is not None and files.get(str(parent)) is not None:
                raise ContextError(
                    f"{parent} is a file, and {path} needs it to be a folder", hint="Rename one of them."
                )


def _refuse_a_file_above(path: str, tree: Tree) -> None:
    for parent in list(PurePosixPath(path).parents)[:-1]:
        if str(parent) in tree and not tree.is_dir(str(parent)):
            raise ContextError(
                f"{parent} is not a folder, and {path} needs it to be one", hint="Name another path."
            )
