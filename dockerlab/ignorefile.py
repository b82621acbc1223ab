""".dockerignore patterns, with the meaning Docker gives them (which is not .gitignore's).

Source: moby/patternmatcher; Go's path/filepath (Clean, Match) and regexp/syntax. Paths have slashes always.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass

from dockerlab.errors import ContextError
from dockerlab.expansion import SPACES

_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7f",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\x0b\x0c\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
# A backslash before one of these letters keeps its meaning in Go's regular expressions: Docker lets it.
_LETTERS = {"d": "0-9", "w": "0-9A-Za-z_", "s": r"\t\n\x0c\r "}
_CONTROLS = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}

_COUNT = re.compile(r"(\d{1,9})(?:,(\d{0,9}))?\}", re.ASCII)


@dataclass(frozen=True)
class Pattern:
    """One line of an ignore file, cleaned. `exception` is a `!` line."""

    text: str  # without the "!"
    exception: bool
    line: int  # 1-based
    matches: Callable[[str], bool]

    @property
    def prefix(self) -> str | None:
        """The folder below which it matches, or None where wild cards could match anywhere."""
        bare = self.text.removesuffix("/**").removesuffix("/*")
        return None if any(char in bare for char in "*[]?^\\") else bare


@dataclass(frozen=True)
class IgnoreFile:
    """The patterns of one .dockerignore, in order; the last one that matches a path decides."""

    patterns: tuple[Pattern, ...] = ()

    def decide(self, path: str, parent: tuple[bool, ...] | None = None) -> tuple[bool, tuple[bool, ...]]:
        """Tell whether `path` is left out, and which patterns matched it: what is below it needs to know."""
        ignored = False
        matched: list[bool] = []
        for at, pattern in enumerate(self.patterns):
            hit = parent is not None and parent[at]
            if not hit and pattern.exception == ignored:
                hit = pattern.matches(path)
            matched.append(hit)
            if hit:
                ignored = not pattern.exception
        return ignored, tuple(matched)

    def may_return_below(self, folder: str) -> bool:
        """Tell whether an exception could bring back something below the ignored `folder`."""
        prefixes = [pattern.prefix for pattern in self.patterns if pattern.exception]
        return None in prefixes or any(f"{prefix}/".startswith(f"{folder}/") for prefix in prefixes)


def parse_ignore_file(text: str, *, name: str = ".dockerignore") -> IgnoreFile:
    """Read an ignore file; raises ContextError naming the file and the line of a pattern that is none."""
    patterns = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        if line.startswith("#"):
            continue
        written = line.strip(SPACES)
        if not written:
            continue
        exception = written.startswith("!")
        cleaned = written[1:].strip(SPACES) if exception else written
        if cleaned:
            cleaned = _clean(cleaned)
            if len(cleaned) > 1:
                cleaned = cleaned.removeprefix("/")
        # Docker cleans once more with the "!" in place, which makes nothing of "!/".
        text_ = _clean(f"!{cleaned}")[1:] if exception else _clean(cleaned.strip(SPACES))
        try:
            if not text_:
                raise ValueError("nothing after the !")
            patterns.append(Pattern(text_, exception, number, _compile(text_)))
        except ValueError as error:
            raise ContextError(
                f"{name} line {number}: {written!r} is not a pattern: {error}",
                hint="Fix or remove that line; a [ needs its ], and \\ needs a character after it.",
            ) from error
    return IgnoreFile(tuple(patterns))


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
        compiled = re.compile(_python_regex(regex))
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


def _python_regex(regex: str) -> str:
    """Rewrite Go's regular expression as Python's: the two differ in brackets and in escapes."""
    out: list[str] = []
    at, end = 0, len(regex)
    while at < end:
        char = regex[at]
        at += 1
        if char == "\\":
            out.append(_escape(regex[at]))
            at += 1
        elif char == "[":
            at, text = _bracket(regex, at)
            out.append(text)
        elif char == "^":
            out.append("(?:^)")
        elif char == "{" and (count := _COUNT.match(regex, at)):
            if max(int(number) for number in count.groups() if number) > 1000:
                raise ValueError(f"{{{count.group()} is too large")
            out.append("{" + count.group())
            at = count.end()
        elif char in "(.*)?|":
            out.append(char)
        else:
            out.append(re.escape(char))
    return "".join(out) + r"\Z"


def _escape(char: str) -> str:
    if char in _LETTERS:
        return f"[{_LETTERS[char]}]"
    if char.lower() in _LETTERS:
        return f"[^{_LETTERS[char.lower()]}]"
    if char in "bBAz":
        return {"b": r"(?a:\b)", "B": r"(?a:\B)", "A": r"\A", "z": r"\Z"}[char]
    return re.escape(_plain(char))


def _plain(char: str) -> str:
    if char in _CONTROLS:
        return _CONTROLS[char]
    if not char.isascii() or char.isalnum():
        raise ValueError(f"\\{char} is not an escape")
    return char


def _bracket(regex: str, at: int) -> tuple[int, str]:
    """Read a bracket from after its [; return where it ends and what it is in Python."""
    out = ["["]
    if regex.startswith("^", at):
        out.append("^")
        at += 1
    first = True
    while first or not regex.startswith("]", at):
        named = re.compile(r"\[:(\^?)(\w+):\]").match(regex, at)
        if named:
            if named.group(1) or named.group(2) not in _CLASSES:
                raise ValueError(f"{named.group()} is not a class")
            out.append(_CLASSES[named.group(2)])
            at = named.end()
        elif regex.startswith("\\", at) and regex[at + 1 : at + 2].lower() in ("d", "w", "s"):
            out.append(regex[at : at + 2] if regex[at + 1].isupper() else _LETTERS[regex[at + 1]])
            at += 2
        else:
            at, low = _member(regex, at)
            high = low
            if regex.startswith("-", at) and not regex.startswith("-]", at):
                at, high = _member(regex, at + 1)
            if high < low:
                raise ValueError(f"the range {low}-{high} is upside down")
            out.append(re.escape(low) if low == high else f"{re.escape(low)}-{re.escape(high)}")
        first = False
    return at + 1, "".join([*out, "]"])


def _member(regex: str, at: int) -> tuple[int, str]:
    char = regex[at : at + 1]
    if not char:
        raise ValueError("the [ is not closed")
    if char == "\\":
        return at + 2, _plain(regex[at + 1 : at + 2])
    return at + 1, char
