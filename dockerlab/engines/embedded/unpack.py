"""The members of a tar archive that ADD unpacks: plain, gzip, bzip2, xz or zstd, told by its first bytes."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import tempfile
import weakref
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from dockerlab.errors import BuildError, ImageError
from dockerlab.image import temporary
from dockerlab.image.compression import MAGIC, chunks, detect_compression, sparse_window, window
from dockerlab.image.filesystem import CHUNK, Contents, Entry
from dockerlab.image.tar_fields import BLOCK
from dockerlab.image.tar_reader import read_index, starts_tar

_KEPT_XATTR = "security.capability"  # the only extended attribute that BuildKit takes from an archive


class _Archive:
    """A tar in a temporary file, which is gone with the last member that is kept."""

    def __init__(self) -> None:
        handle, name = tempfile.mkstemp(dir=temporary.home())
        os.close(handle)
        self.path = Path(name)
        weakref.finalize(self, self.path.unlink, missing_ok=True)

    def read(self, source: str) -> tuple[Entry, ...]:
        """Read the headers; ImageError where one is damaged."""
        with self.path.open("rb", buffering=0) as file:
            self.index = read_index(file, source=source, layer=False)
        return self.index.entries

    def open(self, entry: Entry) -> BinaryIO:
        """Return a stream over the content of a member."""
        pieces = self.index.sparse.get(entry.offset)
        if pieces is not None:
            return sparse_window(self.path, entry.offset, entry.size, pieces)
        return window(self.path, entry.offset, entry.size)


def members(origin: Contents, archive: Entry) -> tuple[list[Entry], Contents] | None:
    """Return the members of a tar archive and what their content is read from, or None when it is not one.

    As BuildKit does: a file whose first header can be read is an archive; what comes after the end of the tar
    is not looked at. Raises BuildError where the rest is damaged, or something no folder can hold.
    """
    with origin.open(archive) as packed:
        plain = _plain(packed)
        head = b""
        while len(head) < BLOCK and (chunk := next(plain, b"")):
            head += chunk
        if not starts_tar(head[:BLOCK]):
            return None
        tar = _Archive()
        with tar.path.open("wb") as out:
            out.write(head)
            for chunk in plain:
                out.write(chunk)
    try:
        found = [_as_unpacked(entry) for entry in tar.read(archive.path) if entry.path]
    except ImageError as error:
        raise BuildError(error.message, hint="Make it again, or copy it as it is with COPY.") from error
    return found, tar


def _as_unpacked(entry: Entry) -> Entry:
    """Return what lies on disk after unpacking: a symlink has every permission, a time is not below zero."""
    if entry.kind == "symlink" and not entry.link:
        raise ImageError(f"The archive has a symlink {entry.path} to an empty name.")
    return replace(
        entry,
        mode=0o777 if entry.kind == "symlink" else entry.mode,
        mtime=max(0, entry.mtime),
        xattrs=tuple(pair for pair in entry.xattrs if pair[0] == _KEPT_XATTR),
    )


def _plain(packed: BinaryIO) -> Iterator[bytes]:
    """Yield what a file unpacks to, up to where its compression is damaged."""
    compression = detect_compression(packed.read(MAGIC))
    packed.seek(0)
    if compression == "zstd":
        yield from _zstd(packed)
        return
    reader: gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile
    if compression == "gzip":
        reader = gzip.GzipFile(fileobj=packed)
    elif compression == "bzip2":
        reader = bz2.BZ2File(packed)
    elif compression == "xz":
        reader = lzma.LZMAFile(packed, format=lzma.FORMAT_XZ)  # noqa: SIM115 - `packed` is the caller's
    else:
        yield from chunks(packed)
        return
    try:
        while chunk := reader.read1(CHUNK):  # what comes before the damage, too, is read
            yield chunk
    except (EOFError, zlib.error, lzma.LZMAError):
        return
    except OSError as error:
        if error.errno is not None:  # the disk's, not the decompressor's
            raise


def _zstd(packed: BinaryIO) -> Iterator[bytes]:
    import zstandard

    reader = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True, closefd=False)
    try:
        while block := reader.read(BLOCK):  # a longer read would lose what comes right before the damage
            yield block
    except zstandard.ZstdError:
        return
