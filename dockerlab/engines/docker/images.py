"""Images of a Docker daemon, taken from `docker save` once each and kept as blobs to read in place.

Below the folder given: blobs/sha256/ (uncompressed layer tars by diff ID, configs), index/ (parsed layers),
images/ (one record per image ID). Every file is written whole under another name first, so that many kernels
may share the folder and a crash leaves nothing half done.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from dockerlab.errors import ImageError, StoreError, StoreFullError
from dockerlab.image import oci
from dockerlab.image.archive_files import Received
from dockerlab.image.archive_reader import Stored
from dockerlab.image.archive_writer import Packed, packed
from dockerlab.image.image import BlobLayer, Image, history_rows
from dockerlab.image.index_file import write_whole


@dataclass(frozen=True)
class ImageRecord:
    """What is kept of one image."""

    config: str  # digest of the config blob
    layers: tuple[str, ...]  # diff IDs, lowest first
    base_layers: int = 0
    ours: bool = False  # built by this package
    stand_in: str | None = None  # the reference its base stands in for


def home() -> Path:
    """Return $DOCKERLAB_HOME, else "dockerlab" in the place this system has for an application's data."""
    if here := os.environ.get("DOCKERLAB_HOME"):
        return Path(here).expanduser().absolute()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home()) / "dockerlab"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "dockerlab"
    data = os.environ.get("XDG_DATA_HOME", "")
    return (Path(data) if data.startswith("/") else Path.home() / ".local" / "share") / "dockerlab"


