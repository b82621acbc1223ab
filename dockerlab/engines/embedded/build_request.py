"""What one build was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dockerlab.context.context import Context
from dockerlab.dockerfile.parser import Dockerfile
from dockerlab.engines.options import BuildOptions
from dockerlab.engines.results import Recipe


@dataclass(frozen=True)
class Request:
    """What one build was asked for."""

    dockerfile: Dockerfile
    context: Context
    tag: str | None = None
    target: str | None = None
    build_args: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, bytes] = field(default_factory=dict)
    no_cache: bool = False
    squash: bool = False
    options: BuildOptions = field(default_factory=BuildOptions)

    @property
    def recipe(self) -> Recipe:
        """Return what the build remembers of it."""
        return Recipe(
            self.context, self.target, self.build_args, self.secrets, squash=self.squash, options=self.options
        )
