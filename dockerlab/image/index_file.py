"""A file beside a layer's blob that keeps what was read from it: parsing it again costs a tenth."""

from __future__ import annotations

import contextlib
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dockerlab.image.filesystem import Entry, quick_entry
from dockerlab.image.tar_reader import Index

_VERSION = 1


@dataclass(frozen=True)
class IndexFile:
    """What the file says of one blob."""

    index: Index
    compressed: int | None  # bytes a push would send; None: not measured yet


def read_kept(path: Path, *, diff_id: str, blob: int) -> IndexFile | None:
    """Return what `path` keeps of the layer `diff_id` whose blob has `blob` bytes.

    None when there is no such file, or it is of another blob, another version, or damaged.
    """
    if not path.exists():
        return None
    try:
        kept = json.loads(path.read_text("ascii"))
        if kept["version"] != _VERSION or kept["diff_id"] != diff_id or kept["blob"] != blob:
            return None
        sparse = {
            int(at): tuple((first, size) for first, size in pieces) for at, pieces in kept["sparse"].items()
        }
        return IndexFile(Index(tuple(_entry(row) for row in kept["entries"]), sparse), kept["compressed"])
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        return None  # another user's, written by something else, or cut short: parse the tar instead


def write_kept(path: Path, kept: IndexFile, *, diff_id: str, blob: int) -> None:
    """Keep what was read, where that can be; the arguments are those of read_kept()."""
    text = json.dumps(
        {
            "version": _VERSION,
            "diff_id": diff_id,
            "blob": blob,
            "compressed": kept.compressed,
            "entries": [_row(entry) for entry in kept.index.entries],
            "sparse": kept.index.sparse,
        },
        separators=(",", ":"),
    )
    # On a full disk, or one that is read-only, the layer is parsed again the next time.
    with contextlib.suppress(OSError):
        write_whole(path, text.encode("ascii"))


def write_whole(path: Path, data: bytes) -> None:
    """Write `path` so that a reader, or a crash, sees all of it or none of it."""
    # Not a private file, as tempfile makes it: who else may read it is for the umask to say.
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with aside.open("xb") as out:
            out.write(data)
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def _row(entry: Entry) -> list[Any]:
    return [
        *(entry.path, entry.kind, entry.mode, entry.uid, entry.gid, entry.mtime, entry.size, entry.link),
        [(key, value.decode("latin-1")) for key, value in entry.xattrs],
        *entry.device,
        entry.offset,
    ]


def _entry(row: list[Any]) -> Entry:
    path, kind, mode, uid, gid, mtime, size, link, xattrs, major, minor, offset = row
    decoded = tuple((key, value.encode("latin-1")) for key, value in xattrs)
    return quick_entry(path, kind, mode, uid, gid, mtime, size, link, decoded, (major, minor), offset)
