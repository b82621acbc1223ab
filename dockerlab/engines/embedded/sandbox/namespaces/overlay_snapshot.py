"""Reading what a command left in overlay's upper folder, as BuildKit makes a layer of it."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from dockerlab.engines.embedded.sandbox.namespaces.overlay_unpack import is_opaque, marked_device
from dockerlab.image.filesystem import Entry, Kind
from dockerlab.image.tar_writer import LayerWriter, encode


def snapshot(upper: Path, writer: LayerWriter) -> None:
    """Write what an overlay upper folder holds as a layer, in canonical order; sockets are left out.

    `upper` must not change meanwhile.
    """
    seen: dict[tuple[int, int], str] = {}
    _snapshot(str(upper), "", writer, seen)


def _snapshot(folder: str, inside: str, writer: LayerWriter, seen: dict[tuple[int, int], str]) -> None:
    with os.scandir(folder) as items:
        found = sorted(items, key=lambda item: encode(item.name))
    for item in found:
        status = item.stat(follow_symlinks=False)
        path = f"{inside}/{item.name}" if inside else item.name
        entry = _entry(item.path, path, status)
        if entry is None:
            continue
        if status.st_nlink > 1 and entry.kind not in ("dir", "whiteout"):
            first = seen.setdefault((status.st_dev, status.st_ino), path)
            if first != path:
                writer.add(_as(entry, "hardlink", link=first))
                continue
        if entry.kind != "file" or not entry.size:
            writer.add(entry)
        else:
            with open(item.path, "rb", buffering=0) as content:  # noqa: PTH123 - 40,000 Paths are slow
                writer.add(entry, content)
        if entry.kind == "dir":
            if is_opaque(item.path):
                writer.add(Entry(path, "opaque", status.st_mode & 0o777, status.st_uid, status.st_gid))
            _snapshot(item.path, path, writer, seen)


def _entry(place: str, path: str, status: os.stat_result) -> Entry | None:
    kind = _kind(status)
    if kind is None:
        return None
    device = (0, 0)
    if kind in ("char", "block"):
        device = (os.major(status.st_rdev), os.minor(status.st_rdev))
    elif kind == "file" and not status.st_size:
        kind, device = marked_device(place) or (kind, device)
    return Entry(
        path,
        kind,
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        mtime=status.st_mtime_ns // 1_000_000_000,
        size=status.st_size if kind == "file" else 0,
        link=os.readlink(place) if kind == "symlink" else "",  # noqa: PTH115 - as above
        xattrs=_xattrs(place) if kind in ("file", "dir") else (),
        device=device,
    )


def _as(entry: Entry, kind: Kind, *, link: str) -> Entry:
    return Entry(entry.path, kind, entry.mode, entry.uid, entry.gid, entry.mtime, 0, link, entry.xattrs)


def _kind(status: os.stat_result) -> Kind | None:
    mode = status.st_mode
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "dir"
    if stat.S_ISLNK(mode):
        return "symlink"
    if stat.S_ISCHR(mode):
        return "char" if status.st_rdev else "whiteout"
    if stat.S_ISBLK(mode):
        return "block"
    return "fifo" if stat.S_ISFIFO(mode) else None


def _xattrs(place: str) -> tuple[tuple[str, bytes], ...]:
    """Return the attributes a layer keeps: security.capability."""
    try:
        return (("security.capability", os.getxattr(place, "security.capability", follow_symlinks=False)),)
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.ENOTSUP):
            return ()
        raise
