"""The grammar of references against Docker's own, and the Docker engine asked by every form of a name."""

from __future__ import annotations

import http.client
import os
import re
import socket
from contextlib import closing

import pytest

from dockerlab.engines.docker.engine import DockerEngine
from tests.engines.conftest import docker
from tests.image.test_reference import FORMS, NONE, PLAIN

UNASKABLE = re.compile(r"|[0-9a-f]{64}|.*(//|\.\./).*|/.*|.*[/\n]")  # an ID, or no path of the API
REFUSALS = "invalid reference|must be lowercase|invalid checksum|unsupported digest|repository name must"


class _Daemon(http.client.HTTPConnection):
    """The Docker API, asked with the very bytes of a name: the command line reads it before."""

    def connect(self) -> None:
        host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(host.removeprefix("unix://"))


@pytest.mark.parametrize(
    "text",
    [text for text in (*FORMS, *NONE) if not re.fullmatch(r"|[0-9a-f]{64}|.*(//|\.\./).*|/.*|.*[/\n]", text)],
)
def test_docker_takes_the_same_for_a_reference(base: str, text: str) -> None:
    """Docker's daemon, asked for an image, takes and refuses the same text as Reference does."""
    if not os.environ.get("DOCKER_HOST", "unix:").startswith("unix:"):
        pytest.skip("the daemon is not on a socket of this machine")
    with closing(_Daemon("docker")) as daemon:
        name = "".join(f"%{byte:02X}" for byte in text.encode())
        daemon.request("GET", f"/images/{name}/json")
        said = daemon.getresponse().read().decode()
    assert (re.search(REFUSALS, said) is None) == (text in FORMS), said


@pytest.mark.parametrize("text", PLAIN)
def test_the_docker_engine_finds_an_image_by_every_name(engine: DockerEngine, base: str, text: str) -> None:
    """Docker tags an image with the name that `familiar` says, and the engine finds it by each form."""
    docker("tag", base, text)
    try:
        assert FORMS[text][1] in docker("inspect", "--format", '{{join .RepoTags " "}}', text).split()
        for name in (text, *FORMS[text]):
            assert engine.image(name).reference == FORMS[text][1]
    finally:
        docker("rmi", text)
