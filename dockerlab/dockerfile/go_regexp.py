"""Go's regular expressions in Python's: those that Docker makes of a pattern of .dockerignore.

Source: Go's regexp/syntax.
"""

from __future__ import annotations

import re

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


def python_regex(regex: str) -> str:
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
