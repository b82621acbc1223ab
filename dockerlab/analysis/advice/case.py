"""What advice looks at: an image, its ledger, and the Dockerfile it was made from as far as that is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dockerlab.analysis.history import Row, Subject, image_of, name_of, rows
from dockerlab.analysis.ledger import Claim, Ledger, ledger
from dockerlab.analysis.made_from import chain, made_from, root_base
from dockerlab.dockerfile.parser import Dockerfile, Instruction, Stage
from dockerlab.engines.results import Build, Step
from dockerlab.image.image import Image

FindImage = Callable[[str], "Image | None"]


@dataclass(frozen=True)
class Case:
    """One image under examination. Without its Dockerfile, lines and instructions are not known."""

    image: Image
    book: Ledger
    rows: tuple[Row, ...]
    dockerfile: Dockerfile | None
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

    def final_stages(self) -> tuple[Stage, ...]:
        """Return the stages whose layers are in the image, lowest first."""
        return tuple(chain(self.dockerfile)) if self.dockerfile else ()

    def copied_from_context(self, row: Row) -> bool:
        """Tell whether a row is a COPY or ADD of files of the build context; False where that is not known.

        The history records no --from, so this needs the Dockerfile.
        """
        one = self.instruction(row)
        return one is not None and one.keyword in ("COPY", "ADD") and one.flag("from") is None

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
    image = image_of(subject)
    known = subject.dockerfile if isinstance(subject, Build) and subject.dockerfile.stages else dockerfile
    if known is not None and not known.stages:
        known = None
    timed = isinstance(subject, Build)
    steps = subject.steps if isinstance(subject, Build) else ()
    base = subject.base if isinstance(subject, Build) else None
    if known is not None and not isinstance(subject, Build):
        subject = made_from(image, known, name_of(subject))
    if base is None and known is not None:
        base = root_base(known)
    instructions = {
        one.line: one
        for stage in (known.stages if known else ())
        for one in (stage.from_, *stage.instructions)
    }
    return Case(
        image=image,
        book=ledger(subject),
        rows=rows(subject),
        dockerfile=known,
        steps=steps,
        seconds=subject.seconds if timed and isinstance(subject, Build) else None,
        base=base,
        instructions=instructions,
        find_image=find_image or (lambda _: None),
    )


def needed(dockerfile: Dockerfile) -> tuple[Stage, ...]:
    """Return the stages that the last one needs, in file order."""
    found: set[int] = set()
    todo = [dockerfile.stages[-1]]
    while todo:
        stage = todo.pop()
        if stage.index in found:
            continue
        found.add(stage.index)
        names = [stage.base]
        for one in stage.instructions:
            names += [one.flag("from") or ""] if one.keyword in ("COPY", "ADD") else []
            names += [
                part[5:]
                for mount in one.flag_values("mount")
                for part in mount.split(",")
                if part.startswith("from=")
            ]
        others = (dockerfile.stage(name, above=stage) for name in names if name)
        todo += [other for other in others if other is not None]
    return tuple(stage for stage in dockerfile.stages if stage.index in found)
