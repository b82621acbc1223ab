"""The stages of a finished build: which of them are in its image, and what is in force at their lines.

It asks `dockerfile/stages.py` and `dockerfile/scope.py`, the only ones who know, with what a Build was given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from dockerlab.dockerfile.parser import Dockerfile, Instruction, Stage
from dockerlab.dockerfile.scope import SCOPING, BuildArguments, Scope, base_config, scratch_config
from dockerlab.dockerfile.stages import (
    base_stage,
    chain,
    global_args,
    needed,
    onbuild,
    root_base,
    source_stage,
    sources,
    triggers,
)
from dockerlab.engines.results import Build

UNKNOWN = "(not known)"  # the value of a build argument, where a Dockerfile comes without its build
_VARIABLE = re.compile(r"\$\{?([A-Za-z_]\w*)")


@dataclass(frozen=True)
class BuiltStages:
    """The stages of a Dockerfile as one build of it took them."""

    dockerfile: Dockerfile
    final: Stage
    given: BuildArguments
    env: tuple[str, ...] = ()  # of the image: what its base set is there too

    @classmethod
    def of(cls, build: Build) -> BuiltStages:
        """Return the stages of a build; its last step is one of the final stage."""
        dockerfile = build.dockerfile
        built = dockerfile.stage(build.steps[-1].stage) if build.steps else None
        given = build.given or BuildArguments({}, global_args(dockerfile, {}, None))
        env = (build.image.config.get("config") or {}).get("Env") or ()
        return cls(dockerfile, built or dockerfile.stages[-1], given, tuple(env))

    @property
    def chain(self) -> tuple[Stage, ...]:
        """Return the stages whose layers are in the image, lowest first."""
        return chain(self.dockerfile, self.final, self.given.global_args)

    @property
    def needed(self) -> tuple[Stage, ...]:
        """Return the stages that the final one needs, itself included, in file order."""
        found = needed(self.dockerfile, self.final, self.given.global_args)
        return tuple(stage for stage in self.dockerfile.stages if stage.index in found)

    @property
    def base(self) -> str | None:
        """Return what the lowest FROM of the image names; None: scratch, or not known."""
        name = root_base(self.dockerfile, self.final, self.given.global_args)
        return None if not name or UNKNOWN in name else name

    def below(self, stage: Stage) -> Stage | None:
        """Return the stage that `stage` continues by FROM, or None."""
        return base_stage(self.dockerfile, stage, self.given.global_args)

    def sources(self, stage: Stage, instruction: Instruction) -> list[Stage | None]:
        """Return the stages that a line of `stage` takes files out of; None for an image."""
        return [source_stage(self.dockerfile, stage, instruction, name) for _, name in sources([instruction])]

    def lines(self, stage: Stage) -> Iterator[tuple[Instruction, Scope]]:
        """Yield the lines of a stage, each with what is in force above it at that moment.

        Of what the base sets only ENV is known. A WORKDIR that is not known counts as "/".
        """
        stages = chain(self.dockerfile, stage, self.given.global_args)
        scope = Scope(self.dockerfile.escape, self._start(stages[0]))
        inherited: list[str] = []
        for level in stages:
            for instruction in triggers(level, inherited):
                self._apply(instruction, scope)
            for instruction in level.instructions:
                if level is stage:
                    yield instruction, scope
                self._apply(instruction, scope)
            scope, inherited = scope.branch(), onbuild(level)

    def _start(self, lowest: Stage) -> dict[str, Any]:
        if lowest.base == "scratch":
            return scratch_config()
        return base_config({"Env": list(self.env)} if lowest is self.chain[0] else {})

    def _apply(self, instruction: Instruction, scope: Scope) -> None:
        if instruction.keyword == "WORKDIR":
            scope.config["WorkingDir"] = known_path(instruction.args[0], scope)
        elif instruction.keyword in ("ARG", "ENV"):
            words = [
                written if known_word(written, scope) is not None else f"{name}={UNKNOWN}"
                for name, written in zip(instruction.names, instruction.args, strict=True)
            ]
            scope.apply(replace(instruction, args=tuple(words)), self.given)
        elif instruction.keyword in SCOPING:
            scope.apply(instruction, self.given)


def known_word(written: str, scope: Scope) -> str | None:
    """Return a word of a line with variables put in; None where it has one whose value is not known."""
    if any(name not in scope.variables for name in _VARIABLE.findall(written)):
        return None
    found = scope.expand(written, 0)
    return None if UNKNOWN in found else found


def known_path(written: str, scope: Scope) -> str:
    """Return a path of the image, absolute; "/" where it is not known, above which there is nothing."""
    found = known_word(written, scope)
    return "/" if found is None else scope.absolute(found)
