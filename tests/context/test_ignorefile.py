"""The .dockerignore patterns, checked against BuildKit itself where there is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockerlab.context.ignorefile import parse_ignore_file
from dockerlab.errors import ContextError
from tests.context.ignore_cases import sent_by_buildkit, sent_by_us

CASES = [
    "*.pyc",
    "**/*.pyc",
    "d",
    "d/",
    "/d",
    "./d",
    "d/*",
    "d/**",
    "d/**/a",
    "**/a",
    "**a",
    "**",
    "*",
    "*\n!d/e/a",
    "**\n!**/*.js",
    "node\n!node/y/z.md",
    "node\n!node/y",
    "node/*\n!node/y",
    "d\n!d/e\nd/e/f",
    "*.md\n!z.md\n*.js",
    "[^a]",
    "[!a]",
    "[a-d]*",
    "d?",
    "\\[x\\]",
    "\\!keep",
    "!keep",
    "#hash",
    "\\#hash",
    " #hash",
    ".",
    "/",
    "..",
    "../d",
    "d/../x",
    "/../x",
    "// d",
    "a b",
    "  a  ",
    "a\r\nd/a\r",
    "\ufeffa",
    "**/e/**",
    "**/e",
    "*/*",
    "*/*/*",
    "d/**/*",
    "***",
    "**/**",
    "**/.*",
    ".*",
    "\\d",
    "\\d*",
    "[\\d]*",
    "[[:alpha:]]*",
    "?.txt",
    "d+",
    "e.tar",
    "src/e.tar.gz",
    "*.tar.*",
    "x^",
    "^x*",
    "A*",
    "a*\n!a",
    "*\n!*/b.pyc",
    "*\n!*/\nd",
    "*\n!.",
    "d\n!d",
    "d/e\n!d/e/f/g\n",
    "! d\nd",
    "**/d\n!src/**",
    "*\n!**/f/*",
    "a|d/*",
    "*|d",
    "{a}*",
    "d{1}*",
    "d{0}?",
    "{1}*",
]


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """What BuildKit sends for each ignore file."""
    return sent_by_buildkit(CASES, tmp_path_factory.mktemp("ignore"))


@pytest.mark.docker
@pytest.mark.parametrize("text", CASES)
def test_same_as_buildkit(text: str, sent: dict[str, set[str]], tmp_path: Path) -> None:
    """BuildKit and dockerlab leave the same paths of a folder for this ignore file."""
    assert sent_by_us(text, tmp_path) == sent[text]


@pytest.mark.parametrize(
    "bad", ["[a", "[]a]", "a\\", "[-x]", "[b-a]", "!", "!/", "[a-]", "\\q", "*{2}", "a{1001}*", "|{2}*"]
)
def test_a_bad_pattern_names_file_and_line(bad: str) -> None:
    """A pattern that Go refuses is a ContextError naming the file and the line."""
    with pytest.raises(ContextError, match=r"web\.dockerignore line 2"):
        parse_ignore_file(f"# fine\n{bad}\n", name="web.dockerignore")


def test_comments_and_blank_lines_are_no_patterns() -> None:
    """A line that starts with # and a blank line make no pattern; # after a space does."""
    assert [pattern.text for pattern in parse_ignore_file("#a\n\n  \n #b\n").patterns] == ["#b"]
