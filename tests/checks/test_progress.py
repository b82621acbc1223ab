from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from dockerlab.checks.progress import (
    ExerciseRecord,
    Progress,
    progress_path,
    read_progress,
    write_progress,
)
from dockerlab.checks.verdict import Report, Verdict
from dockerlab.errors import ProgressError

GOOD = Report("02", (Verdict("it works", True, "yes", "yes", "Why"),), "an engine")
BAD = Report("02", (Verdict("it works", False, "no", "yes", "Why"),), "an engine", stand_in="debian:12")


def test_no_file_is_no_progress(tmp_path: Path) -> None:
    """Before the first check there is no file, and that is no error."""
    assert read_progress(tmp_path / "progress.json") == Progress()


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    """Records survive the file, in folders that are made for it, and no temporary file stays."""
    path = tmp_path / "a" / "progress.json"
    progress = Progress("Zoë", {"02": ExerciseRecord(hints=2).after(BAD), "05": ExerciseRecord().after(GOOD)})
    write_progress(path, progress)
    assert read_progress(path) == progress
    assert [one.name for one in path.parent.iterdir()] == ["progress.json"]


def test_a_teacher_can_read_the_file(tmp_path: Path) -> None:
    """The file has the modes of an ordinary one."""
    path = tmp_path / "progress.json"
    write_progress(path, Progress())
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_tries_count_up_to_the_first_pass() -> None:
    """After passing, a later check changes neither tries nor the verdict, only `last`."""
    record = ExerciseRecord().after(BAD).after(GOOD)
    assert (record.passed, record.tries) == (True, 2)
    later = record.after(BAD)
    assert (later.passed, later.tries, later.passed_at) == (True, 2, record.passed_at)
    assert later.last is not None
    assert later.last["passed"] is False
    assert later.last["stand_in"] == "debian:12"
    assert later.last["rules"] == [{"rule": "it works", "passed": False, "measured": "no", "target": "yes"}]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"version": 1}',
        '{"version": 1, "exercises": {"02": {"x": 1}}}',
        '{"version": 1, "exercises": {"02": {"passed": "yes"}}}',
        '{"version": 1, "exercises": {"02": {"tries": -1}}}',
        '{"version": 1, "exercises": {"02": {"tries": 1' + "0" * 400 + "}}}",
        '{"version": 1, "learner": "\\ud800", "exercises": {}}',
        '{"version": 1, "exercises": {"02": {"passed_at": 3}}}',
        '{"version": 1, "exercises": {"02": {"last": []}}}',
        '{"version": 1, "learner": 5, "exercises": {}}',
        "[" * 100_000,
        "\udcff",
    ],
)
def test_what_is_no_progress_file_is_told(tmp_path: Path, text: str) -> None:
    """A damaged file is an error that names it, and is left as it is."""
    path = tmp_path / "progress.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ProgressError, match="progress"):
        read_progress(path)
    assert path.exists()


def test_a_newer_file_is_not_read(tmp_path: Path) -> None:
    """A version this package does not know is told, with what to do."""
    path = tmp_path / "progress.json"
    path.write_text(json.dumps({"version": 2, "exercises": {}}))
    with pytest.raises(ProgressError, match="version 2") as caught:
        read_progress(path)
    assert "Update dockerlab" in caught.value.hint


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    """Where the path is a folder, the error says so and no temporary file stays."""
    (tmp_path / "progress.json" / "x").mkdir(parents=True)
    with pytest.raises(ProgressError, match="cannot be written"):
        write_progress(tmp_path / "progress.json", Progress())
    assert [one.name for one in tmp_path.iterdir()] == ["progress.json"]


def test_the_variable_decides_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DOCKERLAB_PROGRESS names the file, ~ and all."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("DOCKERLAB_PROGRESS", os.path.join("~", "mine.json"))  # noqa: PTH118 - "~" is no path yet
    assert progress_path() == tmp_path / "mine.json"


def test_all_notebooks_of_a_course_share_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From exercises/ and from notebooks/ alike it is beside course.toml; elsewhere in the current folder."""
    monkeypatch.delenv("DOCKERLAB_PROGRESS", raising=False)
    for folder in ("course/exercises", "course/notebooks", "elsewhere"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "course" / "course.toml").touch()
    for folder in ("exercises", "notebooks"):
        monkeypatch.chdir(tmp_path / "course" / folder)
        assert progress_path() == tmp_path / "course" / "progress.json"
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert progress_path() == tmp_path / "elsewhere" / "progress.json"


def test_a_file_without_a_name_or_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    """What was written before there were names, or saved again by an editor, is read as it is."""
    path = tmp_path / "progress.json"
    path.write_text('\ufeff{"version": 1, "exercises": {"02": {"tries": 2}}}', encoding="utf-8")
    assert read_progress(path) == Progress(None, {"02": ExerciseRecord(tries=2)})
