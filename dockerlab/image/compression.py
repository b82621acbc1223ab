"""Streams of bytes: part of a file, a sparse file's content, what a gzip or zstd blob unpacks to."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

from dockerlab.errors import ImageError
from dockerlab.image.filesystem import CHUNK
from dockerlab.image.tar_fields import Pieces

Compression = Literal["gzip", "zstd", "xz", "bzip2"]
MAGIC = 6  # bytes that tell how a blob is compressed

_SMALL = 1 << 16


def detect_compression(head: bytes) -> Compression | None:
    """Tell how a blob that starts with `head` (MAGIC bytes are enough) is compressed."""
    if head[:2] == b"\x1f\x8b":
        return "gzip"
    if head[:4] == b"\x28\xb5\x2f\xfd" or (head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50):
        return "zstd"  # a frame, or a skippable frame (RFC 8878, section 3.1)
    if head[:6] == b"\xfd7zXZ\0":
        return "xz"
    return "bzip2" if head[:3] == b"BZh" else None


def chunks(stream: BinaryIO) -> Iterator[bytes]:
    """Yield a stream's bytes, at most 1 MiB at a time."""
    while chunk := stream.read(CHUNK):
        yield chunk


def decompress(stream: BinaryIO, compression: Compression | None, *, source: str) -> Iterator[bytes]:
    """Yield the decompressed bytes of `stream`, at most 1 MiB at a time.

    What follows the compressed data and is none is left out, as the gzip and xz commands do. ImageError,
    naming `source`, when the data are damaged.
    """
    if compression is None:
        yield from chunks(stream)
        return
    try:
        yield from _UNPACKERS[compression](stream)
    except _damage(compression) as error:
        raise ImageError(
            f"{source} is not whole {compression} data: {error}.",
            hint="The file is damaged or was cut short; make or fetch it again.",
        ) from error


def _gunzipped(stream: BinaryIO) -> Iterator[bytes]:
    unpacker, inside, data = zlib.decompressobj(31), True, b""
    for chunk in chunks(stream):
        data += chunk
        while True:
            if not inside:  # zeros after a member are padding
                data = data.lstrip(b"\0")
                if len(data) < 2:
                    break
                if data[:2] != b"\x1f\x8b":
                    return
                unpacker, inside = zlib.decompressobj(31), True
            piece = unpacker.decompress(data, CHUNK)
            yield piece
            inside = not unpacker.eof
            data = unpacker.unconsumed_tail if inside else unpacker.unused_data
            if inside and not data and len(piece) < CHUNK:
                break
    if inside:
        raise EOFError("it ends too early")


def _unzstd(stream: BinaryIO) -> Iterator[bytes]:
    import zstandard

    with zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True, closefd=False) as reader:
        yield from chunks(cast(BinaryIO, reader))


def _unxz(stream: BinaryIO) -> Iterator[bytes]:
    import lzma

    with lzma.LZMAFile(stream) as reader:
        yield from chunks(cast(BinaryIO, reader))


def _bunzip2(stream: BinaryIO) -> Iterator[bytes]:
    import bz2

    with bz2.BZ2File(stream) as reader:
        yield from chunks(cast(BinaryIO, reader))


_UNPACKERS = {"gzip": _gunzipped, "zstd": _unzstd, "xz": _unxz, "bzip2": _bunzip2}


def _damage(compression: Compression) -> tuple[type[Exception], ...]:
    """Return what a decompressor raises; the error of a library only where that is in use."""
    known = (zlib.error, EOFError, OSError)
    if compression == "zstd":
        import zstandard

        return (*known, zstandard.ZstdError)
    if compression == "xz":
        import lzma

        return (*known, lzma.LZMAError)
    return known


def window(path: Path, start: int, size: int, *, small: int = _SMALL) -> BinaryIO:
    """Return a stream over `size` bytes of a file from byte `start`; up to `small` bytes are read at once."""
    if size <= small:
        with path.open("rb") as file:
            file.seek(start)
            return io.BytesIO(file.read(size))
    return cast(BinaryIO, io.BufferedReader(_Window(path, start, size), 1 << 17))


def sparse_window(path: Path, start: int, size: int, pieces: Pieces) -> BinaryIO:
    """Return a stream over a sparse file's `size` bytes; its pieces lie one after the other from `start`."""
    return cast(BinaryIO, io.BufferedReader(_Sparse(path, start, size, pieces)))


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
        if not self.closed and hasattr(self, "_file"):  # also called where the constructor raised
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
