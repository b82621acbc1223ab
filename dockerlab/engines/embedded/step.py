"""One instruction that makes a layer, read and not done yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from dockerlab.engines.cache.inputs import StepInputs
from dockerlab.image.image import Layer


@dataclass(frozen=True)
class LayerStep:
    """One instruction that makes a layer.

    `chain` is what the step below counts for in the keys above it, where that is not its key.
    """

    inputs: StepInputs
    execute: Callable[[], Layer]
    created_by: str  # the history row
    log: list[str] = field(default_factory=list)  # filled by `execute`
    chain: str | None = None
