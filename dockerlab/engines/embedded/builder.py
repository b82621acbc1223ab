"""The build: which stages, in what order, each step from the cache or done, and the image at the end."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from dockerlab.context.context import Context
from dockerlab.dockerfile.instruction import COPIES
from dockerlab.dockerfile.parser import Instruction, Stage
from dockerlab.dockerfile.scope import BuildArguments, scratch_config
from dockerlab.dockerfile.stages import (
    earlier,
    expanded,
    global_args,
    needed,
    root_base,
    stage_name,
    target,
    triggers,
)
from dockerlab.engines.cache import keys
from dockerlab.engines.cache.inputs import base_key
from dockerlab.engines.cache.last_builds import read_record, record
from dockerlab.engines.cache.reasons import Reasons
from dockerlab.engines.embedded import buildargs, epoch
from dockerlab.engines.embedded.bases.bases import Bases
from dockerlab.engines.embedded.build_request import Request
from dockerlab.engines.embedded.config_state import image_config, rfc3339, state_of
from dockerlab.engines.embedded.layer_instructions import LayerSteps
from dockerlab.engines.embedded.metadata import METADATA
from dockerlab.engines.embedded.sandbox.contract import Sandbox
from dockerlab.engines.embedded.state import StageState, unsupported
from dockerlab.engines.embedded.step import LayerStep
from dockerlab.engines.embedded.store.store import Store
from dockerlab.engines.results import Build, Change, Finished, Log, Note, OnEvent, Started, Step
from dockerlab.errors import BuildError, DockerfileError, DockerlabError
from dockerlab.image.image import Image
from dockerlab.image.platform import here
from dockerlab.image.reference import Reference


def build(
    request: Request,
    store: Store,
    bases: Bases,
    sandbox: Callable[[], Sandbox],
    *,
    engine: Callable[[], str],
    on_event: OnEvent,
) -> Build:
    """Build an image and store it. `sandbox` and `engine` are called only when they are needed.

    Raises DockerfileError, ContextError, BuildError (RunError), RegistryError or StoreError, with the line.
    """
    return _Builder(request, store, bases, sandbox, on_event).build(engine)


class _Builder:
    def __init__(
        self,
        request: Request,
        store: Store,
        bases: Bases,
        sandbox: Callable[[], Sandbox],
        on_event: OnEvent,
    ) -> None:
        self.request = request
        self.store = store
        self.bases = bases
        self.on_event = on_event
        self.epoch = epoch.read(request.build_args)
        self.global_args = global_args(request.dockerfile, request.build_args, request.target)
        self.given = BuildArguments(request.build_args, self.global_args)
        self.states: dict[int, StageState] = {}
        self.layers = LayerSteps(
            request, store, bases, sandbox, self.states, on_event=on_event, on_line=self._log
        )
        self.steps: list[Step] = []
        self.total = 0
        self.done: dict[str, Instruction] = {}  # key -> the line of this build that did the step
        tag = request.tag and Reference.parse(request.tag).familiar
        self.name = tag or keys.key({"Dockerfile": request.dockerfile.text})
        last = read_record(self.name, store.last_build(self.name))
        self.reasons = Reasons(last, uncached=self._uncached)

    def build(self, engine: Callable[[], str]) -> Build:
        started = time.perf_counter()
        dockerfile, options = self.request.dockerfile, self.request.options
        buildargs.check(dockerfile, self.request.build_args)
        final = target(dockerfile, self.request.target)
        if self.request.target is not None and final.name != self.request.target.lower():
            raise DockerfileError(
                f'there is no stage "{self.request.target}": a target is a name, not a number',
                hint=f"Name the stage: FROM {final.base} AS build.",
            )
        stages = [dockerfile.stages[index] for index in sorted(needed(dockerfile, final, self.global_args))]
        self.total = sum(1 + len(stage.instructions) for stage in stages)
        for stage in stages:
            self.states[stage.index] = self._stage(stage)
        state = self._dated(self.states[final.index])
        if options.labels:
            state.config["Labels"] = {**(state.config.get("Labels") or {}), **options.labels}
        image = self._put_image(state, None if self.request.squash else self.request.tag)
        if self.request.squash:
            image = self._put_image(self._squashed(state, image.id), self.request.tag)
        for other in options.tags:
            self.store.tag(image.id, other)
        if unused := buildargs.unused(dockerfile, self.request.build_args):
            self.on_event(Note(f"No ARG uses these build arguments: {', '.join(unused)}."))
        if dockerfile.check is not None:
            self.on_event(Note(f"# check={dockerfile.check} is for BuildKit's checks: none are run here."))
        build = Build(
            name=self.request.tag or "",
            image=image,
            steps=tuple(self.steps),
            engine=engine(),
            builder="embedded",
            seconds=time.perf_counter() - started,
            dockerfile=dockerfile,
            context_bytes=sum(self.layers.context_files.values()),
            base=root_base(dockerfile, final, self.global_args),
            stand_in=state.stand_in,
            recipe=self.request.recipe,
            given=self.given,
        )
        for name in (self.name, *options.tags):
            self.store.put_last_build(name, record(build))
        return build

    def _put_image(self, state: StageState, reference: str | None) -> Image:
        return self.store.put_image(
            image_config(state),
            state.layers,
            reference=reference,
            base_layers=state.base_layers,
            stand_in=state.stand_in,
        )

    def _dated(self, state: StageState) -> StageState:
        """Give the image the date that SOURCE_DATE_EPOCH asks for, and the steps the layers it then has."""
        if self.epoch is None:
            return state
        dated = epoch.dated(state, self.epoch, self.store)
        moved = {old.diff_id: new.diff_id for old, new in zip(state.layers, dated.layers, strict=True)}
        self.steps = [
            replace(step, diff_id=moved.get(step.diff_id or "", step.diff_id)) for step in self.steps
        ]
        return dated

    def _squashed(self, state: StageState, image: str) -> StageState:
        from dockerlab.engines.embedded.squash import squashed

        return squashed(state, image, self.store)

    def _stage(self, stage: Stage) -> StageState:
        with _at_line(stage.from_.line):
            began = self._start(stage, stage.from_)
            state = self._from(stage)
        before = triggers(stage, state.config.pop("OnBuild", None) or [])
        self.total += len(before)
        reference = expanded(stage.base, self.global_args, stage.from_.line)
        below = earlier(self.request.dockerfile, stage, reference)
        self.reasons.begin(
            stage_name(stage),
            [
                (instruction.keyword, instruction.text)
                for instruction in (stage.from_, *before, *stage.instructions)
            ],
            below=stage_name(below) if below is not None else None,
        )
        base = {} if below is not None else {"image": reference, "layers": state.key}
        self._finish(stage, stage.from_, began, inputs=base)
        for instruction in [*before, *stage.instructions]:
            with _at_line(instruction.line):
                began = self._start(stage, instruction)
                self._do(state, stage, instruction, began)
        return state

    def _from(self, stage: Stage) -> StageState:
        # FROM [--platform=...] name [AS stage]
        reference = expanded(stage.base, self.global_args, stage.from_.line)
        escape = self.request.dockerfile.escape
        self._check_platform(stage)
        below = earlier(self.request.dockerfile, stage, reference)
        bound = self.layers.named_context(reference)
        if isinstance(bound, Context):
            raise unsupported(stage.from_, f"FROM {reference} where --build-context makes it a folder")
        if bound is not None:
            state = state_of(bound)
        elif below is not None:
            state = self.states[below.index].branch()
        elif reference == "scratch":
            state = StageState(
                config=scratch_config(),
                platform={"architecture": here().architecture, "os": "linux"},
                key=base_key([]),
                created=rfc3339(self.layers.now),
            )
        else:
            state = state_of(self.layers.base(reference))
        state.escape = escape
        return state

    def _check_platform(self, stage: Stage) -> None:
        if stage.platform is None:
            return
        wanted = expanded(stage.platform, self.global_args, stage.from_.line)
        if wanted.split("/")[:2] != ["linux", here().architecture]:
            raise unsupported(stage.from_, f"FROM --platform={wanted} on a {here().architecture} machine")

    def _do(self, state: StageState, stage: Stage, instruction: Instruction, began: float) -> None:
        if instruction.keyword in METADATA:
            METADATA[instruction.keyword](state, instruction, self.given)
            self._finish(stage, instruction, began)
        elif instruction.keyword == "WORKDIR":
            self._workdir(state, stage, instruction, began)
        elif instruction.keyword == "RUN":
            self._layer_step(state, stage, instruction, began, self.layers.run(state, stage, instruction))
        elif instruction.keyword in COPIES:
            self._layer_step(state, stage, instruction, began, self.layers.copy(state, stage, instruction))
        else:
            raise unsupported(instruction, instruction.keyword)

    def _workdir(self, state: StageState, stage: Stage, instruction: Instruction, began: float) -> None:
        said = state.apply(instruction, self.given)
        if state.workdir == "/":  # the one that makes no layer
            state.record(said)
            self._finish(stage, instruction, began)
        else:
            self._layer_step(state, stage, instruction, began, self.layers.workdir(state, state.workdir))

    def _layer_step(
        self, state: StageState, stage: Stage, instruction: Instruction, began: float, step: LayerStep
    ) -> None:
        """Take the step's layer from the cache, or make it and remember it."""
        key, inputs = step.inputs.key, step.inputs.shown
        anew = self._uncached(stage_name(stage))
        known = self.store.step(key) if self._may_reuse(key, state, instruction, anew=anew) else None
        reason: str | None = None
        changes: tuple[Change, ...] = ()
        if known is not None and self.store.has_layer(known["diff_id"]):
            layer, created, cached = self.store.layer(known["diff_id"]), known["created"], True
            if key in self.done:
                cached, reason = False, f"the same step as line {self.done[key].line}: it is done once"
                state.renewed |= anew
        else:
            reason, changes = self.reasons.reason(inputs, state.set_by)
            if known is not None:
                reason, changes = "its layer is no longer in the store", ()
            layer, created, cached = step.execute(), rfc3339(self.layers.now), False
            self.store.put_step(key, {"diff_id": layer.diff_id, "created": created, "inputs": inputs})
            self.done[key] = instruction
            state.renewed |= anew
        state.add_layer(layer, key=step.chain or key, created=created)
        state.record(step.created_by, layer=True)
        self._finish(
            stage,
            instruction,
            began,
            cached=cached,
            diff_id=layer.diff_id,
            log=step.log,
            reason=reason,
            inputs=inputs,
            changes=changes,
        )

    def _uncached(self, stage: str) -> bool:
        return self.request.no_cache or self.request.options.filtered(stage)

    def _may_reuse(self, key: str, state: StageState, instruction: Instruction, *, anew: bool) -> bool:
        """Tell whether the cache may be asked: without it a build has its own steps, as BuildKit does.

        A WORKDIR is one that BuildKit takes from the cache all the same, until something above it was done.
        """
        if not anew or key in self.done:
            return True
        return instruction.keyword == "WORKDIR" and not state.renewed

    def _start(self, stage: Stage, instruction: Instruction) -> float:
        number = len(self.steps) + 1
        self.on_event(Started(number, self.total, stage_name(stage), instruction.text, instruction.line))
        return time.perf_counter()

    def _finish(
        self,
        stage: Stage,
        instruction: Instruction,
        began: float,
        *,
        cached: bool | None = None,
        diff_id: str | None = None,
        log: Sequence[str] = (),
        reason: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        changes: tuple[Change, ...] = (),
    ) -> None:
        step = Step(
            number=len(self.steps) + 1,
            stage=stage_name(stage),
            keyword=instruction.keyword,
            text=instruction.text,
            line=instruction.line,
            cached=cached,
            seconds=time.perf_counter() - began,
            diff_id=diff_id,
            log=tuple(log),
            reason=reason,
            inputs=inputs or {},
            changes=changes,
        )
        self.steps.append(step)
        self.reasons.done(step)
        self.on_event(Finished(step, self.total))

    def _log(self, text: str) -> None:
        self.on_event(Log(len(self.steps) + 1, text))


@contextmanager
def _at_line(line: int) -> Iterator[None]:
    """Give an error that knows no line the line of the instruction it came from."""
    try:
        yield
    except DockerlabError as error:
        if error.line is None:
            error.line = line
        raise
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise BuildError(
            f"{error.filename} is a symlink in the image that goes round in a circle",
            line=line,
            hint="Choose another path, or remove the link in a RUN before this line.",
        ) from error
