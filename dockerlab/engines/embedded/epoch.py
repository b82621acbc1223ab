"""SOURCE_DATE_EPOCH: an image whose dates follow from its inputs and not from when it was built.

The image and its history rows get that date, as BuildKit does it. Beyond that no file of the build's own
layers is newer, as BuildKit does it where its exporter is asked for rewrite-timestamp=true. The layers are
rewritten when all steps are done, so that the build cache knows nothing of it.
Source: reproducible-builds.org/specs/source-date-epoch; BuildKit, docs/build-repro.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dockerlab.dockerfile.scope import EPOCH
from dockerlab.engines.embedded.config_state import rfc3339
from dockerlab.engines.embedded.state import StageState
from dockerlab.engines.embedded.store.store import Store
from dockerlab.errors import BuildError
from dockerlab.image.image import Layer
from dockerlab.image.tar_writer import LayerWriter


def given(build_args: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the build arguments with the environment's SOURCE_DATE_EPOCH, which buildx passes on too."""
    return {**({EPOCH: environment[EPOCH]} if EPOCH in environment else {}), **build_args}


def read(build_args: Mapping[str, str]) -> int | None:
    """Return the date asked for in seconds since 1970, or None; raises BuildError where it is no number."""
    text = build_args.get(EPOCH) or ""
    try:
        return int(text) if text else None
    except ValueError:
        raise BuildError(
            f'{EPOCH} is "{text}"', hint="Give whole seconds since 1970: git log -1 --format=%ct prints some."
        ) from None


def no_newer(layer: Layer, epoch: int, store: Store) -> Layer:
    """Return the layer with every time after `epoch` set to it; itself where there is none."""
    if all(entry.mtime <= epoch for entry in layer.entries):
        return layer
    with store.new_layer() as out:
        writer = LayerWriter(out)
        for entry in layer.entries:
            dated = replace(entry, mtime=min(entry.mtime, epoch))
            if entry.kind == "file" and entry.size:
                with layer.open(entry) as content:
                    writer.add(dated, content)
            else:
                writer.add(dated)
        writer.close()
        return out.commit()


def dated(state: StageState, epoch: int, store: Store) -> StageState:
    """Return what a build came to with that date: its history rows, and no file of its layers newer."""
    created = rfc3339(epoch)
    base, own = state.layers[: state.base_layers], state.layers[state.base_layers :]
    rows = [{**row, "created": created} for row in state.history[state.base_rows :]]
    return replace(
        state,
        layers=[*base, *(no_newer(layer, epoch, store) for layer in own)],
        history=[*state.history[: state.base_rows], *rows],
        created=created,
    )
