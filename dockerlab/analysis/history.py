"""The rows of `docker history`, each with the layer it made and the Dockerfile line it came from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dockerlab.dockerfile.flags import KEYWORDS
from dockerlab.engines.results import Build, Step
from dockerlab.image.image import History, Image, recorded

Subject = Image | Build

_SHELL = re.compile(r"/bin/sh -c ")
_BUILD_ARGS = re.compile(r"\|\d+ ")
UNRECORDED = "(no history row)"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of an image's history, oldest first. Sizes are bytes; without a layer they are 0."""

    number: int  # 1-based, over all rows of the image
    text: str  # the instruction as one line: as written when the build is known, else from `created_by`
    created_by: str  # what the image config records, unchanged
    keyword: str  # "RUN"; "" when the record does not start with an instruction
    layer: int | None  # 1-based position among the image's layers, lowest first; None: made no layer
    diff_id: str | None
    size_unpacked: int
    size_tar: int
    base: bool  # came with the FROM image
    line: int | None = None  # first line of the instruction in the Dockerfile, when the build is known
    cached: bool | None = None
    seconds: float | None = None

    @property
    def makes_layer(self) -> bool:
        """Tell whether this row made a layer."""
        return self.layer is not None

    @property
    def where(self) -> str:
        """Return a short name to point at this row with: 'line 3', 'base layer 1', 'layer 2' or 'row 4'."""
        if self.line is not None:
            return f"line {self.line}"
        if self.layer is None:
            return f"row {self.number}"
        return f"base layer {self.layer}" if self.base else f"layer {self.layer}"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dict that JSON takes."""
        return asdict(self)


def readable(created_by: str) -> str:
    """Return a history record as a Dockerfile line: shell, `#(nop)`, build arguments and markers taken off.

    Knows what BuildKit, the legacy builder and the embedded builder write. Runs of white space become one
    space.
    """
    text = " ".join(created_by.split())
    text = text.removesuffix("# buildkit").rstrip()
    if (said := recorded(text)) != text:
        return said
    run = text.startswith("RUN ")
    body = text.removeprefix("RUN ")
    if _BUILD_ARGS.match(body) and (shell := _SHELL.search(body)):
        body, run = body[shell.start() :], True
    if body.startswith("/bin/sh -c"):
        body, run = body.removeprefix("/bin/sh -c").strip(), True
    return f"RUN {body}" if run else body


def image_of(subject: Subject) -> Image:
    """Return the image itself, or the image a build made."""
    return subject.image if isinstance(subject, Build) else subject


def name_of(subject: Subject) -> str:
    """Return the learner's name for a build, or the image's reference, or the start of its id."""
    if isinstance(subject, Build):
        return subject.name
    return subject.reference or subject.id.removeprefix("sha256:")[:12]


def stand_in_of(subject: Subject) -> str | None:
    """Return the reference the base stands in for, or None when the base is the real one."""
    return image_of(subject).stand_in or (subject.stand_in if isinstance(subject, Build) else None)


def base_name_of(subject: Subject) -> str:
    """Return what to call the base: its reference, marked when it is a stand-in, or "the base image"."""
    known = subject.base if isinstance(subject, Build) else None
    stand_in = stand_in_of(subject)
    return f"{stand_in} (stand-in)" if stand_in else known or "the base image"


def rows(subject: Subject) -> tuple[Row, ...]:
    """Return the history of an image, oldest first; of a Build also with lines, seconds and cached flags.

    Every layer has exactly one row: layers the image's history does not mention get a row of their own at
    the end.
    """
    image = image_of(subject)
    placed = place(image)
    steps = _steps_by_row(subject, image, placed) if isinstance(subject, Build) else {}
    first_own = _first_own(image, placed, steps)
    found = []
    for index, (history, position) in enumerate(placed):
        layer = None if position is None else image.layers[position]
        step = steps.get(index)
        text = step.text if step else (readable(history.created_by) or _said(history) or UNRECORDED)
        found.append(
            Row(
                number=index + 1,
                text=text,
                created_by=history.created_by,
                keyword=_keyword(text),
                layer=None if position is None else position + 1,
                diff_id=None if layer is None else layer.diff_id,
                size_unpacked=0 if layer is None else layer.size_unpacked,
                size_tar=0 if layer is None else layer.size_tar,
                base=index < first_own,
                line=step.line if step else None,
                cached=step.cached if step else None,
                seconds=step.seconds if step else None,
            )
        )
    return tuple(found)


def _said(history: History) -> str:
    """Return the comment of a row without a command (a squash has one), image IDs cut to twelve digits."""
    return re.sub(r"sha256:([0-9a-f]{12})[0-9a-f]{52}", r"\1", history.comment)


def layer_rows(subject: Subject) -> tuple[Row, ...]:
    """Return the rows that made a layer, lowest layer first: one for each of `image.layers`."""
    return tuple(sorted((row for row in rows(subject) if row.layer), key=lambda row: row.layer or 0))


def place(image: Image) -> list[tuple[History, int | None]]:
    """Pair each history row with the position of its layer (0-based), or None.

    A history that counts other layers than the image has explains none of them.
    """
    positions = iter(range(len(image.layers)))
    fits = sum(not history.empty for history in image.history) == len(image.layers)
    placed: list[tuple[History, int | None]] = [
        (history, next(positions) if fits and not history.empty else None) for history in image.history
    ]
    return placed + [(History(created_by="", created="", empty=False), position) for position in positions]


def _first_own(image: Image, placed: Sequence[tuple[History, int | None]], steps: dict[int, Step]) -> int:
    """Return the index of the first row that is not the base image's.

    The base's rows end with its last layer, and go on over the rows after it that made no layer: up to the
    first row a known step made, or (for an image alone) as long as they were created at the same moment as
    that layer.
    """
    last = _last_base_row(image, placed)
    if steps:
        return max(last + 1, min(steps))
    first = last + 1
    if last >= 0:
        moment = placed[last][0].created
        while first < len(placed) and placed[first][1] is None and placed[first][0].created == moment:
            first += 1
    return first


def _last_base_row(image: Image, placed: Sequence[tuple[History, int | None]]) -> int:
    """Return the index of the row of the base's last layer, or -1."""
    positions = (position for _, position in placed)
    return max((at for at, n in enumerate(positions) if n is not None and n < image.base_layers), default=-1)


