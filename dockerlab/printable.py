"""Names, histories and logs as they may be shown: nothing in them moves a cursor, rings or breaks a line."""

from __future__ import annotations

import html
import re
import unicodedata

LINES = "\n\t"  # what a text of several lines keeps
_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours and cursor moves (ECMA-48, CSI)
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # titles and links (OSC)
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


def printable(text: str, *, keep: str = "") -> str:
    r"""Return text with an escape for each character that does not print, but for those in `keep`.

    A byte of a name that is not UTF-8 (half a surrogate pair, as Python has it) becomes `\xe9`.
    """
    if text.isprintable():
        return text
    return "".join(char if char in keep or _prints(char) else _escaped(char) for char in text)


def escape(text: str, *, keep: str = "") -> str:
    """Return printable text for HTML."""
    return html.escape(printable(text, keep=keep))


def clean(line: str) -> str:
    """Return a log line as a terminal leaves it: no colours, only what follows the last carriage return."""
    return _SEQUENCE.sub("", line.rstrip("\r\n").rpartition("\r")[2])


def _prints(char: str) -> bool:
    return char.isprintable() or unicodedata.category(char) == "Zs"  # a space of any width


def _escaped(char: str) -> str:
    if "\udc80" <= char <= "\udcff":
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")
