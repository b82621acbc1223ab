"""What another order of the same lines would cost: computed from the seconds and bytes one build measured.

A change of what a line reads makes it and every later line run again. So an order costs, per week, the sum
over lines of (changes a week) x (seconds of the lines that run again).
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dockerlab.analysis.dependencies import PASSIVE, predecessors
from dockerlab.analysis.order_cost import LAYERS, Cost, CostModel, Order, OrderedLine
from dockerlab.analysis.order_search import cheapest
from dockerlab.analysis.packages import is_manifest
from dockerlab.dockerfile.parser import Instruction, Stage
from dockerlab.engines.results import Build, Step
from dockerlab.errors import BuildError

GIVEN, BEST = "as it is", "best order"
COMPUTED = (
    "Computed, not measured: from the seconds and layer sizes that this build measured, and the changes a "
    "week assumed in the table."
)

# How often, per week, what a line reads changes: guesses to be replaced by the learner's own numbers.
SOURCE, MANIFEST, RARE = 20.0, 1.0, 0.25


@dataclass(frozen=True)
class Reordering:
    """Orders of one stage's lines and what each costs; the first is the given one, the last the best."""

    build: Build
    stage: str
    lines: tuple[OrderedLine, ...]
    costs: tuple[Cost, ...]
    exhaustive: bool  # every order that keeps the needs was looked at

    @property
    def given(self) -> Cost:
        """Return the cost of the order in the Dockerfile."""
        return self.costs[0]

    @property
    def best(self) -> Cost:
        """Return the cheapest order found that keeps what each line needs."""
        return self.costs[-1]

    @property
    def distinct(self) -> tuple[Cost, ...]:
        """Return the costs without a best order that is the given one."""
        return self.costs[:-1] if self.best.lines == self.given.lines else self.costs

    @property
    def how(self) -> str:
        """Say how the best order was found."""
        if self.exhaustive:
            return "Every order that keeps the needs was looked at."
        return "There are too many orders to look at them all: the best one found by moving single lines."


def what_if_orders(
    build: Build,
    *,
    orders: Mapping[str, Order] | None = None,
    changes_per_week: Mapping[int, float] | None = None,
    needs: Mapping[int, Sequence[int]] | None = None,
    stage: str | None = None,
) -> Reordering:
    """Cost the given order of a stage (the last one built by default), `orders`, and the best one.

    Lines that an order leaves out keep their places. Raises BuildError when the build did not measure a
    line, when a line number is none of the stage's, or when no order keeps `needs`.
    """
    place = _stage(build, stage)
    lines = _lines(build, place, changes_per_week or {}, needs)
    model = CostModel(lines, legacy=build.builder == "legacy")
    given = tuple(range(len(lines)))
    known = [line.line for line in lines]
    wanted = {name: _arranged(known, order) for name, order in (orders or {}).items()}
    best, exhaustive = cheapest(model)
    costs = [model.cost(GIVEN, given)]
    costs += [model.cost(name, tuple(known.index(line) for line in order)) for name, order in wanted.items()]
    costs.append(model.cost(BEST, best))
    return Reordering(build, place.name or str(place.index), lines, tuple(costs), exhaustive)


def default_rate(one: Instruction, stages: Mapping[str, float]) -> float:
    """Guess how often a week what a line reads changes; `stages` has it for the stages below.

    Source code 20 times, lists of dependencies once, a command or a setting once a month.
    """
    if one.keyword in ("COPY", "ADD"):
        origin = one.flag("from")
        if origin is not None:
            return stages.get(origin.lower(), RARE)
        names = [posixpath.basename(word.rstrip("/")) for word in one.args[:-1]]
        local = [name for name, word in zip(names, one.args, strict=False) if "://" not in word]
        if not local:
            return RARE
        return MANIFEST if all(map(is_manifest, local)) else SOURCE
    if one.keyword in ("RUN", "ENV", "ARG"):
        return RARE
    return 0.0


def _stage(build: Build, name: str | None) -> Stage:
    stages = build.dockerfile.stages
    built = {step.stage for step in build.steps}
    wanted = name if name is not None else build.steps[-1].stage
    found = build.dockerfile.stage(wanted)
    if found is None or (found.name or str(found.index)) not in built:
        known = ", ".join(stage.name or str(stage.index) for stage in stages)
        raise BuildError(f'no stage "{wanted}" was built', hint=f"The stages are: {known}.")
    return found


def _lines(
    build: Build, stage: Stage, rates: Mapping[int, float], needs: Mapping[int, Sequence[int]] | None
) -> tuple[OrderedLine, ...]:
    instructions = stage.instructions
    known = {one.line for one in instructions}
    named = {*rates, *(needs or {}), *(line for lines in (needs or {}).values() for line in lines)}
    if named - known:
        odd = min(named - known)
        have = ", ".join(map(str, sorted(known)))
        raise BuildError(f"line {odd} begins no instruction of this stage", hint=f"Its lines are {have}.")
    below = _stage_rates(build, stage)
    sizes = {layer.diff_id: layer.size_tar for layer in build.image.layers}
    name = stage.name or str(stage.index)
    steps = {step.line: step for step in build.steps if step.stage == name}
    above = predecessors(instructions, needs)
    found = []
    for index, one in enumerate(instructions):
        step = steps.get(one.line)
        if step is None:
            raise BuildError(f"{one.keyword} was not built", line=one.line, hint="Build the stage it is in.")
        found.append(
            OrderedLine(
                one,
                _seconds(step),
                sizes.get(step.diff_id or "", 0),
                float(rates.get(one.line, default_rate(one, below))),
                tuple(sorted(instructions[other].line for other in above[index])),
                one.keyword not in PASSIVE,
            )
        )
    return tuple(found)


def _seconds(step: Step) -> float:
    if step.keyword not in LAYERS:
        return 0.0
    if step.cached and step.keyword != "WORKDIR":  # BuildKit reuses a WORKDIR even without its cache
        raise BuildError(
            f"{step.keyword} came from the cache in this build, so its time was not measured",
            line=step.line,
            hint="Build it once with no_cache=True (%%dockerfile NAME --no-cache) and ask about that build.",
        )
    return 0.0 if step.cached else step.seconds


def _stage_rates(build: Build, stage: Stage) -> dict[str, float]:
    """Return how often the result of each stage below changes: as often as what its lines read does."""
    found: dict[str, float] = {}
    for other in build.dockerfile.stages[: stage.index]:
        total = sum(default_rate(one, found) for one in other.instructions)
        found[str(other.index)] = total
        if other.name is not None:
            found[other.name] = total
    return found


def _arranged(known: Sequence[int], order: Sequence[int]) -> Order:
    """Put the lines of `order` into the places they hold now; the others stay where they are."""
    odd = [line for line in order if line not in known]
    if odd or len(set(order)) != len(order):
        have = ", ".join(map(str, known))
        raise BuildError(f"{list(order)} is no order of this stage's lines", hint=f"They are {have}.")
    left = iter(order)
    return tuple(next(left) if line in order else line for line in known)
