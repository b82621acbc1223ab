"""What a sandbox promises: it runs a command on layers, and what that changed is the next layer."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

from dockerlab.engines.embedded.sandbox.docker_defaults import HOSTNAME
from dockerlab.image.image import Layer


@dataclass(frozen=True)
class Owned:
    """Whose a file or a folder below a mount's source is, as the command sees it; `path` "" is the source."""

    path: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Mount:
    """Something that is there only while the command runs; its target folder is not left in the layer.

    `source` is a host path (a file or a folder) for "bind", None for "tmpfs". What a read-write bind changes
    stays in `source` (a cache mount is that).
    """

    kind: Literal["bind", "tmpfs"]
    target: str  # absolute, in the container
    source: Path | None = None
    read_only: bool = False
    size: int | None = None  # bytes a tmpfs may hold; proot cannot bound it
    owners: tuple[Owned, ...] = ()  # of what is in `source`, where that is not root

    def give_away(self) -> None:
        """Give what is in `source` to its owners, as only root can."""
        if self.source is not None:
            for one in self.owners:
                os.chown(self.source / one.path, one.uid, one.gid, follow_symlinks=False)


@dataclass(frozen=True)
class Command:
    """A process to run inside a root file system."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str = "/"
    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()  # supplementary
    mounts: tuple[Mount, ...] = ()
    stdin: bytes = b""
    network: bool = True
    hostname: str = HOSTNAME  # proot cannot set it


class Sandbox(Protocol):
    """Runs a command on top of layers; what it changed is the next layer."""

    name: str  # "namespaces" | "user namespace" | "proot"

    def run(
        self,
        layers: Sequence[Layer],
        command: Command,
        *,
        output: Callable[[bytes], None],
        layer: BinaryIO | None,
        timeout: float | None = None,
    ) -> int:
        """Run `command` and return its exit code (128 + signal number when a signal ended it).

        `layers` are lowest first. `output` gets stdout and stderr as they come. When the exit code is 0 and
        `layer` is given, the layer tar of all changes is written to it (canonical order, see layertar).
        KeyboardInterrupt, or `timeout` seconds passed (TimeoutError), ends every process and leaves nothing.
        """
        ...
