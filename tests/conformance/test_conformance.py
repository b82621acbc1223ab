"""Every case of tests/conformance/cases on BuildKit and on the embedded builder, in each sandbox."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dockerlab.engines.embedded import EmbeddedEngine
from dockerlab.image.image import Image

from .building import Oracle, Outcome, build
from .case import Case, Names
from .cases import CASES
from .compare import LAYER_KEYWORDS, compare_images, compare_steps, missed_only
from .daemon import Docker
from .differences import KNOWN
from .recording import Recording

pytestmark = [pytest.mark.long, pytest.mark.docker, pytest.mark.usefixtures("docker_host")]

CACHED = "second build: cached: "
PAIRS = [(case, sandbox) for case in CASES for sandbox in case.sandboxes]


@pytest.mark.parametrize(
    ("case", "sandbox"), PAIRS, ids=[f"{case.name}-{sandbox}" for case, sandbox in PAIRS]
)
def test_case(
    case: Case,
    sandbox: str,
    oracle: Oracle | Recording,
    docker: Docker,
    names: Names,
    embedded: Callable[[str], EmbeddedEngine],
    accidents: list[str],
    tmp_path: Path,
) -> None:
    """The embedded builder makes of the case what BuildKit makes of it."""
    theirs = oracle[case]
    ours = build(embedded(sandbox), case, names, tmp_path)
    found = differences(case, theirs, ours)
    if not case.differs and was_accident(case, theirs, ours, oracle):
        found = without_misses(case, found, accidents)
    name = case.differs
    if name is None and os.geteuid():
        name = case.differs_unprivileged
    if name and KNOWN[name].shows(docker, sandbox):
        assert found, f"{case.name} no longer differs: take it out of the known differences"
        found = KNOWN[name].unexplained(found)
    found = without_common(found, docker, sandbox)
    assert not found, "; ".join(found)
    if not name:
        wrong = wrong_reason(case, ours)
        assert wrong is None, wrong


def without_common(found: list[str], docker: Docker, sandbox: str) -> list[str]:
    """Return the differences but for those that any case may show beside this Docker."""
    for known in KNOWN.values():
        if known.anywhere and known.shows(docker, sandbox):
            found = known.unexplained(found)
    return found


def differences(case: Case, theirs: Outcome, ours: Outcome) -> list[str]:
    """Return how two outcomes of a case differ."""
    if theirs.error is not None or ours.error is not None:
        return list(_refusals(case, theirs, ours))
    found = [] if case.refused is None else ["both build it, a refusal was expected"]
    for number, (one, other) in enumerate(zip(theirs.builds, ours.builds, strict=True), 1):
        which = "" if number == 1 else "second build: "
        found += [which + words for words in _images(case, one.image, other.image)]
        if number == 2:
            found += [CACHED + words for words in compare_steps(one.steps, other.steps)]
    return found


def _images(case: Case, theirs: Image, ours: Image) -> list[str]:
    return compare_images(theirs, ours, mtimes=case.mtimes, dates=case.dates)


def missed_more(theirs: Outcome, ours: Outcome) -> bool:
    """Tell whether BuildKit did steps of the second build again that we found cached, and no more.

    Then BuildKit is asked once more, alone: if it finds them cached there, its first answer was an accident.
    Where it had a hit and we had none, there is nothing to ask.
    """
    if len(theirs.builds) != 2 or len(ours.builds) != 2:
        return False
    return missed_only(theirs.builds[1].steps, ours.builds[1].steps)


def was_accident(case: Case, theirs: Outcome, ours: Outcome, oracle: Oracle | Recording) -> bool:
    """Tell whether BuildKit, asked alone, finds cached in the second build what we find cached."""
    return missed_more(theirs, ours) and same_cached(oracle.alone(case), ours)


def without_misses(case: Case, found: list[str], accidents: list[str]) -> list[str]:
    """Return the differences but for those of the cache, which are noted as accidents."""
    accidents += [f"{case.name}: {words}" for words in found if words.startswith(CACHED)]
    return [words for words in found if not words.startswith(CACHED)]


def same_cached(theirs: Outcome, ours: Outcome) -> bool:
    """Tell whether the same steps of the second build were cached."""
    return len(theirs.builds) == 2 and not compare_steps(theirs.builds[1].steps, ours.builds[1].steps)


def _refusals(case: Case, theirs: Outcome, ours: Outcome) -> list[str]:
    if theirs.error is None:
        return [f"BuildKit builds it, ours refuses: {ours.error}"]
    if ours.error is None:
        return [f"ours builds it, BuildKit refuses: {theirs.error}"]
    if len(theirs.builds) != len(ours.builds):
        return [f"other builds refused: {theirs.error} / {ours.error}"]
    if case.refused is None:
        return [f"both refuse it: {theirs.error} / {ours.error}"]
    if case.refused.lower() not in str(ours.error).lower():
        return [f'"{case.refused}" is not in our message: {ours.error} (BuildKit: {theirs.error})']
    return []


def wrong_reason(case: Case, ours: Outcome) -> str | None:
    """Hold the reason of the first miss in the second build against what the case says."""
    if case.again is None or len(ours.builds) < 2:
        return None
    steps = [step for step in ours.builds[1].steps if step.keyword in LAYER_KEYWORDS]
    missed = next((step for step in steps if step.cached is False), None)
    expected = case.again.reason
    if missed is None:
        return None if expected is None else f"every step was cached, expected a miss: {expected}"
    if expected is None:
        return f"line {missed.line} was done again: {missed.reason}"
    return None if expected in str(missed.reason) else f"the reason is: {missed.reason}; expected: {expected}"
