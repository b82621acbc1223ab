"""What a COPY or ADD names: the files its sources match, and the checksums the cache goes by."""

from __future__ import annotations

import hashlib
import io
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from dockerlab.context.context import Context
from dockerlab.dockerfile.hints import NO_CONTEXT, near
from dockerlab.dockerfile.patterns import NO_PATTERNS, Patterns, glob, has_wildcard, split_wildcards
from dockerlab.errors import ContextError
from dockerlab.image.filesystem import CHUNK, Contents, Entry, Node, Tree, join

Hits = tuple[bool, ...]  # which patterns matched a folder: what is below it needs to know


@dataclass(frozen=True)
class Source:
    """One source of a COPY or ADD: a path, perhaps with wildcards, in a context or another image."""

    tree: Tree
    path: str  # as written, variables expanded
    where: str  # for messages: "the build context", "stage build"
    unpack: bool = False  # a tar archive is unpacked: ADD of a local file, or of a URL with --unpack
    parents: bool = False  # --parents: the folders above are kept, those before /./ are not
    exclude: Patterns = NO_PATTERNS

    @property
    def name(self) -> str:
        """Return the last part of the path: what a copied file is called in a destination folder."""
        return self.path.rstrip("/").rpartition("/")[2]


@dataclass(frozen=True)
class Match:
    """What a source matches: a file, or a folder of which the content that `include` has is copied."""

    name: str  # by which a file goes into a folder
    path: str  # in the source's tree, symlinks followed
    include: Patterns | None = None  # None: all


def matches(source: Source) -> list[Match]:
    """Return what a source names; raises ContextError when a source without wildcards is not there."""
    try:
        return _with_parents(source) if source.parents else _matches(source, source.path)
    except ValueError as error:
        raise ContextError(
            f'"{source.path}" is not a pattern: {error}', hint="Close a [ with its ], or escape it as \\[."
        ) from error


def _matches(source: Source, written: str) -> list[Match]:
    path = "/".join(part for part in written.split("/") if part not in ("", "."))
    fixed, pattern = split_wildcards(path)
    base = _followed(source, fixed.replace("\\", "") if not pattern else fixed)
    if not pattern:
        return [Match(source.name, base)]
    return [
        Match(match.rpartition("/")[2], _followed(source, match))
        for match in _matching(source.tree, base, "", glob(pattern))
    ]


def _with_parents(source: Source) -> list[Match]:
    root, pivot, below = source.path.partition("/./")
    if not pivot:
        root, below = "", source.path
    wanted = posixpath.normpath(f"/{below}").lstrip("/")
    include = Patterns.of([wanted]) if wanted else None
    found = [
        replace(match, include=include) for match in _matches(source, root) if source.tree.is_dir(match.path)
    ]
    if not has_wildcard(source.path):
        _followed(source, f"{root}/{wanted}")
    return found


def kept(source: Source, match: Match) -> list[str]:
    """Return the paths below a match that are copied, parents first; "" is the match itself.

    `exclude` is about what is below it: as in BuildKit, a file that is named or matched is never left out.
    """
    if not source.tree.is_dir(match.path):
        return [""]
    return ["", *_below(source, match, "", None, None)]


def _below(
    source: Source, match: Match, folder: str, excluded: Hits | None, included: Hits | None
) -> list[str]:
    tree = source.tree
    found: list[str] = []
    for name in tree.children(join(match.path, folder) if folder else match.path):
        path = join(folder, name)
        out, leaving = source.exclude.decide(path, excluded)
        wanted, staying = match.include.decide(path, included) if match.include is not None else (True, None)
        below: list[str] = []
        if tree.is_dir(join(match.path, path)):
            below = _below(source, match, path, leaving, staying)
        if (wanted and not out) or below:
            found += [path, *below]
    return found


def _followed(source: Source, path: str) -> str:
    try:
        found = source.tree.resolve(path)
    except OSError as error:
        raise ContextError(
            f'"{path}" in {source.where} is a symlink that goes round in a circle', hint="Point it at a file."
        ) from error
    if not source.tree.is_dir(found) and found not in source.tree:
        raise _missing(source, path)
    return found


@dataclass(frozen=True)
class Checksum:
    """What BuildKit's content checksum sees of one source file."""

    path: str  # in the source's tree
    name: str  # below what is copied: where that lies counts for nothing
    text: str  # kind, mode, owner, and content digest or link text; no mtime


def checksums(source: Source, digest: Digest) -> list[Checksum]:
    """Return the checksum of everything a source names; the root folder itself has none."""
    found = []
    wild = has_wildcard(source.path) and not source.parents
    for match in matches(source):
        for below in kept(source, match):
            path = join(match.path, below) if below else match.path
            node = source.tree.get(path)
            if node is None or (source.parents and not below):
                continue
            top = match.path.rpartition("/")[2] if wild else ""
            found.append(Checksum(path, join(top, below) if below else top, _seen(node, digest)))
    return found


def _seen(node: Node, digest: Digest) -> str:
    entry = node.entry
    text = digest(node.origin, entry) if entry.kind == "file" else entry.link
    if entry.kind in ("char", "block"):
        text = "{}:{}".format(*entry.device)
    owner = f" {entry.uid}:{entry.gid}" if entry.uid or entry.gid else ""
    return f"{entry.kind} {entry.mode:04o}{owner} {text}".strip()


class Text:
    """Content held in memory (a heredoc, a downloaded file)."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def open(self, entry: Entry) -> BinaryIO:  # noqa: ARG002 - the protocol of every content source
        """Return a stream over the content."""
        return io.BytesIO(self.content)


class Digest:
    """Content digests of source files, each worked out once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str, int], str] = {}

    def __call__(self, origin: Contents, entry: Entry) -> str:
        """Return "sha256:..." of the entry's content."""
        if isinstance(origin, Context):
            return origin.digest(entry)
        key = (id(origin), entry.path, entry.offset)
        if key not in self._known:
            self._known[key] = _sha256(origin, entry)
        return self._known[key]


def _sha256(origin: Contents, entry: Entry) -> str:
    total = hashlib.sha256()
    with origin.open(entry) as stream:
        while block := stream.read(CHUNK):
            total.update(block)
    return f"sha256:{total.hexdigest()}"


def _matching(tree: Tree, base: str, below: str, pattern: re.Pattern[str]) -> Iterator[str]:
    for name in tree.children(join(base, below) if below else base):
        path = join(below, name)
        if pattern.fullmatch(path):
            yield join(base, path)
        elif tree.is_dir(join(base, path)):
            yield from _matching(tree, base, path, pattern)


def _missing(source: Source, path: str) -> ContextError:
    wanted = source.path.strip("/")
    node = source.tree.get(path)
    if has_wildcard(wanted) and node is not None and node.entry.kind == "symlink":
        return ContextError(
            f'"{path}", which {source.path} takes in, is a symlink to "{node.entry.link}"',
            hint=f"That is not in {source.where}: point it at something that is, or leave it out.",
        )
    meant = near(wanted, source.tree)
    hint = f'Did you mean "{meant}"?' if meant else "Look at the path and at .dockerignore."
    if source.where == "the build context" and not any(True for _ in source.tree):
        hint = NO_CONTEXT
    node = source.tree.get(wanted)
    if node is not None and node.entry.kind == "symlink":
        hint = f'It is a symlink to "{node.entry.link}", and that is not there.'
    return ContextError(f'"{source.path}" is not in {source.where}', hint=hint)
