from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import dockerlab as lab
from dockerlab import engines, inputs
from dockerlab.context.context import Context
from dockerlab.engines.results import ImageSummary
from dockerlab.errors import (
    ContextError,
    DockerlabError,
    ImageNotFoundError,
    RunError,
    RunTimeoutError,
)
from tests.fake_engine import FakeEngine

TWO = "FROM scratch\nRUN dd\nLABEL a=b\nRUN rm\n"


@pytest.fixture
def engine(tmp_path: Path) -> FakeEngine:
    """Return an engine that builds nothing real."""
    return FakeEngine(tmp_path)


@pytest.fixture
def chosen(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """Make the fake what `choose()` returns, whatever was asked for."""
    monkeypatch.setattr(engines, "choose", lambda name=None: (engine, "it is a fake"))
    return engine


def html(shown: object) -> str:
    """Return what a notebook shows."""
    bundle: Callable[[], dict[str, str]] = shown._repr_mimebundle_  # type: ignore[attr-defined]
    return bundle()["text/html"]


def test_build_names_the_build(engine: FakeEngine) -> None:
    """The learner's name goes on the build, and into the reference that keeps it."""
    built = lab.build(TWO, name="Two_Runs", engine=engine, quiet=True)
    assert (built.name, built.image.reference) == ("Two_Runs", "dockerlab/two_runs:latest")
    assert built.layers_added == 2


def test_build_takes_every_kind_of_context(engine: FakeEngine, tmp_path: Path) -> None:
    """A dict, a folder as text or Path, a Context, or nothing may be the context."""
    given = [{"a": "1"}, str(tmp_path), tmp_path, Context.files({"a": "1"}), None]
    for context in given:
        lab.build(TWO, context=context, engine=engine, quiet=True)  # type: ignore[arg-type]
    kinds = [type(seen["context"]) for seen in engine.seen]
    assert kinds == [Context, Context, Context, Context, type(None)]


def test_build_refuses_what_is_no_context(engine: FakeEngine) -> None:
    """A number as context is refused with what to pass instead."""
    with pytest.raises(ContextError, match="A int is no build context") as caught:
        lab.build(TWO, context=3, engine=engine, quiet=True)  # type: ignore[arg-type]
    assert "dict of files" in caught.value.hint


def test_build_reads_a_dockerfile_from_a_path(engine: FakeEngine, tmp_path: Path) -> None:
    """A Path is the place of a Dockerfile; one that is not there is named."""
    path = tmp_path / "Dockerfile"
    path.write_text(TWO)
    assert lab.build(path, engine=engine, quiet=True).dockerfile.text == TWO
    with pytest.raises(ContextError, match="missing"):
        lab.build(tmp_path / "missing", engine=engine, quiet=True)


def test_build_passes_its_options_on(engine: FakeEngine) -> None:
    """Target, arguments, secrets, builder, tag, no_cache and squash reach the engine unchanged."""
    lab.build(
        TWO,
        engine=engine,
        quiet=True,
        tag="mine:1",
        target="stage",
        build_args={"A": "1"},
        secrets={"s": b"x"},
        no_cache=True,
        squash=True,
        builder="legacy",
    )
    assert engine.seen[0] == {
        "context": None,
        "tag": "mine:1",
        "target": "stage",
        "build_args": {"A": "1"},
        "secrets": {"s": b"x"},
        "no_cache": True,
        "squash": True,
        "builder": "legacy",
        "options": None,
    }


def test_an_interrupt_says_what_was_kept(engine: FakeEngine) -> None:
    """Ctrl-C in step 2 gives one line, and stays a KeyboardInterrupt."""
    with pytest.raises(KeyboardInterrupt) as caught:
        lab.build("RUN a\nRUN hang\n", engine=engine, quiet=True)
    line = "Interrupted: nothing was kept of step 2; what was built before stays cached."
    assert str(caught.value) == line
    assert caught.value._render_traceback_() == [line]  # type: ignore[attr-defined]


def test_progress_in_a_terminal(engine: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    """Outside a notebook each event is a plain line on stderr, without terminal escapes."""
    lab.build(TWO, engine=engine)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines()[:3] == [
        "-- pulling a base: 5 B of 10 B",
        "#1 [1/3] RUN dd",
        "#1   working",
    ]
    assert "#1 CACHED" in printed.err
    assert "#3 ran in 0.75 s" in printed.err


def test_history_of_a_build(engine: FakeEngine) -> None:
    """Every row has its line, its layer or "no layer", its unpacked size; the caption names the engine."""
    table = lab.history(lab.build(TWO, name="two", engine=engine, quiet=True))
    assert table.caption == "two: 3 history rows, 2 layers, 4.00 kB unpacked, fake engine"
    assert [(row[0], row[1], row[3]) for row in table.rows] == [
        ("2", "RUN dd", "1.00 kB"),
        ("3", "LABEL a=b", ""),
        ("4", "RUN rm", "3.00 kB"),
    ]
    assert table.rows[1][2] == "no layer"
    assert "<table>" in html(table)
    assert "RUN dd" in repr(table)


def test_history_of_a_reference(chosen: FakeEngine) -> None:
    """A reference is looked up in the engine, and one that is unknown is an ImageNotFoundError."""
    lab.build(TWO, tag="mine:1", quiet=True)
    assert "fake engine" in lab.history("mine:1").caption
    with pytest.raises(ImageNotFoundError):
        lab.history("other:1")


def test_status_is_one_line(tmp_path: Path) -> None:
    """Status names the engine, why it was chosen, and bases."""
    bases = [
        ImageSummary("dockerlab/stand-in:debian-x", "sha256:1", "", 1, 1, stand_in="debian:x"),
        ImageSummary("alpine:3", "sha256:2", "", 1, 1),
        ImageSummary("dockerlab/two:latest", "sha256:3", "", 1, 1, stand_in="debian:x"),
    ]
    status = lab.status(engine=FakeEngine(tmp_path, bases=bases))
    assert repr(status) == (
        "Engine: fake engine. It was passed in. Bases at hand: alpine:3, debian:x (stand-in)."
    )
    assert repr(status) in html(status)


def test_status_without_bases(engine: FakeEngine) -> None:
    """Where no base was fetched yet, status says when one will be."""
    assert repr(lab.status(engine=engine)).endswith("Base images come with the first build that needs them.")


def test_images_lists_what_is_kept(engine: FakeEngine) -> None:
    """Every kept image is a row; the caption names the engine."""
    lab.build(TWO, tag="mine:1", engine=engine, quiet=True)
    table = lab.images(engine=engine)
    assert table.caption == "1 image, fake engine"
    assert table.rows[0][0] == "mine:1"


def test_run_shows_command_output_and_engine(chosen: FakeEngine) -> None:
    """A string goes through the shell, a list does not; output, exit code and engine are shown."""
    built = lab.build(TWO, name="two", quiet=True)
    ran = lab.run(built, "echo hi")
    assert str(ran) == "ran ['/bin/sh', '-c', 'echo hi']\n"
    assert repr(ran).startswith("$ echo hi    (two, fake engine)\n")
    failed = lab.run(built, ["exit 3"])
    assert failed.exit_code == 3
    assert "exit code 3" in html(failed)


def test_run_that_takes_too_long(chosen: FakeEngine) -> None:
    """A command that was stopped is a short error with the next step."""
    with pytest.raises(RunTimeoutError, match=r"still running after 5 seconds\.\nGive it longer"):
        lab.run(lab.build(TWO, quiet=True), "hang", timeout=5)


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("two_runs", "dockerlab/two_runs:latest"),
        ("_X__y", "dockerlab/x_y:latest"),
        ("ü", "dockerlab/image:latest"),
    ],
)
def test_default_tag_is_a_reference(name: str, tag: str) -> None:
    """Any Python name becomes a reference that Docker takes."""
    assert inputs.default_tag(name) == tag


