"""A class is graded from whatever was handed in, and each file that was not is named."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from dockerlab.checks.grade.grade import grade, last_time, measured, state
from dockerlab.checks.grade.grade_csv import csv_text, harmless
from dockerlab.checks.manifest import hints
from dockerlab.checks.progress import ExerciseRecord, Progress, write_progress
from dockerlab.errors import GradeError
from tests.checks.classroom import hand_in, messy, record


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return content and time of every file in a folder."""
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_messy_class_is_graded(tmp_path: Path) -> None:
    """Everybody whose file can be read has a row, named by the file, else by where it lies."""
    grades = grade(messy(tmp_path))
    assert {learner.name: learner.files for learner in grades.learners} == {
        "<b>Bobby<": ("<b>Bobby</b>/progress.json",),
        '=HYPERLINK("http://example.org";"x")': ("table/progress.json",),
        "Ada": ("Ada Lovelace_4711_file/progress.json", "again/progress (1).json"),
        "Blaise": ("Blaise/course/progress.json",),
        "grace": ("grace_progress.json",),
        "progress": ("progress.json",),
        "progress (3)": ("progress (3).json",),
    }
    assert grades.exercises == (*hints(), "99-later")
    assert grades.counts("03-package-managers") == {"attempted": 4, "not": 3}
    assert grades.finding == "03-package-managers stops the most: 4 of 7 learners tried and did not pass"


def test_no_file_is_passed_over_in_silence(tmp_path: Path) -> None:
    """Each file but a system's own is in a learner's row or in a remark, which says what to do."""
    grades = grade(messy(tmp_path))
    graded = {file for learner in grades.learners for file in learner.files}
    unread = {one.file: one.found for one in grades.remarks if one.file not in graded}
    hidden = {"__MACOSX/._progress.json", ".DS_Store"}
    assert graded | set(unread) == set(snapshot(tmp_path)) - hidden
    assert {file: said.split("(")[0].strip() for file, said in unread.items()} == {
        "all.zip": "an archive, not read",
        "broken/cut.json": "damaged, or no progress file",
        "broken/empty.json": "empty",
        "broken/latin.json": "damaged, or no progress file",
        "broken/newer.json": "of version 2, and this dockerlab reads 1",
        "broken/odd.json": "damaged, or no progress file",
        "broken/older.json": "of version 0, and this dockerlab reads 1",
        "broken/other.json": "damaged, or no progress file",
        "notes.txt": "not a .json file, not read",
    }
    assert all(one.to_do for one in grades.remarks)
    to_do = {one.file: one.to_do for one in grades.remarks}
    assert to_do["broken/newer.json"].startswith("Update dockerlab")
    assert "Update" not in to_do["broken/older.json"]


def test_no_file_is_changed(tmp_path: Path) -> None:
    """Grading leaves content and times of all files as they were."""
    before = snapshot(messy(tmp_path))
    grade(tmp_path)
    assert snapshot(tmp_path) == before


def test_two_files_of_one_learner_are_joined(tmp_path: Path) -> None:
    """Of each exercise the first pass counts, else the last try; capitals and spaces make no other name."""
    hand_in(tmp_path / "1.json", "Zoë  K", n02=record(5, day=9, passed=True), n03=record(9, day=2))
    hand_in(tmp_path / "2.json", "zoë k ", n02=record(2, day=4, passed=True), n03=record(3, day=5))
    hand_in(tmp_path / "3.json", "zoe\u0308 K", n02=record(1, day=1), n05=record(1))
    (zoe,) = grade(tmp_path).learners
    assert zoe.name == "Zoë K"
    assert zoe.of("02-run-chaining") == record(2, day=4, passed=True)
    assert zoe.of("03-package-managers") == record(3, day=5)
    assert zoe.of("05-build-cache") == record(1)
    assert (zoe.passed, zoe.last) == (1, "2026-01-05T10:00:00+00:00")
    assert [one.file for one in grade(tmp_path).remarks] == ["1.json", "2.json", "3.json"]


