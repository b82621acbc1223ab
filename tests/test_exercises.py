"""Each exercise's starter fails its check, each solution passes, and neither drifts from the package."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import pytest

from dockerlab import engines
from dockerlab.checks import Report
from dockerlab.checks.exercise import EXERCISES, judge
from dockerlab.checks.manifest import hints, lessons
from dockerlab.context.context import Context
from tools.course import ROOT, read_course

CELL = re.compile(r"%%dockerfile\s+(\w+)[^\n]*\n")


def notebook(folder: str, name: str) -> Any:
    """Read an exercise's notebook, "exercises" or "solutions"."""
    return nbformat.read(ROOT / folder / f"{folder.removesuffix('s')}-{name}.ipynb", as_version=4)


def code(folder: str, name: str) -> list[str]:
    """Return the sources of its code cells."""
    return [cell["source"] for cell in notebook(folder, name)["cells"] if cell["cell_type"] == "code"]


def dockerfiles(folder: str, name: str) -> dict[str, str]:
    """Return the Dockerfiles of its %%dockerfile cells by the variable they are bound to."""
    found = {}
    for source in code(folder, name):
        if match := CELL.match(source):
            found[match[1]] = source[match.end() :].rstrip("\n") + "\n"
    return found


def solutions() -> list[tuple[str, str]]:
    """List every Dockerfile of every solution: (exercise, variable)."""
    return [(name, variable) for name in EXERCISES for variable in dockerfiles("solutions", name)]


@cache
def report(name: str, dockerfile: str, *, solved: bool = False) -> Report:
    """Build a Dockerfile on the engine at hand and check it.

    `solved` takes the files of a solution (SOLVED), where the exercise lets the learner change files too.
    """
    definition = EXERCISES[name]
    engine, _ = engines.choose()
    tag = f"dockerlab/test-{name}:answer"
    files = getattr(definition, "SOLVED", definition.CONTEXT) if solved else definition.CONTEXT
    context = None if files is None else Context.files(files)
    try:
        attempt = engine.build(dockerfile, context=context, tag=tag)
        return judge(definition, attempt, name=name, on_wait=lambda said: None)
    finally:
        if any(kept.reference == tag for kept in engine.images()):
            engine.remove(tag)


def test_every_exercise_has_a_check_and_three_hints() -> None:
    """The exercises of course.toml are those with rules, and the package finds three hints for each."""
    with_exercise = {
        name: opened for lesson in read_course().lessons for name, opened in lesson.tasks.items()
    }
    assert set(EXERCISES) == set(with_exercise)
    assert hints() == with_exercise
    assert all(len(opened) == 3 for opened in hints().values())


@pytest.mark.parametrize("name", EXERCISES)
def test_the_starter_is_the_one_in_the_notebook(name: str) -> None:
    """The exercise shows exactly the starter that the check compares with."""
    assert list(dockerfiles("exercises", name).values()) == [EXERCISES[name].STARTER]


@pytest.mark.parametrize("name", EXERCISES)
def test_the_exercise_says_what_to_do(name: str) -> None:
    """The exercise names its TODO, makes its own task, checks it, and opens no hint unasked."""
    cells = code("exercises", name)
    text = "\n".join(cell["source"] for cell in notebook("exercises", name)["cells"])
    assert text.count("TODO") == 1
    assert any(f'exercise("{name}")' in cell for cell in cells)
    assert any(re.search(r"^task\.check\(mine\)", cell, re.MULTILINE) for cell in cells)
    assert not any(re.search(r"^task\.hint\(\)", cell, re.MULTILINE) for cell in cells)


@pytest.mark.parametrize("name", EXERCISES)
def test_a_solution_is_nobodys_progress(name: str) -> None:
    """No cell of a solution writes the learner's progress file."""
    for cell in code("solutions", name):
        assert all("record=False" in line for line in cell.splitlines() if ".check(" in line)
        assert ".hint(" not in cell


@pytest.mark.parametrize("name", EXERCISES)
def test_the_starter_works_and_fails_its_check(name: str) -> None:
    """The starter builds and breaks at least one rule, not all: it works, and wastes. Its lesson is told."""
    found = report(name, EXERCISES[name].STARTER)
    passed = [verdict.passed for verdict in found.verdicts]
    assert not all(passed)
    assert any(passed)
    assert found.lesson == f"../notebooks/{lessons()[name]}.ipynb"


@pytest.mark.parametrize(("name", "variable"), solutions())
def test_the_solution_passes(name: str, variable: str) -> None:
    """Every Dockerfile that a solution shows passes all rules."""
    found = report(name, dockerfiles("solutions", name)[variable], solved=True)
    assert found.passed, str(found)


@pytest.mark.parametrize("name", EXERCISES)
def test_the_step_to_look_at_again_is_in_the_lesson(name: str) -> None:
    """Each rule points at a heading that the lesson has."""
    lesson = ROOT / "notebooks" / f"{lessons()[name]}.ipynb"
    headings = {
        line.lstrip("#").strip()
        for cell in nbformat.read(lesson, as_version=4)["cells"]
        for line in cell["source"].splitlines()
        if cell["cell_type"] == "markdown" and line.startswith("#")
    }
    pointed_at = {verdict.look for verdict in report(name, EXERCISES[name].STARTER).verdicts}
    assert pointed_at <= headings


def test_hints_are_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The manifest belongs to the package: the folder a notebook runs in does not matter."""
    monkeypatch.chdir(tmp_path)
    hints.cache_clear()
    assert hints()["02-run-chaining"]
