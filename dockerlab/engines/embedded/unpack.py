"""The members of a tar archive that ADD unpacks: plain, gzip, bzip2, xz or zstd, told by its first bytes."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from typing import BinaryIO

from dockerlab.engines.embedded.draft import Text
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


class _Member:
    """Content of one member; the archive is opened anew for each read, so nothing is held in memory."""

    def __init__(self, origin: Contents, archive: Entry, name: str) -> None:
        self.origin, self.archive, self.name = origin, archive, name

    def open(self, entry: Entry) -> BinaryIO:  # noqa: ARG002 - the protocol of every content source
        """Return a stream over the member."""
        with _open(self.origin, self.archive) as tar:
            stream = tar.extractfile(self.name)
            return io.BytesIO(stream.read() if stream else b"")


def members(origin: Contents, archive: Entry) -> Iterator[tuple[Entry, Contents]] | None:
    """Return the members of a tar archive as entries with their content, or None when it is not one."""
    try:
        with _open(origin, archive) as tar:
            infos = tar.getmembers()
    except tarfile.TarError:
        return None
    return _entries(origin, archive, infos) if infos or archive.size >= 1024 else None


def _entries(
    origin: Contents, archive: Entry, infos: list[tarfile.TarInfo]
) -> Iterator[tuple[Entry, Contents]]:
    with _open(origin, archive) as tar:
        for info in infos:
            path = "/".join(part for part in info.name.split("/") if part not in ("", "."))
            kind = _KINDS.get(info.type)
            if not path or kind is None:
                continue
            link = info.linkname.strip("/") if kind == "hardlink" else info.linkname
            entry = Entry(
                path,
                kind,
                info.mode & 0o7777,
                info.uid,
                info.gid,
                int(info.mtime),
                info.size if kind == "file" else 0,
                link,
                device=(info.devmajor, info.devminor) if kind in ("char", "block") else (0, 0),
            )
            stream = tar.extractfile(info) if kind == "file" else None
            small = stream is not None and info.size <= 1 << 20
            yield entry, Text(stream.read()) if small and stream else _Member(origin, archive, info.name)


def _open(origin: Contents, archive: Entry) -> tarfile.TarFile:
    stream = origin.open(archive)
    magic = stream.read(6)
    stream.seek(0)
    if magic.startswith(b"\x28\xb5\x2f\xfd"):
        import zstandard

        plain = io.BytesIO(zstandard.ZstdDecompressor().stream_reader(stream).read())
        return tarfile.open(fileobj=plain, mode="r:")
    return tarfile.open(fileobj=stream, mode="r:*")