def test_files_without_names_in_one_folder_are_not_joined(tmp_path: Path) -> None:
    """A folder of many nameless files may be a class, so each is a learner of its own."""
    for number in range(3):
        hand_in(tmp_path / "class" / f"progress ({number}).json", n02=record(number + 1))
    names = [learner.name for learner in grade(tmp_path).learners]
    assert names == ["class/progress (0)", "class/progress (1)", "class/progress (2)"]


def test_the_homes_of_a_server_are_graded(tmp_path: Path) -> None:
    """A learner is called after the folder that is theirs alone; thousands of other files are one remark."""
    for name in ("ada", "bob"):
        hand_in(tmp_path / name / "layer-lab" / "progress.json", n02=record(len(name)))
    for number in range(50):
        (tmp_path / "ada" / f"notes-{number}.ipynb").write_text("{}")
        (tmp_path / "bob" / f"package-{number}.json").write_text('{"name": "x", "lockfileVersion": 3}')
    (tmp_path / "bob" / "list.json").write_text("[]")
    hand_in(tmp_path / "cy" / "a" / "progress.json", n02=record(4))
    hand_in(tmp_path / "cy" / "b" / "progress.json", n02=record(5))
    (tmp_path / "di").mkdir()
    (tmp_path / "di" / "my progress.json").write_text('{"name": "x"}')
    (tmp_path / "di" / "cut.json").write_text('{"version": 1')
    grades = grade(tmp_path)
    assert [learner.name for learner in grades.learners] == ["ada", "bob", "cy/a", "cy/b"]
    said = {remark.file: remark.found for remark in grades.remarks}
    assert said["101 other files"].startswith("no progress files, not read: ada/notes-0.ipynb, ")
    assert "damaged" in said["di/my progress.json"]
    assert "damaged" in said["di/cut.json"]
    assert len(said) == 4 + 3


def test_the_same_file_under_two_names_is_told(tmp_path: Path) -> None:
    """Checks made in the same seconds by two learners are for the teacher to ask about; no work is not."""
    hand_in(tmp_path / "ada.json", n02=record(2))
    hand_in(tmp_path / "bob.json", n02=record(2))
    hand_in(tmp_path / "cy.json")
    hand_in(tmp_path / "di.json")
    said = {one.file: one.found for one in grade(tmp_path).remarks if "same" in one.found}
    assert said == {
        "ada.json": 'holds the same checks, made in the same seconds, as "bob"',
        "bob.json": 'holds the same checks, made in the same seconds, as "ada"',
    }


def test_a_class_that_is_not_stuck(tmp_path: Path) -> None:
    """The finding is where most tries went when all passed, and that nobody began when nobody did."""
    hand_in(tmp_path / "ada.json")
    assert grade(tmp_path).finding == "Of 1 learner, nobody has checked an exercise yet"
    hand_in(tmp_path / "ada.json", n02=record(1, passed=True), n05=record(4, passed=True))
    hand_in(tmp_path / "bob.json", n02=record(2, passed=True))
    expected = "Nobody is stuck; 05-build-cache took the most tries, 4.0 on average until it passed"
    assert grade(tmp_path).finding == expected


def test_exercises_that_stop_as_many_are_named_together(tmp_path: Path) -> None:
    """A tie names both."""
    hand_in(tmp_path / "ada.json", n02=record(1), n05=record(1))
    expected = "02-run-chaining and 05-build-cache each stop the most: 1 of 1 learner tried and did not pass"
    assert grade(tmp_path).finding == expected


def test_a_name_has_no_control_characters_and_an_end(tmp_path: Path) -> None:
    """Line breaks, marks that turn the text round and pages of text cannot come in by a name."""
    hand_in(tmp_path / "x.json", f"A\n\u202eda\t{'x' * 500}", n02=record(1))
    (learner,) = grade(tmp_path).learners
    assert learner.name.startswith("A da x")
    assert len(learner.name) == 80


def test_a_folder_without_progress_files_is_an_error(tmp_path: Path) -> None:
    """Nothing to grade is told with the files that were seen, and so is a folder that is not there."""
    (tmp_path / "empty.json").touch()
    with pytest.raises(GradeError, match=r"empty\.json: empty"):
        grade(tmp_path)
    with pytest.raises(GradeError, match="no folder"):
        grade(tmp_path / "none")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
