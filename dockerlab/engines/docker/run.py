"""A command in a container that is gone when it ends: `docker run`."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Sequence

from dockerlab.engines.docker.bases import LABEL
from dockerlab.engines.results import Ran
from dockerlab.errors import BuildError, EngineError, RunTimeoutError

DAEMON_REFUSED = 125  # the error is Docker's, not the command's


def run_container(
    docker: str, reference: str, argv: Sequence[str] | None, *, entrypoint: bool = True, timeout: float
) -> Ran:
    """Run `argv` (default: the image's command) in a new container, and remove it; `timeout` is in seconds.

    Raises RunTimeoutError when the command is not over by then, BuildError when the image has none, and
    EngineError when Docker refuses.
    """
    name = f"dockerlab-{secrets.token_hex(8)}"
    # `docker run` attaches before the container starts; logs asked for afterwards may lack their end.
    command = [docker, "run", "--rm", "--pull=never", "--name", name, "--label", f"{LABEL}=1"]
    try:
        done = subprocess.run(
            [*command, reference, *(argv or ())]
            if entrypoint or not argv
            else [*command, "--entrypoint", argv[0], reference, *argv[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        _end(docker, name)
        raise RunTimeoutError(timeout) from error
    except KeyboardInterrupt:
        _end(docker, name)
        raise
    output = done.stdout.decode("utf-8", "replace")
    if done.returncode == DAEMON_REFUSED and "docker: " in output:
        if "no command specified" in output.lower():
            raise BuildError("the image has no command", hint="Say which one: run(image, ['ls', '/']).")
        raise EngineError(f"Docker refused: {output.partition('docker: ')[2].splitlines()[0]}")
    return Ran(done.returncode, output)


def _end(docker: str, container: str) -> None:
    """Remove a container that may still run, or may never have been made."""
    subprocess.run(
        [docker, "rm", "--force", "--volumes", container],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
