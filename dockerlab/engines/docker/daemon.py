"""The Docker daemon: whether it can be used, how it is reached, and what goes wrong with it."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from dockerlab.errors import DockerlabError, EngineError, ImageError

ANSWER = 5.0  # seconds a daemon gets to answer before it counts as not there
PATIENCE = 600.0  # seconds without a byte before a call to a daemon that did answer is given up

Api = Any  # docker.APIClient, which is not typed
T = TypeVar("T")


def probe(docker: str = "docker") -> tuple[str | None, str]:
    """Return the daemon's version and "", or None and why Docker cannot be used, in one sentence.

    The docker command is asked, so DOCKER_HOST and contexts count as they do for a learner's own commands.
    """
    if shutil.which(docker) is None:
        return None, "There is no docker command here."
    # Both at once: either takes longer than a cached build here.
    asked = [
        _ask([docker, "version", "--format", "{{.Server.Version}}"]),
        _ask([docker, "buildx", "version"]),
    ]
    version, buildx = map(_answer, asked)
    if version is None:
        return None, "No Docker daemon answers."
    if buildx is None:
        return None, "Docker answers, but its buildx plugin is not installed."
    return version, ""


def _ask(command: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def _answer(asked: subprocess.Popen[str]) -> str | None:
    with asked:
        try:
            said = asked.communicate(timeout=ANSWER)[0]
        except subprocess.TimeoutExpired:
            asked.kill()
            return None
        return said.strip() or None if asked.returncode == 0 else None


def connect(timeout: float = PATIENCE) -> Api:
    """Return a client of the daemon that the docker command reaches."""
    import docker

    # As the docker command does: contexts, and for ssh:// the ssh program with its own settings.
    return docker.from_env(timeout=int(timeout), use_ssh_client=True).api


def steadily(question: Callable[[], T]) -> T:
    """Ask of all there is; again, twice, when some of it went meanwhile: the daemon says 404 or 500 then."""
    from docker.errors import APIError

    for _ in range(2):
        with contextlib.suppress(APIError):
            return question()
    return question()


@contextlib.contextmanager
def talking() -> Iterator[None]:
    """Turn what goes wrong between us and the daemon into EngineError."""
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except DockerlabError:
        raise
    except APIError as error:
        said = str(error.explanation or error)
        if "invalid reference format" in said:
            raise ImageError(said, hint="A name is in lower case, as app:1 or ghcr.io/org/app:1.") from error
        raise EngineError(f"Docker refused: {said}") from error
    except (DockerException, RequestException) as error:
        hint = "See whether it runs with `docker version`."
        if "paramiko" in str(error):
            hint = "Install what a daemon behind ssh:// needs: pip install 'dockerlab[ssh]'."
        raise EngineError(f"Docker does not answer: {error}", hint=hint) from error
