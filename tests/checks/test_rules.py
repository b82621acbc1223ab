from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dockerlab.checks import rules
from dockerlab.checks.verdict import Verdict
from dockerlab.context.context import Context, File
from dockerlab.engines.results import Build, Ran, Step
from dockerlab.errors import BuildError, DockerlabError, ImageNotFoundError, RunTimeoutError
from dockerlab.image.image import Image
from tests.checks.builds import build_of
from tests.fake_engine import FakeEngine

ASKED = {"rule": "a rule", "look": "Why"}


class Answering(FakeEngine):
    """Answers `run` by the reference: an output, an exit code with one, or an error to raise."""

    def __init__(self, folder: Path, answers: Mapping[str, Ran | Exception]) -> None:
        super().__init__(folder)
        self.answers = answers

    def image(self, reference: str) -> Image:
        """Know no image by name, so that ids are asked for."""
        raise ImageNotFoundError(f"There is no {reference}.")

    def run(self, reference: str, argv: Sequence[str] | None = None, *, timeout: float = 60) -> Ran:
        """Give the answer."""
        answer = self.answers[reference]
        if isinstance(answer, Exception):
            raise answer
        return answer


def outputs(folder: Path, answer: Ran | Exception, *, starter: Ran | None = None) -> Verdict:
    """Judge an image that answers so against a starter that prints 4."""
    mine, given = build_of(folder / "a", [{"a": b"1"}]), build_of(folder / "b", [{"b": b"2"}])
    engine = Answering(folder, {mine.image.id: answer, given.image.id: starter or Ran(0, "4\n")})
    return rules.same_output(mine, given, engine=engine, argv=["add"], **ASKED)


def test_same_output_is_met_by_the_same_output(tmp_path: Path) -> None:
    """The same text and exit code 0 pass."""
    assert outputs(tmp_path, Ran(0, "4\n")) == Verdict("a rule", True, "prints '4'", "prints '4'", "Why")


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
def test_same_output_is_not_met_by_another(tmp_path: Path, answer: Ran | Exception, measured: str) -> None:
    """What ends or prints otherwise, or cannot be started, fails with what it did."""
    verdict = outputs(tmp_path, answer)
    assert (verdict.passed, verdict.measured) == (False, measured)


def test_same_output_needs_a_starter_that_runs(tmp_path: Path) -> None:
    """Two commands that fail alike are no agreement."""
    with pytest.raises(DockerlabError, match="does not run in the starter's image"):
        outputs(tmp_path, Ran(1, "x"), starter=Ran(1, "x"))


@pytest.mark.parametrize(
    ("layers", "passed"),
    [
        ([{"srv/r": b"right"}], True),
        ([{"srv/r": b"wrong"}, {"srv/r": b"right"}], True),
        ([{"opt/r": b"right", "srv/r": ("symlink", "../opt/r")}], True),
        ([{"srv/r": b"wrong"}], False),
        ([{"srv/r": b"right"}, {"srv/r": None}], False),
        ([{"srv/r": ("symlink", "r")}], False),
        ([{"srv/r": "dir"}], False),
    ],
    ids=["same", "replaced", "linked", "other", "removed", "circle", "folder"],
)
def test_same_file_sees_the_finished_image(tmp_path: Path, layers: list[Any], passed: bool) -> None:
    """The content a container would read is compared, wherever it is stored."""
    starter = build_of(tmp_path / "starter", [{"srv/r": b"right"}])
    verdict = rules.same_file(build_of(tmp_path / "mine", layers), starter, path="srv/r", **ASKED)
    assert verdict.passed is passed


@pytest.mark.parametrize(
    ("layers", "passed"),
    [
        ([{"other": b"small"}], True),
        ([{"tmp/big": b"the same size"[::-1]}], True),
        ([{"tmp/big": b"the same size"}, {"tmp/big": None}], False),
        ([{"opt/renamed": b"the same size"}], False),
    ],
    ids=["absent", "other-content", "removed-later", "renamed"],
)
def test_content_in_no_layer_finds_it_under_any_name(tmp_path: Path, layers: list[Any], passed: bool) -> None:
    """Content counts, not the path: renamed or removed later, it is stored."""
    starter = build_of(tmp_path / "starter", [{"tmp/big": b"the same size"}, {"tmp/big": None}])
    verdict = rules.content_in_no_layer(build_of(tmp_path / "mine", layers), starter, path="tmp/big", **ASKED)
    assert verdict.passed is passed
    assert (verdict.measured == "in no layer") is passed


def test_path_in_no_layer_wants_no_bytes_below_it(tmp_path: Path) -> None:
    """Empty files, folders and neighbours of a similar name are allowed; content hidden later is not."""
    clean = build_of(tmp_path / "a", [{"var/lists": "dir", "var/lists/lock": b"", "var/lists2/x": b"1"}])
    assert rules.path_in_no_layer(clean, path="var/lists", **ASKED).passed
    hidden = build_of(tmp_path / "b", [{"var/lists/a": b"123", "var/lists/b": b"1"}, {"var/lists/a": None}])
    verdict = rules.path_in_no_layer(hidden, path="var/lists", **ASKED)
    assert (verdict.passed, verdict.measured) == (
        False,
        "4 B stored by layer 1: /var/lists/a and 1 more file",
    )


