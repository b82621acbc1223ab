"""Why a step missed the cache: its named inputs beside those of the same step in the last build of the name.

Both engines use it: the embedded builder with the inputs its keys are made of, Docker with those that
`planned_build` works out. There what a stage or an image holds is not known, only whether it was made again:
so that is named only where nothing else is.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dockerlab.engines.cache.keys import Inputs, changes, sentence
from dockerlab.engines.cache.planned_steps import Planned
from dockerlab.engines.results import Change, LastBuild, Step

Line = tuple[str, str]  # an instruction's keyword and text

TURNED_OFF = "the cache was turned off for this build (--no-cache)"
NEW = "it was not built before"


@dataclass(frozen=True)
class _Done:
    step: Step
    old: Step | None  # the same step in the last build


class Reasons:
    """Follows a build step by step and says why each miss was one. `last` is the last build of the name.

    `uncached` tells whether a stage is built without the cache.
    """

    def __init__(self, last: LastBuild | None, *, uncached: Callable[[str], bool]) -> None:
        self._last = last.steps if last is not None else ()
        self._uncached = uncached
        self._done: dict[str, list[_Done]] = {}
        self._stage = ""
        self._old: list[Step | None] = []
        self._gone: list[Step] = []
        self._at = 0

    def begin(self, stage: str, lines: Sequence[Line], *, below: str | None = None) -> None:
        """Start a stage with all its lines, FROM first; `below` is the stage that FROM continues."""
        before = [step for step in self._last if step.stage == stage]
        self._stage, self._at = stage, 0
        self._old = match([(step.keyword, step.text) for step in before], before, lines)
        self._gone = [step for step in before if not any(step is old for old in self._old)]
        self._done[stage] = list(self._done.get(below, [])) if below is not None else []

    def reason(self, inputs: Inputs, set_by: Mapping[str, str]) -> tuple[str, tuple[Change, ...]]:
        """Say why the next step of the stage ran though there is a cache, and which inputs differ.

        `set_by` names a variable as the Dockerfile does: {"V": "ENV V (line 2)"}.
        """
        old = self._old[self._at] if self._at < len(self._old) else None
        if self._uncached(self._stage):
            return TURNED_OFF, ()
        if old is None or not old.inputs:
            return NEW, ()
        above = self._done[self._stage]
        found = changes(old.inputs, inputs)
        own = _own(found)
        ran = _ran(above)
        moved = old.inputs.get("parent") != inputs.get("parent")
        if own:
            said = sentence(own, set_by)
            return (f"{said}; {ran}" if ran else said), found
        if moved and ran:
            return ran, found
        if found:
            return self._taken(found), found
        if moved:
            return self._earlier(above), ()
        if _order(old.inputs) != _order(inputs):
            return "its variables are set in another order", ()
        unknown = [where for where, token in _mapping(inputs.get("from")).items() if not token]
        if unknown:
            return f"what it takes from {unknown[0]} changed", ()
        return "nothing it is made of changed: its cache record was removed since", ()

    def done(self, step: Step) -> None:
        """Take a finished step, cached or not: a later one may have run because of it."""
        old = self._old[self._at] if self._at < len(self._old) else None
        self._done[self._stage].append(_Done(step, old))
        self._at += 1

    def _taken(self, found: Sequence[Change]) -> str:
        """Say which stage or image gave other files, and which line of that stage ran again."""
        ran = _ran(self._done.get(found[0].name.removeprefix("stage "), ()), "there")
        return sentence(found[:1], {}) + (f": {ran}" if ran else "")

    def _earlier(self, above: Sequence[_Done]) -> str:
        """Say which line above started it."""
        ran = _ran(above)
        if ran:
            return ran
        for done in above:
            was = done.old.inputs if done.old is not None else {}
            if done.step.keyword == "FROM" and was != done.step.inputs:
                return f"line {done.step.line} starts from another image than last time"
        for done in above:
            if done.step.cached and (done.old is None or _own(changes(done.old.inputs, done.step.inputs))):
                return f"line {done.step.line} above it is not that of last time, though the cache had it"
        if self._gone:
            return f'a line above it is gone: "{self._gone[0].text}"'
        return "the lines above it are in another order"


def _order(inputs: Inputs) -> list[str]:
    variables = inputs.get("environment")
    return list(variables) if isinstance(variables, Mapping) else []


def explained(
    planned: Sequence[Planned],
    steps: Sequence[Step],
    reasons: Reasons,
    below: Mapping[str, str],
) -> tuple[Step, ...]:
    """Return a finished build's steps with their inputs, and a reason for each miss that has none.

    `below` says which stage a stage continues.
    """
    found: list[Step] = []
    stage = None
    for plan, step in zip(planned, steps, strict=True):
        if step.stage != stage:
            stage = step.stage
            own = [other.instruction for other in planned if other.stage is plan.stage]
            lines = [(instruction.keyword, instruction.text) for instruction in own]
            reasons.begin(stage, lines, below=below.get(stage))
        step = replace(step, inputs=plan.inputs)
        if step.cached is False and step.reason is None:
            reason, differ = reasons.reason(step.inputs, plan.set_by)
            step = replace(step, reason=reason, changes=differ)
        reasons.done(step)
        found.append(step)
    return tuple(found)


def match(texts: Sequence[Line], before: Sequence[Step], lines: Sequence[Line]) -> list[Step | None]:
    """Return for each of `lines` the step of the last build that it was, or None when it is new.

    Equal lines are paired in order; between them a changed line is paired with the one of the same keyword.
    """
    found: list[Step | None] = [None] * len(lines)
    left: list[int] = []
    blocks = difflib.SequenceMatcher(a=texts, b=lines, autojunk=False).get_opcodes()
    for kind, start, end, first, last in blocks:
        if kind == "equal":
            for offset in range(end - start):
                found[first + offset] = before[start + offset]
            continue
        free = list(range(start, end))
        for index in range(first, last):
            same = next((old for old in free if texts[old][0] == lines[index][0]), None)
            if same is not None and kind == "replace":
                found[index] = before[same]
                free.remove(same)
        left += free
    for index, line in enumerate(lines):  # a line that was moved
        moved = next((old for old in left if texts[old] == line), None)
        if found[index] is None and moved is not None:
            found[index] = before[moved]
            left.remove(moved)
    return found


def _own(found: Sequence[Change]) -> tuple[Change, ...]:
    """Leave out what another stage or image holds."""
    certain = [change for change in found if change.input != "files there"]
    return tuple(
        change
        for change in certain
        if change.input != "from" or change.before is None or change.after is None
    )


def _ran(above: Sequence[_Done], where: str = "") -> str:
    first = next((done.step for done in above if done.step.cached is False), None)
    if first is None:
        return ""
    return (
        f"line {first.line} ran again {where}" if where else f"an earlier step (line {first.line}) ran again"
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
