"""A builder that is not the daemon's own: what it needs is sent to it, what it made is loaded."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockerlab.cli import main
from dockerlab.context.context import Context
from dockerlab.engines.docker.buildx import Instance, selected
from dockerlab.engines.docker.engine import DockerEngine
from dockerlab.engines.results import OnEvent
from dockerlab.image.image import validate
from tests.engines.conftest import docker
from tests.engines.forwarder import Forwarder, socket_path

BUILDKIT = b"POST /grpc HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
STAND_IN = "test-engine.invalid/far:1"
TAG = "dockerlab/test-engine-far:1"


@pytest.fixture
def far(base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Select a builder of the `remote` driver: the BuildKit inside the daemon, reached over TCP."""
    if "io.containerd.snapshotter" not in docker("info", "--format", "{{.DriverStatus}}"):
        pytest.skip("needs the containerd image store: without it dockerd's BuildKit writes no archive")
    settings = Path(os.environ.get("BUILDX_CONFIG", tmp_path / "buildx"))
    monkeypatch.setenv("BUILDX_CONFIG", str(settings))
    with Forwarder(socket_path(), upgrade=BUILDKIT).serving() as port:
        docker(
            "buildx", "create", "--name", "test-engine-far", "--driver", "remote", f"tcp://127.0.0.1:{port}"
        )
        monkeypatch.setenv("BUILDX_BUILDER", "test-engine-far")
        yield
        docker("buildx", "rm", "test-engine-far")


def test_the_builder_is_named(far: None, capsys: pytest.CaptureFixture[str]) -> None:
    """What buildx has selected is known by its name and driver, and doctor says it, and the image store."""
    assert selected("docker") == Instance("test-engine-far", "remote")
    assert main(["doctor", "--engine", "docker", "--json"]) == 0
    found = {one["name"]: one["found"] for one in json.loads(capsys.readouterr().out)["findings"]}
    assert found["buildx"].endswith("builder: test-engine-far, driver: remote")
    assert "image store: containerd, overlayfs" in found["docker"]


def test_the_builder_of_the_daemon(base: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Where none was selected, doctor names the daemon's own builder, and the driver of its image store."""
    assert main(["doctor", "--engine", "docker", "--json"]) == 0
    found = {one["name"]: one["found"] for one in json.loads(capsys.readouterr().out)["findings"]}
    assert found["buildx"].endswith("builder: default, driver: docker")
    assert found["docker"].endswith(docker("info", "--format", "{{.Driver}}"))


def test_a_builder_that_is_not_there(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that no builder has is no builder."""
    monkeypatch.setenv("BUILDX_BUILDER", "test-engine-nosuch")
    assert selected("docker") is None


def test_a_build_elsewhere(far: None, base: str, tmp_path: Path) -> None:
    """A base that only the daemon has, a stand-in and the context reach the builder; the image comes back.

    Its steps, cached flags and base layers are told as with the daemon's own builder.
    """
    archive = tmp_path / "base.tar"
    docker("save", "-o", str(archive), base)

    def maker(reference: str, on_event: OnEvent) -> Path | None:
        return archive

    engine = DockerEngine(root=tmp_path / "docker", stand_in=maker)
    text = f"FROM {STAND_IN} AS a\nRUN echo x > /x\n"
    text += f"FROM {base}\nCOPY --from=a /x /x\nCOPY y /y\nRUN cat /x /y > /z\n"
    try:
        for cached in (False, True):
            built = engine.build(text, context=Context.files({"y": "y\n"}), tag=TAG)
            flags = [step.cached for step in built.steps if step.keyword != "FROM"]
            assert flags == [cached] * 4
            assert (built.image.base_layers, built.layers_added, validate(built.image)) == (1, 3, [])
            assert engine.run(built.image.id, ["cat", "/z"]).output == "x\ny\n"
    finally:
        engine.remove(TAG)
        engine.remove("dockerlab/stand-in:test-engine.invalid-far-1")
