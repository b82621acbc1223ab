"""The progress card says what is passed, what is open, where that is kept and what comes next."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

import dockerlab as lab
from dockerlab.checks.manifest import course, hints
from dockerlab.checks.progress import ExerciseRecord, Progress, read_progress, write_progress
from dockerlab.errors import ProgressError
from tests.checks.classroom import hand_in, record
from tests.test_links import fault, targets
from tools.course import ROOT


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep progress in a file of the test's own, which is not there yet."""
    path = tmp_path / "mine" / "progress.json"
    monkeypatch.setenv("DOCKERLAB_PROGRESS", str(path))
    return path


def test_nothing_done_is_said(kept: Path) -> None:
    """Before the first check the card says so, makes no file, and sends to its own lesson's exercise."""
    said = repr(lab.progress())
    assert said.startswith(f"No exercise checked yet, {len(hints())} to do.\nNext: exercise 00\n")
    assert f"Will be kept in {kept} from the first check on" in said
    assert "passed" not in said
    assert not kept.exists()


def test_every_lesson_and_exercise_is_on_it(kept: Path) -> None:
    """Each lesson has its row in the course's order, each exercise its own, and all links lead somewhere."""
    card = lab.progress()
    lines = repr(card).splitlines()[3:-2]
    assert len(lines) == sum(max(len(lesson.exercises), 1) for lesson in course())
    assert [line[:2] for line in lines if line[0] != " "] == [lesson.number for lesson in course()]
    assert len([line for line in lines if line.endswith("open")]) == len(hints())
    links = set(targets(card.html()))
    assert {f"../exercises/exercise-{name}.ipynb" for name in hints()} <= links
    assert {f"../notebooks/{lesson.name}.ipynb" for lesson in course()} <= links
    assert [link for link in links if fault(ROOT / "notebooks" / "00-start-here.ipynb", link)] == []


def test_what_was_done_is_shown(kept: Path) -> None:
    """Passed and tried exercises show tries, hints and day; a tried one is what to go on with."""
    hand_in(
        kept,
        "Ada",
        n00=record(1, passed=True),
        n01=record(1, passed=True),
        n02=record(2, day=3, passed=True),
        n03=record(4, day=5, hints=1),
    )
    said = repr(lab.progress())
    assert said.startswith(f"Ada: 3 of {len(hints())} exercises passed.\nGo on with exercise 03\n")
    assert re.search(r"02 One RUN or three\? +exercise 02 +✓ passed, at try 2 +2026-01-03\n", said)
    assert re.search(r"leave behind\? +exercise 03 +○ not yet, 4 tries, 1 hint opened +2026-01-05\n", said)
    assert f"Kept in {kept}, a file that is yours." in said
    assert "lab.progress(name" not in said


@pytest.mark.parametrize(
    ("passed", "after"),
    [
        (1, "Next: lesson 01 What is a layer?"),
        (3, "Next: lesson 03 What does a package manager leave behind?"),
        (13, "Next: lesson 13 A real image: find it, cut it, prove it"),
        (14, "Next: exercise 13.2"),
        (16, "Next: lesson 14 Which base?"),
        (len(hints()), "All are passed. Compare with the solutions"),
    ],
)
def test_what_comes_next(kept: Path, passed: int, after: str) -> None:
    """The next thing is the first open exercise: its lesson first, the rest of a lesson's one by one."""
    done = {name: record(1, passed=True) for name in list(hints())[:passed]}
    write_progress(kept, Progress(None, done))
    assert repr(lab.progress()).splitlines()[:2] == [f"{passed} of {len(hints())} exercises passed.", after]


def test_a_name_is_kept_and_taken_out(kept: Path) -> None:
    """A name is written into the file, a check leaves it there, and "" takes it out."""
    assert repr(lab.progress(name="  Ada \n Lovelace ")).startswith("Ada Lovelace: No exercise")
    assert read_progress(kept).learner == "Ada Lovelace"
    write_progress(kept, read_progress(kept).with_record("02-run-chaining", ExerciseRecord(hints=1)))
    assert read_progress(kept).learner == "Ada Lovelace"
    lab.progress(name="")
    assert read_progress(kept) == Progress(None, {"02-run-chaining": ExerciseRecord(hints=1)})
    with pytest.raises(ProgressError, match="too long"):
        lab.progress(name="x" * 81)


def test_a_file_that_cannot_be_read_is_shown_not_raised(kept: Path) -> None:
    """The card of a damaged file says what is wrong, and a name is not written over it."""
    kept.parent.mkdir()
    kept.write_text("{")
    assert "is not a progress file" in repr(lab.progress())
    with pytest.raises(ProgressError):
        lab.progress(name="Ada")
    assert kept.read_text() == "{"


def test_in_the_course_the_path_is_seen_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where notebooks share the course's own file, the card is the same on every machine."""
    (tmp_path / "course.toml").touch()
    (tmp_path / "notebooks").mkdir()
    monkeypatch.delenv("DOCKERLAB_PROGRESS", raising=False)
    monkeypatch.chdir(tmp_path / "notebooks")
    assert "Will be kept in ../progress.json from" in repr(lab.progress())
    assert str(tmp_path) not in lab.progress().html()
    assert list((tmp_path / "notebooks").iterdir()) == []


def test_a_name_is_text_not_markup(kept: Path) -> None:
    """What stands in the file is escaped."""
    hand_in(kept, "<script>x</script>", n02=record(1))
    html = lab.progress().html()
    assert "&lt;script&gt;" in html
    assert "<script" not in html


def test_lesson_00_shows_the_card_of_a_new_course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The card saved in lesson 00 is what a learner who has done nothing sees."""
    (tmp_path / "course.toml").touch()
    (tmp_path / "notebooks").mkdir()
    monkeypatch.delenv("DOCKERLAB_PROGRESS", raising=False)
    monkeypatch.chdir(tmp_path / "notebooks")
    cells = nbformat.read(ROOT / "notebooks" / "00-start-here.ipynb", as_version=4)["cells"]
    (cell,) = [cell for cell in cells if cell["source"] == "lab.progress()"]
    (output,) = cell["outputs"]
    card = lab.progress()
    assert output["data"] == {"text/plain": repr(card), "text/html": card.html()}
