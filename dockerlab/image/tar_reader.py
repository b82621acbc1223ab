"""Read the headers of a tar: where every member's content lies, without reading the content.

Formats: v7, ustar, pax (POSIX.1-2001) and GNU (long names, old and pax sparse files). `tarfile` reads the
same at more than twice the cost per member; layers of 40,000 members are common.
"""

from __future__ import annotations

import os
import posixpath
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO
from zlib import adler32

from dockerlab.errors import ImageError
from dockerlab.image.collection import uncollected
from dockerlab.image.filesystem import Entry, Kind, quick_entry
from dockerlab.image.tar_fields import (
    BLOCK,
    OPAQUE,
    TYPES,
    WHITEOUT,
    XATTR,
    DamageError,
    Pieces,
    is_signed,
    octal,
    old_sparse,
    pax_seconds,
    pax_sparse,
    read_records,
)

ADLER = 65_521
# What the kernel takes; more would end in an error of another kind where the file is made.
_IDS, _SIZES, _TIMES = (1 << 32) - 1, 1 << 63, 1 << 55
AUFS = ".wh..wh."  # aufs' own bookkeeping; Docker skips it when it unpacks a layer

_KINDS = {flag: kind for kind, flag in TYPES.items()}
_FIELDS = struct.Struct("100s8s8s8s12s12s8s1s100s6s66x8s8s155s12x")
_ZERO = bytes(BLOCK)
_UNPACKED = b"\x000123456xgLK"  # the types of members that Docker unpacks


@dataclass(frozen=True)
class Index:
    """What the headers of one tar say.

    `sparse` maps an entry's `offset` to its pieces, (offset in the file, bytes) in order; the rest is zeros.
    """

    entries: tuple[Entry, ...]
    sparse: dict[int, Pieces]


def starts_tar(block: bytes) -> bool:
    """Tell whether a file that begins with these 512 bytes is a tar, going by the checksum of a header."""
    if len(block) < BLOCK or block == _ZERO:
        return False
    try:
        wanted = octal(block[148:156], "checksum", 0)
    except DamageError:
        return False
    return sum(block[:148] + block[156:]) + 256 == wanted or is_signed(block, wanted)


def read_index(
    file: BinaryIO, *, start: int = 0, end: int | None = None, source: str, layer: bool = True
) -> Index:
    """Index the tar that lies in bytes `start` to `end` of a file; offsets count from `start`.

    `source` names it in an ImageError. An unbuffered file is read fastest: a header here, a header there. (A
    map of the file would cost more, and what is read of it would count as this process's memory.)

    With `layer`, whiteout and opaque markers become entries of those kinds (OCI image spec, layer.md).
    Without it the tar is one to unpack: a member of a type that Docker does not unpack is damage, too.
    """
    stop = file.seek(0, os.SEEK_END) if end is None else end
    try:
        sparse: dict[int, Pieces] = {}
        with uncollected():
            entries = tuple(_entries(file, start, stop, sparse, layer=layer))
    except DamageError as damage:
        raise ImageError(
            f"{source} is not a whole tar: {damage}.",
            hint="The file is damaged or was cut short; make or fetch it again.",
        ) from None
    return Index(entries, sparse)