class ImageCache:
    """Reads images by ID; `export` is `docker save` of one ID, as chunks of bytes."""

    def __init__(self, root: Path, export: Callable[[str], Iterable[bytes]]) -> None:
        self.root = root
        self._export = export

    def read(self, identity: str, reference: str | None) -> Image:
        """Return the image of an ID, saving it out of Docker when that was not done before."""
        record = self.record(identity)
        if record is None or not self.holds(identity):
            old = record
            with _writing(self.root):
                record = self._save(identity)
                if old is not None:
                    record = replace(old, config=record.config, layers=record.layers)
                self._write_record(identity, record)
        config = json.loads(self._blob(record.config).read_bytes())
        layers = tuple(
            BlobLayer(self._blob(digest), digest, index=self.root / "index" / f"{digest[7:]}.json")
            for digest in record.layers
        )
        labels = (config.get("config") or {}).get("Labels") or {}
        return Image(
            reference=reference,
            id=identity,
            config=config,
            layers=layers,
            history=history_rows(config, layers),
            base_layers=record.base_layers,
            stand_in=record.stand_in or labels.get(oci.STAND_IN),
        )

    def manifest(self, identity: str) -> str:
        """Return the digest of an image's manifest: with it the folder is an OCI layout that others read."""
        image = self.read(identity, None)
        record = self.record(identity)
        assert record is not None
        made = packed(self._blob(record.config).read_bytes(), image.layers, ()).manifest
        with _writing(self.root):
            write_whole(self._blob(oci.digest_of(made)), made)
            write_whole(self.root / "oci-layout", oci.LAYOUT)
        return oci.digest_of(made)

    def holds(self, identity: str) -> bool:
        """Tell whether all of an image is here, so that reading it asks nothing of Docker."""
        record = self.record(identity)
        return record is not None and all(
            self._blob(digest).exists() for digest in (record.config, *record.layers)
        )

    def mark_built(self, identity: str, *, base_layers: int, stand_in: str | None) -> None:
        """Remember that an image is one we built, and what its base is."""
        record = self.record(identity)
        assert record is not None
        with _writing(self.root):
            self._write_record(
                identity, replace(record, base_layers=base_layers, ours=True, stand_in=stand_in)
            )

    def record(self, identity: str) -> ImageRecord | None:
        """Return what is known of an image ID; a damaged record counts as none."""
        try:
            known = json.loads(self._record_path(identity).read_text("utf-8"))
            known["layers"] = tuple(known["layers"])
            return ImageRecord(**known)
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def built(self) -> set[str]:
        """Return the IDs of the images we built."""
        found = {f"sha256:{path.stem}" for path in (self.root / "images").glob("*.json")}
        return {identity for identity in found if (record := self.record(identity)) and record.ours}

    def prune(self, alive: set[str]) -> int:
        """Remove what is kept of images not in `alive`, the IDs Docker has; return the bytes freed."""
        used: set[str] = set()
        for path in (self.root / "images").glob("*.json"):
            record = self.record(f"sha256:{path.stem}")
            if record is None or f"sha256:{path.stem}" not in alive:
                path.unlink(missing_ok=True)
            else:
                used |= {record.config[7:], *(digest[7:] for digest in record.layers)}
        freed = 0
        for folder in ("blobs/sha256", "index"):
            for path in (self.root / folder).glob("*"):
                if path.name.partition(".")[0] not in used:
                    freed += path.stat().st_size
                    path.unlink(missing_ok=True)
        return freed

    def _save(self, identity: str) -> ImageRecord:
        for folder in ("blobs/sha256", "index", "images"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.root, prefix=".save-") as folder:
            source = f"What `docker save {identity[7:19]}` sent"
            files = Received(self._export(identity), Path(folder), source=source, held=self._held)
            stored = Stored(files)
            image = stored.image()
            for layer in image.layers:
                assert isinstance(layer, BlobLayer)
                self._keep(layer, digest=files.digests.get(layer.path), source=source)
            if not self._blob(image.id).exists():
                write_whole(self._blob(image.id), stored.config(image.id))
        return ImageRecord(image.id, tuple(layer.diff_id for layer in image.layers))

    def _held(self, digest: str) -> Path | None:
        path = self._blob(digest)
        return path if path.exists() else None

    def _keep(self, layer: BlobLayer, *, digest: str | None, source: str) -> None:
        """Store a layer uncompressed under its diff ID; `digest` is that of its file, if that is new here."""
        if self._held(layer.diff_id):
            return
        temporary, found = layer.path, digest
        if layer.compression:
            temporary = layer.path.with_name("layer")
            sha = hashlib.sha256()
            with temporary.open("wb") as out:
                for chunk in layer.decompressed():
                    sha.update(chunk)
                    out.write(chunk)
            found = f"sha256:{sha.hexdigest()}"
        if found != layer.diff_id:
            raise ImageError(
                f"{source} does not fit its config: a layer is {found} instead of {layer.diff_id}."
            )
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(self._blob(layer.diff_id))

    def _write_record(self, identity: str, record: ImageRecord) -> None:
        write_whole(self._record_path(identity), json.dumps(asdict(record)).encode())

    def _record_path(self, identity: str) -> Path:
        return self.root / "images" / f"{identity.removeprefix('sha256:')}.json"

    def _blob(self, digest: str) -> Path:
        return self.root / "blobs" / "sha256" / digest.removeprefix("sha256:")


def packed_without_layers(known: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> Packed:
    """Return an image that has no layer, made from what Docker tells of it.

    `known` is `docker inspect`'s answer, `history` that of `docker history`, the newest row first.
    """
    rows = [
        {
            "created": datetime.fromtimestamp(row["Created"], timezone.utc).isoformat(),
            "created_by": row.get("CreatedBy") or "",
            "comment": row.get("Comment") or "",
            "empty_layer": True,
        }
        for row in reversed(history)
        if row.get("CreatedBy")
    ]
    config = {
        "architecture": known.get("Architecture"),
        "os": known.get("Os"),
        "created": known.get("Created"),
        "config": {name: value for name, value in (known.get("Config") or {}).items() if value},
        "rootfs": {"type": "layers", "diff_ids": []},
        "history": rows,
    }
    return packed(oci.encoded(config), (), known.get("RepoTags") or ())


@contextlib.contextmanager
def _writing(root: Path) -> Iterator[None]:
    """Turn the operating system's write errors into ours."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFullError(
                f"No space is left in {root}.",
                hint="Run `dockerlab prune`, or set DOCKERLAB_HOME to a folder on a larger disk.",
            ) from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise StoreError(
                f"{root} cannot be written: {error.strerror}.",
                hint="Set DOCKERLAB_HOME to a folder you can write to.",
            ) from error
        raise
