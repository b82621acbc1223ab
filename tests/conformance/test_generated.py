"""Dockerfiles that nobody wrote, on BuildKit and on the embedded builder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dockerlab.engines.embedded import EmbeddedEngine

from .building import Oracle, build
from .case import Case, Names
from .daemon import Docker
from .differences import KNOWN
from .generated import case as drawn
from .recording import Recording
from .test_conformance import differences, was_accident, without_common, without_misses

pytestmark = [pytest.mark.long, pytest.mark.docker, pytest.mark.usefixtures("docker_host")]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Draw as many cases as --generated says, from the seed on that --seed says."""
    first = metafunc.config.getoption("--seed") or 0
    cases = [drawn(seed) for seed in range(first, first + metafunc.config.getoption("--generated"))]
    pairs = [(case, sandbox) for case in cases for sandbox in case.sandboxes]
    ids = [f"{case.name}-{sandbox}" for case, sandbox in pairs]
    metafunc.parametrize(("case", "sandbox"), pairs, ids=ids)


def test_generated(
    case: Case,
    sandbox: str,
    oracle: Oracle | Recording,
    docker: Docker,
    names: Names,
    embedded: Callable[[str], EmbeddedEngine],
    accidents: list[str],
    tmp_path: Path,
) -> None:
    """The embedded builder makes of any Dockerfile what BuildKit makes of it, or both refuse it."""
    theirs = oracle[case]
    ours = build(embedded(sandbox), case, names, tmp_path)
    if theirs.error is not None and ours.error is not None and len(theirs.builds) == len(ours.builds):
        return
    found = differences(case, theirs, ours)
    if os.geteuid():
        found = KNOWN["no-setuid"].unexplained(found)
    found = without_common(found, docker, sandbox)
    if docker == "26.1":
        for name in ("chmod-parents", "add-owner"):
            found = KNOWN[name].unexplained(found)
    if was_accident(case, theirs, ours, oracle):
        found = without_misses(case, found, accidents)
    assert not found, "\n".join([case.text, f"{dict(case.build_args)} {case.again}", *found])
