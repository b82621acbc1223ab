"""COPY and ADD: which files a source names, and where they land."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import BinaryIO

from dockerlab.context import Context
from dockerlab.engines.embedded.draft import Draft
from dockerlab.engines.embedded.unpack import members
from dockerlab.errors import BuildError, ContextError
from dockerlab.filesystem import Contents, Entry, Node, Tree, join


@dataclass(frozen=True)
class Source:
    """One source of a COPY or ADD: a path, perhaps with wildcards, in a context or another image."""

    tree: Tree
    path: str  # as written, variables expanded
    where: str  # for messages: "the build context", "stage build"
    unpack: bool = False  # a tar archive is unpacked: ADD of a local file

    @property
    def name(self) -> str:
        """Return the last part of the path: what a copied file is called in a destination folder."""
        return self.path.rstrip("/").rpartition("/")[2]


@dataclass(frozen=True)
class Options:
    """The flags of one COPY or ADD."""

    owner: tuple[int, int] | None = None  # None: as in the source
    mode: int | None = None
    exclude: tuple[str, ...] = ()
    parents: bool = False


def copy(draft: Draft, source: Source, dest: str, options: Options) -> None:
    """Copy what `source` names to `dest` (absolute, a trailing slash means folder), as BuildKit does.

    Raises ContextError when a source without wildcards is not there.
    """
    for name, match in _found(source):
        if options.parents:
            _with_parents(draft, source, match, dest, options)
        else:
            _copy_one(draft, source, match, name, dest, options)


def matches(source: Source) -> list[str]:
    """Return the paths in the source's tree that it names; [] for a wildcard that fits nothing."""
    return [match for _, match in _found(source)]


def _found(source: Source) -> list[tuple[str, str]]:
    """Return each match's name, by which it goes into a folder, and its path with symlinks followed."""
    path = "/".join(part for part in source.path.split("/") if part not in ("", "."))
    if not has_wildcard(path):
        return [(source.name, _followed(source, path.replace("\\", "")))]
    fixed, pattern = _split_wildcards(path)
    base = _followed(source, fixed)
    found = [
        (match.rpartition("/")[2], _followed(source, match))
        for match in _matching(source.tree, base, "", pattern)
    ]
    for _, match in found:
        # BuildKit's checksum of a wildcard follows every symlink below a match, and fails where it cannot.
        for inner in source.tree.walk(match):
            node = source.tree.get(inner)
            if node is not None and node.entry.kind == "symlink":
                _followed(source, inner)
    return found


def _followed(source: Source, path: str) -> str:
    try:
        found = source.tree.resolve(path)
    except OSError as error:
        raise ContextError(
            f'"{path}" in {source.where} is a symlink that goes round in a circle', hint="Point it at a file."
        ) from error
    if not source.tree.is_dir(found) and found not in source.tree:
        raise _missing(source)
    return found


@dataclass(frozen=True)
class Checksum:
    """What BuildKit's content checksum sees of one source file."""

    path: str  # in the source's tree
    name: str  # below what is copied: where that lies counts for nothing
    text: str  # kind, mode, owner, and content digest or link text; no mtime


def checksums(source: Source, digest: Digest, exclude: Sequence[str] = ()) -> list[Checksum]:
    """Return the checksum of everything a source names; the root folder itself has none."""
    found = []
    wild = has_wildcard(source.path)
    for match in matches(source):
        cut = len(match.rpartition("/")[0]) if wild else len(match)
        for path in [match, *source.tree.walk(match)]:
            node = source.tree.get(path)
            if node is None or _excluded(path, match, exclude):
                continue
            text = _seen(node, digest)
            if wild and node.entry.kind == "symlink":
                text += f" to {_pointed_at(source.tree, path, digest)}"
            found.append(Checksum(path, path[cut:].strip("/"), text))
    return found


def _seen(node: Node, digest: Digest) -> str:
    entry = node.entry
    text = digest(node.origin, entry) if entry.kind == "file" else entry.link
    owner = f" {entry.uid}:{entry.gid}" if entry.uid or entry.gid else ""
    return f"{entry.kind} {entry.mode:04o}{owner} {text}".strip()


