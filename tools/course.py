"""Read course.toml, the one list of lessons."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Lesson:
    """One lesson; `name` is the stem of its notebook, and of its exercise and solution where it has one."""

    name: str
    title: str
    question: str
    minutes: int
    exercise: bool = False
    hints: tuple[str, ...] = ()
    exercises: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # more than one: name -> hints

    @property
    def tasks(self) -> Mapping[str, tuple[str, ...]]:
        """Give the hints of each of its exercises by name; none where it has no exercise."""
        return {self.name: self.hints} if self.exercise else self.exercises

    @property
    def notebook(self) -> Path:
        """Give the lesson's path in the checkout."""
        return Path("notebooks") / f"{self.name}.ipynb"


@dataclass(frozen=True)
class Course:
    """The manifest: lessons in order, and the base images they build on."""

    title: str
    start: Path
    repository: str
    bases: tuple[str, ...]
    lessons: tuple[Lesson, ...]


def read_course(path: Path = ROOT / "course.toml") -> Course:
    """Read the manifest at `path`; a key that is unknown or missing is a TypeError that names it."""
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    lessons = tuple(
        Lesson(
            **{
                **entry,
                "hints": tuple(entry.get("hints", ())),
                "exercises": {one["name"]: tuple(one["hints"]) for one in entry.get("exercises", ())},
            }
        )
        for entry in data.get("lesson", ())
    )
    head = data["course"]
    return Course(
        title=head["title"],
        start=Path(head["start"]),
        repository=head["repository"],
        bases=tuple(head["bases"]),
        lessons=lessons,
    )
