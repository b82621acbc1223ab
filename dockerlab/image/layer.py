"""One layer blob: its entries, their content by offset, its three sizes."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import threading
import weakref
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from dockerlab.errors import ImageError
from dockerlab.image import temporary
from dockerlab.image.compression import Compression, chunks, decompress, sparse_window, window
from dockerlab.image.filesystem import Entry
from dockerlab.image.index_file import IndexFile, read_kept, write_kept
from dockerlab.image.tar_reader import Index, read_index

EMPTY_LAYER = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"  # 1024 zero bytes
PUSH_LEVEL = 6  # gzip's default, the one `docker push` uses


class Layer(Protocol):
    """One layer. Sizes are bytes; which size is meant is always in the name."""

    @property
    def diff_id(self) -> str:
        """Return the digest of the uncompressed tar, "sha256:..."."""
        ...

    @property
    def size_tar(self) -> int:
        """Return the length of the uncompressed tar, headers and padding included."""
        ...

    @property
    def size_unpacked(self) -> int:
        """Return the sum of the file contents (what `docker history` calls SIZE)."""
        ...

    def size_compressed(self) -> int:
        """Return the bytes a push would send: gzip, level 6. Measured on the first call."""
        ...

    @property
    def entries(self) -> Sequence[Entry]:
        """Return the members in tar order, whiteouts decoded. Parsed once."""
        ...

    def open(self, entry: Entry) -> BinaryIO:
        """Return a binary stream over exactly `entry.size` bytes."""
        ...

    def open_tar(self) -> BinaryIO:
        """Return a binary stream over the whole uncompressed tar."""
        ...


class BlobLayer:
    """A layer whose blob is a file, or `length` bytes from `offset` of a file.

    An uncompressed blob is read in place. A gzip or zstd one is unpacked once to a temporary file, and its
    digest is checked against `diff_id` on the way. `index`, when given, is a file that keeps what was parsed
    and measured; one that does not fit the blob is ignored, and written anew unless `keeps` is False.
    """

    def __init__(
        self,
        path: Path,
        diff_id: str,
        *,
        offset: int = 0,
        length: int | None = None,
        compression: Compression | None = None,
        index: Path | None = None,
        owner: object = None,
        keeps: bool = True,
    ) -> None:
        self.path = path
        self.diff_id = diff_id
        self.compression = compression
        self._offset = offset
        self._length = path.stat().st_size - offset if length is None else length
        self._index_path = index
        self._owner = owner  # keeps a temporary archive alive while its layers are
        self._index: Index | None = None
        self._plain: tuple[Path, int, int] | None = None
        self._compressed: int | None = self._length if compression == "gzip" else None
        self._lock = threading.RLock()
        self._keeps = keeps

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs to read the same file; it parses it again, and keeps nothing."""
        own = {"_owner": None, "_index": None, "_plain": None, "_lock": None, "_keeps": False}
        return {**self.__dict__, **own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.RLock())

    def __repr__(self) -> str:
        return f"BlobLayer({self.diff_id[:19]})"

    def __eq__(self, other: object) -> bool:
        return self.diff_id == other.diff_id if isinstance(other, BlobLayer) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.diff_id)

    @property
    def size_tar(self) -> int:
        """Return the length of the uncompressed tar in bytes."""
        return self._located()[2]

    @property
    def size_unpacked(self) -> int:
        """Return the sum of the file contents in bytes."""
        return sum(entry.size for entry in self.entries)

    @property
    def entries(self) -> Sequence[Entry]:
        """Return the members in tar order, whiteouts decoded."""
        return self._parsed().entries

    def size_compressed(self) -> int:
        """Return the bytes a push would send; a blob that is gzip already is sent as it is."""
        with self._lock:
            if self._compressed is None:
                self._parsed()  # may find the number in the index file
            if self._compressed is None:
                packer = zlib.compressobj(PUSH_LEVEL, zlib.DEFLATED, 31)
                with self.open_tar() as tar:
                    total = sum(len(packer.compress(chunk)) for chunk in chunks(tar))
                self._compressed = total + len(packer.flush())
                self._keep_index()
            return self._compressed

    def open(self, entry: Entry) -> BinaryIO:
        """Return a stream over the entry's content; a hard link has none of its own."""
        path, start, _ = self._located()
        pieces = self._parsed().sparse.get(entry.offset) if entry.size else None
        if pieces is not None:
            return sparse_window(path, start + entry.offset, entry.size, pieces)
        return window(path, start + entry.offset, entry.size)

    def open_tar(self) -> BinaryIO:
        """Return a stream over the whole uncompressed tar."""
        return window(*self._located(), small=0)

    def _located(self) -> tuple[Path, int, int]:
        """Return the file, offset and length of the uncompressed tar."""
        with self._lock:
            if self._plain is None:
                if self.compression is None:
                    self._plain = (self.path, self._offset, self._length)
                else:
                    self._plain = self._unpacked()
            return self._plain

    def _unpacked(self) -> tuple[Path, int, int]:
        handle, name = tempfile.mkstemp(dir=temporary.home())
        plain = Path(name)
        weakref.finalize(self, plain.unlink, missing_ok=True)
        sha, size = hashlib.sha256(), 0
        with os.fdopen(handle, "wb") as out:
            for chunk in self.decompressed():
                sha.update(chunk)
                size += len(chunk)
                out.write(chunk)
        found = f"sha256:{sha.hexdigest()}"
        if found != self.diff_id:
            raise ImageError(
                f"A layer in {self.path} should unpack to {self.diff_id}, but unpacks to {found}.",
                hint="The file is damaged; make or fetch it again.",
            )
        return plain, 0, size

    def decompressed(self) -> Iterator[bytes]:
        """Yield the uncompressed tar in chunks, straight from the blob, unchecked."""
        with window(self.path, self._offset, self._length, small=0) as blob:
            yield from decompress(blob, self.compression, source=str(self.path))

    def _parsed(self) -> Index:
        with self._lock:
            if self._index is None and self._index_path is not None:
                kept = read_kept(self._index_path, diff_id=self.diff_id, blob=self._length)
                if kept is not None:
                    self._index = kept.index
                    if self._compressed is None:
                        self._compressed = kept.compressed
            if self._index is None:
                self._index = self._scanned()
                self._keep_index()
            return self._index

    def _keep_index(self) -> None:
        if self._keeps and self._index_path is not None and self._index is not None:
            kept = IndexFile(self._index, self._compressed)
            write_kept(self._index_path, kept, diff_id=self.diff_id, blob=self._length)

    def _scanned(self) -> Index:
        path, start, length = self._located()
        source = f"The layer {self.diff_id[:19]} in {self.path}"
        if path.stat().st_size < start + length:
            raise ImageError(
                f"{source} was cut short: {path.stat().st_size - start} of {length} bytes are there."
            )
        if not length:
            return Index((), {})
        with path.open("rb", buffering=0) as file:
            return read_index(file, start=start, end=start + length, source=source)


class ContentReader:
    """Reads parts of a layer's contents without opening its blob for each; use it in a `with`."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self._file: io.FileIO | None = None
        self._start = 0
        self._sparse: frozenset[int] = frozenset()
        if isinstance(layer, BlobLayer):
            path, self._start, _ = layer._located()
            self._sparse = frozenset(layer._parsed().sparse)
            # Read, not mapped: pages of a map would count as this process's memory.
            self._file = path.open("rb", buffering=0)

    def read(self, entry: Entry, start: int, count: int) -> bytes:
        """Return `count` bytes of the entry's content from byte `start`, or those there are."""
        count = min(count, entry.size - start)
        if self._file is None or entry.offset in self._sparse:
            with self._layer.open(entry) as stream:
                stream.seek(start)
                return stream.read(count)
        self._file.seek(self._start + entry.offset + start)
        return self._file.read(count)

    def close(self) -> None:
        """Close the blob."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> ContentReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def tar_digest(layer: Layer) -> str:
    """Return the digest of the layer's uncompressed tar, computed now."""
    sha = hashlib.sha256()
    with layer.open_tar() as tar:
        for chunk in chunks(tar):
            sha.update(chunk)
    return f"sha256:{sha.hexdigest()}"
