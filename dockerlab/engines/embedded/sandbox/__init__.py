"""Where a RUN runs: what both sandboxes promise, and which one can be had here."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

from dockerlab.engines.embedded.sandbox import remembered
from dockerlab.engines.embedded.sandbox.docker_defaults import HOSTNAME
from dockerlab.errors import EngineError
from dockerlab.image import Layer

_CHOICES = ("auto", "namespaces", "proot")


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

    name: str  # "namespaces" | "proot"

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


def name(work: Path) -> str:
    """Return the name of the sandbox that `choose` gives, which need not try again what it found before."""
    return remembered.recall(work) or choose(work).name


def choose(work: Path) -> Sandbox:
    """Return the best sandbox that really works here, found by trying; `work` is a folder it may keep.

    $DOCKERLAB_SANDBOX is "auto" (the default), "namespaces" or "proot". Raises EngineError (what to install).
    """
    wanted = os.environ.get("DOCKERLAB_SANDBOX") or "auto"
    if wanted not in _CHOICES:
        raise EngineError(
            f'DOCKERLAB_SANDBOX is "{wanted}".',
            hint=f"Set it to {', '.join(_CHOICES[:-1])} or {_CHOICES[-1]}.",
        )
    # Imported here: both need Linux, and the contract above must be readable everywhere.
    from dockerlab.engines.embedded.sandbox.namespaces import NamespaceSandbox

    refused = "it was not asked for"
    if wanted != "proot":
        namespaces = NamespaceSandbox(work)
        reason = namespaces.probe()
        if reason is None:
            remembered.remember(work, namespaces.name)
            return namespaces
        refused = reason
        if wanted == "namespaces":
            raise EngineError(
                f"RUN cannot use namespaces here: {refused}.",
                hint="Set DOCKERLAB_SANDBOX=auto to let dockerlab use proot instead.",
            )
    from dockerlab.engines.embedded.sandbox import proot

    tried = "" if wanted == "proot" else f" Namespaces were refused: {refused.rstrip('.')}."
    if shutil.which("proot") is None:
        raise EngineError(
            f"RUN needs the program proot, which is not installed.{tried}",
            hint="Install the system package proot (`apt-get install proot`).",
        )
    broken = proot.probe(work)
    if broken is not None:
        raise EngineError(
            f"RUN cannot be built here. {broken.rstrip('.')}.{tried}",
            hint="Use Docker, or a machine where one of the two works. Without RUN a Dockerfile builds here.",
        )
    remembered.remember(work, proot.ProotSandbox.name)
    return proot.ProotSandbox(work)
