"""One layer blob: its entries, their content by offset, its three sizes."""

from __future__ import annotations

import hashlib
import io
import json
import mmap
import os
import tempfile
import threading
import weakref
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol, cast

from dockerlab.errors import ImageError
from dockerlab.filesystem import Entry
from dockerlab.tarindex import Index, Pieces, read_index

Compression = Literal["gzip", "zstd"]

EMPTY_LAYER = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"  # 1024 zero bytes
PUSH_LEVEL = 6  # gzip's default, the one `docker push` uses
_CHUNK = 1 << 20
_SMALL = 1 << 16
_INDEX_VERSION = 1


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
    and measured; one that does not fit the blob is ignored and written anew.
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
            return cast(BinaryIO, io.BufferedReader(_Sparse(path, start + entry.offset, entry.size, pieces)))
        return _window(path, start + entry.offset, entry.size)

    def open_tar(self) -> BinaryIO:
        """Return a stream over the whole uncompressed tar."""
        return _window(*self._located(), small=0)

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
        handle, name = tempfile.mkstemp(prefix="dockerlab-layer-")
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
        with _window(self.path, self._offset, self._length, small=0) as blob:
            yield from decompress(blob, self.compression, source=str(self.path))

    def _parsed(self) -> Index:
        with self._lock:
            if self._index is None:
                self._index = self._kept_index()
            if self._index is None:
                self._index = self._scanned()
                self._keep_index()
            return self._index

    def _scanned(self) -> Index:
        path, start, length = self._located()
        source = f"The layer {self.diff_id[:19]} in {self.path}"
        if path.stat().st_size < start + length:
            raise ImageError(
                f"{source} was cut short: {path.stat().st_size - start} of {length} bytes are there."
            )
        if not length:
            return Index((), {})
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return read_index(data, start=start, end=start + length, source=source)

    def _kept_index(self) -> Index | None:
        if self._index_path is None or not self._index_path.exists():
            return None
        try:
            kept = json.loads(self._index_path.read_text("ascii"))
            if (
                kept["version"] != _INDEX_VERSION
                or kept["diff_id"] != self.diff_id
                or kept["blob"] != self._length
            ):
                return None
            if self._compressed is None:
                self._compressed = kept["compressed"]
            return Index(
                tuple(_entry(row) for row in kept["entries"]),
                {
                    int(at): tuple((first, size) for first, size in pieces)
                    for at, pieces in kept["sparse"].items()
                },
            )
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            return None  # written by something else, or cut short: parse the tar instead

    def _keep_index(self) -> None:
        if self._index_path is None or self._index is None:
            return
        rows: list[list[Any]] = [
            [
                *(
                    entry.path,
                    entry.kind,
                    entry.mode,
                    entry.uid,
                    entry.gid,
                    entry.mtime,
                    entry.size,
                    entry.link,
                ),
                [(key, value.decode("latin-1")) for key, value in entry.xattrs],
                *entry.device,
                entry.offset,
            ]
            for entry in self._index.entries
        ]
        text = json.dumps(
            {
                "version": _INDEX_VERSION,
                "diff_id": self.diff_id,
                "blob": self._length,
                "compressed": self._compressed,
                "entries": rows,
                "sparse": self._index.sparse,
            },
            separators=(",", ":"),
        )
        write_whole(self._index_path, text.encode("ascii"))


class ContentReader:
    """Reads parts of a layer's contents without opening its blob for each; use it in a `with`."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self._data: mmap.mmap | None = None
        self._start = 0
        self._sparse: frozenset[int] = frozenset()
        if isinstance(layer, BlobLayer):
            path, self._start, length = layer._located()
            self._sparse = frozenset(layer._parsed().sparse)
            if length:
                with path.open("rb") as file:
                    self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def read(self, entry: Entry, start: int, count: int) -> bytes:
        """Return `count` bytes of the entry's content from byte `start`, or those there are."""
        count = min(count, entry.size - start)
        if self._data is None or entry.offset in self._sparse:
            with self._layer.open(entry) as stream:
                stream.seek(start)
                return stream.read(count)
        first = self._start + entry.offset + start
        return self._data[first : first + count]

    def close(self) -> None:
        """Give the blob's memory map back."""
        if self._data is not None:
            self._data.close()

    def __enter__(self) -> ContentReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _entry(row: list[Any]) -> Entry:
    path, kind, mode, uid, gid, mtime, size, link, xattrs, major, minor, offset = row
    decoded = tuple((key, value.encode("latin-1")) for key, value in xattrs)
    return Entry(path, kind, mode, uid, gid, mtime, size, link, decoded, (major, minor), offset)


