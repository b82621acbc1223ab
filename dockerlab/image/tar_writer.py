"""Writing layer tars: ustar headers, pax where ustar is too small, in the order BuildKit writes.

The bytes are those of BuildKit's differ (Go's archive/tar, format PAX): the same entries and content give the
same diff ID. tarfile is not used: it takes five times as long an entry, and its pax headers differ.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import BinaryIO

from dockerlab.errors import ImageError
from dockerlab.image.filesystem import CHUNK, Entry, Kind
from dockerlab.image.tar_fields import BLOCK, OPAQUE, TYPES, WHITEOUT, XATTR

WHITEOUT_MODE = 0o600

_NAME_MAX, _PREFIX_MAX = 100, 155  # bytes, POSIX.1-1988 ustar
_OCTAL_7, _OCTAL_11 = 8**7, 8**11  # first numbers that do not fit a field
_TYPES: dict[Kind, bytes] = {**TYPES, "whiteout": b"0", "opaque": b"0"}
_MAGIC = b"ustar\x0000"
_FIXED_SUM = sum(_MAGIC) + 8 * ord(" ")  # the checksum counts its own field as spaces
_NO_NAMES = bytes(64)  # uname and gname: BuildKit leaves both empty


class LayerWriter:
    """Write the entries of one layer, in the order they are given, as an uncompressed tar.

    `digest` ("sha256:..." of all bytes) and `size` (bytes) are whole after `close`. Keep the canonical order:
    `in_order` gives it.
    """

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._hash = hashlib.sha256()
        self._pending = bytearray()
        self._closed = False
        self.size = 0

    @property
    def digest(self) -> str:
        """The sha256 of what was written so far; of the layer (its diff ID) after `close`."""
        self._flush()
        return f"sha256:{self._hash.hexdigest()}"

    def add(self, entry: Entry, content: BinaryIO | bytes | None = None) -> None:
        """Write one entry and, for a file, exactly `entry.size` bytes of `content`.

        Raises ImageError when the content has another length, or a name cannot be written in a tar.
        """
        size = entry.size if entry.kind == "file" else 0
        self._write(header(entry))
        if not size:
            return
        if isinstance(content, bytes):
            if len(content) != size:
                raise _wrong_length(entry, len(content))
            self._write(content)
        else:
            self._copy(entry, content)
        self._write(bytes(-size % BLOCK))

    def close(self) -> None:
        """Write the two zero blocks that end a tar; the stream itself stays open."""
        if not self._closed:
            self._closed = True
            self._write(bytes(2 * BLOCK))
        self._flush()

    def _copy(self, entry: Entry, content: BinaryIO | None) -> None:
        left = entry.size
        while left and content is not None:
            chunk = content.read(min(left, CHUNK))
            if not chunk:
                break
            self._write(chunk)
            left -= len(chunk)
        if left:
            raise _wrong_length(entry, entry.size - left)

    def _write(self, data: bytes) -> None:
        self.size += len(data)
        self._pending += data
        if len(self._pending) >= CHUNK:
            self._flush()

    def _flush(self) -> None:
        if self._pending:
            self._hash.update(self._pending)
            self._out.write(self._pending)
            self._pending = bytearray()


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """Return entries in the order BuildKit writes them.

    Folders come before what is in them, siblings by the bytes of their names without `.wh.`, an opaque
    marker right after its folder. That a hard link's target sorts before the link is the caller's business.
    """
    return sorted(entries, key=order_key)


def order_key(entry: Entry) -> list[bytes]:
    """The sort key of the canonical order; see `in_order`."""
    parts = encode(entry.path).split(b"/") if entry.path else []
    if entry.kind == "opaque":
        parts.append(b"")
    return parts


def encode(path: str) -> bytes:
    """Return a path as the bytes of its file name; Linux names need not be UTF-8."""
    return path.encode("utf-8", "surrogateescape")


def tar_name(entry: Entry) -> str:
    """Return the member name of an entry: folders end in "/", whiteouts have their marker names."""
    if entry.kind == "dir":
        return entry.path + "/"
    if entry.kind in ("whiteout", "opaque"):
        folder, name = (entry.path, OPAQUE)
        if entry.kind == "whiteout":
            folder, _, base = entry.path.rpartition("/")
            name = WHITEOUT + base
        return f"{folder}/{name}" if folder else name
    return entry.path


def header(entry: Entry) -> bytes:
    """Return the header blocks of an entry: one ustar block, after a pax header where one is needed.

    Markers keep their owner and time; a whiteout always has mode 0600, an opaque marker the mode it is given
    (BuildKit's has the permissions and owner of its folder, and time 0).
    """
    if not entry.path and entry.kind != "opaque":
        raise ImageError("the root folder itself cannot be an entry of a layer")
    name = encode(tar_name(entry))
    link = encode(entry.link) if entry.kind in ("symlink", "hardlink") else b""
    if b"\0" in name or b"\0" in link:
        raise ImageError(f"{entry.path!r} has a zero byte in its name, which a tar cannot hold")
    marker = entry.kind in ("whiteout", "opaque")
    mode = WHITEOUT_MODE if entry.kind == "whiteout" else entry.mode & 0o7777
    size = entry.size if entry.kind == "file" else 0
    uid, gid, mtime = entry.uid, entry.gid, entry.mtime
    kind = _TYPES[entry.kind]
    major, minor = entry.device if entry.kind in ("char", "block") else (0, 0)

    records: dict[bytes, bytes] = {}
    prefix, short = b"", name
    if len(name) > _NAME_MAX or not name.isascii():
        prefix, short = _split(name)
        records[b"path"] = name
    needs_pax = bool(records) and not prefix
    if len(link) > _NAME_MAX or not link.isascii():
        records[b"linkpath"] = link
        needs_pax = True
    for key, number, limit in (
        (b"uid", uid, _OCTAL_7),
        (b"gid", gid, _OCTAL_7),
        (b"size", size, _OCTAL_11),
        (b"mtime", mtime, _OCTAL_11),
    ):
        if not 0 <= number < limit:
            records[key] = b"%d" % number
            needs_pax = True
    for attribute, value in () if marker else entry.xattrs:
        if "=" in attribute:
            raise ImageError(
                f"{entry.path!r} has an extended attribute named {attribute!r}: '=' is not allowed"
            )
        records[encode(XATTR + attribute)] = value
        needs_pax = True
    numbers = (mode, uid, gid, size, mtime)
    if not needs_pax:
        return _block(short, numbers, kind, link, (major, minor), prefix)
    folder, _, base = name.rpartition(b"/")
    pax_name = b"/".join(part for part in (folder, b"PaxHeaders.0", base) if part)
    pax = b"".join(_record(key, records[key]) for key in sorted(records))
    return b"".join(
        (
            _block(_ascii(pax_name)[:_NAME_MAX].rstrip(b"/"), (0, 0, 0, len(pax), 0), b"x", b"", None, b""),
            pax,
            bytes(-len(pax) % BLOCK),
            _block(_fit(_ascii(name)), numbers, kind, _fit(_ascii(link)), (major, minor), b""),
        )
    )


def _split(name: bytes) -> tuple[bytes, bytes]:
    """Cut a long ASCII name at a slash into ustar's prefix and name; no prefix: it does not fit."""
    if not name.isascii():
        return b"", name
    cut = name[: _PREFIX_MAX + 1].rstrip(b"/") if len(name) <= _PREFIX_MAX + 1 else name[: _PREFIX_MAX + 1]
    at = cut.rfind(b"/")
    rest = len(name) - at - 1
    return (name[:at], name[at + 1 :]) if at > 0 and 0 < rest <= _NAME_MAX else (b"", name)


def _block(
    name: bytes,
    numbers: tuple[int, int, int, int, int],
    kind: bytes,
    link: bytes,
    device: tuple[int, int] | None,
    prefix: bytes,
) -> bytes:
    """Build one 512-byte header; `numbers` are mode, uid, gid, size, mtime (0 where pax has the real one)."""
    mode, uid, gid, size, mtime = numbers
    fields = b"%07o\0%07o\0%07o\0%011o\0%011o\0" % (
        mode,
        uid if 0 <= uid < _OCTAL_7 else 0,
        gid if 0 <= gid < _OCTAL_7 else 0,
        size if 0 <= size < _OCTAL_11 else 0,
        mtime if 0 <= mtime < _OCTAL_11 else 0,
    )
    devices = b"%07o\0%07o\0" % device if device is not None else bytes(16)
    # Summing the short pieces instead of the padded block is what makes a header cost 4 us rather than 8.
    total = _FIXED_SUM + kind[0] + sum(name) + sum(fields) + sum(link) + sum(devices) + sum(prefix)
    return b"".join(
        (
            name.ljust(_NAME_MAX, b"\0"),
            fields,
            b"%06o\0 " % total,
            kind,
            link.ljust(_NAME_MAX, b"\0"),
            _MAGIC,
            _NO_NAMES,
            devices,
            prefix.ljust(_PREFIX_MAX, b"\0"),
            bytes(12),
        )
    )


def _record(key: bytes, value: bytes) -> bytes:
    """One pax record, "LENGTH KEY=VALUE\\n", whose length counts itself."""
    body = b" " + key + b"=" + value + b"\n"
    size = len(body) + len(str(len(body)))
    if len(body) + len(str(size)) != size:
        size = len(body) + len(str(size))
    return b"%d" % size + body


def _ascii(text: bytes) -> bytes:
    return text if text.isascii() else bytes(byte for byte in text if byte < 0x80)


def _fit(text: bytes) -> bytes:
    """Cut a name that pax holds whole; one cut right after a slash must not look like a folder."""
    if len(text) <= _NAME_MAX:
        return text
    cut = text[:_NAME_MAX]
    if cut.endswith(b"/"):
        bare = cut[:-1].rstrip(b"/")
        return bare + b"\0" + cut[len(bare) + 1 :]
    return cut


def _wrong_length(entry: Entry, found: int) -> ImageError:
    return ImageError(
        f"{entry.path!r} should have {entry.size} bytes of content, {found} were there",
        hint="The file changed while it was read: build again.",
    )
