from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from dockerlab.checks import contents, rules
from dockerlab.checks.trial import Trial
from dockerlab.engines.results import Build, Ran
from dockerlab.errors import BuildError, RunTimeoutError
from tests.checks.builds import build_of
from tests.fake_engine import FakeEngine


class Answering(FakeEngine):
    """Answers `run` by the reference: an output, an exit code with one, or an error to raise."""

    def __init__(self, folder: Path, answers: Mapping[str, Ran | Exception]) -> None:
        super().__init__(folder)
        self.answers = answers

    def run(
        self,
        reference: str,
        argv: Sequence[str] | None = None,
        *,
        entrypoint: bool = True,
        timeout: float = 60,
    ) -> Ran:
        """Give the answer."""
        assert entrypoint is (argv is None), "a question goes past the entry point, the own command does not"
        answer = self.answers[reference]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Prepared(Trial):
    """A trial whose rebuilds are at hand: by the edited path, the second of two is `other`."""

    def __init__(self, folder: Path, mine: Build, theirs: Build, *others: Build, engine: Any = None) -> None:
        super().__init__(mine, theirs, engine or FakeEngine(folder), name="x", draw=Random(1))
        self.others = list(others)

    def again(self, edits: Any = None, given: Any = None) -> Build:
        """Return the next of the rebuilds, the attempt where there is none."""
        return self.others.pop(0) if self.others else self.attempt

    def model(self, edits: Any = None, given: Any = None) -> Build:
        """Return the starter."""
        return self.starter


def asked(folder: Path, answer: Ran | Exception, argv: Sequence[str] | None) -> Any:
    """Judge an image that answers so against a starter that prints 4."""
    mine, given = build_of(folder / "a", [{"a": b"1"}]), build_of(folder / "b", [{"b": b"2"}])
    engine = Answering(folder, {mine.image.id: answer, given.image.id: Ran(0, "4\n")})
    return rules.answers("a rule", "Why", Prepared(folder, mine, given, engine=engine), [argv])


@pytest.mark.parametrize("argv", [None, ["add"]])
def test_the_same_answer_passes(tmp_path: Path, argv: Sequence[str] | None) -> None:
    """The same text and exit code pass, of the image's own command and of one past its entry point."""
    assert asked(tmp_path, Ran(0, "4\n"), argv).passed


@pytest.mark.parametrize(
    ("answer", "measured"),
    [
        (Ran(0, "5\n"), "prints '5'"),
        (Ran(0, ""), "prints nothing"),
        (Ran(1, "4\n"), "exit code 1, prints '4'"),
        (BuildError("no such program"), "exit code 127, prints 'no such program'"),
        (RunTimeoutError(5), "exit code 124, prints 'it was stopped, it took too long'"),
    ],
    ids=["other", "none", "failed", "not-started", "endless"],
)
def test_another_answer_does_not(tmp_path: Path, answer: Ran | Exception, measured: str) -> None:
    """What ends or prints otherwise, or cannot be started, fails with what it did."""
    verdict = asked(tmp_path, answer, ["/bin/add"])
    assert (verdict.passed, verdict.measured, verdict.target) == (False, f"add {measured}", "add prints '4'")


@pytest.mark.parametrize(
    ("layers", "fault"),
    [
        ([{"srv/r": b"right"}], ""),
        ([{"srv/r": b"wrong"}, {"srv/r": b"right"}], ""),
        ([{"opt/r": b"right", "srv/r": ("symlink", "../opt/r")}], ""),
        ([{"srv/r": b"wrong"}], "/srv/r holds 'wrong', not 'right'"),
        ([{"srv/r": b"right"}, {"srv/r": None}], "there is no /srv/r"),
        ([{"srv/r": ("symlink", "r")}], "there is no /srv/r"),
        ([{"srv/r": "dir"}], "/srv/r is a dir"),
    ],
    ids=["same", "replaced", "linked", "other", "removed", "circle", "folder"],
)
def test_files_are_those_of_the_finished_image(tmp_path: Path, layers: list[Any], fault: str) -> None:
    """The content a container would read is compared, wherever it is stored, and the fault is named."""
    trial = Prepared(
        tmp_path, build_of(tmp_path / "a", layers), build_of(tmp_path / "b", [{"srv/r": b"right"}])
    )
    verdict = rules.same_files("a rule", "Why", trial, ["srv"])
    assert (verdict.passed, verdict.measured) == (not fault, fault or "the same")


