"""Image and History: immutable views of an image, wherever it is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dockerlab.errors import ImageError
from dockerlab.image.filesystem import Tree
from dockerlab.image.layer import EMPTY_LAYER, BlobLayer, Layer, tar_digest

__all__ = [
    "EMPTY_LAYER",
    "BlobLayer",
    "History",
    "Image",
    "Layer",
    "history_rows",
    "recorded",
    "validate",
]


@dataclass(frozen=True)
class History:
    """One row of `docker history`."""

    created_by: str
    created: str
    empty: bool  # True: this row made no layer
    comment: str = ""
    layer: Layer | None = None


@dataclass(frozen=True)
class Image:
    """An image as it was built."""

    reference: str | None  # "name:tag"
    id: str  # "sha256:...": of the config; in the containerd image store of the manifest or index
    config: Mapping[str, Any]  # the OCI image config, whole
    layers: tuple[Layer, ...]  # lowest first
    history: tuple[History, ...]  # oldest first
    base_layers: int = 0  # how many of `layers` came from the FROM image (0 when not known)
    stand_in: str | None = None  # reference this image's base stands in for, or None

    def tree(self) -> Tree:
        """Return the file system a container of this image would see."""
        return Tree.stacked((layer.entries, layer) for layer in self.layers)

    @property
    def size_unpacked(self) -> int:
        """Return the file contents of all layers in bytes; what a later layer hides counts too."""
        return sum(layer.size_unpacked for layer in self.layers)

    @property
    def size_tar(self) -> int:
        """Return the length of all uncompressed layer tars in bytes."""
        return sum(layer.size_tar for layer in self.layers)

    def size_compressed(self) -> int:
        """Return the bytes a push of all layers would send (gzip, level 6); measured once per layer."""
        return sum(layer.size_compressed() for layer in self.layers)


def recorded(created_by: str) -> str:
    """Return what a row records, without the mark by which the legacy builder says that it ran nothing."""
    _, mark, text = created_by.partition("-c #(nop) ")  # after whatever shell SHELL named
    return text.strip() if mark and not created_by.startswith("RUN ") else created_by


def history_rows(config: Mapping[str, Any], layers: Sequence[Layer]) -> tuple[History, ...]:
    """Return the config's history with each row's layer, matched in order by `empty_layer`.

    When the rows do not add up to the layers, no row is given one (validate() says so).
    """
    rows = config.get("history") or ()
    fits = sum(not row.get("empty_layer") for row in rows) == len(layers)
    left = iter(layers)
    return tuple(
        History(
            created_by=row.get("created_by") or "",
            created=row.get("created") or "",
            empty=bool(row.get("empty_layer")),
            comment=row.get("comment") or "",
            layer=next(left) if fits and not row.get("empty_layer") else None,
        )
        for row in rows
    )


def validate(image: Image) -> list[str]:
    """Recompute every layer digest and compare the counts; return every mismatch, one sentence each."""
    wrong: list[str] = []
    diff_ids = (image.config.get("rootfs") or {}).get("diff_ids") or []
    if len(diff_ids) != len(image.layers):
        wrong.append(f"The config names {len(diff_ids)} layers, the image has {len(image.layers)}.")
    for number, layer in enumerate(image.layers, 1):
        if number <= len(diff_ids) and diff_ids[number - 1] != layer.diff_id:
            wrong.append(f"Layer {number} is {layer.diff_id}, the config says {diff_ids[number - 1]}.")
        try:
            found = tar_digest(layer)
            if found != layer.diff_id:
                wrong.append(f"Layer {number} should have the digest {layer.diff_id}, but has {found}.")
            _ = layer.entries
        except (ImageError, OSError) as error:
            wrong.append(f"Layer {number} cannot be read: {error}")
    rows = [row for row in image.history if not row.empty]
    if image.history and len(rows) != len(image.layers):
        wrong.append(
            f"The history has {len(rows)} rows that made a layer, the image has {len(image.layers)} layers."
        )
    return wrong