def _pointed_at(tree: Tree, link: str, digest: Digest) -> str:
    """Return what is where a symlink leads: below a wildcard BuildKit counts that, too."""
    top = tree.resolve(link)
    nodes = ((path, tree.get(path)) for path in [top, *tree.walk(top)])
    return ", ".join(f"{path[len(top) :]} {_seen(node, digest)}" for path, node in nodes if node is not None)


class Digest:
    """Content digests of source files, each worked out once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str, int], str] = {}

    def __call__(self, origin: Contents, entry: Entry) -> str:
        """Return "sha256:..." of the entry's content."""
        if isinstance(origin, Context):
            return origin.digest(entry.path)
        key = (id(origin), entry.path, entry.offset)
        if key not in self._known:
            self._known[key] = _sha256(origin, entry)
        return self._known[key]


def _sha256(origin: Contents, entry: Entry) -> str:
    total = hashlib.sha256()
    with origin.open(entry) as stream:
        while block := stream.read(1 << 20):
            total.update(block)
    return f"sha256:{total.hexdigest()}"


def has_wildcard(path: str) -> bool:
    """Tell whether Go's filepath.Match would treat `path` as a pattern."""
    return re.search(r"[*?[]", re.sub(r"\\.", "", path)) is not None


def _split_wildcards(path: str) -> tuple[str, str]:
    parts = path.split("/")
    first = next(index for index, part in enumerate(parts) if has_wildcard(part))
    return "/".join(parts[:first]), "/".join(parts[first:])


def _matching(tree: Tree, base: str, below: str, pattern: str) -> Iterator[str]:
    for name in tree.children(join(base, below) if below else base):
        path = join(below, name)
        if _pattern(pattern).fullmatch(path):
            yield join(base, path)
        elif tree.is_dir(join(base, path)):
            yield from _matching(tree, base, path, pattern)


@lru_cache(maxsize=256)
def _pattern(pattern: str) -> re.Pattern[str]:
    out, at = "", 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*":
            out += "[^/]*"
        elif char == "?":
            out += "[^/]"
        elif char == "\\" and at < len(pattern):
            out += re.escape(pattern[at])
            at += 1
        elif char == "[":
            end = pattern.find("]", at + 1)
            if end < 0:
                raise ContextError(
                    f'"{pattern}" has a [ without its ]', hint="Close it, or escape it as \\[."
                )
            body = pattern[at:end]
            out += f"[^{_class(body[1:])}]" if body.startswith("^") else f"[{_class(body)}]"
            at = end + 1
        else:
            out += re.escape(char)
    return re.compile(out, re.DOTALL)


def _class(body: str) -> str:
    """Return the inside of a [...] for `re`: only a plain - keeps its meaning."""
    return "".join(
        part if part == "-" else re.escape(part.removeprefix("\\") or part)
        for part in re.findall(r"\\.|.", body, re.DOTALL)
    )


def _copy_one(draft: Draft, source: Source, match: str, name: str, dest: str, options: Options) -> None:
    tree = source.tree
    top = tree.get(match)
    folder = top is None or top.entry.kind == "dir"
    if (
        source.unpack
        and not folder
        and top is not None
        and _unpack(draft, top.origin, top.entry, dest, options)
    ):
        return
    into = dest.endswith("/") or dest.endswith("/.")
    target = draft.tree.resolve(dest)
    there = draft.get(target)
    if not folder and (into or draft.tree.is_dir(target)):
        target = join(target, name.rpartition("/")[2])
    _make(draft, target if folder and there is None else target.rpartition("/")[0], options)
    copied: dict[int, str] = {}
    if not folder:
        _put(draft, tree, match, target, options, copied, root=match)
        return
    if there is not None and there.kind != "dir":
        raise BuildError(
            f"cannot copy a folder over /{target}, which is a {there.kind}",
            hint="Copy to another path, or remove that file first.",
        )
    _copy_folder(draft, tree, match, target, options, copied, root=match)
    if target:
        draft.set_mtime(target, top.entry.mtime if top is not None else draft.now)


def _copy_folder(
    draft: Draft, tree: Tree, source: str, target: str, options: Options, copied: dict[int, str], *, root: str
) -> None:
    for name in tree.children(source):
        path = join(source, name)
        if _excluded(path, root, options.exclude):
            continue
        _put(draft, tree, path, join(target, name), options, copied, root=root)
        if tree.is_dir(path):
            _copy_folder(draft, tree, path, join(target, name), options, copied, root=root)


