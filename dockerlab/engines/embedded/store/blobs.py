"""The lower half of the store: its folders, its locks, its blobs, and layers being written."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from dockerlab.engines.embedded.store import durable
from dockerlab.engines.embedded.store.shared import Shared
from dockerlab.errors import ImageError, StoreError
from dockerlab.image import oci
from dockerlab.image.filesystem import CHUNK, Entry
from dockerlab.image.image import BlobLayer, Layer
from dockerlab.image.tar_reader import Index

FOLDERS = (
    "blobs/sha256",
    "index",
    "steps",
    "builds",
    "mounts",
    "work",
    "exports",
    "downloads",
    "tmp",
)
_OPEN_LAYERS = 256


def default_root() -> Path:
    """Return $DOCKERLAB_HOME, else "dockerlab" in the XDG data folder (~/.local/share)."""
    if home := os.environ.get("DOCKERLAB_HOME"):
        return Path(home).expanduser().absolute()
    data = os.environ.get("XDG_DATA_HOME", "")
    # The XDG base directory specification says a relative path is to be ignored.
    return (Path(data) if data.startswith("/") else Path.home() / ".local" / "share") / "dockerlab"


class StoredLayer(BlobLayer):
    """A layer of the store; one that was pulled knows what its registry sent."""

    pulled_size: int | None = None

    def open(self, entry: Entry) -> BinaryIO:
        """Return a stream over the entry's content."""
        self._look()
        return super().open(entry)

    def open_tar(self) -> BinaryIO:
        """Return a stream over the whole tar."""
        self._look()
        return super().open_tar()

    def _scanned(self) -> Index:
        self._look()
        return super()._scanned()

    def _look(self) -> None:
        if not self.path.exists():
            raise ImageError(
                f"The layer {self.diff_id[:19]} is no longer in the image store.",
                hint="A prune removed it, as no image with a name has it: build again, with a tag.",
            )

    def size_compressed(self) -> int:
        """Return the bytes the registry sent, else what a push would send (measured on the first call)."""
        return super().size_compressed() if self.pulled_size is None else self.pulled_size


class NewLayer(io.RawIOBase, BinaryIO):
    """A layer tar being written: hashed on the way, in the store once committed."""

    mode = "wb"

    def __init__(self, store: Blobs) -> None:
        self._store = store
        self._pending = bytearray()
        self._hash = hashlib.sha256()
        self._size = 0
        self.layer: Layer | None = None
        self._fd, self.path = durable.claim_temporary(store.root / "tmp")

    @property
    def name(self) -> str:
        """The temporary file's path."""
        return str(self.path)

    def writable(self) -> bool:
        """Say yes."""
        return True

    def tell(self) -> int:
        """Return the bytes written so far."""
        return self._size

    def write(self, data: Any, /) -> int:
        """Append bytes; raises StoreFullError when the disk is full."""
        size = len(data) if isinstance(data, bytes | bytearray) else memoryview(data).nbytes
        self._size += size
        if len(self._pending) + size < CHUNK:
            self._pending += data
            return size
        self._drain(self._pending)
        self._pending = bytearray()
        if size < CHUNK:
            self._pending += data
        else:
            self._drain(data)
        return size

    def _drain(self, data: Any) -> None:
        view = memoryview(data).cast("B")
        self._hash.update(view)
        with durable.plain_errors(self._store.root):
            while view:
                view = view[os.write(self._fd, view) :]

    def digest(self) -> str:
        """Return "sha256:..." of what was written so far."""
        self._drain(self._pending)
        self._pending = bytearray()
        return "sha256:" + self._hash.hexdigest()

    def commit(self) -> Layer:
        """Make what was written a layer of the store (the one that is there already, when it is the same)."""
        digest = self.digest()
        with durable.plain_errors(self._store.root):
            self._store._publish(self._fd, self.path, digest, self._size)
        self.layer = self._store._layer(digest, self._size)
        return self.layer

    def close(self) -> None:
        """Let go of the temporary file; without a commit it is removed."""
        if not self.closed and hasattr(self, "_fd"):  # also called where the constructor raised
            if self.layer is None:
                self.path.unlink(missing_ok=True)
            os.close(self._fd)
        super().close()


