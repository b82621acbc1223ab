"""Lessons are Dockerfiles and calls: how much Python stands in their cells, how many cells are compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat

from tests.cells import COMPARED
from tools.course import ROOT

# What a lesson had on average when this was written. A lesson that needs more is asking for a call of `lab`.
PYTHON_A_LESSON = 42
COMPARED_A_LESSON = 8


def python_lines(source: str) -> int:
    """Count the lines of Python in a cell: none below a cell magic, no shell command, no empty line."""
    if source.startswith("%%"):
        return 0
    return sum(bool(line.strip()) and not line.lstrip().startswith("!") for line in source.splitlines())


def code(path: Path) -> list[dict[str, Any]]:
    """Return the code cells of a notebook."""
    return [cell for cell in nbformat.read(path, as_version=4)["cells"] if cell["cell_type"] == "code"]


def test_lessons_are_dockerfiles_not_plumbing() -> None:
    """Python in the lessons does not creep back, on average over all of them; a failure lists each."""
    lessons = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
    found = {path.stem: sum(python_lines(cell["source"]) for cell in code(path)) for path in lessons}
    assert sum(found.values()) <= PYTHON_A_LESSON * len(lessons), found


def test_lessons_still_prove_what_they_say() -> None:
    """The cells whose output is compared do not become fewer, on average over all lessons."""
    lessons = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
    cells = [cell for path in lessons for cell in code(path)]
    compared = [cell for cell in cells if COMPARED in cell["metadata"].get("tags", ())]
    assert len(compared) >= COMPARED_A_LESSON * len(lessons)


def test_what_counts_as_python() -> None:
    """A Dockerfile and a command are none; a call, an import and the line that loads the lab are."""
    assert python_lines("%%dockerfile app\nFROM scratch\n") == 0
    assert python_lines("!dockerlab doctor\n") == 0
    assert python_lines("import dockerlab as lab\n\n%load_ext dockerlab\nlab.status()") == 3