def test_prediction_without_a_guess(engine: FakeEngine) -> None:
    """A card nobody answered shows question and options, and reveals the measurement alone."""
    guess = lab.predict("How many MB?", [0, 20, 40], key="no guess", unit="MB")
    assert repr(guess) == "How many MB?\n    0 · 20 · 40 MB\nNo guess yet."
    assert set(guess._repr_mimebundle_()) == {"text/plain", "text/html"}
    assert repr(guess.reveal(20.97)) == "Measured: 21.0 MB."


def test_prediction_survives_its_cell_running_again() -> None:
    """A guess is kept under its key; another key has none."""
    lab.predict("How many?", [0, 20, 40]).choose(20)
    assert lab.predict("How many?", [0, 20, 40]).guess == 20
    assert lab.predict("How few?", [0, 20, 40]).guess is None
    lab.predict("?", [0, 20, 40], key="again").choose(20)
    assert lab.predict("?", [0, 20, 40], key="again").guess == 20
    assert lab.predict("?", [0, 20, 40], key="other").guess is None


def test_prediction_compares_with_the_nearest_option() -> None:
    """20 is right for 20.97 measured, and a guess cannot be changed once the measurement is known."""
    guess = lab.predict("?", [0, 20, 40], key="nearest", unit="MB")
    guess.choose(20)
    assert guess.reveal(20.97).right
    guess.choose(40)
    assert guess.guess == 20
    assert repr(guess.reveal(38)) == "Your guess: 20 MB, not what was measured. Measured: 38 MB."


