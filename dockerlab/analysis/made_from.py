"""The lines of a Dockerfile, found again in the history of the image that was made from it."""

from __future__ import annotations

import re

from dockerlab.analysis.built_stages import UNKNOWN, BuiltStages
from dockerlab.analysis.history import place, readable
from dockerlab.dockerfile.instruction import LAYERS
from dockerlab.dockerfile.parser import Dockerfile, Instruction
from dockerlab.dockerfile.scope import PLATFORM_ARGS, Given
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
    for one in reversed([one for stage in stages.chain for one in stage.instructions]):
        if one.keyword == "ONBUILD":
            continue
        at = next((at for at in range(end - 1, -1, -1) if _records(rows[at][0].created_by, one)), None)
        if at is None and one.keyword in LAYERS:
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
            stage=stage_name(stage),
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
        base=stages.base,
        stand_in=image.stand_in,
        given=stages.given,
    )


def _stages(image: Image, dockerfile: Dockerfile) -> BuiltStages:
    """Return the stages as a build without arguments has them: what only those would say is not known."""
    machine = str(image.config.get("architecture") or "") or None
    known = {word.partition("=")[0] for one in dockerfile.args for word in one.args if "=" in word}
    known |= {*PLATFORM_ARGS, "TARGETSTAGE"}
    names = [word for one in dockerfile.all_args for word in one.args if "=" not in word]
    unknown = {name: UNKNOWN for name in names if name not in known}
    args = global_args(dockerfile, unknown, None, machine=machine)
    return BuiltStages(dockerfile, dockerfile.stages[-1], Given({}, {**unknown, **args}))


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
