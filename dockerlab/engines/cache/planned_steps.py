"""The steps of a build as planned, and which history rows of the image are theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dockerlab.dockerfile.parser import Instruction, Stage
from dockerlab.engines.cache.keys import Inputs
from dockerlab.image.image import History, Image, recorded


@dataclass(frozen=True)
class Planned:
    """One instruction of a stage that will be built; `number` as in Step, 0: it is no step of its own."""

    number: int
    stage: Stage
    instruction: Instruction
    inputs: Inputs  # {}: there is nothing to cache
    set_by: Mapping[str, str] = field(default_factory=dict)  # which line set each variable


def own_rows(
    history: Sequence[History], instructions: Sequence[Instruction], *, legacy: bool
) -> list[History | None] | None:
    """Return the history row of each of `instructions` (None: leaves no row), or None when they do not fit.

    The rows of a build are the last ones of its image, one per instruction in order; an ONBUILD leaves none
    under BuildKit. Every keyword is compared, so a history of another shape is noticed.
    """
    with_row = [instruction for instruction in instructions if legacy or instruction.keyword != "ONBUILD"]
    rows = list(history[len(history) - len(with_row) :]) if with_row else []
    if len(rows) != len(with_row):
        return None
    found: list[History | None] = []
    left = iter(rows)
    for instruction in instructions:
        if instruction.keyword == "ONBUILD" and not legacy:
            found.append(None)
            continue
        row = next(left)
        said = recorded(row.created_by)
        bare_run = (
            legacy and instruction.keyword == "RUN" and said == row.created_by
        )  # the command line alone
        if not bare_run and said.partition(" ")[0] != instruction.keyword:
            return None
        found.append(row)
    return found


def base_layer_count(image: Image, own: Sequence[History | None]) -> int:
    """Return how many layers lie below the rows of the build itself."""
    mine = sum(row is not None and not row.empty for row in own)
    return len(image.layers) - mine
