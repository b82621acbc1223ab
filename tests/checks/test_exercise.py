from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from dockerlab import engines
from dockerlab.checks import Exercise, Report, Verdict, exercise
from dockerlab.checks.trial import Trial
from dockerlab.context.context import Context, File
from dockerlab.engines.results import Build, Recipe
from dockerlab.errors import BuildError, DockerlabError, ImageNotFoundError, NotBuiltError
from dockerlab.notebook.not_built import NotBuilt
from tests.fake_engine import FakeEngine

HINTS = ("look <here>", "look there", "do this")


class Fewer:
    """An exercise: make fewer layers than the starter."""

    STARTER = "FROM scratch\nRUN a\nRUN b\n"
    CONTEXT: Mapping[str, str | bytes | File] | None = None

    def rules(self, trial: Trial) -> list[Verdict]:
        """Count layers."""
        mine, theirs = len(trial.attempt.image.layers), len(trial.starter.image.layers)
        look = "Change one thing: <b>"
        return [
            Verdict("builds", True, "yes", "yes", "Why"),
            Verdict("layers < starter", mine < theirs, f"{mine} layers", f"at most {theirs - 1}", look),
        ]


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """Make a fake the engine of everything, and keep progress in a folder of the test's own."""
    fake = FakeEngine(tmp_path)
    monkeypatch.setattr(engines, "choose", lambda name=None: (fake, "it is a fake"))
    monkeypatch.setenv("DOCKERLAB_PROGRESS", str(tmp_path / "progress.json"))
    return fake


@pytest.fixture
def task(engine: FakeEngine) -> Exercise:
    """Return the exercise as its notebook makes it."""
    return again()


def again() -> Exercise:
    """Make the exercise anew, as running its cell again does."""
    return Exercise("fewer", Fewer(), HINTS)


def progress(tmp_path: Path) -> dict[str, object]:
    """Return what the progress file says of it."""
    record: dict[str, object] = json.loads((tmp_path / "progress.json").read_text())["exercises"]["fewer"]
    return record


def test_the_starter_is_not_there_yet(task: Exercise, engine: FakeEngine) -> None:
    """A failed rule shows what was measured, the target, and the step of the lesson, in text and in HTML."""
    report = task.check(engine.build(Fewer.STARTER, tag="mine:1"))
    assert not report.passed
    text, html = repr(report), report.html()
    assert "Exercise fewer: not yet, 1 of 2 rules met (fake engine)." in text
    for part in ("measured: 2 layers", "target:   at most 1", 'look again at "Change one thing: <b>"'):
        assert part in text
    assert "layers &lt; starter" in html
    assert 'href="../notebooks/fewer.ipynb#Change-one-thing:-&lt;b&gt;"' in html
    assert html.count("not yet</span>") == 1
    assert "task.hint() opens hint 1 of 3." in text


def test_a_right_answer_passes_and_is_kept(task: Exercise, engine: FakeEngine, tmp_path: Path) -> None:
    """Passing is recorded with tries, hints, time, engine and the rules' results."""
    task.check(engine.build(Fewer.STARTER, tag="mine:1"))
    task.hint()
    report = task.check(engine.build("FROM scratch\nRUN a\n", tag="mine:1"))
    assert report.passed
    assert "../solutions/solution-fewer.ipynb" in repr(report)
    record = progress(tmp_path)
    assert (record["passed"], record["tries"], record["hints"]) == (True, 2, 1)
    assert isinstance(record["last"], dict)
    assert record["last"]["engine"] == "fake engine"
    assert [rule["measured"] for rule in record["last"]["rules"]] == ["yes", "1 layers"]
    assert "passed on 20" in repr(again())


def test_nothing_is_kept_when_not_asked(task: Exercise, engine: FakeEngine, tmp_path: Path) -> None:
    """A solution's check leaves the progress file alone."""
    assert not task.check(engine.build(Fewer.STARTER, tag="mine:1"), record=False).passed
    assert not (tmp_path / "progress.json").exists()


def test_hints_open_one_by_one_and_stay_open(task: Exercise) -> None:
    """Each call opens one more, whichever object is asked; the last says where the solution is."""
    assert repr(task.hint()) == "Hint 1 of 3: look <here>"
    second = again().hint()
    assert second.opened == HINTS[:2]
    assert "look &lt;here&gt;" in second._repr_mimebundle_()["text/html"]
    assert repr(again()) == "Exercise fewer: not passed yet, 0 tries, 2 hints opened."
    assert "../solutions/solution-fewer.ipynb" in repr(task.hint())
    assert task.hint().opened == HINTS


def test_after_passing_all_hints_are_open_and_none_counts(
    task: Exercise, engine: FakeEngine, tmp_path: Path
) -> None:
    """Who is curious afterwards is not charged."""
    task.check(engine.build("FROM scratch\nRUN a\n", tag="mine:1"))
    assert task.hint().opened == HINTS
    assert progress(tmp_path)["hints"] == 0


