"""What an order of lines costs a week: the seconds of those that run again after each change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dockerlab.dockerfile.instruction import LAYERS
from dockerlab.dockerfile.parser import Instruction

Order = tuple[int, ...]  # Dockerfile lines


@dataclass(frozen=True)
class OrderedLine:
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


class CostModel:
    """The cost of any order of some lines, each named by its index."""

    def __init__(self, lines: Sequence[OrderedLine], *, legacy: bool) -> None:
        self.lines = lines
        self.legacy = legacy
        index = {line.line: at for at, line in enumerate(lines)}
        self.needs = [frozenset(index[line] for line in ordered.needs) for ordered in lines]

    def starts(self, cause: int, at: int) -> bool:
        """Tell whether a change of `cause`, above it, is an input of the line `at` itself."""
        if self.legacy:
            return True
        setter, user = self.lines[cause].instruction, self.lines[at].instruction
        if setter.keyword in LAYERS:
            return not user.enabled("link")
        if setter.keyword in ("ENV", "ARG"):
            return user.keyword == "RUN" or (user.keyword in LAYERS and user.mentions(setter.names))
        if setter.keyword == "USER":
            return user.keyword in ("RUN", "WORKDIR")
        return setter.keyword == "SHELL" and user.keyword == "RUN"

    def causes(self, order: Sequence[int], at: int) -> Iterator[int]:
        """Yield those of `order` whose change makes its entry at place `at` run again."""
        index = order[at]
        if self.lines[index].instruction.keyword in LAYERS:
            yield index
        alone = self.lines[index].instruction.enabled("link") and not self.legacy
        for place, cause in enumerate(order[:at]):
            if self.starts(cause, index) if alone else self._reached(order, place, at):
                yield cause

    def _reached(self, order: Sequence[int], place: int, at: int) -> bool:
        """Tell whether a change at `place` has made a layer run again at `at` or before it."""
        cause = order[place]
        if self.legacy or self.lines[cause].instruction.keyword in LAYERS:
            return True
        return any(self.starts(cause, order[between]) for between in range(place + 1, at + 1))

    def added(self, order: Sequence[int]) -> float:
        """Return the seconds a week that the last line of `order` adds."""
        at = len(order) - 1
        seconds = self.lines[order[at]].seconds
        if not seconds:
            return 0.0
        return seconds * sum(self.lines[cause].changes_per_week for cause in self.causes(order, at))

    def total(self, order: Sequence[int]) -> float:
        """Return the seconds a week of an order."""
        return sum(self.added(order[: at + 1]) for at in range(len(order)))

    def keeps(self, order: Sequence[int]) -> bool:
        """Tell whether every line stands below what it needs."""
        return not self._broken(order)

    def cost(self, name: str, order: Order) -> Cost:
        """Return an order's cost with its parts."""
        seconds = {line.line: 0.0 for line in self.lines if line.changes_per_week}
        size = 0.0
        for at, index in enumerate(order):
            runs = self.lines[index]
            for cause in (self.lines[cause] for cause in self.causes(order, at)):
                if cause.changes_per_week:
                    seconds[cause.line] += cause.changes_per_week * runs.seconds
                    size += cause.changes_per_week * runs.size_tar
        broken = tuple((self.lines[a].line, self.lines[b].line) for a, b in self._broken(order))
        return Cost(name, tuple(self.lines[index].line for index in order), seconds, size, broken)

    def _broken(self, order: Sequence[int]) -> list[tuple[int, int]]:
        place = {index: at for at, index in enumerate(order)}
        needs = ((index, need) for index in order for need in sorted(self.needs[index]))
        return [(index, need) for index, need in needs if place[need] > place[index]]
