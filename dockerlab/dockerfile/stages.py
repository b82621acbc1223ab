"""Which stages a build needs, and what their names and arguments stand for: the one graph of stages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from dockerlab.dockerfile.instruction import COPIES
from dockerlab.dockerfile.mounts import mount_fields
from dockerlab.dockerfile.parser import Dockerfile, Instruction, Stage, expand, parse_trigger
from dockerlab.dockerfile.scope import PLATFORM_ARGS
from dockerlab.errors import DockerfileError
from dockerlab.image.platform import here


def global_args(
    dockerfile: Dockerfile,
    build_args: Mapping[str, str],
    target: str | None,
    *,
    machine: str | None = None,
) -> dict[str, str | None]:
    """Return the ARGs before the first FROM, and the platform ones that BuildKit sets.

    `machine` is the architecture that builds, when it is not this one (a remote daemon).
    """
    machine = machine or here().architecture
    target_and_build = 2 * (f"linux/{machine}", "linux", machine, "")
    found: dict[str, str | None] = dict(zip(PLATFORM_ARGS, target_and_build, strict=True))
    found["TARGETSTAGE"] = target or dockerfile.stages[-1].name or "default"
    found |= {name: build_args[name] for name in found if name in build_args}
    for arg in dockerfile.args:
        for word in arg.args:
            name, equals, default = word.partition("=")
            if name in build_args:
                found[name] = build_args[name]
            else:
                found[name] = expanded(default, found, arg.line) if equals else found.get(name)
    return found


def expanded(word: str, args: Mapping[str, str | None], line: int) -> str:
    """Return `word` with global arguments put in."""
    try:
        return expand(word, {name: value for name, value in args.items() if value is not None})
    except DockerfileError as error:
        raise DockerfileError(error.message, line=line, hint=error.hint) from error


def target(dockerfile: Dockerfile, name: str | None) -> Stage:
    """Return the stage to build: the last one when none is named."""
    if name is None:
        return dockerfile.stages[-1]
    found = dockerfile.stage(name)
    if found is None:
        known = ", ".join(stage_name(stage) for stage in dockerfile.stages)
        raise DockerfileError(f'there is no stage "{name}"', hint=f"The stages are: {known}.")
    return found


def earlier(dockerfile: Dockerfile, stage: Stage, name: str) -> Stage | None:
    """Return the stage before `stage` that its FROM means by `name`, the nearest first.

    Stage names are lower case; FROM has to write them so, as an image's name is.
    """
    found = _called(dockerfile, stage, name)
    if found is not None and name != found.name:
        raise DockerfileError(
            f'FROM {name} names no stage: there a name is lower case, "{found.name}"',
            line=stage.from_.line,
            hint=f"Write FROM {found.name}.",
        )
    return found


def _called(dockerfile: Dockerfile, stage: Stage, name: str) -> Stage | None:
    before = reversed(dockerfile.stages[: stage.index])
    return next((other for other in before if other.name is not None and other.name == name.lower()), None)


def source_stage(dockerfile: Dockerfile, stage: Stage, instruction: Instruction, name: str) -> Stage | None:
    """Return the stage that a --from= or from= of a line means, or None when it names an image.

    Raises DockerfileError for a stage that is none, or is not done before this one. A mount takes no number.
    """
    found = _called(dockerfile, stage, name)
    if found is not None:
        return found
    index = int(name) if re.fullmatch(r"[-+]?\d{1,9}", name, re.ASCII) else None
    named = dockerfile.stage(name) if index is None else None
    hint = "Name a stage that stands above this one."
    if index is None:
        if named is None:
            return None
        index = named.index
    elif instruction.keyword == "RUN" or not 0 <= index < len(dockerfile.stages):
        raise DockerfileError(f"from={name} is an invalid stage", line=instruction.line, hint=hint)
    if index >= stage.index:
        where = "the one it stands in" if index == stage.index else "done later"
        raise DockerfileError(
            f"from={name} is an invalid stage: it is {where}", line=instruction.line, hint=hint
        )
    return dockerfile.stages[index]


def base_stage(dockerfile: Dockerfile, stage: Stage, args: Mapping[str, str | None]) -> Stage | None:
    """Return the stage that `stage` continues, or None when its FROM names an image or scratch."""
    return earlier(dockerfile, stage, expanded(stage.base, args, stage.from_.line))


def triggers(stage: Stage, texts: Iterable[str]) -> list[Instruction]:
    """Return what the ONBUILD of its base brings into a stage, as lines of its FROM."""
    return [replace(parse_trigger(text), line=stage.from_.line) for text in texts]


def onbuild(stage: Stage) -> list[str]:
    """Return what a stage has for those that continue it."""
    return [instruction.args[0] for instruction in stage.instructions if instruction.keyword == "ONBUILD"]


def sources(instructions: Iterable[Instruction]) -> Iterator[tuple[Instruction, str]]:
    """Yield what COPY --from, ADD --from and RUN --mount=from= take files out of: stages or images."""
    for instruction in instructions:
        names = [instruction.flag("from")] if instruction.keyword in COPIES else []
        names += [mount_fields(value).get("from") for value in instruction.flag_values("mount")]
        yield from ((instruction, name) for name in names if name)


def needed(dockerfile: Dockerfile, target: Stage, args: Mapping[str, str | None]) -> set[int]:
    """Return the stages that `target` needs, itself included: BuildKit leaves the others out."""
    found: set[int] = set()
    todo = [target]
    while todo:
        stage = todo.pop()
        if stage.index in found:
            continue
        found.add(stage.index)
        below = base_stage(dockerfile, stage, args)
        lines = [*(triggers(stage, onbuild(below)) if below is not None else []), *stage.instructions]
        others = [source_stage(dockerfile, stage, instruction, name) for instruction, name in sources(lines)]
        todo += [other for other in [below, *others] if other is not None]
    return found


def chain(dockerfile: Dockerfile, stage: Stage, args: Mapping[str, str | None]) -> tuple[Stage, ...]:
    """Return `stage` and the stages it continues by FROM, lowest first."""
    below = base_stage(dockerfile, stage, args)
    return (stage,) if below is None else (*chain(dockerfile, below, args), stage)


def root_base(dockerfile: Dockerfile, stage: Stage, args: Mapping[str, str | None]) -> str | None:
    """Return the image that the chain of stages below `stage` starts from, or None for scratch."""
    lowest = chain(dockerfile, stage, args)[0]
    name = expanded(lowest.base, args, lowest.from_.line)
    return None if name == "scratch" else name


def images(dockerfile: Dockerfile, stages: Iterable[Stage], args: Mapping[str, str | None]) -> dict[str, int]:
    """Return the images that `stages` name in FROM or take files from, with the first line that does."""
    found: dict[str, int] = {}
    for stage in stages:
        name = expanded(stage.base, args, stage.from_.line)
        if name != "scratch" and earlier(dockerfile, stage, name) is None:
            found.setdefault(name, stage.from_.line)
        for instruction, source in sources(stage.instructions):
            if source_stage(dockerfile, stage, instruction, source) is None and source != "scratch":
                found.setdefault(source, instruction.line)
    return found


def stage_name(stage: Stage) -> str:
    """Return what a stage is called: its name, or its number."""
    return stage.name or str(stage.index)
