"""`dockerlab grade`: a folder of progress files as a CSV and a heat map, for whoever teaches a class."""

from __future__ import annotations

from argparse import Namespace
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dockerlab.charts.heat_page import Cell, HeatPage
from dockerlab.checks.grade.grade import (
    ATTEMPTED,
    OPEN,
    PASSED,
    Grades,
    Remark,
    grade,
    last_time,
    measured,
    state,
)
from dockerlab.checks.grade.grade_csv import csv_text
from dockerlab.checks.progress import ExerciseRecord, write_whole
from dockerlab.cli.answer import Answer
from dockerlab.errors import GradeError
from dockerlab.printable import printable
from dockerlab.units import count
from dockerlab.widgets.table import Table

CSV, PAGE = "grades.csv", "grades.html"
_SOME, _MANY = 3, 6  # tries without a pass


def run(args: Namespace) -> Answer:
    """Grade a folder: write both files, say what was found and which files need looking at."""
    folder: Path = args.folder
    targets = (args.output / CSV, args.output / PAGE)
    there = [str(path) for path in targets if path.exists()]
    if there and not args.force:
        raise GradeError(
            f"There is {' and '.join(there)} already; nothing was written.",
            hint="Give --force to replace what is there, or --output another folder.",
        )
    grades = grade(folder, ignore=targets)
    for path, text in zip(
        targets, (csv_text(grades), page(grades, printable(str(folder))).html()), strict=True
    ):
        try:
            write_whole(path, text)
        except OSError as error:
            raise GradeError(
                f"{path} cannot be written: {error.strerror or error}.",
                hint="Give --output a folder that you can write to.",
            ) from error
    return Answer(lambda: shape(grades, folder, targets), lambda: told(grades, targets))


def shape(grades: Grades, folder: Path, written: Sequence[Path]) -> dict[str, Any]:
    """`grade`: `learners` by name, `exercises` in the course's order, `remarks` by file."""
    return {
        "folder": str(folder),
        "finding": grades.finding,
        "learners": [
            {
                "name": learner.name,
                "files": list(learner.files),
                "passed": learner.passed,
                "last": learner.last,
                "exercises": [{"name": name, **record_shape(learner.of(name))} for name in grades.exercises],
            }
            for learner in grades.learners
        ],
        "exercises": [
            {"name": name, **{key: grades.counts(name)[key] for key in (PASSED, ATTEMPTED, OPEN)}}
            for name in grades.exercises
        ],
        "remarks": [
            {"file": remark.file, "found": remark.found, "to_do": remark.to_do} for remark in grades.remarks
        ],
        "csv": str(written[0]),
        "page": str(written[1]),
    }


def record_shape(record: ExerciseRecord) -> dict[str, Any]:
    """Return what is said of one exercise of one learner."""
    return {
        "state": state(record),
        "tries": record.tries,
        "hints": record.hints,
        "last": last_time(record),
        "measured": measured(record) or None,
    }


def told(grades: Grades, written: Sequence[Path]) -> str:
    """Return what is printed: the finding, a row an exercise, what to do about which files."""
    table = Table(
        f"{grades.finding}.",
        ("exercise", PASSED, ATTEMPTED, OPEN),
        tuple(
            (name, *(str(grades.counts(name)[key]) for key in (PASSED, ATTEMPTED, OPEN)))
            for name in grades.exercises
        ),
        right=(PASSED, ATTEMPTED, OPEN),
    )
    lines = [table.text(), *_by_what_to_do(grades.remarks), ""]
    files = sum(len(learner.files) for learner in grades.learners)
    done = f"{count(len(grades.learners), 'learner')} from {count(files, 'file')}"
    return "\n".join([*lines, f"{done}. Wrote {written[0]} and {written[1]}."])


def _by_what_to_do(remarks: Sequence[Remark]) -> list[str]:
    groups = defaultdict(list)
    for remark in remarks:
        groups[remark.to_do].append(f"  {remark.file}: {remark.found}")
    return [line for to_do, files in groups.items() for line in ("", to_do, *files)]


def page(grades: Grades, folder: str) -> HeatPage:
    """Return the heat map of a class: a row a learner, a column an exercise."""
    stuck = {name: grades.counts(name)[ATTEMPTED] for name in grades.exercises}
    most = max(stuck.values(), default=0)
    return HeatPage(
        title=grades.finding,
        note=f"{count(len(grades.learners), 'learner')}, from the progress files in {folder}. "
        "A number is how often an exercise was checked, up to the first pass.",
        corner="learner",
        columns=grades.exercises,
        most=[name for name, number in stuck.items() if most and number == most],
        rows=[
            (learner.name, [_cell(learner.name, name, learner.of(name)) for name in grades.exercises])
            for learner in grades.learners
        ],
        sides=("last check", [(learner.last or "never")[:10] for learner in grades.learners]),
        feet=[
            (key, [str(grades.counts(name)[key]) for name in grades.exercises])
            for key in (PASSED, ATTEMPTED, OPEN)
        ],
        legend=[
            (Cell("done", "✓ 2", ""), "passed, at which try"),
            (Cell("few", "○ 1", ""), f"attempted, up to {_SOME - 1} tries"),
            (Cell("some", f"○ {_SOME}", ""), f"{_SOME} to {_MANY - 1} tries"),
            (Cell("many", f"○ {_MANY}", ""), f"{_MANY} tries or more"),
            (Cell("none", "–", ""), "not attempted"),  # noqa: RUF001 - a dash for nothing
        ],
        remarks=("Files to look at", [str(remark) for remark in grades.remarks]),
    )


def _cell(learner: str, exercise: str, record: ExerciseRecord) -> Cell:
    opened = f", {count(record.hints, 'hint')} opened" if record.hints else ""
    said = f"{learner}, {exercise}: "
    tries = count(record.tries, "try", "tries")
    if record.passed:
        return Cell("done", f"✓ {record.tries}", f"{said}passed, {tries}{opened}")
    if state(record) == OPEN:
        return Cell("none", "–", f"{said}not attempted")  # noqa: RUF001 - a dash for nothing
    look = "many" if record.tries >= _MANY else "some" if record.tries >= _SOME else "few"
    return Cell(look, f"○ {record.tries}", f"{said}not passed yet, {tries}{opened}")