def test_prediction_of_words() -> None:
    """Words are compared as they are."""
    guess = lab.predict("?", ["cached", "runs again"], key="words")
    guess.choose("cached")
    assert guess.reveal("cached").right
    assert not guess.reveal("runs again").right


def test_prediction_refuses_what_was_not_offered() -> None:
    """A guess outside the options, and a card without options, say what is wrong."""
    with pytest.raises(DockerlabError, match="Choose one of: 0, 20"):
        lab.predict("?", [0, 20], key="refused").choose(7)
    with pytest.raises(DockerlabError, match="no options"):
        lab.predict("?", [], key="refused")


def test_a_failed_build_names_its_line(engine: FakeEngine) -> None:
    """The engine's error comes through as it is."""
    with pytest.raises(RunError, match="Dockerfile line 2"):
        lab.build("FROM scratch\nRUN false\n", engine=engine, quiet=True)


def test_charts_are_made_from_builds_and_references(chosen: FakeEngine) -> None:
    """layers, compare and ledger take builds and references, and give pictures with HTML and text forms."""
    one = lab.build(TWO, name="one", tag="one:1", quiet=True)
    for picture in (lab.layers(one), lab.compare(one, "one:1"), lab.ledger("one:1")):
        bundle = picture._repr_mimebundle_()
        assert {"text/plain", "text/html"} <= set(bundle)
        json.dumps(bundle)


def test_whatever_is_shown_carries_its_numbers_as_data(chosen: FakeEngine) -> None:
    """Every result that is shown holds what it was made from as `.data` (what_if: test_caching)."""
    one = lab.build(TWO, name="one", quiet=True)
    two = lab.build(TWO, name="two", quiet=True)
    assert [row.keyword for row in lab.history(one).data] == ["RUN", "LABEL", "RUN"]
    assert lab.ledger(one).data.name == "one"
    assert lab.advise(one).data == ()
    assert [verdict.step for verdict in lab.why(one).data.verdicts] == list(one.steps)
    assert [len(rows) for rows in lab.compare(one, two).data] == [2, 2]
    assert [row.layer for row in lab.layers(one).data] == [1, 2]
    assert lab.images().data == tuple(chosen.images())
    assert lab.progress().data.exercises == {}


def test_a_build_shows_a_short_card(engine: FakeEngine) -> None:
    """A Build at the end of a cell is a sentence: its size, layers, base, time, cached steps and engine."""
    built = lab.build(TWO, name="one", engine=engine, quiet=True)
    assert repr(built).startswith("one: ")
    for said in ("2 layers on scratch", "of 2 steps from the cache", f"({built.engine})"):
        assert said in repr(built)
    assert len(repr(built)) < 200
    assert repr(built) in html(built)
