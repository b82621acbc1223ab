"""A build that did not happen: one friendly line, whatever is asked of it."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

import dockerlab as lab
from dockerlab import charts, engines
from dockerlab.checks.serving import ask
from dockerlab.errors import DockerlabError, NotBuiltError, RegistryError, RunError
from dockerlab.notebook.not_built import NotBuilt
from tests.fake_engine import FakeEngine

MINE = NotBuilt("mine", RunError("it ended", exit_code=1))
SAID = "^mine was not built: its cell says why. Read on, or mend it and run its cell again.$"

# What is no question about a build: it makes one, or asks after something else.
OTHERS = {"build", "charts.rebuild_cost", "compare_builders", "exercise", "human_bytes", "human_seconds"}
OTHERS |= {"images", "layer_limit", "parse", "playground", "predict", "progress"}
OTHERS |= {"pull", "read_archive", "registry", "status"}


def calls() -> dict[str, Callable[..., object]]:
    """Return every public call of `lab` and of its charts that takes a build."""
    found = {name: getattr(lab, name) for name in lab.__all__}
    found |= {f"charts.{name}": getattr(charts, name) for name in charts.__all__}
    found["task.check"] = lab.exercise("00-start-here").check
    found["ask"] = lambda build: ask(build, "/")
    return {name: call for name, call in found.items() if inspect.isroutine(call) and name not in OTHERS}


def arguments(name: str) -> tuple[object, ...]:
    """Return how a call is given one build that was not built."""
    if name == "after_edits":
        return (MINE, {})
    if name == "charts.cache_grid":
        return ({"mine": MINE},)
    return (MINE, MINE) if name.endswith(("compare", "layer_sharing")) else (MINE,)


@pytest.mark.parametrize("name", sorted(calls()))
def test_every_call_answers(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call that takes a build says of one that was not built just that, before anything is shown."""
    monkeypatch.setattr(engines, "choose", lambda name=None: (FakeEngine(tmp_path), "It is a fake."))
    with pytest.raises(NotBuiltError, match=SAID):
        calls()[name](*arguments(name))


def test_every_property_of_a_build_answers() -> None:
    """What a Build has is asked of this in vain, and each time it says so; in a condition it is false."""
    for asked in ("image", "steps", "layers_added", "dockerfile", "seconds", "anything"):
        with pytest.raises(NotBuiltError, match=SAID):
            getattr(MINE, asked)
    assert not MINE
    assert copy.copy(MINE) == MINE


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RegistryError("no registry answers"), "no registry can be reached"),
        (RegistryError("the registry cannot be reached: no such host"), "no registry can be reached"),
        (RegistryError("the image is not in its registry: denied"), "its cell says why"),
        (RunError("ended", exit_code=100, log=("Could not resolve 'a.example'",)), "no network"),
        (RunError("ended", exit_code=100, log=("E: Unable to locate package jq",)), "no such package"),
        (RunError("ended", exit_code=1, log=("no such file",)), "its cell says why"),
    ],
    ids=["registry", "registry-on-docker", "refused", "resolver", "apt-without-lists", "other"],
)
def test_the_line_says_the_likely_cause(error: DockerlabError, said: str) -> None:
    """One line names the build, why there is none, and that one may read on."""
    line = repr(NotBuilt("mine", error))
    assert line.startswith("mine was not built: ")
    assert said in line
    assert "Read on" in line
    assert "\n" not in line