class Blobs:
    """Content-addressed files in one folder, safe for many processes at once."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = (root or default_root()).absolute()
        self.shared = Shared.given(self.root)
        self._blobs = self.root / "blobs" / "sha256"
        self._open_layers: dict[
            str, StoredLayer
        ] = {}  # what a layer's headers say is read once, not once a build
        with durable.plain_errors(self.root):
            if (
                not self.root.exists()
            ):  # a new store is its owner's alone; a folder that is there has its rights
                self.root.parent.mkdir(parents=True, exist_ok=True)
                self.root.mkdir(mode=0o700, exist_ok=True)
            if self.writable or not (self.root / "index.json").exists():
                for folder in FOLDERS:
                    (self.root / folder).mkdir(parents=True, exist_ok=True)
                durable.clear_temporaries(self.root / "tmp")

    @cached_property
    def writable(self) -> bool:
        """Tell whether this process may write here; a store that is read-only, or another user's, is read."""
        new = self.root / "tmp"
        return os.access(new if new.exists() else self.root, os.W_OK)

    def need_writable(self) -> None:
        """Raise StoreError where this process may not write here."""
        if not self.writable:
            raise durable.store_error(
                PermissionError(errno.EACCES, "Permission denied"), self.root, "image store"
            )

    @property
    def work(self) -> Path:
        """Return the sandboxes' own folder: in the store, or in the user's cache where that cannot be."""
        if self.writable:
            return self.root / "work"
        cache = os.environ.get("XDG_CACHE_HOME", "")
        home = Path(cache) if cache.startswith("/") else Path.home() / ".cache"
        folder = home / "dockerlab" / hashlib.sha256(str(self.root).encode()).hexdigest()[:16]
        with durable.plain_errors(folder, "folder for what RUN needs"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    # Locks

    def building(self) -> AbstractContextManager[None]:
        """Hold off prune, in every process: for a whole build, so that no layer it counts on goes away."""
        return self.lock("in-use", exclusive=False)

    def lock(
        self, name: str, *, exclusive: bool, timeout: float = durable.LOCK_TIMEOUT, busy: str = ""
    ) -> AbstractContextManager[None]:
        """Hold one of the store's locks; `busy` is the message when `timeout` seconds were not enough."""

        def error() -> StoreError:
            return StoreError(busy, hint="Wait for it to end, or stop it, and try again.")

        return durable.locked(
            self.root / f".{name}.lock", exclusive=exclusive, timeout=timeout, busy=error if busy else None
        )

    # Blobs and layers

    def blob_path(self, digest: str) -> Path:
        """Return where the blob of "sha256:..." is in this store, or would be."""
        return self._blobs / digest.removeprefix("sha256:")

    def _place(self, digest: str) -> Path:
        """Return where a blob is read: here, or in the shared place where that has it and this has not."""
        path = self.blob_path(digest)
        shared = None if self.shared is None or path.exists() else self.shared.blob(digest)
        return shared or path

    def has_layer(self, diff_id: str) -> bool:
        """Tell whether the layer is here, or shared."""
        return self._place(diff_id).exists()

    def layer(self, diff_id: str) -> Layer:
        """Return the layer; raises ImageError when it is not in the store."""
        try:
            return self._layer(diff_id, self._place(diff_id).stat().st_size)
        except FileNotFoundError:
            raise self._missing(diff_id) from None

    def _layer(self, diff_id: str, size: int, *, compressed: int | None = None) -> StoredLayer:
        layer = self._open_layers.pop(diff_id, None)
        if layer is None or layer.size_tar != size:
            path = self._place(diff_id)
            kept = path.parents[2] / "index" / f"{path.name}.json"
            layer = StoredLayer(path, diff_id, length=size, index=kept, keeps=path.is_relative_to(self.root))
        if compressed is not None:
            layer.pulled_size = compressed
        self._open_layers[diff_id] = layer
        if len(self._open_layers) > _OPEN_LAYERS:
            self._open_layers.pop(next(iter(self._open_layers)), None)
        return layer

    def _missing(self, digest: str) -> ImageError:
        return ImageError(
            f"The image store in {self.root} lacks the blob {digest}.",
            hint="It was pruned or removed by hand: build or pull the image again.",
        )

    @contextmanager
    def new_layer(self) -> Iterator[NewLayer]:
        """Give a stream to write one layer tar to; `commit()` makes it a layer, else nothing stays."""
        with durable.plain_errors(self.root):
            new = NewLayer(self)
        with self.building(), new:
            yield new

    def _publish(self, fd: int, aside: Path, digest: str, size: int) -> None:
        there = self._place(digest)
        if there.exists() and there.stat().st_size == size:
            aside.unlink()
            return
        durable.publish(fd, aside, self.blob_path(digest))

    def _put_blob(self, data: bytes) -> str:
        digest = oci.digest_of(data)
        path = self.blob_path(digest)
        if not path.exists() or path.stat().st_size != len(data):
            durable.write_whole(path, data, temporary=self.root / "tmp")
        return digest

    def read_blob(self, digest: str) -> bytes:
        """Return a small blob (a manifest or a config), its digest checked."""
        try:
            data = self._place(digest).read_bytes()
        except FileNotFoundError:
            raise self._missing(digest) from None
        if "sha256:" + hashlib.sha256(data).hexdigest() != digest:
            raise ImageError(
                f"The blob {digest} in {self.root} is damaged.",
                hint="Build or pull the image again after a prune.",
            )
        return data


def decoded(data: bytes, path: Path) -> Any:
    """Return what the JSON in `data`, read from `path`, says; StoreError when it is none."""
    try:
        return json.loads(data)
    except ValueError:
        raise StoreError(
            f"{path} is not JSON: the store is damaged.",
            hint="Set DOCKERLAB_HOME to a new folder, or remove that one, and build again.",
        ) from None
