"""The learner's progress: one JSON file, theirs to read, move, hand in or delete.

    {"version": 1, "learner": "Ada", "exercises": {"02-run-chaining": {
        "passed": true, "passed_at": "2026-01-31T10:00:00+00:00", "tries": 3, "hints": 1,
        "last": {"at": "...", "passed": true, "engine": "Docker 26.1.5, BuildKit", "stand_in": null,
                 "rules": [{"rule": "...", "passed": true, "measured": "...", "target": "..."}]}}}}

`tries` and `hints` count up to the first check that passed; `last` is the last check, whatever it said.
`learner` is the name they chose with `lab.progress(name=...)`, or null; nothing else says whose file it is.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from dockerlab.checks.verdict import Report
from dockerlab.errors import ProgressError, ProgressVersionError

VERSION = 1
FILE_NAME = "progress.json"
COPY_RECORD = ".layer-lab.json"  # in the folder of a learner's copy of the course
LONGEST_NAME = 80  # characters of a learner's name


@dataclass(frozen=True)
class ExerciseRecord:
    """What is kept of one exercise."""

    passed: bool = False
    passed_at: str | None = None  # ISO 8601, UTC: when it first passed
    tries: int = 0
    hints: int = 0  # opened so far
    last: Mapping[str, Any] | None = field(default=None)

    def after(self, report: Report) -> ExerciseRecord:
        """Return the record with one more check in it."""
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        last = {
            "at": now,
            "passed": report.passed,
            "engine": report.engine,
            "stand_in": report.stand_in,
            "rules": [verdict.to_dict() for verdict in report.verdicts],
        }
        if self.passed:
            return replace(self, last=last)
        return replace(
            self,
            passed=report.passed,
            passed_at=now if report.passed else None,
            tries=self.tries + 1,
            last=last,
        )


@dataclass(frozen=True)
class Progress:
    """What a progress file holds."""

    learner: str | None = None  # as they want to be called, if they said so
    exercises: Mapping[str, ExerciseRecord] = field(default_factory=dict)

    def of(self, exercise: str) -> ExerciseRecord:
        """Return what is kept of an exercise, which is nothing before the first try."""
        return self.exercises.get(exercise, ExerciseRecord())

    def with_record(self, exercise: str, record: ExerciseRecord) -> Progress:
        """Return it with one exercise's record put in."""
        return replace(self, exercises={**self.exercises, exercise: record})


def progress_path() -> Path:
    """Return where the progress file is, or will be.

    $DOCKERLAB_PROGRESS if set; else progress.json in the folder of the course, found from the current folder
    upwards, so that notebooks of all folders share it; else in the current folder.
    """
    chosen = os.environ.get("DOCKERLAB_PROGRESS")
    if chosen:
        return Path(chosen).expanduser()
    here = Path.cwd()
    return next(filter(is_course, (here, *here.parents)), here) / FILE_NAME


def is_course(folder: Path) -> bool:
    """Tell whether a folder is a learner's copy of the course, or a checkout of it."""
    return any((folder / name).is_file() for name in (COPY_RECORD, "course.toml"))


def read_progress(path: Path) -> Progress:
    """Return what a progress file holds, nothing where there is no file; raises ProgressError."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # an editor may have put a byte order mark
    except FileNotFoundError:
        return Progress()
    except (OSError, UnicodeDecodeError) as error:
        raise ProgressError(
            f"The progress file {path} cannot be read: {error}.",
            hint="Point DOCKERLAB_PROGRESS at a file you can read and write.",
        ) from error
    try:
        data = json.loads(text)
        version = data["version"]
        if version != VERSION:
            raise ProgressVersionError(
                f"The progress file {path} is of version {version}, this dockerlab knows version {VERSION}.",
                version=version,
                hint="Update dockerlab, or move the file away to start anew.",
            )
        # Half a letter, as \ud800, could not be written again: UnicodeEncodeError, which is a ValueError.
        json.dumps(data, ensure_ascii=False).encode()
        records = {name: _record(record) for name, record in data["exercises"].items()}
        return Progress(_text_or_none(data.get("learner")), records)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ProgressError(
            f"{path} is not a progress file: {error}.", hint="Move it away to start anew."
        ) from error


def _record(data: Mapping[str, Any]) -> ExerciseRecord:
    """Return a record of the types that are promised; TypeError where it holds others."""
    record = ExerciseRecord(**data)
    right = (
        isinstance(record.passed, bool)
        and all(type(number) is int and 0 <= number < 10**6 for number in (record.tries, record.hints))
        and isinstance(record.last, Mapping | None)
    )
    if not right:
        raise TypeError(f"{', '.join(one.name for one in fields(ExerciseRecord))} are not all of their types")
    _text_or_none(record.passed_at)
    return record


def _text_or_none(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def write_progress(path: Path, progress: Progress) -> None:
    """Replace the file by one that holds this, in one step; raises ProgressError."""
    data = {
        "version": VERSION,
        "learner": progress.learner,
        "exercises": {name: asdict(record) for name, record in sorted(progress.exercises.items())},
    }
    try:
        write_whole(path, json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        raise ProgressError(
            f"The progress file {path} cannot be written: {error.strerror or error}.",
            hint="Point DOCKERLAB_PROGRESS at a file you can write.",
        ) from error


def write_whole(path: Path, text: str) -> None:
    """Put `text` at `path`, in one step: whoever looks sees the old file or the new one. Raises OSError."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", newline="", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            temporary = Path(file.name)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)  # a teacher collects it; what mkstemp makes only its owner reads
        temporary.replace(path)
    except OSError:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise
