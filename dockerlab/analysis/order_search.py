"""The cheapest order of a stage's lines that keeps what each line needs above it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from dockerlab.analysis.order_cost import CostModel, Order
from dockerlab.errors import BuildError

_MOST_TRIES = 60_000  # prefixes looked at before the search is no longer exhaustive: about half a second


def cheapest(model: CostModel) -> tuple[Order, bool]:
    """Return the cheapest order that keeps the needs, and whether all were looked at."""
    every = range(len(model.lines))
    movable = [index for index in every if model.legacy or model.lines[index].movable]
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

    def __init__(self, model: CostModel, movable: Sequence[int], best: Order) -> None:
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
        for index in self.movable:
            if index not in prefix and self.model.needs[index] & set(self.movable) <= set(prefix):
                prefix.append(index)
                self.walk(prefix, cost + self.model.added(prefix))
                prefix.pop()


def _filled(model: CostModel, chain: Sequence[int]) -> Order:
    """Put the lines that are not in `chain` where their needs let them stand, as near to now as that goes."""
    follows = {index: before for before, index in pairwise(chain)}
    placed: list[int] = []
    left = list(range(len(model.lines)))
    while left:
        ready = [
            index
            for index in left
            if model.needs[index] <= set(placed) and (index not in follows or follows[index] in placed)
        ]
        if not ready:
            lines = ", ".join(str(model.lines[index].line) for index in left)
            raise BuildError(f"no order keeps these needs: lines {lines} wait for each other")
        placed.append(ready[0])
        left.remove(ready[0])
    return tuple(placed)


def _moved(model: CostModel, start: Order) -> Order:
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
