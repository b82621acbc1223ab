"""The members of a tar archive that ADD unpacks: plain, gzip, bzip2, xz or zstd, told by its first bytes."""

from __future__ import annotations

import io
import itertools
import lzma
import posixpath
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, BinaryIO, cast

from dockerlab.engines.sources import Text
from dockerlab.errors import BuildError
from dockerlab.filesystem import Contents, Entry, Kind

_KINDS: dict[bytes, Kind] = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.CONTTYPE: "file",
    tarfile.GNUTYPE_SPARSE: "file",
    tarfile.DIRTYPE: "dir",
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "hardlink",
    tarfile.CHRTYPE: "char",
    tarfile.BLKTYPE: "block",
    tarfile.FIFOTYPE: "fifo",
}

_DAMAGE = (
    EOFError,
    OSError,
    OverflowError,
    zlib.error,
    lzma.LZMAError,
)  # what the decompressors say of cut or broken data


class _Open(io.RawIOBase):
    """A stream that keeps what it reads from open for as long as it is open itself."""

    def __init__(self, stream: BinaryIO, held: ExitStack) -> None:
        self._stream, self._held = stream, held

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._held.close()
        super().close()


class _Zstd(io.RawIOBase):
    """What a zstd stream unpacks to; to go back further than one tar block it starts over."""

    def __init__(self, packed: BinaryIO) -> None:
        self._packed = packed
        self._restart()

    def _restart(self) -> None:
        import zstandard

        self._packed.seek(0)
        self._damage = zstandard.ZstdError
        self._plain = zstandard.ZstdDecompressor().stream_reader(self._packed, read_across_frames=True)
        self._at = 0
        self._last = b""  # the last bytes that were read
        self._again = b""  # those of them that are to be given once more

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data, self._again = self._again[: len(buffer)], self._again[len(buffer) :]
        if not data:
            try:
                data = self._plain.read(len(buffer))
            except self._damage as error:
                raise tarfile.ReadError(str(error)) from error
            self._last = (self._last + data)[-tarfile.BLOCKSIZE :]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        target = offset + (self._at if whence == io.SEEK_CUR else 0)
        end = self._at + len(self._again)
        if end - len(self._last) <= target <= end:
            self._again, self._at = self._last[len(self._last) - (end - target) :], target
        elif target < end:
            self._restart()
        while self._at < target and self.read(min(target - self._at, 1 << 20)):
            pass
        return self._at


class _Member:
    """Content of one member; the archive is opened anew for each read, so nothing is held in memory."""

    def __init__(self, origin: Contents, archive: Entry, number: int) -> None:
        self.origin, self.archive, self.number = origin, archive, number

    def open(self, entry: Entry) -> BinaryIO:  # noqa: ARG002 - the protocol of every content source
        """Return a stream over the member."""
        with ExitStack() as stack:
            tar = stack.enter_context(_opened(self.origin, self.archive))
            stream = tar.extractfile(next(itertools.islice(tar, self.number, None)))
            held = stack.pop_all()
        return cast(BinaryIO, io.BufferedReader(_Open(cast(BinaryIO, stream), held)))


def members(origin: Contents, archive: Entry) -> Iterator[tuple[Entry, Contents]] | None:
    """Return the members of a tar archive as entries with their content, or None when it is not one.

    As BuildKit does: a file whose first header can be read is an archive. The iterator raises BuildError
    where the rest of it is damaged.
    """
    try:
        with _opened(origin, archive) as tar:
            first = tar.next()
            if first is None or first.size < 0:
                return None
    except (tarfile.TarError, *_DAMAGE):
        return None
    return _entries(origin, archive)


def _entries(origin: Contents, archive: Entry) -> Iterator[tuple[Entry, Contents]]:
    with _opened(origin, archive) as tar:
        try:
            for number, info in enumerate(tar):
                if info.size < 0:  # tarfile would read on before it, for ever
                    raise tarfile.ReadError("a size below zero")
                entry = _entry(info)
                if entry is None:
                    continue
                stream = tar.extractfile(info) if entry.kind == "file" else None
                if stream is not None and info.size <= 1 << 20:
                    content = stream.read()
                    if len(content) != info.size:
                        raise tarfile.ReadError("unexpected end of data")
                    yield entry, Text(content)
                else:
                    yield entry, _Member(origin, archive, number)
            tar.fileobj.seek(tar.offset)
            if 0 < len(tar.fileobj.read(tarfile.BLOCKSIZE)) < tarfile.BLOCKSIZE:
                raise tarfile.ReadError("unexpected end of data")  # tarfile itself takes it for the end
        except (tarfile.TarError, *_DAMAGE) as error:
            raise BuildError(
                f"{archive.path} is a damaged archive: {error}", hint="Make it again, or copy it with COPY."
            ) from error


def _entry(info: tarfile.TarInfo) -> Entry | None:
    path = posixpath.normpath(f"/{info.name}").strip("/")  # as inside a chroot: .. stops at the top
    kind = _KINDS.get(info.type)
    if not path or kind is None:
        return None
    return Entry(
        path,
        kind,
        info.mode & 0o7777,
        info.uid,
        info.gid,
        int(info.mtime),
        info.size if kind == "file" else 0,
        posixpath.normpath(f"/{info.linkname}").strip("/") if kind == "hardlink" else info.linkname,
        device=(info.devmajor, info.devminor) if kind in ("char", "block") else (0, 0),
    )


@contextmanager
def _opened(origin: Contents, archive: Entry) -> Iterator[tarfile.TarFile]:
    with ExitStack() as held:
        stream = held.enter_context(origin.open(archive))
        magic = stream.read(6)
        stream.seek(0)
        if magic.startswith(b"\x28\xb5\x2f\xfd"):
            plain = cast(BinaryIO, held.enter_context(io.BufferedReader(_Zstd(stream), 1 << 16)))
            yield held.enter_context(tarfile.open(fileobj=plain, mode="r:"))
        else:
            yield held.enter_context(tarfile.open(fileobj=stream, mode="r:*"))
