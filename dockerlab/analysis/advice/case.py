"""What advice looks at: an image, its ledger, and the Dockerfile it was made from as far as that is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dockerlab.analysis.built_stages import BuiltStages
from dockerlab.analysis.history import Row, Subject, image_of, name_of, rows
from dockerlab.analysis.ledger import Claim, Ledger, ledger
from dockerlab.analysis.made_from import made_from
from dockerlab.dockerfile.instruction import COPIES
from dockerlab.dockerfile.parser import Dockerfile, Instruction
from dockerlab.engines.results import Build, Step
from dockerlab.image.image import Image

FindImage = Callable[[str], "Image | None"]


@dataclass(frozen=True)
class Case:
    """One image under examination. Without its Dockerfile, lines and instructions are not known."""

    image: Image
    book: Ledger
    rows: tuple[Row, ...]
    stages: BuiltStages | None  # None: the Dockerfile is not known
    steps: tuple[Step, ...]  # as measured; empty for an image that comes without its Build
    seconds: float | None  # of the whole build
    base: str | None  # what the lowest FROM names; None: scratch, or not known
    instructions: Mapping[int, Instruction]  # by first line
    find_image: FindImage

    def instruction(self, row: Row) -> Instruction | None:
        """Return the instruction behind a history row."""
        return self.instructions.get(row.line) if row.line is not None else None

    def seconds_of(self, line: int) -> float | None:
        """Return how long the step of a line took; None when it was cached or nothing was measured."""
        ran = [step for step in self.steps if step.line == line and step.cached is False]
        return ran[-1].seconds if ran else None

    def copied_from_context(self, row: Row) -> bool:
        """Tell whether a row is a COPY or ADD of files of the build context; False where that is not known.

        The history records no --from, so this needs the Dockerfile.
        """
        instruction = self.instruction(row)
        return instruction is not None and instruction.keyword in COPIES and instruction.flag("from") is None

    @property
    def base_layers(self) -> int:
        """Return how many of the image's layers came with the base."""
        return sum(row.base and row.makes_layer for row in self.rows)

    def read(self, claim: Claim) -> bytes:
        """Return the content of a file as a layer stores it."""
        layer = self.image.layers[(claim.stored_by.layer or 1) - 1]
        entry = next(
            entry
            for entry in reversed(layer.entries)
            if entry.path == claim.path and entry.kind == "file" and entry.size == claim.bytes
        )
        with layer.open(entry) as stream:
            return stream.read()


def examine(subject: Subject, dockerfile: Dockerfile | None, find_image: FindImage | None = None) -> Case:
    """Gather what is known; raises ImageError when the image was not made from that Dockerfile."""
    timed = subject if isinstance(subject, Build) else None
    if timed is None and dockerfile is not None:
        subject = made_from(image_of(subject), dockerfile, name_of(subject))
    build = subject if isinstance(subject, Build) else None
    stages = BuiltStages.of(build) if build is not None and build.dockerfile.stages else None
    written = stages.dockerfile.stages if stages is not None else ()
    return Case(
        image=image_of(subject),
        book=ledger(subject),
        rows=rows(subject),
        stages=stages,
        steps=timed.steps if timed is not None else (),
        seconds=timed.seconds if timed is not None else None,
        base=build.base if build is not None else None,
        instructions={instruction.line: instruction for stage in written for instruction in stage.lines},
        find_image=find_image or (lambda _: None),
    )