def _put(
    draft: Draft, tree: Tree, path: str, target: str, options: Options, copied: dict[int, str], *, root: str
) -> None:
    node = tree.get(path)
    assert node is not None, f"{path} is not in {root}"
    old = draft.get(target)
    if old is not None and (old.kind == "dir") != (node.entry.kind == "dir"):
        raise BuildError(
            f"cannot copy a {node.entry.kind} over /{target}, which is a {old.kind}",
            hint="Copy to another path, or remove what is there first.",
        )
    if id(node) in copied:
        draft.link(target, copied[id(node)])
        return
    entry = replace(node.entry, path=target)
    if options.owner is not None:
        entry = replace(entry, uid=options.owner[0], gid=options.owner[1])
    if options.mode is not None and entry.kind != "symlink":
        entry = replace(entry, mode=options.mode)
    draft.put(entry, Renamed(node.origin, node.entry))
    if entry.kind == "file":
        copied[id(node)] = target


@dataclass(frozen=True)
class Renamed:
    """The content of an entry under the path it was copied from."""

    origin: Contents
    entry: Entry

    def open(self, entry: Entry) -> BinaryIO:  # noqa: ARG002 - the protocol of every content source
        """Return a stream over the original's content."""
        return self.origin.open(self.entry)


def _make(draft: Draft, path: str, options: Options) -> None:
    try:
        draft.make_folders(path, owner=options.owner)
    except NotADirectoryError as error:
        raise BuildError(str(error), hint="Copy to another path.") from error


def _with_parents(draft: Draft, source: Source, match: str, dest: str, options: Options) -> None:
    parts = source.path.split("/./")
    pivot = len([part for part in parts[0].split("/") if part not in ("", ".")]) if len(parts) > 1 else 0
    kept = match.split("/")[pivot:]
    folder = dest.rstrip("/") + "/" + "/".join(kept[:-1])
    node = source.tree.get(match)
    if node is not None and node.entry.kind == "dir":
        _copy_one(draft, source, match, kept[-1], f"{folder.rstrip('/')}/{kept[-1]}", options)
    else:
        _copy_one(draft, source, match, kept[-1], f"{folder.rstrip('/')}/", options)


def _unpack(draft: Draft, origin: Contents, entry: Entry, dest: str, options: Options) -> bool:
    found = members(origin, entry)
    if found is None:
        return False
    target = draft.tree.resolve(dest)
    _make(draft, target, options)
    for member, content in found:
        path = draft.tree.resolve(join(target, member.path), follow_last=False)
        if target and path != target and not path.startswith(f"{target}/"):
            raise BuildError(
                f"{entry.path} has a member {member.path}, which a symlink leads out of /{target}",
                hint="Make the archive again without that symlink.",
            )
        old = draft.get(path)
        if old is not None and not (old.kind == "dir" and member.kind == "dir"):
            draft.remove(path)
        parent = path.rpartition("/")[0]
        _make(draft, parent, Options(owner=(0, 0)))
        if member.kind == "hardlink":
            other = draft.tree.resolve(join(target, member.link), follow_last=False)
            if draft.get(other) is None:
                raise BuildError(
                    f"{entry.path} has a hard link {member.path} to {member.link}, which is not there",
                    hint="Make the archive again, with that file before the link.",
                )
            draft.link(path, other, like=member)
            continue
        draft.put(replace(member, path=path), content)
    return True


def _excluded(path: str, root: str, patterns: Sequence[str]) -> bool:
    if not patterns:
        return False
    rest = path[len(root) :].strip("/")
    names = rest.split("/")
    return any(
        _pattern(pattern.strip("/")).fullmatch("/".join(names[: depth + 1]))
        for pattern in patterns
        for depth in range(len(names))
    )


def _missing(source: Source) -> ContextError:
    wanted = source.path.strip("/")
    near = difflib.get_close_matches(wanted, list(source.tree), n=1)
    hint = f'Did you mean "{near[0]}"?' if near else "Look at the path and at .dockerignore."
    node = source.tree.get(wanted)
    if node is not None and node.entry.kind == "symlink":
        hint = f'It is a symlink to "{node.entry.link}", and that is not there.'
    return ContextError(f'"{source.path}" is not in {source.where}', hint=hint)
