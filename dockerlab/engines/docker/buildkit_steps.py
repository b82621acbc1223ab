"""Which vertex of BuildKit's graph is which instruction of the Dockerfile.

A vertex that belongs to an instruction is named `[stage 2/5] RUN ...` (BuildKit, dockerfile2llb,
prefixCommand): the stage's name, or `stage-N`, or nothing when there is one stage; then a running number
over the stage's FROM (where it names an image), RUN, COPY, ADD and WORKDIR. Two equal steps of two stages
are one vertex and keep one name. `WORKDIR /` counts for the total but takes no number; a FROM bound by
--build-context takes none either; steps that the base's ONBUILD brings take the first ones, and say so. The
number places a vertex; its keyword and text must then agree, or the whole stage is said to be unmatched: no
cached flag is ever guessed. A FROM that does not agree is passed over: builds that run at the same time share
the vertex of a base, and it has the name that one of them gave it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from dockerlab.dockerfile.parser import Dockerfile, Instruction, Stage
from dockerlab.dockerfile.stages import stage_name
from dockerlab.engines.cache.planned_steps import Planned
from dockerlab.engines.docker.buildkit_events import Graph, Vertex
from dockerlab.engines.results import Event, Finished, Log, Started, Step

NUMBERED = ("RUN", "COPY", "ADD", "WORKDIR")
UNMATCHED = "BuildKit's report does not fit this line, so it is not known whether it was cached"
NOT_NEEDED = "not looked at: a later step came from the cache"

_NAME = re.compile(
    r"\[(?:[^\s\]]+/[^\s\]]+ )?(?:(?P<stage>[^\s\]]+) )? *(?P<index>\d+)/(?P<total>\d+)\] "
    r"(?P<link>LINK )?(?:ONBUILD )?(?P<text>.*)",
    re.S,
)


class Matcher:
    """Turns a growing graph into events, and at the end into steps."""

    def __init__(
        self,
        dockerfile: Dockerfile,
        planned: Sequence[Planned],
        from_numbered: Mapping[int, bool],  # by stage: whether its FROM takes a number
        on_event: Callable[[Event], None],
    ) -> None:
        self.graph = Graph(self._log)
        self.unmatched: set[int] = set()  # stages
        self._dockerfile = dockerfile
        self._planned = planned
        self._on_event = on_event
        self._numbers: dict[tuple[int, int], int] = {}  # (stage, BuildKit's number) -> Step.number
        self._first: dict[int, int] = {}  # stage -> its first number that is ours
        for stage in {plan.stage.index: plan.stage for plan in planned}.values():
            self._number(stage, int(from_numbered[stage.index]))
        self._diff_ids: Mapping[int, str] = {}
        self._vertexes: dict[int, list[str]] = {}  # Step.number -> digests
        self._steps_of: dict[str, list[int]] = {}  # digest -> Step.numbers
        self._started: set[int] = set()
        self._finished: set[int] = set()

    def feed(self, message: Mapping[str, object]) -> None:
        """Take one status message and send the events it means."""
        known = len(self.graph.vertexes)
        self.graph.feed(message)
        if len(self.graph.vertexes) != known:
            self._match()
        for one in message.get("vertexes") or ():  # type: ignore[attr-defined]
            for number in self._steps_of.get(one["digest"], ()):
                self._progress(number)

    def steps(self, diff_ids: Mapping[int, str]) -> tuple[Step, ...]:
        """Return the steps of a build that is over and send the events still due.

        `diff_ids` has the layer each step made, by Step.number.
        """
        self._diff_ids = diff_ids
        self._match()
        return tuple(self._finish(plan) for plan in self._planned)

    def line_of(self, vertex: Vertex) -> Instruction | None:
        """Return the instruction that a vertex belongs to."""
        numbers = self._steps_of.get(vertex.digest)
        return self._planned[numbers[0] - 1].instruction if numbers else None

    def _number(self, stage: Stage, index: int) -> None:
        """Number what is cached; `index` is the number of the FROM, or 0."""
        start, *lines = [plan for plan in self._planned if plan.stage is stage]
        self._first[stage.index] = index + 1
        if index:
            self._numbers[stage.index, index] = start.number
        for plan in lines:
            if plan.instruction.keyword in NUMBERED and plan.inputs:
                index += 1
                self._numbers[stage.index, index] = plan.number

    def _stage_of(self, name: str | None) -> Stage | None:
        if name is None:
            return self._dockerfile.stages[0] if len(self._dockerfile.stages) == 1 else None
        for stage in self._dockerfile.stages:
            if stage.name == name or (stage.name is None and name == f"stage-{stage.index}"):
                return stage
        return None

    def _match(self) -> None:
        """Place every vertex, then give a step without one the vertex it shares with another stage's step."""
        found: dict[int, list[str]] = {}
        for vertex in self.graph.vertexes.values():
            match = _NAME.fullmatch(vertex.name)
            stage = self._stage_of(match["stage"]) if match else None
            if match is None or stage is None or stage.index not in self._first:
                continue
            if match["link"]:  # puts what a COPY --link made on the layers below: the COPY has its own vertex
                continue
            index = int(match["index"])
            number = self._numbers.get((stage.index, index))
            if number is None:
                if index >= self._first[stage.index]:
                    self.unmatched.add(stage.index)
                continue
            if not _agrees(match["text"], self._planned[number - 1].instruction):
                if not match["text"].startswith("FROM "):
                    self.unmatched.add(stage.index)
                continue
            found.setdefault(number, []).append(vertex.digest)
        for (_, index), number in sorted(self._numbers.items(), key=lambda item: -item[0][1]):
            if number not in found:
                shared = self._shared(number, index, found)
                if shared is not None:
                    found[number] = [shared]
        self._vertexes = {
            number: digests
            for number, digests in found.items()
            if self._planned[number - 1].stage.index not in self.unmatched
        }
        self._steps_of = {}
        for number, digests in self._vertexes.items():
            for digest in digests:
                self._steps_of.setdefault(digest, []).append(number)

    def _shared(self, number: int, index: int, found: Mapping[int, list[str]]) -> str | None:
        """Return the vertex that stands for this step too: its successor's input, else the only one alike."""
        plan = self._planned[number - 1]
        following = self._numbers.get((plan.stage.index, index + 1))
        if plan.instruction.keyword == "FROM":
            alike = [vertex for vertex in self.graph.vertexes.values() if _is_from(vertex, plan.instruction)]
        else:
            alike = [
                vertex
                for vertex in self.graph.vertexes.values()
                if (match := _NAME.fullmatch(vertex.name)) and _agrees(match["text"], plan.instruction)
            ]
        if following is not None and following in found:
            inputs = {digest for own in found[following] for digest in self.graph.vertexes[own].inputs}
            alike = [vertex for vertex in alike if vertex.digest in inputs]
        elif following is not None:
            return None
        return alike[0].digest if len(alike) == 1 else None

    def _main(self, number: int) -> list[Vertex]:
        return [self.graph.vertexes[digest] for digest in self._vertexes.get(number, ())]

    def _log(self, vertex: Vertex, text: str) -> None:
        for number in self._steps_of.get(vertex.digest, ())[:1]:
            self._on_event(Log(number, text))

    def _progress(self, number: int) -> None:
        vertexes = self._main(number)
        if any(vertex.started is not None for vertex in vertexes):
            self._start(number)
        if vertexes and all(vertex.done for vertex in vertexes):
            self._finish(self._planned[number - 1])

    def _start(self, number: int) -> None:
        """Send Started, after the steps above it in its stage that BuildKit does not report on."""
        if number in self._started:
            return
        plan = self._planned[number - 1]
        at = number - 1
        while at and self._planned[at - 1].stage is plan.stage and not self._reported(self._planned[at - 1]):
            at -= 1
        for earlier in self._planned[at : number - 1]:
            self._finish(earlier)
        self._started.add(number)
        one = plan.instruction
        self._on_event(Started(number, len(self._planned), stage_name(plan.stage), one.text, one.line))

    def _reported(self, plan: Planned) -> bool:
        return plan.instruction.keyword in NUMBERED or plan.number in self._vertexes

    def _finish(self, plan: Planned) -> Step:
        step = self._step(plan)
        if plan.number not in self._finished:
            if plan.number not in self._started:
                self._started.add(plan.number)
                self._on_event(Started(plan.number, len(self._planned), step.stage, step.text, step.line))
            self._finished.add(plan.number)
            self._on_event(Finished(step, len(self._planned)))
        return step

    def _step(self, plan: Planned) -> Step:
        one = plan.instruction
        vertexes = self._main(plan.number)
        numbered = plan.number in self._numbers.values() and one.keyword != "FROM"
        cached: bool | None = None
        reason = None
        if numbered and (plan.stage.index in self.unmatched or not vertexes):
            reason = UNMATCHED
        elif numbered:
            inputs = {digest for vertex in vertexes for digest in vertex.inputs}
            last = next((vertex for vertex in vertexes if vertex.digest not in inputs), vertexes[-1])
            cached = last.cached or last.completed is None
            reason = NOT_NEEDED if last.completed is None else None
            owner = self._stage_name_of(last)
            if owner is not None and owner != stage_name(plan.stage):
                reason = f"the same step as in stage {owner}: BuildKit does it once"
        return Step(
            number=plan.number,
            stage=stage_name(plan.stage),
            keyword=one.keyword,
            text=one.text,
            line=one.line,
            cached=cached,
            seconds=sum(vertex.seconds for vertex in vertexes),
            diff_id=self._diff_ids.get(plan.number),
            log=tuple(text for vertex in vertexes for text in vertex.log),
            reason=reason,
        )

    def _stage_name_of(self, vertex: Vertex) -> str | None:
        match = _NAME.fullmatch(vertex.name)
        stage = self._stage_of(match["stage"]) if match else None
        return stage_name(stage) if stage is not None else None


def _is_from(vertex: Vertex, instruction: Instruction) -> bool:
    match = _NAME.fullmatch(vertex.name)
    text = match["text"] if match else vertex.name
    return text.startswith("FROM ") and _agrees(text, instruction)


def _agrees(text: str, instruction: Instruction) -> bool:
    """Tell whether a vertex's text can be this instruction: keyword, and first letters up to a variable.

    BuildKit expands variables in the text, drops quotes at times, and shortens heredocs.
    """
    keyword, _, rest = text.partition(" ")
    if keyword.upper() != instruction.keyword:
        return False
    written = instruction.text.partition(" ")[2]
    if instruction.keyword == "FROM" or instruction.heredocs:
        return True
    literal, _, _ = written.partition("$")
    wanted, got = (re.sub(r"\W", "", part) for part in (literal, rest))
    return got.startswith(wanted[:40]) and ("$" in written or len(wanted) > 40 or got == wanted)
