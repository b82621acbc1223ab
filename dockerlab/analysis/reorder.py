"""What another order of the same lines would cost: computed from the seconds and bytes one build measured.

A change of what a line reads makes it and every later line run again. So an order costs, per week, the sum
over lines of (changes a week) x (seconds of the lines that run again).
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dockerlab.analysis.built_stages import BuiltStages
from dockerlab.analysis.dependencies import PASSIVE, predecessors
from dockerlab.analysis.order_cost import Cost, CostModel, Order, OrderedLine
from dockerlab.analysis.order_search import cheapest
from dockerlab.analysis.packages import is_manifest
from dockerlab.dockerfile.instruction import COPIES, LAYERS, is_git, is_url
from dockerlab.dockerfile.parser import Instruction, Stage
from dockerlab.dockerfile.stages import stage_name
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
    stages = BuiltStages.of(build)
    wanted = _stage(build, stages, stage)
    lines = _lines(build, stages, wanted, rates=changes_per_week or {}, needs=needs)
    model = CostModel(lines, legacy=build.builder == "legacy")
    given = tuple(range(len(lines)))
    known = [line.line for line in lines]
    asked = {name: _arranged(known, order) for name, order in (orders or {}).items()}
    best, exhaustive = cheapest(model)
    costs = [model.cost(GIVEN, given)]
    costs += [model.cost(name, tuple(known.index(line) for line in order)) for name, order in asked.items()]
    costs.append(model.cost(BEST, best))
    return Reordering(build, stage_name(wanted), lines, tuple(costs), exhaustive)


def default_rate(instruction: Instruction, origins: Sequence[float] = ()) -> float:
    """Guess how often a week what a line reads changes; `origins` has it for what it names by from=.

    Source code 20 times, lists of dependencies once, a command, a setting or an image once a month.
    """
    if instruction.keyword in COPIES and not origins:
        local = [word for word in instruction.args[:-1] if not is_url(word) and not is_git(word)]
        if not local:
            return RARE
        return (
            MANIFEST if all(is_manifest(posixpath.basename(word.rstrip("/"))) for word in local) else SOURCE
        )
    if instruction.keyword in ("RUN", "ENV", "ARG", *COPIES):
        return max([RARE, *origins])
    return 0.0


def _stage(build: Build, stages: BuiltStages, name: str | None) -> Stage:
    if name is None:
        return stages.final
    found = build.dockerfile.stage(name)
    if found is None or stage_name(found) not in {step.stage for step in build.steps}:
        known = ", ".join(stage_name(stage) for stage in build.dockerfile.stages)
        raise BuildError(f'no stage "{name}" was built', hint=f"The stages are: {known}.")
    return found


def _lines(
    build: Build,
    stages: BuiltStages,
    stage: Stage,
    *,
    rates: Mapping[int, float],
    needs: Mapping[int, Sequence[int]] | None,
) -> tuple[OrderedLine, ...]:
    instructions = stage.instructions
    known = {instruction.line for instruction in instructions}
    named = {*rates, *(needs or {}), *(line for lines in (needs or {}).values() for line in lines)}
    if named - known:
        odd = min(named - known)
        have = ", ".join(map(str, sorted(known)))
        raise BuildError(f"line {odd} begins no instruction of this stage", hint=f"Its lines are {have}.")
    guessed = _rates(stages, stage)
    sizes = {layer.diff_id: layer.size_tar for layer in build.image.layers}
    steps = {step.line: step for step in build.steps if step.stage == stage_name(stage)}
    above = predecessors(stages.lines(stage), needs)
    found = []
    for index, instruction in enumerate(instructions):
        step = steps.get(instruction.line)
        if step is None:
            raise BuildError(
                f"{instruction.keyword} was not built",
                line=instruction.line,
                hint="Build the stage it is in.",
            )
        found.append(
            OrderedLine(
                instruction,
                _seconds(step),
                sizes.get(step.diff_id or "", 0),
                float(rates.get(instruction.line, guessed[instruction.line])),
                tuple(sorted(instructions[other].line for other in above[index])),
                instruction.keyword not in PASSIVE,
                assumed=instruction.line not in rates,
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


def _rates(stages: BuiltStages, stage: Stage) -> dict[int, float]:
    """Guess for each line of a stage how often a week what it reads changes."""
    found: dict[int, float] = {}
    for instruction in stage.instructions:
        sources = stages.sources(stage, instruction)
        origins = [_stage_rate(stages, source) if source else RARE for source in sources]
        found[instruction.line] = default_rate(instruction, origins)
    return found


def _stage_rate(stages: BuiltStages, stage: Stage) -> float:
    """Guess how often the result of a stage changes: as often as what its lines read, and what is below."""
    below = stages.below(stage)
    return sum(_rates(stages, stage).values()) + (_stage_rate(stages, below) if below is not None else 0.0)


def _arranged(known: Sequence[int], order: Sequence[int]) -> Order:
    """Put the lines of `order` into the places they hold now; the others stay where they are."""
    odd = [line for line in order if line not in known]
    if odd or len(set(order)) != len(order):
        have = ", ".join(map(str, known))
        raise BuildError(f"{list(order)} is no order of this stage's lines", hint=f"They are {have}.")
    left = iter(order)
    return tuple(next(left) if line in order else line for line in known)
