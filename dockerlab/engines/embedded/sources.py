"""What a COPY or ADD names: the files its sources match, and the checksums the cache goes by."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from dockerlab.context import Context
from dockerlab.errors import ContextError
from dockerlab.filesystem import Contents, Entry, Node, Tree, join


@dataclass(frozen=True)
class Source:
    """One source of a COPY or ADD: a path, perhaps with wildcards, in a context or another image."""

    tree: Tree
    path: str  # as written, variables expanded
    where: str  # for messages: "the build context", "stage build"
    unpack: bool = False  # a tar archive is unpacked: ADD of a local file, or of a URL with --unpack

    @property
    def name(self) -> str:
        """Return the last part of the path: what a copied file is called in a destination folder."""
        return self.path.rstrip("/").rpartition("/")[2]


def matches(source: Source) -> list[tuple[str, str]]:
    """Return each match's name, by which it goes into a folder, and its path with symlinks followed."""
    path = "/".join(part for part in source.path.split("/") if part not in ("", "."))
    if not has_wildcard(path):
        return [(source.name, _followed(source, path.replace("\\", "")))]
    fixed, pattern = _split_wildcards(path)
    base = _followed(source, fixed)
    return [
        (match.rpartition("/")[2], _followed(source, match))
        for match in _matching(source.tree, base, "", pattern)
    ]


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
    for _, match in matches(source):
        cut = len(match.rpartition("/")[0]) if wild else len(match)
        for path in [match, *source.tree.walk(match)]:
            node = source.tree.get(path)
            if node is None or excluded(path, match, exclude):
                continue
            found.append(Checksum(path, path[cut:].strip("/"), _seen(node, digest)))
    return found


def _seen(node: Node, digest: Digest) -> str:
    entry = node.entry
    text = digest(node.origin, entry) if entry.kind == "file" else entry.link
    owner = f" {entry.uid}:{entry.gid}" if entry.uid or entry.gid else ""
    return f"{entry.kind} {entry.mode:04o}{owner} {text}".strip()


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


def excluded(path: str, root: str, patterns: Sequence[str]) -> bool:
    """Tell whether a path below the match `root` is left out by one of --exclude's patterns."""
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
