"""What names, histories and logs are shown as."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import dockerlab
from dockerlab.printable import LINES, clean, escape, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain name.txt", "plain name.txt"),
        ("café 漢 🐳", "café 漢 🐳"),
        ("no\u00a0break", "no\u00a0break"),
        ("caf\udce9", r"caf\xe9"),
        ("a\x1b[31mb\x07", r"a\x1b[31mb\x07"),
        ("two\nlines\tand\r", r"two\nlines\tand\r"),
        ("\x9b31m\x7f", r"\x9b31m\x7f"),
        ("txt.\u202eexe", r"txt.\u202eexe"),
        ("\u2028", r"\u2028"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_does_not_print_is_escaped(text: str, shown: str) -> None:
    """Controls, marks that turn the direction of writing, and bytes that are not UTF-8 get an escape."""
    assert printable(text) == shown


def test_lines_can_be_kept() -> None:
    """In a text of several lines the breaks between them stay."""
    assert printable("a\n\tb\x07", keep=LINES) == "a\n\tb\\x07"


def test_html_is_escaped_too() -> None:
    """escape() gives HTML without markup of the name's own."""
    assert escape("<b>\x1b&") == r"&lt;b&gt;\x1b&amp;"


def test_logs_lose_what_moves_the_cursor() -> None:
    """Of a log line colours, titles and bells are gone, and what a carriage return wrote over."""
    assert clean("10%\r\x1b[1;32m100%\x1b[0m\x1b]0;title\x07\x07\r\n") == "100%"


def test_nothing_else_escapes_html() -> None:
    """No module has a second way from a text to HTML, which would let controls through."""
    found = []
    for path in Path(dockerlab.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = (
                [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            )
            module = node.module if isinstance(node, ast.ImportFrom) else ""
            if "html" in names or (module == "html" and "escape" in names):
                found.append(path.name)
    assert found == ["printable.py"]
