"""How long a short command takes from its start to its end, beside a bare interpreter and `docker images`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from dockerlab.context.context import Context
from dockerlab.engines.embedded import EmbeddedEngine
from tools.bench.builders import TAG
from tools.bench.turns import Figure, Turn, run, take

BARE, DOCKER = "python -c pass", "docker images"
_DOCKERFILE = "FROM scratch\nCOPY Dockerfile /\n"


def measure(
    engine: EmbeddedEngine,
    folder: Path,
    *,
    runs: int,
    docker: bool,
    tell: Callable[[str], None],
    found: list[Figure],
) -> None:
    """Time `dockerlab --help`, `images` and `history`, on a store that holds an image."""
    context = folder / "commands"
    context.mkdir()
    (context / "Dockerfile").write_text(_DOCKERFILE, encoding="utf-8")
    engine.build(_DOCKERFILE, tag=TAG, context=Context.folder(context))
    env = {**os.environ, "DOCKERLAB_HOME": str(engine.store.root), "DOCKERLAB_ENGINE": "embedded"}
    bare = Turn(partial(run, (sys.executable, "-c", "pass")))
    theirs = {DOCKER: Turn(partial(run, ("docker", "images")))} if docker else {}
    for words in (("--help",), ("images",), ("history", TAG)):
        name = f"dockerlab {words[0]}"
        ours = Turn(partial(run, (sys.executable, "-m", "dockerlab", *words), env=env))
        turns = {name: ours, BARE: bare, **theirs}
        take(f"{name}, as a command", turns, runs=runs, beside=DOCKER, goals={}, tell=tell, found=found)
