"""What another order of the same lines would cost: computed from the seconds and bytes one build measured.

A change of what a line reads makes it and every later line run again. So an order costs, per week, the sum
over lines of (changes a week) x (seconds of the lines that run again).
"""

from __future__ import annotations

import fnmatch
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from dockerlab.analysis.dependencies import PASSIVE, predecessors
from dockerlab.dockerfile import Instruction, Stage
from dockerlab.engines import Build, Step
from dockerlab.errors import BuildError

GIVEN, BEST = "as it is", "best order"
COMPUTED = (
    "Computed, not measured: from the seconds and layer sizes that this build measured, and the changes a "
    "week assumed in the table."
)

Order = tuple[int, ...]  # Dockerfile lines

# How often, per week, what a line reads changes: guesses to be replaced by the learner's own numbers.
SOURCE, MANIFEST, RARE = 20.0, 1.0, 0.25
_MANIFESTS = (
    *("requirements*.txt", "pyproject.toml", "setup.py", "setup.cfg", "poetry.lock", "Pipfile*", "uv.lock"),
    *("package.json", "package-lock.json", "package*.json", "yarn.lock", "pnpm-lock.yaml", ".npmrc"),
    *(
        "go.mod",
        "go.sum",
        "go.*",
        "Cargo.toml",
        "Cargo.lock",
        "Gemfile*",
        "composer.*",
        "pom.xml",
        "build.gradle",
    ),
)
_LAYERS = ("RUN", "COPY", "ADD", "WORKDIR")
_MOST_TRIES = 60_000  # prefixes looked at before the search is no longer exhaustive: about half a second


@dataclass(frozen=True)
class Line:
    """One line of the stage, with what the build measured of it."""

    instruction: Instruction
    seconds: float
    size_tar: int
    changes_per_week: float
    needs: Order  # lines it must stay below
    movable: bool

    @property
    def line(self) -> int:
        """Return the first Dockerfile line."""
        return self.instruction.line


@dataclass(frozen=True)
class Cost:
    """What one order costs a week."""

    name: str
    lines: Order
    seconds: Mapping[int, float]  # by the line whose changes cause it
    size_tar: float  # bytes of layers made anew
    broken: tuple[tuple[int, int], ...]  # (line, the line it needs above it)

    @property
    def total(self) -> float:
        """Return seconds of rebuilding a week."""
        return sum(self.seconds.values())


