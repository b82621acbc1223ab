"""Answers to an exercise: built on the engine at hand, judged, and forgotten again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from random import Random

import pytest

from dockerlab import engines
from dockerlab.checks.exercise import EXERCISES, judge
from dockerlab.checks.verdict import Report
from dockerlab.context.context import Context, File
from dockerlab.errors import DockerlabError


@dataclass(frozen=True)
class Answer:
    """A Dockerfile with what else was given for its build."""

    dockerfile: str
    files: Mapping[str, str | bytes | File] | None = None  # the context, if not the exercise's own
    secrets: Mapping[str, bytes] = field(default_factory=dict)
    build_args: Mapping[str, str] = field(default_factory=dict)
    target: str | None = None
    squash: bool = False


def judged(name: str, answer: str | Answer, *, seed: int = 1) -> Report:
    """Build an answer to the exercise `name` and check it; `seed` is of what the check draws.

    Skips the test where the starter cannot be built: offline nothing here can be measured, and
    tests/test_exercises.py fails then.
    """
    answer = Answer(answer) if isinstance(answer, str) else answer
    definition = EXERCISES[name]
    obstacle = _obstacle(name)
    if obstacle is not None:
        pytest.skip(f"the starter cannot be built here: {obstacle}")
    engine, _ = engines.choose()
    if answer.squash and engine.name == "docker":
        pytest.skip("the lab does not squash on Docker")
    tag = f"dockerlab/answer-{name}:{os.getpid()}"  # other workers judge too
    wanted = definition.CONTEXT if answer.files is None else answer.files
    context = None if wanted is None else Context.files(wanted)
    attempt = engine.build(
        answer.dockerfile,
        context=context,
        tag=tag,
        secrets=answer.secrets,
        build_args=answer.build_args,
        target=answer.target,
        squash=answer.squash,
    )
    try:
        return judge(definition, attempt, name=name, on_wait=lambda said: None, draw=Random(seed))
    finally:
        engine.remove(tag)


def failed(report: Report) -> set[int]:
    """Return the numbers of the rules that the answer broke, from 0."""
    return {number for number, verdict in enumerate(report.verdicts) if not verdict.passed}


@cache
def _obstacle(name: str) -> str | None:
    definition = EXERCISES[name]
    context = None if definition.CONTEXT is None else Context.files(definition.CONTEXT)
    engine, _ = engines.choose()
    try:
        engine.build(definition.STARTER, context=context, tag=f"dockerlab/starter-{name}:latest")
    except DockerlabError as error:
        return str(error)
    return None
