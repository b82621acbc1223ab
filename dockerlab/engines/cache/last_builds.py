"""What is kept of the last build of each name, for the next one to be compared with."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dockerlab.engines.results import Build, Change, LastBuild, Step


def record(build: Build) -> dict[str, Any]:
    """Return what is kept of a build, as JSON takes it; logs are left out."""
    steps = [{**asdict(step), "log": []} for step in build.steps]
    return {"engine": build.engine, "builder": build.builder, "stand_in": build.stand_in, "steps": steps}


def read_record(name: str, kept: object) -> LastBuild | None:
    """Read what record() gave; None when it is of another version or not whole: then nothing is known."""
    if not isinstance(kept, Mapping):
        return None
    try:
        steps = tuple(_step(step) for step in kept["steps"])
        return LastBuild(name, steps, str(kept["engine"]), kept["builder"], kept["stand_in"])
    except (KeyError, TypeError):
        return None


def _step(kept: Mapping[str, Any]) -> Step:
    changes = tuple(Change(**change) for change in kept["changes"])
    return Step(**{**kept, "log": (), "changes": changes})


class LastBuilds:
    """Records in a folder, one a name and builder, each written whole: many kernels may share the folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def get(self, name: str, builder: str) -> LastBuild | None:
        """Return the last build of that name with that builder, or None."""
        try:
            kept = json.loads(self._path(name, builder).read_bytes())
        except FileNotFoundError:
            return None
        except ValueError:  # cut short by a power failure: nothing is known
            return None
        return read_record(name, kept)

    def put(self, name: str, build: Build) -> None:
        """Keep a build as the last one of its name."""
        self.root.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=self.root, prefix=".part-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                json.dump(record(build), out)
            Path(part).replace(self._path(name, build.builder))
        except BaseException:
            with suppress(FileNotFoundError):
                Path(part).unlink()
            raise

    def _path(self, name: str, builder: str) -> Path:
        return self.root / f"{hashlib.sha256(f'{builder} {name}'.encode()).hexdigest()}.json"
