"""The lines of a Dockerfile, found again in the history of the image that was made from it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dockerlab.analysis.history import place, readable
from dockerlab.dockerfile.parser import Dockerfile, Instruction, Stage, expand
from dockerlab.engines.results import Build, Step
from dockerlab.errors import DockerfileError, ImageError
from dockerlab.image.image import Image

_LAYERS = ("RUN", "COPY", "ADD", "WORKDIR")  # what has a history row whoever built it
_BEFORE = re.compile(r"(RUN)?( ?\|\d+ .*)?")  # what may stand before the command: build arguments


def made_from(image: Image, dockerfile: Dockerfile, name: str) -> Build:
    """Return an image as the build of a Dockerfile, so that its history rows find their lines.

    Nothing in it is measured: its times are never shown. Raises ImageError with the line when the image was
    not made from it.
    """
    diff_ids: dict[int, str] = {}
    rows = place(image)
    end = len(rows)
    for one in reversed([one for stage in chain(dockerfile) for one in stage.instructions]):
        if one.keyword == "ONBUILD":
            continue
        at = next((at for at in range(end - 1, -1, -1) if _records(rows[at][0].created_by, one)), None)
        if at is None and one.keyword in _LAYERS:
            raise ImageError(
                f"The image was not made from this Dockerfile: its line {one.line} is not in the history.",
                hint="Give the Dockerfile that made the image, or none.",
            )
        if at is not None:
            end, position = at, rows[at][1]
            if position is not None:
                diff_ids[id(one)] = image.layers[position].diff_id
    lines = [(stage, one) for stage in dockerfile.stages for one in (stage.from_, *stage.instructions)]
    steps = tuple(
        Step(
            number=number,
            stage=stage.name or str(stage.index),
            keyword=one.keyword,
            text=one.text,
            line=one.line,
            cached=None,
            seconds=0.0,
            diff_id=diff_ids.get(id(one)),
        )
        for number, (stage, one) in enumerate(lines, 1)
    )
    return Build(
        name=name,
        image=image,
        steps=steps,
        engine="",
        builder="buildkit",
        seconds=0.0,
        dockerfile=dockerfile,
        context_bytes=0,
        base=root_base(dockerfile),
        stand_in=image.stand_in,
    )


def below(dockerfile: Dockerfile, stage: Stage) -> Stage | None:
    """Return the stage that `stage` continues by FROM, or None."""
    return dockerfile.stage(stage.base, above=stage)


def chain(dockerfile: Dockerfile) -> Iterator[Stage]:
    """Yield the stages whose layers are in the image, lowest first."""
    stages = [dockerfile.stages[-1]]
    while (lower := below(dockerfile, stages[-1])) is not None:
        stages.append(lower)
    yield from reversed(stages)


def root_base(dockerfile: Dockerfile) -> str | None:
    """Return what the lowest FROM of the last stage names, ARG defaults put in."""
    lowest = next(chain(dockerfile))
    values: dict[str, str] = {}
    try:
        for one in dockerfile.args:
            for word in one.args:
                name, _, default = word.partition("=")
                values[name] = expand(default, values)
        name = expand(lowest.base, values)
    except DockerfileError:
        return None  # an ARG without a default: what it stood for is not known
    return None if name in ("", "scratch") else name


def _records(created_by: str, one: Instruction) -> bool:
    """Tell whether a history row is that of an instruction; of a RUN the command is compared.

    BuildKit records `RUN |1 V=1 SHELL COMMAND # buildkit`, the legacy builder `SHELL COMMAND` for a RUN.
    """
    if one.keyword != "RUN":
        return readable(created_by).partition(" ")[0] == one.keyword
    recorded = " ".join(created_by.split()).removesuffix("# buildkit").rstrip()
    command = " ".join((one.script if one.script is not None else " ".join(one.args)).split())
    before = recorded.removesuffix(command).rstrip()
    if not recorded.endswith(command):
        return False
    # The shell of SHELL, or of the base's config, ends in the flag that the command is for.
    return bool(_BEFORE.fullmatch(before)) or (not one.json and before.rpartition(" ")[2].startswith("-"))
