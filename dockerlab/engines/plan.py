"""Which stages a build needs, and what their names and arguments stand for. Pure; both engines use it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from dockerlab.dockerfile import Dockerfile, Instruction, Stage, expand, parse_trigger
from dockerlab.errors import DockerfileError
from dockerlab.platform import here


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
    found: dict[str, str | None] = {}
    for kind in ("TARGET", "BUILD"):
        found |= {f"{kind}PLATFORM": f"linux/{machine}", f"{kind}OS": "linux", f"{kind}ARCH": machine}
        found |= {f"{kind}VARIANT": ""}
    found["TARGETSTAGE"] = target or dockerfile.stages[-1].name or "default"
    found |= {name: build_args[name] for name in found if name in build_args}
    for one in dockerfile.args:
        for word in one.args:
            name, equals, default = word.partition("=")
            if name in build_args:
                found[name] = build_args[name]
            else:
                found[name] = expanded(default, found, one.line) if equals else found.get(name)
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
        known = ", ".join(stage.name or str(stage.index) for stage in dockerfile.stages)
        raise DockerfileError(f'there is no stage "{name}"', hint=f"The stages are: {known}.")
    return found


def earlier(dockerfile: Dockerfile, stage: Stage, name: str, *, by_index: bool = False) -> Stage | None:
    """Return the stage before `stage` that `name` means, the nearest first.

    Stage names are lower case; FROM (not `by_index`) has to write them so, as an image's name is.
    """
    for other in reversed(dockerfile.stages[: stage.index]):
        if by_index and name == str(other.index):
            return other
        if other.name is not None and other.name == name.lower():
            if not by_index and name != other.name:
                raise DockerfileError(
                    f'FROM {name} names no stage: there a name is lower case, "{other.name}"',
                    line=stage.from_.line,
                    hint=f"Write FROM {other.name}.",
                )
            return other
    return None


def base_stage(dockerfile: Dockerfile, stage: Stage, args: Mapping[str, str | None]) -> Stage | None:
    """Return the stage that `stage` continues, or None when its FROM names an image or scratch."""
    return earlier(dockerfile, stage, expanded(stage.base, args, stage.from_.line))


def sources(instructions: Iterable[Instruction]) -> Iterator[tuple[Instruction, str]]:
    """Yield what COPY --from, ADD --from and RUN --mount=from= take files out of: stages or images."""
    for one in instructions:
        if one.keyword in ("COPY", "ADD") and one.flag("from"):
            yield one, str(one.flag("from"))
        for name, value in one.flags:
            if name == "mount":
                for part in value.split(","):
                    if part.startswith("from="):
                        yield one, part[5:]


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
        triggers = (
            [parse_trigger(one.args[0]) for one in below.instructions if one.keyword == "ONBUILD"]
            if below
            else []
        )
        names = [name for _, name in sources([*triggers, *stage.instructions])]
        others = [earlier(dockerfile, stage, name, by_index=True) for name in names]
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
        for one, source in sources(stage.instructions):
            if earlier(dockerfile, stage, source, by_index=True) is None and source != "scratch":
                found.setdefault(source, one.line)
    return found


def stage_name(stage: Stage) -> str:
    """Return what a stage is called: its name, or its number."""
    return stage.name or str(stage.index)