def _steps_by_row(
    build: Build, image: Image, placed: Sequence[tuple[History, int | None]]
) -> dict[int, Step]:
    """Find the step behind each own history row, walking both from the end.

    A step without a row (ONBUILD, FROM) is passed over, and so is a row that no step explains.
    """
    floor = _last_base_row(image, placed)
    found: dict[int, Step] = {}
    end = len(placed) - 1
    for step in reversed(_chain(build)):
        for index in range(end, floor, -1):
            history, position = placed[index]
            diff_id = None if position is None else image.layers[position].diff_id
            if _made(step, history, diff_id):
                found[index] = step
                end = index - 1
                break
    return found


def _made(step: Step, history: History, diff_id: str | None) -> bool:
    keyword = _keyword(readable(history.created_by))
    if keyword != step.keyword and not (keyword == "" and step.keyword == "RUN"):
        return False
    return step.diff_id is None or diff_id in (step.diff_id, None)  # None: the image is squashed


def _chain(build: Build) -> list[Step]:
    """Return the steps behind the final image: those of the last stage and of the stages it builds on."""
    if not build.steps:
        return []
    from dockerlab.analysis.built_stages import BuiltStages  # not for an image alone

    stages = BuiltStages.of(build).chain
    lines = {instruction.line for stage in stages for instruction in stage.lines}
    return [step for step in build.steps if step.line in lines]


def _keyword(text: str) -> str:
    word = text.split(" ", 1)[0].upper()
    return word if word in KEYWORDS else ""
