"""The progress card: every lesson, what of its exercises is passed, and what to do next."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dockerlab.checks.manifest import Lesson, course
from dockerlab.checks.progress import (
    LONGEST_NAME,
    ExerciseRecord,
    Progress,
    is_course,
    progress_path,
    read_progress,
    write_progress,
)
from dockerlab.errors import ProgressError
from dockerlab.printable import escape
from dockerlab.units import count
from dockerlab.widgets.markup import fitted, table_of

_HEADS = ("lesson", "exercise", "so far", "last check")


def progress(*, name: str | None = None) -> ProgressCard:
    """Show which exercises are passed, where that is kept, and what comes next.

    `name` writes a name into the progress file, for whoever gets it; "" takes it out again. Raises
    ProgressError where there is a name to write and the file cannot be used.
    """
    path = progress_path()
    if name is not None:
        called = " ".join(name.split())
        if len(called) > LONGEST_NAME:
            raise ProgressError(
                f"A name of {len(called)} characters is too long.",
                hint=f"Take one of at most {LONGEST_NAME}.",
            )
        write_progress(path, replace(read_progress(path), learner=called or None))
    try:
        return ProgressCard(read_progress(path), where(path), there=path.is_file())
    except ProgressError as error:
        return ProgressCard(Progress(), where(path), there=True, trouble=f"{error.message} {error.hint}")


def where(path: Path) -> str:
    """Return a progress file's path: seen from here where it is in the course's folder, else whole."""
    if is_course(path.parent):
        return Path(os.path.relpath(path)).as_posix()
    return str(path)


@dataclass(frozen=True)
class ProgressCard:
    """What the progress file holds; `trouble` is a sentence where it cannot be read."""

    data: Progress
    file: str
    there: bool
    trouble: str = ""

    @property
    def headline(self) -> str:
        """Say how far it is, in one sentence."""
        names = [name for lesson in course() for name in lesson.exercises]
        passed = sum(self.data.of(name).passed for name in names)
        who = f"{self.data.learner}: " if self.data.learner else ""
        if self.trouble:
            return self.trouble
        if not any(map(_begun, map(self.data.of, names))):
            return f"{who}No exercise checked yet, {len(names)} to do."
        return f"{who}{passed} of {len(names)} exercises passed."

    @property
    def next(self) -> tuple[str, str, str]:
        """Return what to do next: words, the name of what they link to, and its address."""
        for lesson, first, name, record in self._rows():
            if not name or record.passed:
                continue
            if _begun(record) or not first or lesson == course()[0]:  # the card itself is in the first lesson
                return (
                    "Go on with" if _begun(record) else "Next:",
                    _called(name),
                    _exercise(name),
                )
            return "Next: lesson", f"{lesson.number} {lesson.title}", _notebook(lesson)
        return "All are passed. Compare with", "the solutions", "../solutions/"

    @property
    def notes(self) -> tuple[str, ...]:
        """Say where the file is, and how it is handed in."""
        kept = (
            f"Kept in {self.file}" if self.there else f"Will be kept in {self.file} from the first check on"
        )
        name = "" if self.data.learner else ' lab.progress(name="...") writes your name into it.'
        return (
            f"{kept}, a file that is yours. Lessons read are not noted, only exercises.",
            f"To hand in: send that file.{name}",
        )

    def __repr__(self) -> str:
        before, link, _ = self.next
        rows = [
            (
                f"{lesson.number} {lesson.title}" if first else "",
                _called(name) if name else "",
                *(_so_far(record) if name else ("", "")),
            )
            for lesson, first, name, record in self._rows()
        ]
        widths = [max(map(len, column)) for column in zip(_HEADS, *rows, strict=True)]
        lines = [
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
            for row in (_HEADS, *rows)
        ]
        return "\n".join([self.headline, f"{before} {link}", *lines, *self.notes])

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return {"text/plain": repr(self), "text/html": self.html()}

    def html(self) -> str:
        """Return the card as HTML without scripts or style sheets, in the ink of the page around it."""
        before, link, address = self.next
        head = [f'<th scope="col" style="text-align:left">{text}</th>' for text in _HEADS]
        body = []
        for lesson, first, name, record in self._rows():
            title = _link(f"{lesson.number} {lesson.title}", _notebook(lesson)) if first else ""
            task = _link(_called(name), _exercise(name)) if name else ""
            cells = (title, task, *map(escape, _so_far(record) if name else ("", "")))
            named = zip(_HEADS, cells, strict=True)
            body.append(
                [f'<td data-name="{name}" style="text-align:left">{cell}</td>' for name, cell in named]
            )
        notes = "".join(f"<div>{escape(note)}</div>" for note in self.notes)
        border = "border:1px solid rgba(128,128,128,.5);border-radius:6px;padding:8px 12px"
        return fitted(
            f'<div style="{border}"><div><b>{escape(self.headline)}</b></div>',
            f"<div>{before} {_link(link, address)}</div>{table_of(head, body)}{notes}</div>",
        )

    def _rows(self) -> Iterator[tuple[Lesson, bool, str, ExerciseRecord]]:
        """Yield a lesson, whether this is its first row, an exercise of it ("" for none), and its record."""
        for lesson in course():
            for place, name in enumerate(lesson.exercises or ("",)):
                yield lesson, place == 0, name, self.data.of(name)


def _begun(record: ExerciseRecord) -> bool:
    return record.passed or record.tries > 0 or record.hints > 0


def _so_far(record: ExerciseRecord) -> tuple[str, str]:
    """Return how an exercise stands, and the day of its last check."""
    at = str((record.last or {}).get("at") or record.passed_at or "")[:10]
    hints = f", {count(record.hints, 'hint')} opened" if record.hints else ""
    if record.passed:
        return f"✓ passed, at try {record.tries}{hints}", at
    if _begun(record):
        return f"○ not yet, {count(record.tries, 'try', 'tries')}{hints}", at
    return "open", ""


def _called(name: str) -> str:
    """Return how an exercise is called: "exercise 02", and "exercise 13.2" for the second of lesson 13."""
    parts = name.split("-")
    return f"exercise {parts[0]}.{parts[-1]}" if parts[-1].isdigit() else f"exercise {parts[0]}"


def _exercise(name: str) -> str:
    return f"../exercises/exercise-{name}.ipynb"


def _notebook(lesson: Lesson) -> str:
    return f"../notebooks/{lesson.name}.ipynb"


def _link(text: str, address: str) -> str:
    return f'<a href="{escape(address)}">{escape(text)}</a>'
