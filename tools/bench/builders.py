"""Who builds: this package and its command, BuildKit, the legacy builder and buildah.

Each is given the same base image under the same name, and builds a context that lies on disk.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dockerlab.context.context import Context
from dockerlab.engines.docker.bases import LABEL
from dockerlab.engines.embedded import EmbeddedEngine
from dockerlab.image.archive_writer import renamed, write_archive
from tools.bench.turns import run
from tools.bench.works import BASE

TAG = "dockerlab/bench"
BUILDKIT = "BuildKit"
OURS = "dockerlab"
LEGACY = "the legacy builder"
_MARK = f"{LABEL}.bench"  # the label of what this bench makes in Docker, and removes again


class Builder(Protocol):
    """Builds a context."""

    def build(self, dockerfile: Path, context: Path, *, cache: bool) -> None:
        """Build, with the cache or wholly anew; raises those of turns.FAILURES."""
        ...


@dataclass(frozen=True)
class Ours:
    """The embedded builder in this process: what a notebook's cell waits for."""

    engine: EmbeddedEngine

    def build(self, dockerfile: Path, context: Path, *, cache: bool) -> None:
        """Build; see Builder."""
        text = dockerfile.read_text(encoding="utf-8")
        self.engine.build(text, context=Context.folder(context), tag=TAG, no_cache=not cache)


@dataclass(frozen=True)
class Program:
    """A command that builds, from its start to its end."""

    command: tuple[str, ...]
    env: dict[str, str]

    def build(self, dockerfile: Path, context: Path, *, cache: bool) -> None:
        """Build; see Builder."""
        options = ["--tag", TAG, "--file", str(dockerfile), *([] if cache else ["--no-cache"])]
        run([*self.command, *options, str(context)], env={**os.environ, **self.env})


def export_base(reference: str, archive: Path) -> None:
    """Write the lab's base image to an archive, under the name that the Dockerfiles here use.

    It comes from the learner's own store, where it is made if it is missing. Raises DockerlabError.
    """
    image = EmbeddedEngine().bases.get(reference)
    with archive.open("wb") as out:
        write_archive([renamed(image, f"{BASE}:latest", labels={LABEL: "1", _MARK: "1"})], out)


def our_command(home: Path) -> Program:
    """Return `dockerlab build` on the store in `home`."""
    command = (sys.executable, "-m", "dockerlab", "build", "--engine", "embedded", "--quiet")
    return Program(command, {"DOCKERLAB_HOME": str(home)})


@contextmanager
def docker(archive: Path) -> Iterator[dict[str, Builder]]:
    """Load the base image into Docker and offer its two builders; remove every image made, in the end."""
    try:
        run(["docker", "load", "--input", str(archive)])
        marked = ("--quiet", "--label", f"{_MARK}=1")
        yield {
            BUILDKIT: Program(("docker", "buildx", "build", *marked), {}),
            LEGACY: Program(("docker", "build", *marked), {"DOCKER_BUILDKIT": "0"}),
        }
    finally:
        remove_docker_images()


def remove_docker_images() -> None:
    """Remove every image in Docker that this bench made, and no other."""
    if shutil.which("docker") is None:
        return
    listed = ["docker", "images", "--all", "--quiet", "--no-trunc", "--filter", f"label={_MARK}=1"]
    for _ in range(3):  # one that another is built on goes after it
        made = subprocess.run(listed, capture_output=True, text=True, check=False).stdout.split()
        if not made:
            return
        subprocess.run(
            ["docker", "image", "rm", "--force", *dict.fromkeys(made)], capture_output=True, check=False
        )


@contextmanager
def buildah(work: Path, archive: Path) -> Iterator[dict[str, Builder]]:
    """Give buildah a store of its own with the base image in it; it is emptied in the end."""
    program = shutil.which("buildah")
    if program is None:
        raise FileNotFoundError("it is not installed (`apt-get install buildah uidmap`)")
    driver = "overlay" if os.geteuid() == 0 else "vfs"
    places = ("--root", str(work / "buildah"), "--runroot", str(work / "buildah-run"))
    command = (program, *places, "--storage-driver", driver)
    try:
        run([*command, "pull", "--quiet", f"docker-archive:{archive}"])
        yield {"buildah": Program((*command, "bud", "--quiet", "--layers", "--pull-never"), {})}
    finally:
        subprocess.run([*command, "rmi", "--all", "--force"], capture_output=True, check=False)
