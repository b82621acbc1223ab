"""The named files an image is stored as: those of a folder, of a tar, or of a tar that comes as a stream."""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import tarfile
import tempfile
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol, cast

from dockerlab.errors import ImageError
from dockerlab.image import oci, temporary
from dockerlab.image.compression import MAGIC, Compression, chunks, decompress, detect_compression
from dockerlab.image.tar_reader import read_index

DAMAGED = "It is damaged or was cut short: fetch it again, or make it again with `docker save -o FILE NAME`."
_HASHES = ("sha256", "sha384", "sha512")


@dataclass(frozen=True)
class Where:
    """Bytes in a file on disk."""

    path: Path
    offset: int
    length: int

    def head(self) -> bytes:
        """Return the first bytes, which tell how they are compressed."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(min(MAGIC, self.length))


class Files(Protocol):
    """Named files."""

    source: str  # what messages call them: a path, mostly

    def where(self, name: str) -> Where | None:
        """Return where the file `name` lies, None when there is none."""
        ...

    def folders(self, name: str) -> list[str]:
        """Return the folders at the top that have a file `name`."""
        ...


class Folder:
    """The files of a folder; links that lead out of it are none."""

    def __init__(self, path: Path) -> None:
        self.source = str(path)
        self._root = path.resolve()

    def where(self, name: str) -> Where | None:
        """Return where the file `name` lies, None when there is none."""
        file = (self._root / name).resolve()
        inside = file.is_relative_to(self._root) and file.is_file()
        return Where(file, 0, file.stat().st_size) if inside else None

    def folders(self, name: str) -> list[str]:
        """Return the folders at the top that have a file `name`."""
        return sorted(path.parent.name for path in self._root.glob(f"*/{name}"))


class Members:
    """The files of a tar, and the links between them: old archives store a layer once and link to it."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._members: dict[str, Where | str] = {}  # a link is the name it leads to

    def where(self, name: str) -> Where | None:
        """Return where the file `name`, or what it links to, lies; None when there is none."""
        for _ in range(40):
            found = self._members.get(name)
            if not isinstance(found, str):
                return found
            name = found
        return None

    def folders(self, name: str) -> list[str]:
        """Return the folders at the top that have a file `name`."""
        parts = [path.split("/") for path in self._members]
        return [path[0] for path in parts if len(path) == 2 and path[1] == name]

    def _link(self, name: str, target: str, *, hard: bool) -> None:
        self._members[name] = posixpath.normpath(
            target if hard else posixpath.join(posixpath.dirname(name), target)
        )


class Archive(Members):
    """The files of a tar, read where they lie; a compressed tar is unpacked to a temporary file first."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        try:
            plain, size = path, path.stat().st_size
            compression = detect_compression(Where(path, 0, size).head())
        except OSError as error:
            raise ImageError(
                f"{path} cannot be read: {error.strerror}.", hint="Check the path and the file's permissions."
            ) from error
        if not size:
            raise ImageError(f"{path} is empty, an image archive was expected.", hint=DAMAGED)
        if compression:
            plain = self._unpacked(path, compression)
        try:
            with plain.open("rb", buffering=0) as file:
                index = read_index(file, source=str(path), layer=False)
        except ImageError as error:
            raise ImageError(error.message, hint=DAMAGED) from error
        for entry in index.entries:
            if entry.kind == "file":
                self._members[entry.path] = Where(plain, entry.offset, entry.size)
            elif entry.kind in ("symlink", "hardlink"):
                self._link(entry.path, entry.link, hard=entry.kind == "hardlink")

    def _unpacked(self, path: Path, compression: Compression) -> Path:
        handle, name = tempfile.mkstemp(dir=temporary.home())
        weakref.finalize(self, Path(name).unlink, missing_ok=True)
        with os.fdopen(handle, "wb") as out, path.open("rb") as packed:
            for chunk in decompress(packed, compression, source=str(path)):
                out.write(chunk)
        return Path(name)


class Received(Members):
    """The files of a tar that comes as a stream, kept in `folder`, where the caller removes them.

    Of a blob for whose digest `held` has a path nothing is written; `digests` are those of what was.
    """

    def __init__(
        self, stream: Iterable[bytes], folder: Path, *, source: str, held: Callable[[str], Path | None]
    ) -> None:
        super().__init__(source)
        self.digests: dict[Path, str] = {}
        try:
            with tarfile.open(fileobj=cast(IO[bytes], _Chunks(stream)), mode="r|") as tar:
                for member in tar:
                    name = posixpath.normpath(member.name)
                    if member.issym() or member.islnk():
                        self._link(name, member.linkname, hard=member.islnk())
                    elif member.isfile():
                        known = held(f"sha256:{name[13:]}") if name.startswith("blobs/sha256/") else None
                        path = known or folder / str(len(self.digests))
                        if known is None:
                            self.digests[path] = _written(path, cast(BinaryIO, tar.extractfile(member)))
                        self._members[name] = Where(path, 0, path.stat().st_size)
        except tarfile.TarError as error:
            raise ImageError(f"{source} is not a whole archive: {error}.", hint=DAMAGED) from error


def _written(path: Path, content: BinaryIO) -> str:
    sha = hashlib.sha256()
    with path.open("wb") as out:
        for chunk in chunks(content):
            sha.update(chunk)
            out.write(chunk)
    return f"sha256:{sha.hexdigest()}"


class _Chunks:
    """What tarfile's stream mode reads from: chunks as they come."""

    def __init__(self, source: Iterable[bytes]) -> None:
        self._source = iter(source)
        self._rest = b""

    def read(self, size: int) -> bytes:
        parts, have = [self._rest], len(self._rest)
        while have < size and (chunk := next(self._source, b"")):
            parts.append(chunk)
            have += len(chunk)
        data = b"".join(parts)
        self._rest = data[size:]
        return data[:size]


def read_bytes(files: Files, name: str, *, descriptor: Mapping[str, Any] | None = None) -> bytes:
    """Return a manifest or config whole, its digest and the size its descriptor gives checked; ImageError."""
    where = files.where(name)
    if where is None:
        raise ImageError(f"{files.source} lacks {name}.", hint=DAMAGED)
    if where.length > oci.MAX_JSON:
        raise ImageError(
            f"{name} in {files.source} has {where.length} bytes, more than any manifest or config."
        )
    with where.path.open("rb") as file:
        file.seek(where.offset)
        raw = file.read(where.length)
    folder, _, rest = name.partition("/")
    algorithm, _, wanted = rest.partition("/")
    if folder == "blobs" and algorithm in _HASHES:
        found = hashlib.new(algorithm, raw).hexdigest()
        if found != wanted:
            raise ImageError(f"{name} in {files.source} has the digest {found} instead.", hint=DAMAGED)
    if descriptor is not None and descriptor.get("size", len(raw)) != len(raw):
        raise ImageError(
            f"{name} in {files.source} has {len(raw)} bytes, its descriptor says {descriptor['size']}.",
            hint=DAMAGED,
        )
    return raw


def read_json(files: Files, name: str, *, kind: type = dict, raw: bytes | None = None) -> Any:
    """Return a JSON file parsed; ImageError where it is not JSON, or not of the kind expected."""
    try:
        value = json.loads(read_bytes(files, name) if raw is None else raw)
    except (ValueError, RecursionError) as error:
        raise ImageError(f"{name} in {files.source} is not JSON: {error}.", hint=DAMAGED) from error
    if not isinstance(value, kind):
        raise ImageError(
            f"{name} in {files.source} is not what its format says: a JSON {kind.__name__} was expected.",
            hint=DAMAGED,
        )
    return value
