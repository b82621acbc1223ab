"""The named files an image is stored as: a layout folder's or an archive's, read where they lie."""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from dockerlab.errors import ImageError
from dockerlab.filesystem import Entry
from dockerlab.streams import Compression, decompress, detect_compression
from dockerlab.tarindex import read_index

DAMAGED = "The file is damaged or was cut short; make or fetch it again."
_MAX_JSON = 16 << 20  # an index, manifest or config is a few kB; more is not one


@dataclass(frozen=True)
class Where:
    """Bytes in a file on disk."""

    path: Path
    offset: int
    length: int


class Files(Protocol):
    """Named files: a layout folder's, or an archive's."""

    path: Path

    def where(self, name: str) -> Where | None:
        """Return where the file `name` lies, None when there is none."""
        ...


class Folder:
    """The files of an OCI image layout folder."""

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise ImageError(
                f"{path} is not a folder.", hint="An OCI image layout is a folder with an index.json."
            )
        self.path = path

    def where(self, name: str) -> Where | None:
        """Return where the file `name` lies, None when there is none."""
        file = self.path / name
        return Where(file, 0, file.stat().st_size) if file.is_file() else None


class Archive:
    """The files of a tar; a compressed one is unpacked to a temporary file first."""

    def __init__(self, path: Path) -> None:
        self.path = self._plain = path
        try:
            with path.open("rb") as file:
                head = file.read(4)
        except OSError as error:
            raise ImageError(f"{path} cannot be read: {error.strerror}.") from error
        if not head:
            raise ImageError(f"{path} is empty, an image archive was expected.", hint=DAMAGED)
        compression = detect_compression(head)
        if compression:
            self._plain = self._unpack(compression)
        with self._plain.open("rb", buffering=0) as file:
            index = read_index(file, source=str(path), layer=False)
        self._entries: dict[str, Entry] = {entry.path: entry for entry in index.entries}

    def _unpack(self, compression: Compression) -> Path:
        handle, name = tempfile.mkstemp(prefix="dockerlab-archive-")
        weakref.finalize(self, Path(name).unlink, missing_ok=True)
        with os.fdopen(handle, "wb") as out, self.path.open("rb") as packed:
            for chunk in decompress(packed, compression, source=str(self.path)):
                out.write(chunk)
        return Path(name)

    def where(self, name: str) -> Where | None:
        """Return where the file `name`, or what it links to, lies; None when there is none."""
        entry = self._entries.get(name)
        for _ in range(40):  # old archives store a layer once and link to it
            if entry is None or entry.kind not in ("symlink", "hardlink"):
                break
            here = "" if entry.kind == "hardlink" else posixpath.dirname(entry.path)
            entry = self._entries.get(posixpath.normpath(posixpath.join(here, entry.link)))
        if entry is None or entry.kind != "file":
            return None
        return Where(self._plain, entry.offset, entry.size)


def read_bytes(files: Files, name: str, *, descriptor: Mapping[str, Any] | None = None) -> bytes:
    """Return a manifest or config whole, its digest and the size its descriptor gives checked; ImageError."""
    where = files.where(name)
    if where is None:
        raise ImageError(f"{files.path} lacks {name}.", hint=DAMAGED)
    if where.length > _MAX_JSON:
        raise ImageError(
            f"{name} in {files.path} has {where.length} bytes, more than any manifest or config."
        )
    with where.path.open("rb") as file:
        file.seek(where.offset)
        raw = file.read(where.length)
    if name.startswith("blobs/sha256/"):
        found = hashlib.sha256(raw).hexdigest()
        if found != name.rpartition("/")[2]:
            raise ImageError(f"{name} in {files.path} has the digest {found} instead.", hint=DAMAGED)
    if descriptor is not None and descriptor.get("size", len(raw)) != len(raw):
        raise ImageError(
            f"{name} in {files.path} has {len(raw)} bytes, its descriptor says {descriptor['size']}.",
            hint=DAMAGED,
        )
    return raw


def read_json(raw: bytes, what: str, *, kind: type = dict) -> Any:
    """Return parsed JSON; an ImageError names `what` where it is not JSON, or not of the kind expected."""
    try:
        value = json.loads(raw)
    except ValueError as error:
        raise ImageError(f"{what} is not JSON: {error}.", hint=DAMAGED) from error
    if not isinstance(value, kind):
        raise ImageError(
            f"{what} is not what its format says: a JSON {kind.__name__} was expected.", hint=DAMAGED
        )
    return value
