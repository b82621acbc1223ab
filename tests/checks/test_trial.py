from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from dockerlab.checks.trial import RebuildOptions, Trial
from dockerlab.context.context import Context
from dockerlab.engines.results import Build, Recipe
from dockerlab.errors import BuildError
from tests.checks.builds import build_of
from tests.fake_engine import FakeEngine

TEXT = "FROM debian:trixie-slim\nRUN a\nRUN b\n"
FILES = {"app.py": "1", "notes": "2", ".dockerignore": "notes\n"}


@pytest.fixture
def engine(tmp_path: Path) -> FakeEngine:
    """Return an engine that remembers what it was asked for."""
    return FakeEngine(tmp_path)


def trial(engine: FakeEngine, recipe: Recipe, text: str = TEXT) -> Trial:
    """Put a build of that recipe on trial beside the same without one."""
    starter = replace(engine.build(TEXT), recipe=Recipe(context=Context.files({"app.py": "0"})))
    return Trial(replace(engine.build(text), recipe=recipe), starter, engine, name="x", draw=Random(1))


def app_of(context: Context) -> bytes:
    """Return what app.py holds."""
    node = context.tree().get("app.py")
    assert node is not None
    with context.open(node.entry) as file:
        return file.read()


def test_a_rebuild_is_the_learners_own_with_the_edit(engine: FakeEngine) -> None:
    """Ignore file, target, arguments and secrets are the learner's; the edit comes on top."""
    recipe = Recipe(Context.files(FILES), "app", {"A": "1", "B": "2"}, {"key": b"k"}, squash=True)
    trial(engine, recipe).again({"app.py": "edited"}, RebuildOptions({"B": "3"}, {"token": b"t"}, fresh=True))
    asked = engine.seen[-1]
    context = asked["context"]
    assert isinstance(context, Context)
    assert sorted(context.tree()) == [".dockerignore", "app.py"]
    assert app_of(context) == b"edited"
    assert (asked["target"], asked["squash"], asked["no_cache"]) == ("app", True, True)
    assert asked["build_args"] == {"A": "1", "B": "3"}
    assert asked["secrets"] == {"key": b"k", "token": b"t"}


def test_what_was_built_is_not_built_again(engine: FakeEngine) -> None:
    """The same edit is one build, a failure included: each rule that needs it sees the same."""
    one = trial(engine, Recipe())
    assert one.again({"a": "1"}) is one.again({"a": "1"})
    failing = trial(engine, Recipe(), text="FROM scratch\nRUN true\n")
    failing.attempt = replace(failing.attempt, dockerfile=engine.build("FROM scratch\n").dockerfile)
    calls = len(engine.seen)
    for _ in range(2):
        with pytest.raises(BuildError):
            failing.again(given=RebuildOptions(rewrite=lambda dockerfile: "FROM scratch\nRUN false\n"))
    assert len(engine.seen) > calls


def test_an_edit_is_new_each_time(engine: FakeEngine) -> None:
    """Each check edits otherwise, so that the cache of the last one proves nothing; RUN steps are told."""
    one = trial(engine, Recipe(Context.files({"app.py": "mine"})))
    seen = set()
    for _ in range(2):
        _, again = one.ran_again("app.py", "\n# {}\n")
        assert [step.line for step in again] == [3]
        context = engine.seen[-1]["context"]
        assert isinstance(context, Context)
        seen.add(app_of(context))
    assert len(seen) == 2


def test_squash_is_left_out_where_it_does_not_count(engine: FakeEngine) -> None:
    """An attempt that was squashed is judged by what its Dockerfile makes alone."""
    one = trial(engine, Recipe(squash=True))
    one.unsquashed()
    assert engine.seen[-1]["squash"] is False
    calls = len(engine.seen)
    one.unsquashed()
    assert len(engine.seen) == calls


@pytest.mark.parametrize(
    ("base", "own"),
    [("debian:trixie-slim", 1), ("python:3.13", 1), ("dockerlab/mine:fat", 2), ("fat:1", 2), (None, 2)],
)
def test_layers_of_a_base_of_ones_own_are_ones_own(tmp_path: Path, base: str | None, own: int) -> None:
    """Below an official image nothing counts; an image that was made before and became the base does."""

    def based(folder: str, layers: list[dict[str, bytes]]) -> Build:
        build = build_of(tmp_path / folder, layers)
        return replace(build, image=replace(build.image, base_layers=1), base=base)

    attempt, starter = based("a", [{"a": b"1"}, {"b": b"2"}]), based("b", [{"other": b"1"}])
    one = Trial(attempt, starter, FakeEngine(tmp_path), name="x", draw=Random(1))
    assert len(one.own(attempt)) == own
