"""The steps of a build on Docker, and the inputs of each: worked out from Dockerfile and context."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from dockerlab.context.context import Context
from dockerlab.dockerfile.instruction import COPIES
from dockerlab.dockerfile.parser import Dockerfile, Instruction, Stage
from dockerlab.dockerfile.scope import EPOCH, SCOPING, BuildArguments, Scope, base_config, scratch_config
from dockerlab.dockerfile.stages import base_stage, expanded, onbuild, source_stage, stage_name, triggers
from dockerlab.engines.cache.copy_sources import Digest
from dockerlab.engines.cache.inputs import (
    Origin,
    Origins,
    StepInputs,
    base_key,
    chained,
    copy_inputs,
    read_copy,
    read_run,
    run_inputs,
    workdir_inputs,
)
from dockerlab.engines.cache.keys import Inputs
from dockerlab.engines.cache.planned_steps import Planned
from dockerlab.errors import ContextError, DockerfileError
from dockerlab.image.filesystem import Tree

# An image reference -> the diff IDs of its layers and its "config" object; None where it is not here.
Images = Callable[[str], "tuple[Sequence[str], Mapping[str, Any]] | None"]


@dataclass
class _Stage:
    """A stage as far as its lines have been gone through; `key` stands for its files."""

    scope: Scope
    key: str


@dataclass
class PlannedBuild:
    """What a build was given, beside its stages."""

    dockerfile: Dockerfile
    context: Context | None
    given: BuildArguments
    images: Images
    legacy: bool = False  # its builder caches every line, and the line's text is what counts
    network: str = "default"
    links: bool = True  # False: its builder copies as if --link were not there
    digest: Digest = field(default_factory=Digest)

    def steps(self, stages: Sequence[Stage]) -> tuple[Planned, ...]:
        """Return the steps of a build of `stages` with their inputs, each stage's FROM first.

        What the ONBUILD of a base brings are steps too, on the line of the FROM; not to the legacy builder.
        """
        found: list[Planned] = []
        done: dict[int, _Stage] = {}
        number = count(1)
        context = Origin("the build context", "", self.context.tree() if self.context else Tree())
        for stage in stages:
            at, before, base = self._start(stage, done)
            found.append(Planned(next(number), stage, stage.from_, base))
            for instruction in [*before, *stage.instructions]:
                inputs, at.key = self._line(instruction, at, self._origins(stage, instruction, context, done))
                own = 0 if self.legacy and any(instruction is other for other in before) else next(number)
                shown = inputs.shown if inputs is not None else {}
                found.append(Planned(own, stage, instruction, shown, dict(at.scope.set_by)))
            done[stage.index] = at
        return tuple(found)

    def _start(self, stage: Stage, done: Mapping[int, _Stage]) -> tuple[_Stage, list[Instruction], Inputs]:
        """Return what a stage starts with, what ONBUILD adds, and what its FROM depends on."""
        below = base_stage(self.dockerfile, stage, self.given.global_args)
        if below is not None:
            at = done[below.index]
            at = _Stage(at.scope.branch(), at.key)
            at.scope.config.pop("OnBuild", None)
            return at, triggers(stage, onbuild(below)), {}
        name = expanded(stage.base, self.given.global_args, stage.from_.line)
        known = self.images(name) if name != "scratch" else None
        layers, config = known or ((), {})
        config = base_config(config) if name != "scratch" else scratch_config()
        before = triggers(stage, config.pop("OnBuild", None) or ())
        inputs = {"image": name, "layers": base_key(layers)}
        return _Stage(Scope(self.dockerfile.escape, config), base_key(layers)), before, inputs

    def _line(self, instruction: Instruction, at: _Stage, origins: Origins) -> tuple[StepInputs | None, str]:
        """Take a line into account; return its inputs, and what stands for the files from now on.

        What the builder took is not refused here.
        """
        scope = at.scope
        try:
            if instruction.keyword in SCOPING:
                scope.apply(instruction, self.given)
            if instruction.keyword == "RUN":
                run = read_run(instruction, scope, self.given.build_args, network=self.network)
                inputs = run_inputs(run, origins, self.digest, parent=at.key)
                return inputs, inputs.key
            if instruction.keyword in COPIES:
                copy = read_copy(instruction, scope, origins)
                if not self.links:
                    copy = replace(copy, flags=tuple(flag for flag in copy.flags if flag != "link"))
                inputs = copy_inputs(copy, self.digest, parent=at.key)
                return inputs, chained(inputs, copy, parent=at.key)
            if instruction.keyword == "WORKDIR" and (scope.workdir != "/" or self.legacy):
                inputs = workdir_inputs(scope.workdir, scope.user, parent=at.key, date=self._date)
                return inputs, inputs.key
            words = instruction.text.split(" ") if self.legacy else []
            line = " ".join(scope.expand(word, instruction.line) for word in words)
        except (ContextError, DockerfileError):  # the context has changed since, or the builder takes more
            line = instruction.text
        if not line:
            return None, at.key
        shown = {"instruction": instruction.keyword, "line": line, "parent": at.key}
        inputs = StepInputs(shown, shown)
        return inputs, inputs.key

    @property
    def _date(self) -> int | None:
        text = self.given.build_args.get(EPOCH, "")
        return int(text) if text.isdecimal() else None

    def _origins(
        self, stage: Stage, instruction: Instruction, context: Origin, done: Mapping[int, _Stage]
    ) -> Origins:
        def origin(name: str | None) -> Origin:
            if name is None:
                return context
            if instruction.keyword == "ADD":
                return Origin(name, "", None)
            below = source_stage(self.dockerfile, stage, instruction, name)
            if below is not None:
                return Origin(f"stage {stage_name(below)}", done[below.index].key, None)
            if name == "scratch":
                return Origin(name, "", Tree())
            known = self.images(name)
            return Origin(f"image {name}", base_key(known[0]) if known is not None else "", None)

        return origin
