"""What Docker makes of a build of another engine, in one sentence."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

import dockerlab as lab
from dockerlab import engines
from dockerlab.engines.docker.daemon import probe
from dockerlab.engines.docker.engine import DockerEngine
from dockerlab.engines.embedded.engine import EmbeddedEngine
from dockerlab.engines.results import Recipe


@pytest.mark.skipif(sys.platform != "linux", reason="the embedded engine runs on Linux")
def test_without_docker_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no daemon answers, the sentence says it; nothing is raised."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/no-docker-here")
    monkeypatch.setattr(engines, "_chosen", {})  # it is kept for the life of a process
    built = EmbeddedEngine(tmp_path).build("FROM scratch\nWORKDIR /a\n")
    assert lab.on_docker(built, builder="legacy").caption.startswith("The legacy builder is not here: ")


@pytest.mark.docker
@pytest.mark.skipif(probe()[0] is None, reason=probe()[1])
def test_with_docker_it_says_what_came_of_it() -> None:
    """Layers and the bytes it was sent, or why it does not build; the image is another than BuildKit's."""
    docker, files = DockerEngine(), {"a": "x" * 2000, "b": "y"}
    name = "dockerlab/test-on-docker"
    built = docker.build("FROM scratch\nCOPY b /\n", context=lab.Context.files(files), tag=name)
    try:
        found = lab.on_docker(built, builder="legacy")
        assert found.data.builder == "legacy", found.caption
        assert f"{built.name} adds 1 layer, it was sent " in found.caption
        assert found.data.context_bytes > 2000
        docker.remove(found.data.image.id)
        without = replace(built, recipe=Recipe())
        assert lab.on_docker(without, builder="legacy").caption.startswith(
            "The legacy builder does not build "
        )
    finally:
        docker.remove(built.image.id)
