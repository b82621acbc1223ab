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
from typing import BinaryIO, cast

from dockerlab.engines.embedded.draft import Text
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

_DAMAGE = (EOFError, OSError, zlib.error, lzma.LZMAError)  # what the decompressors say of cut or broken data


class _Member:
    """Content of one member; the archive is opened anew for each read, so nothing is held in memory."""

    def __init__(self, origin: Contents, archive: Entry, number: int) -> None:
        self.origin, self.archive, self.number = origin, archive, number

    def open(self, entry: Entry) -> BinaryIO:  # noqa: ARG002 - the protocol of every content source
        """Return a stream over the member."""
        with _opened(self.origin, self.archive) as tar:
            info = next(itertools.islice(tar, self.number, None))
            stream = tar.extractfile(info)
            return io.BytesIO(stream.read() if stream else b"")


def members(origin: Contents, archive: Entry) -> Iterator[tuple[Entry, Contents]] | None:
    """Return the members of a tar archive as entries with their content, or None when it is not one.

    As BuildKit does: a file whose first header can be read is an archive. The iterator raises BuildError
    where the rest of it is damaged.
    """
    try:
        with _opened(origin, archive) as tar:
            if tar.next() is None:
                return None
    except (tarfile.TarError, *_DAMAGE):
        return None
    return _entries(origin, archive)


def _entries(origin: Contents, archive: Entry) -> Iterator[tuple[Entry, Contents]]:
    with _opened(origin, archive) as tar:
        try:
            for number, info in enumerate(tar):
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
            import zstandard

            plain = zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True)
            stream = held.enter_context(cast(BinaryIO, io.BytesIO(plain.read())))
            yield held.enter_context(tarfile.open(fileobj=stream, mode="r:"))
        else:
            yield held.enter_context(tarfile.open(fileobj=stream, mode="r:*"))
