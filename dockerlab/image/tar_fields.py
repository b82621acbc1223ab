"""What the fields of a tar header say, and the headers that extend it: numbers, pax records, sparse maps.

Formats: v7, ustar, pax (POSIX.1-2001) and GNU (base 256, old and pax sparse files).
"""

from __future__ import annotations

from typing import BinaryIO

from dockerlab.image.filesystem import Kind

BLOCK = 512
WHITEOUT = ".wh."  # OCI image spec, layer.md, "Whiteouts"
OPAQUE = ".wh..wh..opq"
XATTR = "SCHILY.xattr."  # before an attribute's name in a pax header
TYPES: dict[Kind, bytes] = {
    "file": b"0",
    "hardlink": b"1",
    "symlink": b"2",
    "char": b"3",
    "block": b"4",
    "dir": b"5",
    "fifo": b"6",
}

Pieces = tuple[tuple[int, int], ...]  # of a sparse file: (offset, bytes)


class DamageError(Exception):
    """A header that is not one; what is wrong, without the file's name."""


def octal(field: bytes, what: str, at: int) -> int:
    """Return the number in a field; `what` and `at` name it where it is none."""
    try:
        return int(field[:-1], 8) if field[-1] in (0, 32) else int(field, 8)
    except ValueError:
        pass
    if field[0] & 0x80:  # GNU: base 256, two's complement
        value = int.from_bytes(field, "big", signed=False)
        bits = 8 * len(field)
        return value - (1 << bits) if field[0] == 0xFF else value & ((1 << (bits - 1)) - 1)
    text = field.split(b"\0", 1)[0].strip()
    try:
        return int(text, 8) if text else 0
    except ValueError:
        raise DamageError(
            f"the {what} of the header at byte {at} is {field!r}, not an octal number"
        ) from None


def is_signed(block: bytes, wanted: int) -> bool:
    """Tell whether the checksum is the one that old writers made with signed characters."""
    return sum(byte - 256 if byte > 127 else byte for byte in block[:148] + block[156:]) + 256 == wanted


def pax_seconds(text: bytes) -> int:
    """Return a time of a pax header in whole seconds, rounded down."""
    whole, _, fraction = text.partition(b".")
    value = int(whole or b"0")
    return value - 1 if whole.startswith(b"-") and fraction.strip(b"0") else value


def read_records(body: bytes, into: dict[str, bytes], at: int) -> None:
    """Read pax records, "LENGTH KEY=VALUE\\n" (POSIX.1-2001, pax, "pax Extended Header")."""
    here = 0
    holes: list[bytes] = []
    while here < len(body) and body[here]:
        space = body.find(b" ", here)
        try:
            size = int(body[here:space])
        except ValueError:
            raise DamageError(f"the pax header at byte {at} has a record without a length") from None
        record = body[space + 1 : here + size]
        key, equals, value = record[:-1].partition(b"=")
        if space < 0 or size < 5 or record[-1:] != b"\n" or not equals:
            raise DamageError(f"the pax header at byte {at} has a record of the wrong length")
        name = key.decode("utf-8", "surrogateescape")
        if name in ("GNU.sparse.offset", "GNU.sparse.numbytes"):  # version 0.0 repeats these two keys
            holes.append(value)
        elif value:
            into[name] = value
        else:
            into.pop(name, None)  # an empty value takes the setting back
        here += size
    if holes:
        into["GNU.sparse.map"] = b",".join(holes)


def old_sparse(file: BinaryIO, at: int, block: bytes, stop: int) -> tuple[int, Pieces, int]:
    """Read GNU's own sparse header (type "S") and its continuation blocks."""
    real = octal(block[483:495], "real size", at)
    table, more, here = block[386:482], block[482], at + BLOCK
    pieces: list[tuple[int, int]] = []
    while True:
        for first in range(0, len(table) - 23, 24):
            where, count = table[first : first + 12], table[first + 12 : first + 24]
            if where[0] and count[0]:
                pieces.append((octal(where, "hole", at), octal(count, "hole", at)))
        if not more:
            return here, tuple(pieces), real
        if here + BLOCK > stop:
            raise DamageError(f"the sparse map at byte {at} ends beyond the end of the file")
        block = file.read(BLOCK)
        table, more, here = block[:504], block[504], here + BLOCK


def pax_sparse(
    file: BinaryIO, content: int, pax: dict[str, bytes], raw: bytes
) -> tuple[int, Pieces, int, bytes]:
    """Read the pax sparse forms 0.0, 0.1 (map in the header) and 1.0 (map before the content)."""
    raw = pax.get("GNU.sparse.name", raw)
    try:
        real = int(pax.get("GNU.sparse.realsize", pax.get("GNU.sparse.size", b"")))
        if pax.get("GNU.sparse.major") == b"1":
            numbers: list[int] = []
            text = b""
            while not numbers or len(numbers) < 1 + 2 * numbers[0]:
                line, newline, rest = text.partition(b"\n")
                if newline:
                    numbers.append(int(line))
                    text = rest
                    continue
                block = file.read(BLOCK)
                if len(block) < BLOCK:
                    raise ValueError
                text, content = text + block, content + BLOCK
            numbers = numbers[1:]
        else:
            numbers = [int(number) for number in pax["GNU.sparse.map"].split(b",")]
    except (ValueError, KeyError):
        raise DamageError(f"the sparse map of {raw.decode('utf-8', 'replace')!r} cannot be read") from None
    return content, tuple(zip(numbers[::2], numbers[1::2], strict=False)), real, raw
