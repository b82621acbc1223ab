import os
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockerlab import engines
from dockerlab.engines import choose
from dockerlab.engines.docker import daemon as docker
from dockerlab.errors import EngineError


@pytest.fixture(autouse=True)
def _nothing_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_chosen", {})
    monkeypatch.delenv("DOCKERLAB_ENGINE", raising=False)


@pytest.fixture
def no_docker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide the docker command."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKERLAB_HOME", str(tmp_path / "home"))


@pytest.fixture
def silent_host(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Point Docker at a port that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setenv("DOCKER_HOST", host)
        yield host


def test_an_unknown_name_says_what_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong engine, asked for or set, is an error that lists the three there are."""
    with pytest.raises(EngineError, match=r"'podman'(.|\n)*auto, docker or embedded"):
        choose("podman")
    monkeypatch.setenv("DOCKERLAB_ENGINE", "both")
    with pytest.raises(EngineError, match=r"DOCKERLAB_ENGINE is 'both'"):
        choose()


def test_docker_is_taken_where_a_daemon_answers() -> None:
    """With a daemon and buildx, auto is Docker, says so with the version, and stays."""
    version, why = docker.probe()
    if version is None:
        pytest.skip(f"needs Docker: {why}")
    engine, reason = choose()
    assert engine.name == "docker"
    assert version.partition("+")[0] in reason
    assert choose()[0] is engine
    assert engine.describe() == f"Docker {version.partition('+')[0]}, BuildKit"


@pytest.mark.skipif(sys.platform != "linux", reason="the embedded engine runs on Linux only")
def test_embedded_is_taken_where_docker_is_not(no_docker: None) -> None:
    """Without a docker command auto is embedded, and asking for Docker is an error with a next step."""
    engine, reason = choose()
    assert engine.name == "embedded"
    assert reason == "There is no docker command here. So images are built without it."
    with pytest.raises(EngineError, match=r"no docker command here(.|\n)*Start Docker"):
        choose("docker")


def test_no_engine_off_linux(no_docker: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """On macOS and Windows without Docker the error says what to install."""
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(EngineError, match="Docker Desktop, or use the Binder link"):
        choose()


def test_a_daemon_that_does_not_answer_costs_little(
    silent_host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that accepts and stays silent counts as no daemon after the time it is given."""
    if shutil.which("docker") is None:
        pytest.skip("needs the docker command")
    monkeypatch.setattr(docker, "ANSWER", 0.5)
    began = time.monotonic()
    assert docker.probe() == (None, "No Docker daemon answers.")
    assert time.monotonic() - began < 5
    assert os.environ["DOCKER_HOST"] == silent_host
