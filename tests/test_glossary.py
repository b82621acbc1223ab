"""The glossary holds the words that the lessons introduce, and sends to lessons where they stand."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import nbformat
import pytest

from tools.course import ROOT, read_course

ROW = re.compile(r"^\| \*\*(?P<first>[^*]+)\*\*(?P<more>[^|]*) \| (?P<what>[^|]+) \| (?P<lessons>[^|]+) \|$")
LINK = re.compile(r"\[(\d\d)\]\(([\w-]+)\.ipynb\)")
ITALIC = re.compile(r"(?<!\*)\*(?!\*)([^*\n]+)\*(?!\*)")
STRESSED = {"built", "started"}  # in italics for their weight, and no terms


@dataclass(frozen=True)
class Term:
    """A row of the glossary: the names a thing has, what it is, and the lessons named."""

    names: tuple[str, ...]
    what: str
    lessons: tuple[tuple[str, str], ...]  # number and notebook


def cells(name: str) -> list[Any]:
    """Return the cells of a notebook."""
    found: list[Any] = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)["cells"]
    return found


def glossary() -> list[Term]:
    """Read the table of the glossary."""
    lines = [
        line for cell in cells("glossary") for line in cell["source"].splitlines() if line.startswith("| **")
    ]
    matches = [ROW.match(line) for line in lines]
    assert all(matches), [line for line, match in zip(lines, matches, strict=True) if not match]
    return [
        Term(
            (match["first"], *filter(None, match["more"].split(", "))),
            match["what"],
            tuple(LINK.findall(match["lessons"])),
        )
        for match in matches
        if match
    ]


@cache
def words(name: str) -> str:
    """Return all that a lesson says: prose, code, and the text of what its cells show."""
    said = []
    for cell in cells(name):
        said.append(cell["source"])
        for output in cell.get("outputs", ()):
            said += [output.get("text", ""), output.get("data", {}).get("text/plain", "")]
    return "\n".join(said)


def stands_in(term: str, text: str) -> bool:
    """Tell whether a term is in a text as a word of its own, in one number or the other."""
    start = "" if term.startswith(".") else r"(?<![\w])"
    case = 0 if term.isupper() else re.IGNORECASE
    return re.search(rf"{start}{re.escape(term)}(?:e?s)?(?!\w)", text, case) is not None


def test_the_glossary_can_be_looked_up() -> None:
    """The rows are in the order of the alphabet, no name stands twice, and each says something short."""
    terms = glossary()
    keys = [term.names[0].lower().lstrip(".") for term in terms]
    names = [name.lower() for term in terms for name in term.names]
    assert len(terms) > 40
    assert keys == sorted(keys)
    assert len(names) == len(set(names))
    assert all(term.what.endswith(".") and 1 <= term.what.count(". ") + 1 <= 3 for term in terms)


@pytest.mark.parametrize("term", glossary(), ids=lambda term: term.names[0])
def test_a_term_is_met_where_the_glossary_says(term: Term) -> None:
    """Each lesson that a row names uses one of the row's names, and the link is that lesson's notebook."""
    lessons = {lesson.name[:2]: lesson.name for lesson in read_course().lessons}
    assert term.lessons
    for number, notebook in term.lessons:
        assert lessons[number] == notebook
        assert any(stands_in(name, words(notebook)) for name in term.names), notebook


def test_what_lessons_introduce_is_in_the_glossary() -> None:
    """A lesson sets a new term in italics, and each of those is in the glossary."""
    known = {name.lower() for term in glossary() for name in term.names}
    met = {
        found.lower()
        for lesson in read_course().lessons
        for cell in cells(lesson.name)
        if cell["cell_type"] == "markdown"
        for found in ITALIC.findall(re.sub(r"`[^`]*`", "", cell["source"]))
        if not found.startswith('"')
    }
    assert {"engine", "whiteout"} <= met
    assert met - known - STRESSED == set()


def test_each_lesson_leads_to_the_glossary() -> None:
    """A lesson links the glossary once, at its end: below what to remember, above the way to the next."""
    for lesson in read_course().lessons:
        text = "\n".join(cell["source"] for cell in cells(lesson.name) if cell["cell_type"] == "markdown")
        _, remember = text.split("\n## Remember\n")
        ending, _, _ = remember.partition("\nNext: ")
        assert text.count("](glossary.ipynb)") == ending.count("](glossary.ipynb)") == 1, lesson.name


def test_the_fields_own_names_are_in_the_glossary() -> None:
    """The names that CONTRIBUTING asks for are all there."""
    text = " ".join((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split())
    found = re.search(r"Names are the field's own: (.*?)\. A size always says which: (.*?) bytes\.", text)
    assert found
    listed = found[1].replace("cache hit and miss", "cache hit, cache miss").split(", ")
    sizes = re.split(r", | or ", found[2])
    known = {name for term in glossary() for name in term.names}
    assert len(listed) >= 10
    assert sizes == ["unpacked", "tar", "compressed"]
    assert {*listed, *sizes} - known == set()
