"""What `--json` prints. Sizes are bytes, times seconds; no key is left out, what is not known is null."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from dockerlab.analysis.history import rows
from dockerlab.cli.answer import Shape
from dockerlab.engines.results import Build, Event, Finished, ImageSummary, Log, Started, Step
from dockerlab.image.image import Image

if TYPE_CHECKING:
    from dockerlab.registry.push import Pushed


def build_shape(build: Build) -> Shape:
    """`build`: the image, then `layers` (lowest first) and `steps` (in the order they were built)."""
    return {
        "reference": build.image.reference,
        "id": build.image.id,
        "engine": build.engine,
        "builder": build.builder,
        "seconds": build.seconds,
        "base": build.base,
        "stand_in": build.stand_in,
        "context_bytes": build.context_bytes,
        "layers_added": build.layers_added,
        "layers": [
            {"diff_id": layer.diff_id, "size_unpacked": layer.size_unpacked, "size_tar": layer.size_tar}
            for layer in build.image.layers
        ],
        "steps": [step_shape(step) for step in build.steps],
    }


def step_shape(step: Step) -> Shape:
    """One of `build`'s steps; `cached` is null for an instruction with nothing to run or reuse."""
    return {
        "number": step.number,
        "stage": step.stage,
        "line": step.line,
        "keyword": step.keyword,
        "text": step.text,
        "cached": step.cached,
        "seconds": step.seconds,
        "diff_id": step.diff_id,
        "reason": step.reason,
    }


def event_shape(event: Event) -> Shape:
    """`build --progress json`: one object a line on stderr; `event` is started, log, finished or note."""
    if isinstance(event, Finished):
        return {"event": "finished", "total": event.total, "step": step_shape(event.step)}
    name = "started" if isinstance(event, Started) else "log" if isinstance(event, Log) else "note"
    return {"event": name, **asdict(event)}


def history_shape(image: Image, engine: str | None) -> Shape:
    """`history`: `rows` oldest first; a row that made no layer has `diff_id` null and sizes 0."""
    return {
        "reference": image.reference,
        "id": image.id,
        "engine": engine,
        "stand_in": image.stand_in,
        "rows": [row.to_dict() for row in rows(image)],
    }


def images_shape(images: Sequence[ImageSummary], engine: str) -> Shape:
    """`images`: `reference`, `id`, `created`, `size_unpacked` (null: not read yet), `layers`, `stand_in`."""
    return {"engine": engine, "images": [asdict(image) for image in images]}


def push_shape(pushed: Pushed) -> Shape:
    """Return a push: what became of each part, sizes in compressed bytes."""
    return {
        "reference": pushed.reference,
        "digest": pushed.digest,
        "bytes_sent": pushed.bytes_sent,
        "parts": [
            {"what": part.what, "digest": part.digest, "bytes": part.size, "sent": part.sent}
            for part in pushed.parts
        ],
    }