@dataclass(frozen=True)
class Reordering:
    """Orders of one stage's lines and what each costs; the first is the given one, the last the best."""

    build: Build
    stage: str
    lines: tuple[Line, ...]
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
    model = _Model(lines, legacy=build.builder == "legacy")
    given = tuple(range(len(lines)))
    known = [line.line for line in lines]
    wanted = {name: _arranged(known, order) for name, order in (orders or {}).items()}
    best, exhaustive = _search(model)
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
        known = all(any(fnmatch.fnmatchcase(name, pattern) for pattern in _MANIFESTS) for name in local)
        return MANIFEST if known else SOURCE
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
) -> tuple[Line, ...]:
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
            Line(
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
    if step.keyword not in _LAYERS:
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


class _Model:
    """The cost of any order of some lines, each named by its index."""

    def __init__(self, lines: Sequence[Line], *, legacy: bool) -> None:
        self.lines = lines
        self.legacy = legacy
        index = {line.line: at for at, line in enumerate(lines)}
        self.needs = [frozenset(index[line] for line in one.needs) for one in lines]

    def starts(self, cause: int, at: int) -> bool:
        """Tell whether a change of `cause`, above it, is an input of the line `at` itself."""
        if self.legacy:
            return True
        keyword, other = self.lines[cause].instruction.keyword, self.lines[at].instruction.keyword
        if keyword in _LAYERS:
            return not self.lines[at].instruction.enabled("link")
        if keyword in ("ENV", "ARG", "SHELL"):
            return other == "RUN"
        return keyword == "USER" and other in ("RUN", "WORKDIR")

    def again(self, order: Sequence[int], at: int) -> Iterator[int]:
        """Yield those of `order` whose change makes its entry at place `at` run again."""
        one = order[at]
        if self.lines[one].instruction.keyword in _LAYERS:
            yield one
        if self.lines[one].instruction.enabled("link") and not self.legacy:
            return
        for place in range(at):
            cause = order[place]
            if self._reached(order, place, at):
                yield cause

    def _reached(self, order: Sequence[int], place: int, at: int) -> bool:
        """Tell whether a change at `place` has made a layer run again at `at` or before it."""
        cause = order[place]
        if self.legacy or self.lines[cause].instruction.keyword in _LAYERS:
            return True
        return any(self.starts(cause, order[between]) for between in range(place + 1, at + 1))

    def added(self, order: Sequence[int]) -> float:
        """Return the seconds a week that the last line of `order` adds."""
        at = len(order) - 1
        seconds = self.lines[order[at]].seconds
        if not seconds:
            return 0.0
        return seconds * sum(self.lines[cause].changes_per_week for cause in self.again(order, at))

    def total(self, order: Sequence[int]) -> float:
        """Return the seconds a week of an order."""
        return sum(self.added(order[: at + 1]) for at in range(len(order)))

    def keeps(self, order: Sequence[int]) -> bool:
        """Tell whether every line stands below what it needs."""
        return not self._broken(order)

    def cost(self, name: str, order: Order) -> Cost:
        """Return an order's cost with its parts."""
        seconds = {one.line: 0.0 for one in self.lines if one.changes_per_week}
        size = 0.0
        for at, one in enumerate(order):
            for cause in self.again(order, at):
                line = self.lines[cause]
                if line.changes_per_week:
                    seconds[line.line] += line.changes_per_week * self.lines[one].seconds
                    size += line.changes_per_week * self.lines[one].size_tar
        broken = tuple((self.lines[a].line, self.lines[b].line) for a, b in self._broken(order))
        return Cost(name, tuple(self.lines[one].line for one in order), seconds, size, broken)

    def _broken(self, order: Sequence[int]) -> list[tuple[int, int]]:
        place = {one: at for at, one in enumerate(order)}
        return [(one, need) for one in order for need in sorted(self.needs[one]) if place[need] > place[one]]


def _search(model: _Model) -> tuple[Order, bool]:
    """Return the cheapest order that keeps the needs, and whether all were looked at."""
    every = range(len(model.lines))
    movable = [one for one in every if model.legacy or model.lines[one].movable]
    start = _filled(model, [])
    given = tuple(every)
    best = given if model.keeps(given) else start
    tries = _Tries(model, movable, best)
    tries.walk([], 0.0)
    found = tries.best
    if tries.over:
        found = min(found, _moved(model, best), key=model.total)
    return found, not tries.over


class _Tries:
    """Depth first over all orders of the movable lines, leaving those that already cost too much."""

    def __init__(self, model: _Model, movable: Sequence[int], best: Order) -> None:
        self.model = model
        self.movable = movable
        self.best = best
        self.cost = model.total(best)
        self.count = 0

    @property
    def over(self) -> bool:
        return self.count > _MOST_TRIES

    def walk(self, prefix: list[int], cost: float) -> None:
        self.count += 1
        if self.over or cost >= self.cost - 1e-9:
            return
        if len(prefix) == len(self.movable):
            order = _filled(self.model, prefix)
            self.best, self.cost = order, cost
            return
        for one in self.movable:
            if one not in prefix and self.model.needs[one] & set(self.movable) <= set(prefix):
                prefix.append(one)
                self.walk(prefix, cost + self.model.added(prefix))
                prefix.pop()


def _filled(model: _Model, chain: Sequence[int]) -> Order:
    """Put the lines that are not in `chain` where their needs let them stand, as near to now as that goes."""
    follows = {one: before for before, one in pairwise(chain)}
    placed: list[int] = []
    left = list(range(len(model.lines)))
    while left:
        ready = [
            one
            for one in left
            if model.needs[one] <= set(placed) and (one not in follows or follows[one] in placed)
        ]
        if not ready:
            lines = ", ".join(str(model.lines[one].line) for one in left)
            raise BuildError(f"no order keeps these needs: lines {lines} wait for each other")
        placed.append(ready[0])
        left.remove(ready[0])
    return tuple(placed)


def _moved(model: _Model, start: Order) -> Order:
    """Move one line at a time to where it saves most, until no move saves anything."""
    order, cost = list(start), model.total(start)
    while True:
        best: tuple[float, list[int]] | None = None
        for source in range(len(order)):
            for to in range(len(order)):
                trial = order[:source] + order[source + 1 :]
                trial.insert(to, order[source])
                if source != to and model.keeps(trial):
                    total = model.total(trial)
                    if total < cost - 1e-9 and (best is None or total < best[0]):
                        best = (total, trial)
        if best is None:
            return tuple(order)
        cost, order = best
