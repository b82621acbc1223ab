"""What course.toml says: the package reads the one manifest and keeps no copy of its hints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dockerlab.analysis.toml import tomllib
from dockerlab.errors import DockerlabError

PACKAGE = Path(__file__).resolve().parent.parent


def course_folder() -> Path:
    """Return where course.toml and the notebooks are: in an installed package, else beside it in a checkout.

    Raises DockerlabError when they are at neither place.
    """
    for folder in (PACKAGE / "course", PACKAGE.parent):
        if (folder / "course.toml").is_file():
            return folder
    raise DockerlabError(
        f"The course, course.toml and its notebooks, is neither in {PACKAGE} nor beside it.",
        hint="Install dockerlab again, or use it from a checkout of the course.",
    )


@dataclass(frozen=True)
class Lesson:
    """A lesson: the stem of its notebook, what it asks, how long it takes, and the names of its exercises."""

    name: str
    title: str
    question: str
    minutes: int
    exercises: tuple[str, ...]

    @property
    def number(self) -> str:
        """Its number as lessons are called by: "02"."""
        return self.name.split("-", 1)[0]


@cache
def course() -> tuple[Lesson, ...]:
    """Return the lessons in their order."""
    return tuple(
        Lesson(
            one["name"],
            one["title"],
            one["question"],
            one["minutes"],
            tuple(task["name"] for task in _tasks(one)),
        )
        for one in _manifest()["lesson"]
    )


def start() -> str:
    """Return the path of the notebook that a learner begins with."""
    return str(_manifest()["course"]["start"])


@cache
def hints() -> dict[str, tuple[str, ...]]:
    """Return the hints of every exercise by its name, in the course's order."""
    return {one["name"]: tuple(one["hints"]) for _, one in _exercises()}


@cache
def lessons() -> dict[str, str]:
    """Return the name of each exercise's lesson."""
    return {one["name"]: lesson for lesson, one in _exercises()}


def _exercises() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each lesson's name with the name and the hints of each of its exercises."""
    for lesson in _manifest()["lesson"]:
        for one in _tasks(lesson):
            yield lesson["name"], one


def bases() -> tuple[str, ...]:
    """Return the base images that the course builds on."""
    return tuple(_manifest()["course"]["bases"])


def _tasks(lesson: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the exercises of a lesson: itself where it is named as its one exercise."""
    return [lesson] if lesson.get("exercise") else lesson.get("exercises", [])


def _manifest() -> Mapping[str, Any]:
    found: Mapping[str, Any] = tomllib.loads((course_folder() / "course.toml").read_text(encoding="utf-8"))
    return found
