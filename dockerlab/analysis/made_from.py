"""The lines of a Dockerfile, found again in the history of the image that was made from it."""

from __future__ import annotations

import re

from dockerlab.analysis.built_stages import UNKNOWN, BuiltStages
from dockerlab.analysis.history import place, readable
from dockerlab.dockerfile.instruction import LAYERS
from dockerlab.dockerfile.parser import Dockerfile, Instruction
from dockerlab.dockerfile.scope import PLATFORM_ARGS, BuildArguments
from dockerlab.dockerfile.stages import global_args, stage_name
from dockerlab.engines.results import Build, Step
from dockerlab.errors import ImageError
from dockerlab.image.image import Image

_BEFORE = re.compile(r"(RUN)?( ?\|\d+ .*)?")  # what may stand before the command: build arguments


def made_from(image: Image, dockerfile: Dockerfile, name: str) -> Build:
    """Return an image as the build of a Dockerfile, so that its history rows find their lines.

    Nothing in it is measured: its times are never shown. Raises ImageError with the line when the image was
    not made from it.
    """
    stages = _stages(image, dockerfile)
    diff_ids: dict[int, str] = {}
    rows = place(image)
    end = len(rows)
    instructions = [instruction for stage in stages.chain for instruction in stage.instructions]
    for instruction in reversed(instructions):
        if instruction.keyword == "ONBUILD":
            continue
        above = reversed(range(end))
        at = next((at for at in above if _records(rows[at][0].created_by, instruction)), None)
        if at is None and instruction.keyword in LAYERS:
            raise ImageError(
                "The image was not made from this Dockerfile: "
                f"its line {instruction.line} is not in the history.",
                hint="Give the Dockerfile that made the image, or none.",
            )
        if at is not None:
            end, position = at, rows[at][1]
            if position is not None:
                diff_ids[id(instruction)] = image.layers[position].diff_id
    lines = [(stage, instruction) for stage in dockerfile.stages for instruction in stage.lines]
    steps = tuple(
        Step(
            number=number,
            stage=stage_name(stage),
            keyword=instruction.keyword,
            text=instruction.text,
            line=instruction.line,
            cached=None,
            seconds=0.0,
            diff_id=diff_ids.get(id(instruction)),
        )
        for number, (stage, instruction) in enumerate(lines, 1)
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
        base=stages.base,
        stand_in=image.stand_in,
        given=stages.given,
    )


def _stages(image: Image, dockerfile: Dockerfile) -> BuiltStages:
    """Return the stages as a build without arguments has them: what only those would say is not known."""
    machine = str(image.config.get("architecture") or "") or None
    known = {word.partition("=")[0] for arg in dockerfile.args for word in arg.args if "=" in word}
    known |= {*PLATFORM_ARGS, "TARGETSTAGE"}
    names = [word for arg in dockerfile.all_args for word in arg.args if "=" not in word]
    unknown = {name: UNKNOWN for name in names if name not in known}
    args = global_args(dockerfile, unknown, None, machine=machine)
    return BuiltStages(dockerfile, dockerfile.stages[-1], BuildArguments({}, {**unknown, **args}))


def _records(created_by: str, instruction: Instruction) -> bool:
    """Tell whether a history row is that of an instruction; of a RUN the command is compared.

    BuildKit records `RUN |1 V=1 SHELL COMMAND # buildkit`, the legacy builder `SHELL COMMAND` for a RUN.
    """
    if instruction.keyword != "RUN":
        return readable(created_by).partition(" ")[0] == instruction.keyword
    recorded = " ".join(created_by.split()).removesuffix("# buildkit").rstrip()
    script = instruction.script if instruction.script is not None else " ".join(instruction.args)
    command = " ".join(script.split())
    before = recorded.removesuffix(command).rstrip()
    if not recorded.endswith(command):
        return False
    # The shell of SHELL, or of the base's config, ends in the flag that the command is for.
    return bool(_BEFORE.fullmatch(before)) or (
        not instruction.json and before.rpartition(" ")[2].startswith("-")
    )