def test_links_and_pipes_are_not_waited_for(tmp_path: Path) -> None:
    """Links that lead nowhere, to themselves or to a folder, and a pipe, are remarks."""
    hand_in(tmp_path / "ada.json", n02=record(1))
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "dead.json").symlink_to("nothing")
    (tmp_path / "self.json").symlink_to("self.json")
    (tmp_path / "round").symlink_to(tmp_path)
    grades = grade(tmp_path)
    assert [learner.files for learner in grades.learners] == [("ada.json",)]
    assert {one.file for one in grades.remarks} == {
        "ada.json",
        "pipe.json",
        "dead.json",
        "self.json",
        "round",
    }


def test_the_state_of_a_record() -> None:
    """A hint opened is an attempt; what was measured is told with the target while that is not met."""
    assert [
        state(one) for one in (ExerciseRecord(), ExerciseRecord(hints=1), record(1), record(1, passed=True))
    ] == [
        "not",
        "attempted",
        "attempted",
        "passed",
    ]
    assert measured(record(1)) == "few layers: 3 layers (target: at most 1)"
    assert measured(record(1, passed=True)) == "few layers: 3 layers"
    assert measured(ExerciseRecord(last={"rules": [3, {"rule": "x"}]})) == "x: None (target: None)"
    assert last_time(ExerciseRecord(last={})) is None


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "  =1", "\u00a0=1", "＝1"])  # noqa: RUF001
def test_no_cell_is_a_formula(text: str) -> None:
    """What a spreadsheet would compute stands behind an apostrophe; other text is as it was."""
    assert harmless(text) == f"'{text}"
    assert harmless(f"a{text}") == f"a{text}"


def test_the_csv_has_a_row_a_learner(tmp_path: Path) -> None:
    """The CSV can be read back: five columns an exercise, and no cell that begins as a formula does."""
    import csv

    text = csv_text(grade(messy(tmp_path)))
    assert text.startswith("\ufeff")
    rows = list(csv.DictReader(text.removeprefix("\ufeff").splitlines()))
    ada = next(row for row in rows if row["learner"] == "Ada")
    assert (ada["passed"], ada["02-run-chaining"], ada["02-run-chaining tries"]) == ("1", "passed", "2")
    assert (ada["03-package-managers"], ada["03-package-managers hints"]) == ("attempted", "3")
    assert ada["03-package-managers measured"] == "few layers: 3 layers (target: at most 1)"
    assert ada["05-build-cache"] == "not"
    assert len(rows) == 7
    assert {len(row) for row in rows} == {4 + 5 * (len(hints()) + 1)}
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system refuses such names")
def test_odd_names_can_be_shown(tmp_path: Path) -> None:
    """Bytes that are no UTF-8, line breaks and terminal codes in names of files and exercises are escaped."""
    hand_in(tmp_path / os.fsdecode(b"Zo\xeb.json"), n02=record(1))
    hand_in(tmp_path / "a\n\x1b[31m.json", "Ada")
    write_progress(tmp_path / "b.json", Progress("Bob", {"02\x1b[0m": record(1)}))
    grades = grade(tmp_path)
    assert {learner.files[0] for learner in grades.learners} == {
        "Zo\\xeb.json",
        "a\\n\\x1b[31m.json",
        "b.json",
    }
    assert grades.exercises[-1] == "02\\x1b[0m"
    csv_text(grades).encode()


def test_a_file_nested_a_thousand_deep_is_graded_or_told(tmp_path: Path) -> None:
    """Nothing in a file that is JSON brings the grading down."""
    for depth in (100, 400, 900, 5000):
        last = f'{{"at": "2026", "rules": {"[" * depth}{"]" * depth}}}'
        text = f'{{"version": 1, "exercises": {{"02-run-chaining": {{"tries": 1, "last": {last}}}}}}}'
        (tmp_path / f"deep{depth}.json").write_text(text)
    grades = grade(tmp_path)
    files = {file for learner in grades.learners for file in learner.files}
    assert "deep100.json" in files
    assert files | {one.file for one in grades.remarks} == {path.name for path in tmp_path.iterdir()}
    csv_text(grades)
