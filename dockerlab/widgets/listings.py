"""What an engine has, and what an image is made of, as tables and one-line answers that name the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dockerlab.analysis.equipment import PARTS, equipment
from dockerlab.analysis.history import Row, base_name_of, image_of, name_of, rows, stand_in_of
from dockerlab.engines.results import Build, Engine, ImageSummary, Ran
from dockerlab.image.image import Image
from dockerlab.image.reference import OWN_PREFIX, STAND_IN_PREFIX
from dockerlab.printable import LINES, clean, escape, printable
from dockerlab.units import count, human_bytes
from dockerlab.widgets.markup import fitted, lines_of
from dockerlab.widgets.table import Table

if TYPE_CHECKING:
    from dockerlab.registries.fetch import Fetched
    from dockerlab.registries.push import Pushed


def history_table(subject: Build | Image, *, full: bool = False, made_by: str | None = None) -> Table:
    """Return the history of a build or an image as a table; `made_by` is the engine its caption names.

    A build's table has its own rows one by one and those of its base as one, unless it is `full`.
    """
    image = image_of(subject)
    found = rows(subject)
    stand_in = stand_in_of(subject)
    below = [row for row in found if row.base] if isinstance(subject, Build) and not full else []
    folded = below if len(below) > 1 else []
    facts = [
        count(len(found), "history row"),
        count(len(image.layers), "layer")
        + (f" ({image.base_layers} from the base)" if image.base_layers else ""),
        f"{human_bytes(sum(row.size_unpacked for row in found))} unpacked",
        *([made_by] if made_by else []),
        *([f"base {stand_in} (stand-in)"] if stand_in else []),
    ]
    return Table(
        f"{name_of(subject)}: {', '.join(facts)}",
        ("line", "instruction", "layer", "size"),
        (
            *([_base_row(folded, base_name_of(subject))] if folded else []),
            *(
                (
                    str(row.line) if row.line is not None else "base" if row.base else "",
                    row.created_by if full else row.text,
                    short_id(row.diff_id) if row.diff_id else "no layer",
                    human_bytes(row.size_unpacked) if row.diff_id else "",
                )
                for row in found[len(folded) :]
            ),
        ),
        right=("line", "size"),
        code=("instruction",),
        data=found,
    )


def _base_row(below: Sequence[Row], name: str) -> tuple[str, str, str, str]:
    layers = sum(row.makes_layer for row in below)
    size = human_bytes(sum(row.size_unpacked for row in below))
    return "base", f"# {name}: {count(len(below), 'row')}", count(layers, "layer"), size


def equipment_table(subjects: Sequence[Build | Image]) -> Table:
    """Return which parts of a system images have, a column an image."""
    found = {name_of(subject): equipment(image_of(subject)) for subject in subjects}
    rows = ((part, *("yes" if has[part] else "no" for has in found.values())) for part in PARTS)
    return Table("What a container can count on", ("", *found), tuple(rows), data=found)


def push_table(image: Image, pushed: Pushed) -> Table:
    """Return what a push sent and what was there, layer by layer."""
    tars = {layer.diff_id: human_bytes(layer.size_tar) for layer in image.layers}
    whole = sum(part.size for part in pushed.parts)
    return Table(
        f"{pushed.reference}: {human_bytes(pushed.bytes_sent)} of {human_bytes(whole)} sent",
        ("part", "tar", "compressed", "sent", "digest"),
        tuple(
            (
                part.what,
                tars.get(part.diff_id or "", ""),
                human_bytes(part.size),
                "yes" if part.sent else "no, it is there",
                short_id(part.digest),
            )
            for part in pushed.parts
        ),
        right=("tar", "compressed"),
        data=pushed,
    )


def pull_table(fetched: Fetched) -> Table:
    """Return what a pull brought and what was there, layer by layer."""
    *layers, config = fetched.blobs
    names = [*(f"layer {number}" for number in range(1, len(layers) + 1)), "config"]
    return Table(
        f"{fetched.reference}: {human_bytes(fetched.bytes_received)} received",
        ("part", "compressed", "received", "digest"),
        tuple(
            (name, human_bytes(blob.size), "yes" if came else "no, it is there", short_id(blob.digest))
            for name, (blob, came) in zip(names, [*layers, config], strict=True)
        ),
        right=("compressed",),
        data=fetched,
    )


def images_table(kept: Sequence[ImageSummary], *, engine: str) -> Table:
    """Return kept images as a table; `engine` is the one its caption names."""
    return Table(
        f"{count(len(kept), 'image')}, {engine}",
        ("reference", "id", "layers", "unpacked", "created", "stand-in for"),
        tuple(
            (
                image.reference,
                short_id(image.id),
                str(image.layers),
                human_bytes(image.size_unpacked) if image.size_unpacked is not None else "not read yet",
                image.created[:10],
                image.stand_in or "",
            )
            for image in kept
        ),
        right=("layers", "unpacked"),
        code=("reference",),
        data=tuple(kept),
    )


@dataclass(frozen=True)
class Status:
    """Which engine builds here, why, and which base images it holds already."""

    engine: str
    why: str
    bases: tuple[ImageSummary, ...]

    def __repr__(self) -> str:
        names = base_names(self.bases)
        held = (
            f"Bases at hand: {', '.join(names)}."
            if names
            else "Base images come with the first build that needs them."
        )
        return f"Engine: {self.engine}. {_sentence(self.why)} {held}"

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return {"text/plain": repr(self), "text/html": f"<div>{escape(repr(self))}</div>"}


def bases_at_hand(engine: Engine) -> tuple[ImageSummary, ...]:
    """Return the base images that `engine` holds: those that are not builds of a lesson."""
    return tuple(
        sorted(
            (held for held in engine.images() if _is_base(held)),
            key=lambda held: held.stand_in or held.reference,
        )
    )


@dataclass(frozen=True)
class Output(Ran):
    """What a command in an image printed, and how it ended."""

    command: str = ""
    where: str = ""  # "two_runs, embedded (namespaces)"

    def __str__(self) -> str:
        return self.output

    def __repr__(self) -> str:
        return f"{printable(self._heading)}\n{self._shown}".rstrip("\n")

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        html = fitted(f"<div>{escape(self._heading)}</div>", lines_of(self._shown))
        return {"text/plain": repr(self), "text/html": html}

    @property
    def _shown(self) -> str:
        return printable("\n".join(map(clean, self.output.split("\n"))), keep=LINES)

    @property
    def _heading(self) -> str:
        ended = "" if self.exit_code == 0 else f", exit code {self.exit_code}"
        return f"$ {self.command}    ({self.where}{ended})"


def short_id(digest: str) -> str:
    """Return the first twelve digits of a digest, as Docker shows ids."""
    return digest.removeprefix("sha256:")[:12]


def base_names(bases: Sequence[ImageSummary]) -> list[str]:
    """Return the references of bases as FROM writes them, stand-ins marked."""
    return [f"{base.stand_in} (stand-in)" if base.stand_in else base.reference for base in bases]


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith(".") else f"{text}."


def _is_base(summary: ImageSummary) -> bool:
    if summary.reference.startswith(STAND_IN_PREFIX):
        return True
    return not summary.reference.startswith(OWN_PREFIX) and not summary.stand_in
