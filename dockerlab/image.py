"""Image, Layer, History: immutable views, read alike from an OCI layout and a `docker save` archive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from dockerlab.filesystem import Entry, Tree

# CONTRACT (helper H2 fills this in; keep the names and meanings, add what is needed):


class Layer(Protocol):
    """One layer. Sizes are bytes; which size is meant is always in the name."""

    diff_id: str  # "sha256:..." of the uncompressed tar
    size_tar: int  # length of the uncompressed tar

    @property
    def size_unpacked(self) -> int: ...  # sum of file content sizes (what `docker history` calls SIZE)
    def size_compressed(self) -> int: ...  # gzip'd as a push would send it; measured on first call
    @property
    def entries(self) -> Sequence[Entry]: ...  # in tar order, whiteouts decoded; parsed once
    def open(self, entry: Entry) -> BinaryIO: ...  # satisfies filesystem.Contents
    def open_tar(self) -> BinaryIO: ...  # the whole uncompressed tar


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
    id: str  # "sha256:..." of the config blob
    config: Mapping[str, Any]  # the OCI image config, whole
    layers: tuple[Layer, ...]  # lowest first
    history: tuple[History, ...]  # oldest first
    base_layers: int = 0  # how many of `layers` came from the FROM image (0 when not known)
    stand_in: str | None = None  # reference this image's base stands in for, or None

    def tree(self) -> Tree: ...


def read_layout(path: Path, reference: str | None = None) -> Image: ...
def read_archive(path: Path, reference: str | None = None) -> Image: ...
