"""One file of a build context on disk: its entry, its checksum, and what is said when it cannot be had."""

from __future__ import annotations

import errno
import functools
import hashlib
import os
import stat
from pathlib import Path, PurePosixPath

from dockerlab.errors import ContextError
from dockerlab.image.filesystem import CHUNK, Entry, Kind

ON_WINDOWS = os.name == "nt"


def read_entry(path: str, item: os.DirEntry[str]) -> Entry | None:
    """Read one directory entry as it would be sent; None for a socket, which is never sent."""
    info = item.stat(follow_symlinks=False)
    mode = stat.S_IMODE(info.st_mode)
    kinds: dict[int, Kind] = {
        stat.S_IFREG: "file",
        stat.S_IFDIR: "dir",
        stat.S_IFLNK: "symlink",
        stat.S_IFIFO: "fifo",
    }
    kind = kinds.get(stat.S_IFMT(info.st_mode))
    if kind is None:
        return None
    if ON_WINDOWS:
        mode = 0o755  # Windows has no such modes, and Docker's client there sends this one
    link = os.readlink(item.path) if kind == "symlink" else ""  # noqa: PTH115 - Path.readlink would tidy it
    if ON_WINDOWS:
        link = link.replace("\\", "/")
    size = info.st_size if kind == "file" else 0
    mtime = info.st_mtime_ns // 1_000_000_000
    return Entry(path, kind, 0o777 if kind == "symlink" else mode, mtime=mtime, size=size, link=link)


@functools.lru_cache(maxsize=65_536)
def file_digest(path: str, state: tuple[int, ...]) -> str:  # noqa: ARG001 - the state is for the cache
    """Read the file; the state (times, size, inode) tells one state of it from another."""
    sha = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while chunk := stream.read(CHUNK):
            sha.update(chunk)
    return f"sha256:{sha.hexdigest()}"


def inside(path: str) -> str:
    """Return a path of a context without slashes at its ends; raises ContextError if it points outside."""
    parts = [
        part for part in PurePosixPath(path.replace("\\", "/") if ON_WINDOWS else path).parts if part != "."
    ]
    if not parts or ".." in parts or parts[0].startswith("/") or "\0" in path:
        raise ContextError(
            f"{path!r} is not a path inside the build context", hint="Write it as app/main.py."
        )
    return "/".join(parts)


def unreadable(path: str, error: OSError) -> ContextError:
    """Return the error for a file that the system does not hand out."""
    hint = "Make it readable, or name it in .dockerignore."
    if error.errno == errno.ENOENT:
        hint = "Check the name; something may have removed it just now."
    return ContextError(f"cannot read {path} in the build context: {error.strerror or error}", hint=hint)