def trial_of(folder: Path, layers: list[Any], **kept: Any) -> Trial:
    """Return a trial of these layers beside a starter of one file that a later layer removes."""
    starter = build_of(folder / "starter", [{"tmp/big": b"the same size"}, {"tmp/big": None}])
    return Prepared(folder, replace(build_of(folder / "mine", layers), **kept), starter)


@pytest.mark.parametrize(
    ("layers", "measured"),
    [
        ([{"other": b"small"}], "in no layer"),
        ([{"tmp/big": b"the same size"[::-1]}], "in no layer"),
        ([{"tmp/big": b"the same size"}, {"tmp/big": None}], "13 B stored by layer 1: /tmp/big"),
        ([{"opt/renamed": b"the same size"}], "13 B stored by layer 1: /opt/renamed"),
        ([{"lists": "dir", "lists/lock": b"", "lists2/x": b"1"}], "in no layer"),
        (
            [{"lists/a": b"123", "lists/b": b"1"}, {"lists/a": None}],
            "4 B stored by layer 1: /lists/a and 1 more file",
        ),
        ([{"opt/packed": gzip.compress(b"a MARK in it")}], "32 B stored by layer 1: /opt/packed"),
    ],
    ids=["absent", "other-content", "removed-later", "renamed", "empty-files", "below-a-path", "packed"],
)
def test_what_is_in_a_layer_is_found(tmp_path: Path, layers: list[Any], measured: str) -> None:
    """Content, path or mark: what a later layer removes counts, and so does what has another name."""
    trial = trial_of(tmp_path, layers)
    picks = [
        contents.below("lists"),
        contents.same_content(trial.starter, "tmp/big"),
        contents.holding(rb"MARK"),
    ]
    verdict = rules.nothing_in_layers("a rule", "Why", trial, picks)
    assert (verdict.passed, verdict.measured) == (measured == "in no layer", measured)


def test_bytes_and_layers_are_counted(tmp_path: Path) -> None:
    """A limit is met when it is reached, and missed one above it."""
    trial = trial_of(tmp_path, [{"a": 600}, {"b": 400}])
    assert rules.bytes_at_most("a rule", "Why", trial.attempt, 1000).passed
    assert not rules.bytes_at_most("a rule", "Why", trial.attempt, 999).passed
    assert rules.layers_at_most("a rule", "Why", trial, 2).passed
    assert rules.layers_at_most("a rule", "Why", trial, 1).measured == "2 layers: layer 1, layer 2"


@pytest.mark.parametrize(
    ("layers", "history", "config", "told"),
    [
        ([{"a": b"nothing"}], ["RUN make"], {}, []),
        ([{"a": b"key=hunter2-and-more."}, {"a": None}], ["RUN make", "RUN rm"], {}, ["layer 1 (/a)"]),
        ([{"a": b"nothing"}], ["RUN |1 TOKEN=hunter2-and-more make"], {}, ["the history"]),
        (
            [{"a": b"nothing"}],
            ["RUN make"],
            {"Env": ["TOKEN=hunter2-", "MORE=r2-and-more"]},
            ["the settings"],
        ),
    ],
    ids=["nowhere", "removed-later", "history", "cut-in-two"],
)
def test_a_secret_is_looked_for_everywhere(
    tmp_path: Path, layers: list[Any], history: list[str], config: dict[str, Any], told: list[str]
) -> None:
    """A secret is found in hidden files, in the history and in the settings, whole or in pieces."""
    build = build_of(tmp_path / "mine", layers, history=history)
    build = replace(build, image=replace(build.image, config={**build.image.config, "config": config}))
    trial = Prepared(tmp_path, build, build)
    assert rules.places_of_secret(trial, build, "hunter2-and-more") == told