def _entries(
    file: BinaryIO, start: int, stop: int, sparse: dict[int, Pieces], *, layer: bool
) -> Iterator[Entry]:
    at = start
    own: dict[str, bytes] = {}
    while at < stop:
        file.seek(at)
        block = file.read(BLOCK)
        if block == _ZERO:
            if file.read(BLOCK) not in (_ZERO, b"") and at + BLOCK < stop:
                raise DamageError(f"one block of zeros at byte {at - start}, where the end would have two")
            return
        if at + BLOCK > stop or len(block) < BLOCK:
            raise DamageError(
                f"{stop - at} bytes at byte {at - start} where a header of {BLOCK} was expected"
            )
        (name, mode, uid, gid, size, mtime, check, flag, link, magic, major, minor, prefix) = _FIELDS.unpack(
            block
        )
        try:
            if size[11] > 32 or mtime[11] > 32 or mode[7] > 32 or uid[7] > 32 or gid[7] > 32:
                raise ValueError
            wanted = int(check.rstrip(b"\0 "), 8)
            length, when = int(size[:11], 8), int(mtime[:11], 8)
            bits, owner, group = int(mode[:7], 8), int(uid[:7], 8), int(gid[:7], 8)
            wide = False  # so few octal digits hold no number that is too large
        except ValueError:  # the rare forms: base 256, no terminator, blank
            wanted = octal(check, "checksum", at - start)
            length, when = octal(size, "size", at - start), octal(mtime, "mtime", at - start)
            bits = octal(mode, "mode", at - start)
            owner, group = octal(uid, "uid", at - start), octal(gid, "gid", at - start)
            wide = True
        # The lower half of Adler-32 is 1 + the sum of the bytes, modulo 65521, in a tenth of the time.
        if ((adler32(block) & 0xFFFF) - 1 - sum(check) + 256 - wanted) % ADLER and not is_signed(
            block, wanted
        ):
            raise DamageError(f"the header at byte {at - start} does not match its checksum")
        if not layer and flag not in _UNPACKED:
            raise DamageError(f"a member of type {flag!r} at byte {at - start}, which Docker does not unpack")
        content = at + BLOCK
        if length < 0:
            raise DamageError(f"the header at byte {at - start} has a size below zero")
        if flag in b"xgLK":
            after = content + (length + 511) // BLOCK * BLOCK
            if content + length > stop:
                raise DamageError(f"the extended header at byte {at - start} ends beyond the end of the file")
            body = file.read(length)
            if flag == b"x":
                read_records(body, own, at - start)
            elif flag != b"g":  # as Docker does, which passes over what is said for all members
                own["path" if flag == b"L" else "linkpath"] = body.split(b"\0", 1)[0]
            at = after
            continue
        raw = name.split(b"\0", 1)[0]
        if magic == b"ustar\0" and prefix[0]:
            raw = prefix.split(b"\0", 1)[0] + b"/" + raw
        raw_link = link.split(b"\0", 1)[0] if link[0] else b""
        xattrs: tuple[tuple[str, bytes], ...] = ()
        pax = own
        if own:
            own = {}
            raw, raw_link = pax.get("path", raw), pax.get("linkpath", raw_link)
            try:
                length = int(pax.get("size", length))
                owner, group = int(pax.get("uid", owner)), int(pax.get("gid", group))
                when = pax_seconds(pax["mtime"]) if "mtime" in pax else when
            except ValueError:
                raise DamageError(
                    f"a pax number before the header at byte {at - start} cannot be read"
                ) from None
            xattrs = tuple(
                sorted((key[len(XATTR) :], value) for key, value in pax.items() if key.startswith(XATTR))
            )
            if not 0 <= length < _SIZES:
                raise DamageError(f"the header at byte {at - start} has a size that no file has")
        kind = _KINDS.get(flag, "file")
        if flag == b"\0" and raw.endswith(b"/"):
            kind = "dir"
        stored = length if kind == "file" else 0
        if flag == b"S":
            content, pieces, length = old_sparse(file, at, block, stop)
            sparse[content - start] = pieces
        after = content + (stored + 511) // BLOCK * BLOCK
        if content + stored > stop:
            raise DamageError(
                f"{raw.decode('utf-8', 'replace')!r} has {stored} bytes at byte {content - start}, "
                f"but the file ends at {stop - start}"
            )
        if kind == "file" and flag != b"S" and pax and any(key.startswith("GNU.sparse.") for key in pax):
            content, pieces, length, raw = pax_sparse(file, content, pax, raw)
            sparse[content - start] = pieces
        if (wide or pax or flag == b"S" or owner < 0 or group < 0) and not (
            0 <= owner < _IDS and 0 <= group < _IDS and -_TIMES < when < _TIMES and 0 <= length < _SIZES
        ):
            raise DamageError(
                f"the header at byte {at - start} has an owner, a size or a time that no file has"
            )
        at = after
        if flag == b"V":
            continue
        entry = quick_entry(
            _clean(raw.decode("utf-8", "surrogateescape")),
            kind,
            bits & 0o7777,
            owner,
            group,
            when,
            length if kind == "file" else 0,
            "" if not raw_link else _link(kind, raw_link.decode("utf-8", "surrogateescape")),
            xattrs,
            (octal(major, "device", at), octal(minor, "device", at)) if kind in ("char", "block") else (0, 0),
            content - start,
        )
        marked = _marker(entry) if layer and WHITEOUT in entry.path else entry
        if marked is not None:
            yield marked


def _clean(name: str) -> str:
    """Return a member's name as an entry's path: no leading "./" or "/", no trailing slash.

    Raises DamageError for a name that leads out of the root.
    """
    if "\0" in name:
        raise DamageError(f"the name {name!r} has a zero byte in it")
    path = name.strip("/")
    if "//" in path or "." in (path[:1], path[-1:]) or "/." in path:
        path = posixpath.normpath(path) if path else ""
        if path == ".":
            return ""
        if path == ".." or path.startswith("../"):
            raise DamageError(f"the name {name!r} leads out of the file system")
    return path


def _link(kind: Kind, text: str) -> str:
    if "\0" in text:
        raise DamageError(f"the link {text!r} has a zero byte in it")
    return _clean(text) if kind == "hardlink" else text if kind == "symlink" else ""


def _marker(entry: Entry) -> Entry | None:
    folder, _, base = entry.path.rpartition("/")
    if not base.startswith(WHITEOUT):
        return entry
    kind: Kind = "whiteout"
    path = f"{folder}/{base[len(WHITEOUT) :]}" if folder else base[len(WHITEOUT) :]
    if base == OPAQUE:
        kind, path = "opaque", folder
    elif base.startswith(AUFS):
        return None
    return Entry(path, kind, entry.mode, entry.uid, entry.gid, entry.mtime, 0, "", (), (0, 0), entry.offset)
