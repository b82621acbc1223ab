"""A class as a hand-in tool leaves it: folders, copies, names that are missing, files that are broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dockerlab.checks.progress import ExerciseRecord, Progress, write_progress


def record(
    tries: int, *, day: int = 1, passed: bool = False, hints: int = 0, measured: str = "3 layers"
) -> ExerciseRecord:
    """Return what is kept of an exercise that was last checked on a day of January."""
    at = f"2026-01-{day:02}T10:00:00+00:00"
    rules = [{"rule": "few layers", "passed": passed, "measured": measured, "target": "at most 1"}]
    last: dict[str, Any] = {"at": at, "passed": passed, "engine": "e", "stand_in": None, "rules": rules}
    return ExerciseRecord(passed, at if passed else None, tries, hints, last)


def hand_in(path: Path, learner: str | None = None, **exercises: ExerciseRecord) -> Path:
    """Write a progress file; an exercise is named by its number: n02 is 02-run-chaining."""
    names = {
        "n00": "00-start-here",
        "n01": "01-what-is-a-layer",
        "n02": "02-run-chaining",
        "n03": "03-package-managers",
        "n05": "05-build-cache",
        "n99": "99-later",
    }
    write_progress(path, Progress(learner, {names[key]: one for key, one in exercises.items()}))
    return path


def messy(folder: Path) -> Path:
    """Write a class with everything in it that a teacher has ever been sent, and return its folder."""
    hand_in(
        folder / "Ada Lovelace_4711_file" / "progress.json",
        "Ada",
        n02=record(2, passed=True),
        n03=record(7, day=3),
    )
    hand_in(folder / "again" / "progress (1).json", "ADA ", n02=record(9), n03=record(8, day=4, hints=3))
    hand_in(folder / "progress.json", n02=record(1, passed=True))
    hand_in(folder / "progress (3).json", n03=record(4, hints=1))
    hand_in(folder / "grace_progress.json", n03=record(1), n05=record(3, day=9, passed=True))
    hand_in(folder / "Blaise" / "course" / "progress.json", n02=record(1, passed=True))
    hand_in(
        folder / "table" / "progress.json",
        '=HYPERLINK("http://example.org";"x")',
        n03=record(2, measured="@x"),
    )
    hand_in(folder / "<b>Bobby</b>" / "progress.json", n99=record(1))
    (folder / "broken").mkdir()
    (folder / "broken" / "empty.json").write_bytes(b"")
    (folder / "broken" / "cut.json").write_text('{"version": 1, "exercises": {"02')
    (folder / "broken" / "latin.json").write_bytes(b'{"learner": "Zo\xeb"}')
    (folder / "broken" / "newer.json").write_text('{"version": 2, "exercises": {}}')
    (folder / "broken" / "older.json").write_text('{"version": 0, "exercises": {}}')
    (folder / "broken" / "other.json").write_text('{"name": "some-app"}')
    (folder / "broken" / "odd.json").write_text('{"version": 1, "exercises": {"02": {"tries": "many"}}}')
    (folder / "broken" / "folder.json").mkdir()
    (folder / "all.zip").write_bytes(b"PK")
    (folder / "notes.txt").write_text("hello")
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "._progress.json").write_bytes(b"\x00")
    (folder / ".DS_Store").write_bytes(b"\x00")
    return folder