def write_whole(path: Path, data: bytes) -> None:
    """Write `path` so that a reader, or a crash, sees all of it or none of it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def detect_compression(head: bytes) -> Compression | None:
    """Tell how a blob that starts with `head` (4 bytes are enough) is compressed."""
    if head[:2] == b"\x1f\x8b":
        return "gzip"
    if head[:4] == b"\x28\xb5\x2f\xfd" or (head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50):
        return "zstd"  # a frame, or a skippable frame (RFC 8878, section 3.1)
    return None


def chunks(stream: BinaryIO) -> Iterator[bytes]:
    """Yield a stream's bytes, at most 1 MiB at a time."""
    while chunk := stream.read(_CHUNK):
        yield chunk


def decompress(stream: BinaryIO, compression: Compression | None, *, source: str) -> Iterator[bytes]:
    """Yield the decompressed bytes of `stream`; ImageError, naming `source`, when they are damaged."""
    hint = "The file is damaged or was cut short; make or fetch it again."
    if compression is None:
        yield from chunks(stream)
    elif compression == "gzip":
        unpacker, member = zlib.decompressobj(31), False
        try:
            for chunk in chunks(stream):
                while chunk:
                    member = True
                    yield unpacker.decompress(chunk)
                    chunk = unpacker.unused_data
                    if unpacker.eof:
                        unpacker, member = zlib.decompressobj(31), False
                        chunk = chunk.lstrip(b"\0")  # padding after the last member
        except zlib.error as error:
            raise ImageError(f"{source} is not whole gzip data: {error}.", hint=hint) from error
        if member:
            raise ImageError(f"{source} is gzip data that ends too early.", hint=hint)
    else:
        import zstandard

        try:
            with zstandard.ZstdDecompressor().stream_reader(
                stream, read_across_frames=True, closefd=False
            ) as reader:
                while chunk := reader.read(_CHUNK):
                    yield chunk
        except zstandard.ZstdError as error:
            raise ImageError(f"{source} is not whole zstd data: {error}.", hint=hint) from error


def tar_digest(layer: Layer) -> str:
    """Return the digest of the layer's uncompressed tar, computed now."""
    sha = hashlib.sha256()
    with layer.open_tar() as tar:
        for chunk in chunks(tar):
            sha.update(chunk)
    return f"sha256:{sha.hexdigest()}"


def _window(path: Path, start: int, size: int, *, small: int = _SMALL) -> BinaryIO:
    if size <= small:
        with path.open("rb") as file:
            file.seek(start)
            return io.BytesIO(file.read(size))
    return cast(BinaryIO, io.BufferedReader(_Window(path, start, size), 1 << 17))


class _Window(io.RawIOBase):
    """A seekable stream over part of a file."""

    def __init__(self, path: Path, start: int, size: int) -> None:
        self._file = path.open("rb", buffering=0)
        self._start, self._size, self._at = start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, offset + (0, self._at, self._size)[whence])
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)[: max(0, self._size - self._at)]
        if not len(view):
            return 0
        self._file.seek(self._start + self._at)
        count = self._file.readinto(view) or 0
        self._at += count
        return count

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


class _Sparse(_Window):
    """A sparse file's content: its stored pieces, zeros between them."""

    def __init__(self, path: Path, start: int, size: int, pieces: Pieces) -> None:
        super().__init__(path, start, size)
        self._pieces = pieces

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)[: max(0, self._size - self._at)]
        stored = self._start
        for first, count in self._pieces:
            if self._at < first:
                view = view[: first - self._at]
                break
            if self._at < first + count:
                self._file.seek(stored + self._at - first)
                got = self._file.readinto(view[: first + count - self._at]) or 0
                self._at += got
                return got
            stored += count
        view[:] = bytes(len(view))
        self._at += len(view)
        return len(view)
