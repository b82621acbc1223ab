"""COPY --link on the two image stores of a Docker daemon: what it depends on, and what is said of it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest

from dockerlab.context.context import Context
from dockerlab.engines.docker.engine import DockerEngine

pytestmark = pytest.mark.docker
TEXT = "FROM scratch\nCOPY a /%s\nCOPY --link b /b\nCOPY a /c\n"


@pytest.mark.parametrize(
    ("store", "runs"), [("MODERN_DOCKER_CONTAINERD", [2, 4]), ("MODERN_DOCKER_OVERLAY2", [2, 3, 4])]
)
def test_what_stands_below_a_link_counts_for_it_as_the_store_has_it(
    store: str, runs: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the containerd store a changed line above leaves a --link cached; what stands on it runs."""
    host = os.environ.get(store)
    if not host:
        pytest.skip(f"needs {store}, see tools/modern_docker.sh")
    monkeypatch.setenv("DOCKER_HOST", host)
    engine, nonce = DockerEngine(root=tmp_path), secrets.token_hex(6)
    tag = f"dockerlab/test-link:{nonce}"
    files = Context.files({"a": nonce, "b": f"b {nonce}"})
    try:
        engine.build(TEXT % "one", context=files, tag=tag)
        engine.build(TEXT % "other", context=files, tag=tag)
        assert all(step.cached for step in engine.build(TEXT % "other", context=files, tag=tag).steps[1:])
        engine.build(TEXT % "one", context=files, tag=tag)
        last = engine.build(TEXT % "third", context=files, tag=tag)
    finally:
        engine.remove(tag)
    missed = [step for step in last.steps if step.cached is False]
    assert [step.line for step in missed] == runs
    assert missed[0].reason == 'the destination was "/one", is "/third"'
    assert {step.reason for step in missed[1:]} == {"an earlier step (line 2) ran again"}