@pytest.mark.parametrize(
    ("second", "third", "measured"),
    [
        ({"a": b"1", "b": b"x"}, {"a": b"1", "b": b"x"}, "in no layer"),
        ({"a": b"1", "b": b"y"}, {"a": b"1", "b": b"y"}, "/b (layer 1)"),
        ({"a": b"1", "b": b"y"}, {"a": b"1", "b": b"z"}, "in no layer"),
        ({"a": b"1", "b": b"y" * 999}, {"a": b"1", "b": b"z" * 998}, "/b (layer 1)"),
        ({"a": b"1", "c": b"x"}, {"a": b"1", "c": b"x"}, "/b (layer 1), /c (layer 1)"),
    ],
    ids=["the same", "another content", "as it differs anyway", "grown", "another name"],
)
def test_an_unwanted_file_may_change_no_layer(
    tmp_path: Path, second: dict[str, bytes], third: dict[str, bytes], measured: str
) -> None:
    """What two builds differ in is told, but for what a third of the same differs in as much."""
    first, *rest = (
        build_of(tmp_path / str(number), [layer])
        for number, layer in enumerate([{"a": b"1", "b": b"x"}, second, third])
    )
    trial = Prepared(tmp_path, first, first, first, *rest)
    verdict = rules.untouched_by("a rule", "Why", trial, {"noise": "2"}, edits={})
    assert (verdict.passed, verdict.measured) == (measured == "in no layer", measured)


def test_what_is_made_of_an_input_may_follow_it(tmp_path: Path) -> None:
    """A result may differ with what it is made of, under any name; what else does may not."""
    builds = [
        build_of(tmp_path / one, [{"total": one.encode(), "copy": one.encode(), "kept": kept}])
        for one, kept in (("1", b"x"), ("2", b"x"), ("3", b"y"))
    ]
    for second, measured in ((builds[1], "in no layer"), (builds[2], "/kept (layer 1)")):
        trial = Prepared(tmp_path, builds[0], builds[0], builds[0], second, second)
        assert rules.untouched_by("a rule", "Why", trial, {}, but=["total"]).measured == measured


@pytest.mark.parametrize(
    ("mode", "kept", "same"), [(0o755, True, False), (0o555, True, True), (0o550, False, False)]
)
def test_modes_are_kept_or_the_same(tmp_path: Path, mode: int, kept: bool, same: bool) -> None:
    """A mode that lets more do more is kept, not the same; one that lets less do less is neither."""
    mine, theirs = (
        build_of(tmp_path / f"{number}{one:o}", [{"run": ("mode", f"{one:o}")}])
        for number, one in enumerate((mode, 0o555))
    )
    trial = Prepared(tmp_path, mine, theirs)
    assert rules.same_files("a rule", "Why", trial, ["run"], modes="kept").passed is kept
    assert rules.same_files("a rule", "Why", trial, ["run"], modes="same").passed is same


def test_a_rebuild_that_fails_breaks_the_rule(tmp_path: Path) -> None:
    """An error of the rebuild is a verdict that names the line, not the end of the check."""

    class Failing(Prepared):
        def again(self, edits: Any = None, given: Any = None) -> Build:
            raise BuildError("it is not there", line=3)

    mine = build_of(tmp_path / "mine", [{"a": b"1"}])
    verdict = rules.same_files("a rule", "Why", Failing(tmp_path, mine, mine), ["a"])
    assert not verdict.passed
    assert "line 3: it is not there" in verdict.measured
