"""All cases, by topic. To add one: put a Case into the list of its topic."""

from __future__ import annotations

from collections import Counter

from tests.conformance.case import Case

from . import (
    adding,
    archives,
    awkward,
    caching,
    copying,
    dates,
    ignoring,
    metadata,
    running,
    stages,
    words,
    working,
)
from .served import SERVED

__all__ = ["CASES", "SERVED"]

CASES: tuple[Case, ...] = (
    *metadata.CASES,
    *copying.CASES,
    *adding.CASES,
    *archives.CASES,
    *awkward.CASES,
    *working.CASES,
    *stages.CASES,
    *running.CASES,
    *words.CASES,
    *ignoring.CASES,
    *caching.CASES,
    *dates.CASES,
)

_twice = [name for name, count in Counter(case.name for case in CASES).items() if count > 1]
assert not _twice, f"two cases have the same name: {_twice}"