def test_bytes_and_layers_are_counted_over_the_whole_image(tmp_path: Path) -> None:
    """A limit is met when it is reached, and missed one above it; base layers count."""
    build = build_of(tmp_path, [{"a": 600}, {"b": 400}])
    build = replace(build, image=replace(build.image, base_layers=1))
    assert rules.bytes_at_most(build, budget=1000, **ASKED).passed
    assert rules.bytes_at_most(build, budget=999, **ASKED).measured == "1.00 kB"
    assert not rules.bytes_at_most(build, budget=999, **ASKED).passed
    assert rules.layers_at_most(build, limit=2, **ASKED).passed
    too_many = rules.layers_at_most(build, limit=1, **ASKED)
    assert (too_many.passed, too_many.measured) == (False, "2 layers in all, 1 from the base")
    assert too_many.target == "at most 1 layer in all"


@pytest.mark.parametrize(
    ("layers", "history", "config", "measured"),
    [
        ([{"a": b"nothing"}], ["RUN make"], {}, "nowhere"),
        ([{"a": b"key=hunter2."}, {"a": None}], ["RUN make", "RUN rm"], {}, "layer 1 (/a)"),
        ([{"a": b"x" * ((1 << 20) - 515) + b"hunter2"}], ["RUN make"], {}, "layer 1 (/a)"),
        ([{"hunter2": b"nothing"}], ["RUN make"], {}, "layer 1"),
        ([{"a": b"nothing"}], ["RUN |1 TOKEN=hunter2 make"], {}, "the history"),
        ([{"a": b"nothing"}], ["RUN make"], {"Env": ["TOKEN=hunter2"]}, "the configuration"),
    ],
    ids=["nowhere", "removed-later", "across-chunks", "name", "history", "environment"],
)
def test_secret_nowhere_looks_everywhere(
    tmp_path: Path, layers: list[Any], history: list[str], config: dict[str, Any], measured: str
) -> None:
    """A secret is found in hidden files, where two reads meet, in the history and in the configuration."""
    build = build_of(tmp_path, layers, history=history)
    build = replace(build, image=replace(build.image, config={**build.image.config, "config": config}))
    verdict = rules.secret_nowhere(build, secret=b"hunter2", **ASKED)
    assert (verdict.passed, verdict.measured) == (measured == "nowhere", measured)


class Editing(FakeEngine):
    """Runs every RUN again when a file differs from the build before; keeps the contexts it was given."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.contexts: list[dict[str, tuple[bytes, int]]] = []

    def build(self, dockerfile: Any, *, context: Context | None = None, **_: Any) -> Build:
        """Return steps only."""
        assert context is not None
        tree = context.tree()
        files = {}
        for path in tree:
            node = tree.get(path)
            assert node is not None
            with node.origin.open(node.entry) as file:
                files[path] = (file.read(), node.entry.mode & 0o777)
        cached = files in self.contexts
        self.contexts.append(files)
        steps = (
            Step(1, "0", "FROM", "FROM scratch", 1, None, 0.0),
            Step(2, "0", "COPY", "COPY . .", 2, cached, 0.0),
            Step(3, "0", "RUN", "RUN make", 4, cached, 0.0),
        )
        return replace(build_of(self.folder, [{"a": b"1"}]), steps=steps)


def test_an_edit_is_new_each_time(tmp_path: Path) -> None:
    """Each check edits otherwise, so that the cache of the last check proves nothing; the mode is kept."""
    engine = Editing(tmp_path)
    context: dict[str, str | bytes | File] = {"app.py": File("print(1)", 0o755), "b": "2"}
    attempt = build_of(tmp_path / "mine", [{"a": b"1"}])
    for _ in range(2):
        verdict = rules.runs_again_at_most(
            attempt, engine=engine, context=context, path="app.py", limit=0, **ASKED
        )
        assert (verdict.passed, verdict.measured) == (False, "1 RUN step: line 4")
    edits = [files["app.py"] for files in engine.contexts if files["app.py"][0] != b"print(1)"]
    assert len(set(edits)) == 2
    assert all(text.startswith(b"print(1)\n# ") and mode == 0o755 for text, mode in edits)
    assert rules.runs_again_at_most(
        attempt, engine=engine, context=context, path="b", limit=1, **ASKED
    ).passed


def test_a_build_is_a_base_by_its_name_only_while_it_has_it(tmp_path: Path) -> None:
    """Once a name means another image, or none, the build cannot be built on: the error says what to do."""
    engine = FakeEngine(tmp_path)
    (tmp_path / "first").mkdir()
    first = FakeEngine(tmp_path / "first").build("FROM scratch\nRUN a", tag="mine:1")
    with pytest.raises(BuildError, match="Another build has the name"):
        rules.base_name_of(first, engine)
    engine.kept["mine:1"] = first.image
    assert rules.base_name_of(first, engine) == "mine:1"
    engine.kept["mine:1"] = engine.build("FROM scratch\nRUN a\nRUN b", tag="mine:1").image
    with pytest.raises(BuildError, match="Another build has the name"):
        rules.base_name_of(first, engine)
