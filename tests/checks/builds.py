"""Builds of tiny images that no engine made, for rules that only look at layers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dockerlab.dockerfile.parser import Dockerfile
from dockerlab.engines.results import Build
from tests.tiny_images import Members, stack


def build_of(folder: Path, layers: Sequence[Members], *, history: Sequence[str] | None = None) -> Build:
    """Return a build with these layers, lowest first."""
    folder.mkdir(exist_ok=True)
    image = stack(folder, layers, history=history)
    return Build(
        name="stack",
        image=image,
        steps=(),
        engine="no engine",
        builder="embedded",
        seconds=0.0,
        dockerfile=Dockerfile("", "\\", (), ()),
        context_bytes=0,
    )
