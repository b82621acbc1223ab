"""What advice looks at: an image, its ledger, and the Dockerfile it was made from as far as that is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dockerlab import stages
from dockerlab.analysis.history import Row, Subject, image_of, name_of, readable, rows
from dockerlab.analysis.ledger import Claim, Ledger, ledger
from dockerlab.dockerfile import Dockerfile, Instruction, Stage
from dockerlab.engines import Build, Step
from dockerlab.errors import DockerfileError, ImageError
from dockerlab.image import Image

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
        known = self.dockerfile
        return stages.chain(known, known.stages[-1], self.args) if known else ()

    def needed_stages(self) -> tuple[Stage, ...]:
        """Return the stages that the last one needs, in file order."""
        known = self.dockerfile
        wanted = stages.needed(known, known.stages[-1], self.args) if known else ()
        return tuple(stage for stage in (known.stages if known else ()) if stage.index in wanted)

    def below(self, stage: Stage) -> Stage | None:
        """Return the stage that `stage` continues by FROM, or None."""
        return stages.base_stage(self.dockerfile, stage, self.args) if self.dockerfile else None

    @property
    def args(self) -> Mapping[str, str | None]:
        """Return the ARGs before the first FROM, as far as the Dockerfile has their values."""
        return stages.global_args(self.dockerfile, {}, None) if self.dockerfile else {}

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
        subject = _as_build(image, known, name_of(subject))
        _check(rows(subject))
    if base is None and known is not None:
        base = _root_base(known)
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


def _root_base(dockerfile: Dockerfile) -> str | None:
    """Return what the lowest FROM of the last stage names, ARG defaults put in."""
    try:
        name = stages.root_base(dockerfile, dockerfile.stages[-1], stages.global_args(dockerfile, {}, None))
    except DockerfileError:
        return None  # an ARG without a default: what it stood for is not known
    return name or None


def _as_build(image: Image, dockerfile: Dockerfile, name: str) -> Build:
    """Return the image as the build of a Dockerfile, so that its history rows find their lines.

    Nothing in it is measured: its times are never shown.
    """
    steps = tuple(
        Step(
            number=number,
            stage=stage.name or str(stage.index),
            keyword=one.keyword,
            text=one.text,
            line=one.line,
            cached=None,
            seconds=0.0,
        )
        for number, (stage, one) in enumerate(
            ((stage, one) for stage in dockerfile.stages for one in (stage.from_, *stage.instructions)), 1
        )
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
        base=_root_base(dockerfile),
        stand_in=image.stand_in,
    )


def _check(found: tuple[Row, ...]) -> None:
    """Compare the RUN lines with what the history records of them."""
    for row in found:
        if row.line is None or row.keyword != "RUN":
            continue
        written, recorded = _plain(row.text), _plain(readable(row.created_by))
        if "<<" not in written and "[" not in written and written != recorded:
            raise ImageError(
                f"The image was not made from this Dockerfile: its line {row.line} is not in the history.",
                hint="Give the Dockerfile that made the image, or none.",
            )


def _plain(text: str) -> str:
    """Return a RUN as one line without flags, to compare what is written with what is recorded."""
    words = text.split()
    while len(words) > 1 and words[1].startswith("--"):
        del words[1]
    return " ".join(words)
