"""Which engine to use here, and why."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from dockerlab.engines.results import Engine, OnEvent
from dockerlab.errors import EngineError

_ALLOWED = ("auto", "docker", "embedded")
_chosen: dict[str, tuple[Engine, str]] = {}


def choose(name: str | None = None) -> tuple[Engine, str]:
    """Return the engine to use and why, in one sentence. `name`: default $DOCKERLAB_ENGINE, else "auto".

    "auto" is Docker where a daemon answers (as the docker command finds it) and buildx is installed, else the
    embedded engine. The answer is kept for the life of the process. Raises EngineError.
    """
    wanted = name or os.environ.get("DOCKERLAB_ENGINE") or "auto"
    if wanted not in _ALLOWED:
        source = "DOCKERLAB_ENGINE is" if name is None else "The engine asked for is"
        raise EngineError(f"{source} {wanted!r}.", hint="It may be auto, docker or embedded.")
    if wanted not in _chosen:
        _chosen[wanted] = _choose(wanted, asked="DOCKERLAB_ENGINE" if name is None else "The caller")
    return _chosen[wanted]


def _choose(wanted: str, *, asked: str) -> tuple[Engine, str]:
    if wanted == "embedded":
        return _embedded(), f"{asked} asks for the embedded engine."
    from dockerlab.engines.docker.daemon import probe
    from dockerlab.engines.docker.engine import DockerEngine

    version, trouble = probe()
    if version is not None:
        why = f"A Docker daemon answers (version {version.partition('+')[0]}) and buildx is installed."
        return DockerEngine(stand_in=_stand_in if sys.platform == "linux" else None), why
    if wanted == "docker":
        hint = "Start Docker (`docker version` shows whether it runs), or set DOCKERLAB_ENGINE=auto."
        raise EngineError(trouble, hint=hint)
    return _embedded(), f"{trouble} So images are built without it."


def _embedded() -> Engine:
    if sys.platform != "linux":
        raise EngineError(
            "No Docker daemon answers, and the embedded engine runs on Linux only.",
            hint="Install and start Docker Desktop, or use the Binder link in the README.",
        )
    from dockerlab.engines.embedded import EmbeddedEngine

    return EmbeddedEngine()


def _stand_in(reference: str, on_event: OnEvent) -> Path | None:
    """Make the archive of a stand-in on the embedded engine, which is loaded only when one is needed."""
    from dockerlab.engines.embedded import EmbeddedEngine

    return EmbeddedEngine().bases.stand_in_archive(reference, on_event=on_event)
