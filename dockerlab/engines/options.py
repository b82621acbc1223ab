"""What few builds ask for: the flags of `docker build` that change how an image is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from dockerlab.errors import EngineError

# Flags that are handed to BuildKit as they are, and why the embedded engine has nothing of the kind.
BUILDKIT_ONLY: Mapping[str, str] = {
    "add-host": "a RUN has the sandbox's own /etc/hosts",
    "allow": "its sandboxes grant nothing more",
    "cache-from": "its one cache is the image store",
    "cache-to": "its one cache is the image store",
    "cgroup-parent": "it makes no cgroup",
    "shm-size": "/dev/shm has the sandbox's own size",
    "ssh": "it passes no agent on; a secret mount can hold a key",
    "ulimit": "a RUN has the limits of this process",
}


@dataclass(frozen=True)
class BuildOptions:
    """Options of a build, called as `docker build` calls them; an engine refuses by name what it has not."""

    tags: tuple[str, ...] = ()  # further names of the image
    labels: Mapping[str, str] = field(default_factory=dict)
    contexts: Mapping[str, str] = field(default_factory=dict)  # name -> a folder, or docker-image://NAME
    network: Literal["default", "none", "host"] = "default"  # of each RUN that does not say
    no_cache_filter: tuple[str, ...] = ()  # stages that are built without the cache
    platform: str | None = None  # has to be the engine's own
    pull: bool = False  # ask the registry for bases that are there already
    buildkit: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # flags of BUILDKIT_ONLY

    def check_platform(self, architecture: str) -> None:
        """Raise EngineError when the image is wanted for another platform than linux/`architecture`."""
        if self.platform and self.platform.split("/")[:2] != ["linux", architecture]:
            raise EngineError(
                f"--platform is {self.platform}, and this engine builds for linux/{architecture} only.",
                hint="Leave it out: what is measured here has to run here.",
            )

    def filtered(self, stage: str) -> bool:
        """Tell whether a stage of that name is built without the cache; a number names none."""
        return not stage.isdigit() and stage.lower() in {name.lower() for name in self.no_cache_filter}


def image_context(where: str) -> str | None:
    """Return the image that a build context is, or None where it is a folder."""
    kind, colons, rest = where.partition("://")
    return rest if colons and kind == "docker-image" else None
