"""One stage while the embedded builder makes it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from dockerlab.dockerfile.parser import Instruction
from dockerlab.dockerfile.scope import Scope
from dockerlab.errors import UnsupportedError
from dockerlab.image.filesystem import Tree
from dockerlab.image.image import Layer

COMMENT = "buildkit.dockerfile.v0"  # what BuildKit writes there; tools look for it


@dataclass
class StageState(Scope):
    """What is in force at a line of a stage, and the layers and history of the image so far."""

    platform: dict[str, str] = field(default_factory=dict)  # architecture, os, variant
    author: str | None = None
    layers: list[Layer] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    key: str = ""  # the cache key of the file system so far
    created: str = ""  # when its newest layer was made (RFC 3339)
    base_layers: int = 0
    base_rows: int = 0  # of the history
    base_id: str | None = None  # None: scratch
    stand_in: str | None = None
    command_set: bool = False  # CMD was given in this stage
    renewed: bool = False  # the cache is turned off, and a step was done
    _tree: Tree | None = None

    @property
    def tree(self) -> Tree:
        """Return the merged file system; worked out on first use, then kept up to date."""
        if self._tree is None:
            self._tree = Tree.stacked((layer.entries, layer) for layer in self.layers)
        return self._tree

    def branch(self) -> StageState:
        """Return the state that a stage built FROM this one starts with."""
        return replace(
            super().branch(),
            layers=list(self.layers),
            history=list(self.history),
            command_set=False,
            _tree=self._tree.copy() if self._tree is not None else None,
        )

    def add_layer(self, layer: Layer, *, key: str, created: str) -> None:
        """Put a layer on top."""
        self.layers.append(layer)
        self.key = key
        self.created = created
        if self._tree is not None:
            self._tree.apply(layer.entries, layer)

    def record(self, created_by: str, *, layer: bool = False) -> None:
        """Add a row to the history."""
        row: dict[str, Any] = {"created": self.created, "created_by": created_by, "comment": COMMENT}
        if not layer:
            row["empty_layer"] = True
        self.history.append(row)


def unsupported(instruction: Instruction, what: str) -> UnsupportedError:
    """Return the error for something valid that the embedded builder does not do."""
    return UnsupportedError(
        f"the embedded builder does not do {what}",
        line=instruction.line,
        hint="Build it with Docker (--engine docker), or leave it out.",
    )
