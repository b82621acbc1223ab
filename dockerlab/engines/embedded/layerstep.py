"""One instruction that makes a layer, read and not done yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dockerlab.engines import keys
from dockerlab.image import Layer


@dataclass(frozen=True)
class LayerStep:
    """One instruction that makes a layer.

    `inputs` explain a miss; the key is made of `identity`, where that is not the same. `chain` is what the
    step below counts for in the keys above it, where that is not the key.
    """

    inputs: Mapping[str, Any]
    execute: Callable[[], Layer]
    created_by: str  # the history row
    log: list[str] = field(default_factory=list)  # filled by `execute`
    identity: Mapping[str, Any] | None = None
    chain: str | None = None

    @property
    def key(self) -> str:
        """Return the cache key."""
        return keys.key(self.inputs if self.identity is None else self.identity)
