"""Patterns of paths: Go's filepath.Match (COPY's wildcards), and those of .dockerignore and --exclude.

Source: Go's path/filepath (Clean, Match); moby/patternmatcher. Paths have slashes always.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from dockerlab.dockerfile.expansion import SPACES
from dockerlab.dockerfile.go_regexp import python_regex


@dataclass(frozen=True)
class Pattern:
    """One pattern of .dockerignore's kind, cleaned. `exception`: it began with `!`."""

    text: str  # without the "!"
    exception: bool
    matches: Callable[[str], bool]

    @property
    def prefix(self) -> str | None:
        """The folder below which it matches, or None where wild cards could match anywhere."""
        bare = self.text.removesuffix("/**").removesuffix("/*")
        return None if any(char in bare for char in "*[]?^\\") else bare


@dataclass(frozen=True)
class Patterns:
    """Patterns of .dockerignore's kind, in order; the last one that matches a path decides."""

    patterns: tuple[Pattern, ...] = ()

    @classmethod
    def of(cls, written: Iterable[str]) -> Patterns:
        """Read patterns; raises ValueError, which says why one is none."""
        return cls(tuple(pattern for text in written if (pattern := read_pattern(text)) is not None))

    def decide(self, path: str, parent: tuple[bool, ...] | None = None) -> tuple[bool, tuple[bool, ...]]:
        """Tell whether `path` matches, and which patterns it matched: what is below it needs to know."""
        found = False
        matched: list[bool] = []
        for at, pattern in enumerate(self.patterns):
            hit = parent is not None and parent[at]
            if not hit and pattern.exception == found:
                hit = pattern.matches(path)
            matched.append(hit)
            if hit:
                found = not pattern.exception
        return found, tuple(matched)

    def may_return_below(self, folder: str) -> bool:
        """Tell whether an exception could take back something below the matched `folder`."""
        prefixes = [pattern.prefix for pattern in self.patterns if pattern.exception]
        return None in prefixes or any(f"{prefix}/".startswith(f"{folder}/") for prefix in prefixes)


NO_PATTERNS = Patterns()


def read_pattern(text: str) -> Pattern | None:
    """Read one pattern, None where there is nothing; raises ValueError for what is no pattern."""
    written = text.strip(SPACES)
    if not written:
        return None
    exception = written.startswith("!")
    cleaned = written[1:].strip(SPACES) if exception else written
    if cleaned:
        cleaned = _clean(cleaned)
        if len(cleaned) > 1:
            cleaned = cleaned.removeprefix("/")
    # Docker cleans once more with the "!" in place, which makes nothing of "!/".
    bare = _clean(f"!{cleaned}")[1:] if exception else _clean(cleaned.strip(SPACES))
    if not bare:
        raise ValueError("nothing after the !")
    return Pattern(bare, exception, _compile(bare))


def has_wildcard(path: str) -> bool:
    """Tell whether Go's filepath.Match would treat `path` as a pattern."""
    return re.search(r"[*?[]", re.sub(r"\\.", "", path)) is not None


def split_wildcards(path: str) -> tuple[str, str]:
    """Split a path before its first part with a wildcard; "" where there is none."""
    parts = path.split("/")
    first = next((at for at, part in enumerate(parts) if has_wildcard(part)), len(parts))
    return "/".join(parts[:first]), "/".join(parts[first:])


@lru_cache(maxsize=256)
def glob(pattern: str) -> re.Pattern[str]:
    """Return Go's filepath.Match of a pattern, for fullmatch(); raises ValueError for what Go refuses."""
    _check_syntax(pattern)
    out = ["(?s:"]
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "[":
            at, text = _match_class(pattern, at)
            out.append(text)
        elif char in "*?":
            out.append("[^/]*" if char == "*" else "[^/]")
        else:
            if char == "\\":
                char = pattern[at]
                at += 1
            out.append(re.escape(char))
    return re.compile("".join([*out, ")"]))


def _match_class(pattern: str, at: int) -> tuple[int, str]:
    """Read a class of filepath.Match from after its [; return where it ends and what it is in Python."""
    negated = pattern[at] == "^"
    at += negated
    ranges: list[str] = []
    first = True
    while first or pattern[at] != "]":
        ends: list[str] = []
        while not ends or (len(ends) == 1 and pattern[at] == "-"):
            at += bool(ends)
            at += pattern[at] == "\\"
            ends.append(pattern[at])
            at += 1
        if ends[0] <= ends[-1]:  # of a range that is upside down nothing is a member
            ranges.append(f"{re.escape(ends[0])}-{re.escape(ends[-1])}")
        first = False
    if not ranges:
        return at + 1, "." if negated else "(?!)"
    return at + 1, f"[{'^' if negated else ''}{''.join(ranges)}]"


def _clean(path: str) -> str:
    # POSIX lets a path start with exactly two slashes; Go's Clean makes one of them.
    return posixpath.normpath(re.sub("^/+", "/", path))


def _compile(pattern: str) -> Callable[[str], bool]:
    """Return a function that tells whether a path matches; raises ValueError for a pattern Go refuses."""
    _check_syntax(pattern)
    kind, regex = _go_regex(pattern)
    if kind == "exact":
        return lambda path: path == pattern
    if kind == "prefix":
        return lambda path: path.startswith(pattern[:-2])
    if kind == "suffix":
        suffix = pattern[2:]
        return lambda path: path.endswith(suffix) or (suffix.startswith("/") and path == suffix[1:])
    try:
        compiled = re.compile(python_regex(regex))
    except re.error as error:
        raise ValueError(str(error)) from error
    return lambda path: compiled.search(path) is not None


def _check_syntax(pattern: str) -> None:
    """Refuse what Go's filepath.Match refuses."""
    at, end = 0, len(pattern)

    def member(at: int) -> int:
        if at >= end or pattern[at] in "-]":
            raise ValueError("the [ ] is wrong")
        at += 2 if pattern[at] == "\\" else 1
        if at >= end:
            raise ValueError("the [ is not closed")
        return at

    while at < end:
        if pattern[at] == "\\":
            at += 1
            if at == end:
                raise ValueError("it ends in \\")
        elif pattern[at] == "[":
            at += 1 + (pattern[at + 1 : at + 2] == "^")
            first = True
            while first or at >= end or pattern[at] != "]":
                at = member(at)
                if pattern[at] == "-":
                    at = member(at + 1)
                first = False
        at += 1


def _go_regex(pattern: str) -> tuple[str, str]:
    """Return which way Docker matches the pattern, and the regular expression (Go's) it makes of it."""
    out: list[str] = ["^"]
    kind = "exact"
    at, end = 0, len(pattern)
    first = True
    while at < end:
        char = pattern[at]
        at += 1
        if char == "*" and pattern[at : at + 1] == "*":
            at += 1
            if pattern[at : at + 1] == "/":
                at += 1
            if at < end:
                out.append("(.*/)?")
                kind = "regex"
            elif kind == "exact":
                kind = "prefix"
            else:
                out.append(".*")
                kind = "regex"
            if first:
                kind = "suffix"
        elif char == "*":
            out.append("[^/]*")
            kind = "regex"
        elif char == "?":
            out.append("[^/]")
            kind = "regex"
        elif (
            char in ".+()$"
        ):  # not { | }: Docker means to escape those too, but its table does not reach them
            out.append(f"\\{char}")
        elif char == "\\":
            out.append(f"\\{pattern[at : at + 1]}")
            at += 1
            kind = "regex"
        else:
            out.append(char)
            if char in "[]":
                kind = "regex"
        first = False
    return kind, "".join(out)
