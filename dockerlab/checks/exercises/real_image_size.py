"""Exercise 13.1: half the size, nothing wasted. Right is whatever ships the app, its library, its table."""

from __future__ import annotations

from collections.abc import Mapping

from dockerlab.checks.exercises.real_image import (
    BROUGHT,
    COPIES,
    PROJECT,
    WASTEFUL,
    answers,
    little_wasted,
    runs_as_app,
)
from dockerlab.checks.rules import bytes_at_most, path_in_no_layer
from dockerlab.checks.verdict import Verdict
from dockerlab.context.context import File
from dockerlab.engines.results import Build, Engine

STARTER = WASTEFUL
CONTEXT: Mapping[str, str | bytes | File] = PROJECT
SHARE = 0.5


def rules(attempt: Build, starter: Build, engine: Engine) -> list[Verdict]:
    """Measure that it answers, its user, its size, and what it carries for nothing."""
    return [
        answers(attempt, starter, engine=engine),
        runs_as_app(attempt),
        little_wasted(attempt),
        path_in_no_layer(attempt, path="app/.git", rule="Git's history is in no layer", look=COPIES),
        bytes_at_most(
            attempt,
            budget=round(starter.image.size_unpacked * SHARE),
            rule="The whole image is at most half as large as the starter's",
            look=BROUGHT,
        ),
    ]