def test_the_starter_is_built_with_the_builder_of_the_attempt(task: Exercise, engine: FakeEngine) -> None:
    """Both are made alike, and the starter under a name of its own."""
    task.check(engine.build(Fewer.STARTER, tag="mine:1"))
    assert engine.seen[-1]["builder"] == "embedded"
    assert engine.seen[-1]["tag"] == "dockerlab/starter-fewer:latest"


def test_the_wait_for_the_starter_is_told_once(
    task: Exercise, engine: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    """A starter that is not cached is announced in one line."""
    task.check(engine.build(Fewer.STARTER, tag="mine:1"))
    assert capsys.readouterr().out == "Building the starter once, to compare with it ...\n"


def test_what_is_no_build_is_refused_with_the_next_step(task: Exercise, tmp_path: Path) -> None:
    """A failed build and a wrong variable are told apart, and count as no try."""
    with pytest.raises(NotBuiltError, match="mine was not built: its cell says why"):
        task.check(NotBuilt("mine", DockerlabError("it failed")))
    with pytest.raises(DockerlabError, match="A str is no build"):
        task.check("mine")
    assert not (tmp_path / "progress.json").exists()


def test_an_image_that_is_gone_is_told(engine: FakeEngine, task: Exercise, tmp_path: Path) -> None:
    """Where the image was removed since it was built, the check says which cell to run, and counts no try."""
    mine = replace(engine.build(Fewer.STARTER, tag="mine:1"), name="mine")
    engine.remove("mine:1")
    with pytest.raises(ImageNotFoundError, match="begins with %%dockerfile mine again, then this one"):
        task.check(mine)
    assert not (tmp_path / "progress.json").exists()


def test_a_starter_that_cannot_be_built_is_told(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Offline the check says why it cannot compare, and counts no try."""
    mine = engine.build(Fewer.STARTER, tag="mine:1")
    monkeypatch.setattr(Fewer, "STARTER", "FROM scratch\nRUN false\n")
    with pytest.raises(BuildError, match="compares with the starter"):
        again().check(mine)
    assert not (tmp_path / "progress.json").exists()


def test_a_damaged_progress_file_spoils_no_check(task: Exercise, engine: FakeEngine, tmp_path: Path) -> None:
    """The verdicts are shown, a note tells what is wrong with the file, hints go on, and the file stays."""
    (tmp_path / "progress.json").write_text("mine!")
    assert "is not a progress file" in repr(task)
    report = task.check(engine.build(Fewer.STARTER, tag="mine:1"))
    assert len(report.verdicts) == 2
    assert "Your progress was not kept." in report.notes[0]
    assert [len(task.hint().opened) for _ in range(2)] == [1, 2]
    assert (tmp_path / "progress.json").read_text() == "mine!"


def test_an_unknown_exercise_is_named_with_those_there_are() -> None:
    """A misspelt name is answered with the list."""
    with pytest.raises(DockerlabError, match="02-run-chaining"):
        exercise("02-run-chainning")


def test_an_exercise_needs_no_engine_until_it_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Making a task and opening it looks for no Docker: the first cell is quick everywhere."""
    monkeypatch.setattr(engines, "choose", lambda name=None: pytest.fail("an engine was asked for"))
    assert exercise("02-run-chaining").starter.startswith("FROM ")


def test_a_report_names_a_stand_in() -> None:
    """Numbers that come from a stand-in base say so."""
    report = Report("x", (), "an engine", stand_in="debian:12")
    assert "on a stand-in for debian:12" in report.headline


class WithFiles(Fewer):
    """The same with files to edit."""

    CONTEXT: Mapping[str, str | bytes | File] | None = {"app.py": "1", "b": "2"}


@pytest.mark.parametrize(
    ("edits", "told"),
    [
        ({}, ""),
        ({".dockerignore": "b\n"}, "mine was built before .dockerignore became what it is now"),
        ({".dockerignore": "b\n", "app.py": "2"}, "mine was built before app.py and .dockerignore became"),
    ],
    ids=["none", "ignore-file", "two"],
)
def test_an_edit_that_was_not_built_is_told(engine: FakeEngine, edits: dict[str, str], told: str) -> None:
    """The check says which files were edited after the build; built again with them, it says nothing."""
    task = Exercise("fewer", WithFiles(), HINTS)
    files = task.context
    files.update({".dockerignore": ""} if edits else {})

    def notes(build: Build) -> str:
        return " ".join(task.check(build).notes)

    built = replace(
        engine.build(Fewer.STARTER, tag="mine:1"), name="mine", recipe=Recipe(Context.files(files))
    )
    files.update(edits)
    assert told in notes(built)
    assert ("was built before" in notes(built)) == bool(told)
    built = replace(built, recipe=Recipe(Context.files(files)))
    assert "was built before" not in notes(built)
