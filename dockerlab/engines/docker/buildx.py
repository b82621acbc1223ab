"""Running `docker buildx build`: its command line, its output, its end."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dockerlab.context.context import Context
from dockerlab.engines.docker.buildkit_events import Objects
from dockerlab.engines.options import BuildOptions
from dockerlab.image import temporary
from dockerlab.interrupt import ended_by

STOP = 10.0  # seconds that an interrupted buildx gets to end by itself


@dataclass(frozen=True)
class BuildxRequest:
    """One build, as the command line says it."""

    text: str
    context: Context | None
    tag: str
    label: str
    target: str | None
    build_args: Mapping[str, str]
    secrets: Mapping[str, bytes]
    no_cache: bool
    bound: Mapping[str, str]  # reference -> the build context that serves it
    options: BuildOptions


@dataclass(frozen=True)
class BuildxExit:
    """How buildx ended: its exit code, and the lines it printed that were no events."""

    code: int
    text: tuple[str, ...]


@dataclass(frozen=True)
class Instance:
    """The builder that buildx has selected ($BUILDX_BUILDER, `docker buildx use`), and its kind."""

    name: str
    driver: str  # "docker" is the daemon's own BuildKit; "docker-container", "remote", "kubernetes" others


def selected(docker: str) -> Instance | None:
    """Ask buildx which builder it would use; None when it does not say."""
    command = [docker, "buildx", "inspect"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    said = dict(line.split(":", 1) for line in done.stdout.splitlines() if ":" in line and line[0] != " ")
    if "Driver" not in said:
        return None
    # The name of the node and its endpoint follow below "Nodes:": the first "Name" is the builder's.
    name = done.stdout.partition("Name:")[2].splitlines()[0].strip()
    return Instance(name, said["Driver"].strip())


def run_buildx(docker: str, request: BuildxRequest, feed: Callable[[Mapping[str, Any]], None]) -> BuildxExit:
    """Run the build and pass on each status message as it comes; on Ctrl-C buildx is ended first."""
    with ExitStack() as held:
        work = Path(held.enter_context(tempfile.TemporaryDirectory(dir=temporary.home())))
        folder = work / "context"
        if request.context is None:
            folder.mkdir()
        else:
            folder = held.enter_context(request.context.materialised())
        command = [docker, *_arguments(request, work), str(folder)]
        lines = held.enter_context(_running(command))
        objects = Objects()
        with ended_by(lines.terminate):
            for line in lines:
                message = objects.feed(line)
                if message is not None:
                    feed(message)
            objects.end()
            code = lines.wait()
        return BuildxExit(code, tuple(objects.other))


class _Lines:
    """The lines of a process's standard error."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __iter__(self) -> Iterator[str]:
        assert self._process.stderr is not None
        return iter(self._process.stderr)

    def wait(self) -> int:
        """Return the exit code."""
        return self._process.wait()

    def terminate(self) -> None:
        """Ask the process to end."""
        self._process.terminate()


@contextlib.contextmanager
def _running(command: Sequence[str]) -> Iterator[_Lines]:
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1", "DOCKER_CLI_HINTS": "false"},
        start_new_session=True,  # Ctrl-C reaches this process alone, which then ends buildx in order
    )
    try:
        yield _Lines(process)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process.stderr is not None:
            process.stderr.close()


def _arguments(request: BuildxRequest, work: Path) -> list[str]:
    place = work / "dockerfile"
    place.mkdir()
    (place / "Dockerfile").write_text(request.text, "utf-8", "surrogateescape", newline="")
    if request.context is not None:
        # The Dockerfile is sent from a folder of its own: the ignore file named after it must be there too.
        own = f"{request.context.dockerfile}.dockerignore"
        node = request.context.all_files().get(own)
        if node is not None and node.entry.kind == "file":
            with node.origin.open(node.entry) as content:
                (place / "Dockerfile.dockerignore").write_bytes(content.read())
    found = ["buildx", "build", "--progress=rawjson", "--load"]
    found += ["--file", str(place / "Dockerfile"), "--tag", request.tag, "--label", request.label]
    if request.target is not None:
        found += ["--target", request.target]
    for name, value in request.build_args.items():
        found += ["--build-arg", f"{name}={value}"]
    for number, (name, secret) in enumerate(request.secrets.items()):
        path = work / f"secret-{number}"
        path.touch(mode=0o600)
        path.write_bytes(secret)
        found += ["--secret", f"id={name},src={path}"]
    for reference, context in request.bound.items():
        found += ["--build-context", f"{reference}={context}"]
    if request.no_cache:
        found.append("--no-cache")
    return found + list(_flags(request.options))


def _flags(options: BuildOptions) -> Iterator[str]:
    for name, value in options.labels.items():
        yield f"--label={name}={value}"
    for name, where in options.contexts.items():
        yield f"--build-context={name}={where}"
    if options.network != "default":
        yield f"--network={options.network}"
    for stage in options.no_cache_filter:
        yield f"--no-cache-filter={stage}"
    if options.pull:
        yield "--pull"
    for flag, values in options.buildkit.items():
        for value in values:
            yield f"--{flag}={value}"
