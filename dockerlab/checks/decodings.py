"""The forms that bytes hide in: packed, encoded, one in the other."""

from __future__ import annotations

import base64
import binascii
import bz2
import gzip
import lzma
import re
import zlib
from collections.abc import Callable, Iterator

_DEEPEST = 3
_BASE64 = re.compile(rb"[A-Za-z0-9+/_=\s-]{12,}")
_HEX = re.compile(rb"[0-9a-fA-F\s]{12,}")
_PACKED: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"BZh": bz2.decompress,
    b"\xfd7zXZ": lzma.decompress,
    b"]\x00\x00": lzma.decompress,
}


def decoded_forms(data: bytes, deep: int = _DEEPEST) -> Iterator[bytes]:
    """Yield the bytes, and what they are once unpacked or decoded, again and again."""
    yield data
    if not deep:
        return
    for start, unpack in _PACKED.items():
        if data.startswith(start):
            try:
                yield from decoded_forms(unpack(data), deep - 1)
            except (OSError, EOFError, lzma.LZMAError, zlib.error):
                continue
    if _HEX.fullmatch(data):
        digits = b"".join(data.split())
        yield from decoded_forms(binascii.unhexlify(digits[: len(digits) // 2 * 2]), deep - 1)
    if _BASE64.fullmatch(data):
        # Lines that are padded each, as of several pieces, are one text without the padding between them.
        letters = b"".join(data.split()).replace(b"=", b"").translate(bytes.maketrans(b"-_", b"+/"))
        whole = letters[: len(letters) // 4 * 4 + (0 if len(letters) % 4 == 1 else len(letters) % 4)]
        yield from decoded_forms(base64.b64decode(whole + b"=" * (-len(whole) % 4)), deep - 1)


def pieces(secret: str, size: int = 8) -> set[bytes]:
    """Return what gives a secret away: any piece of that many characters, plain, encoded or reversed."""
    windows = {secret[at : at + size] for at in range(len(secret) - size + 1)}
    found = {one.encode() for one in windows} | {one[::-1].encode() for one in windows}
    found |= {one.encode().hex().encode() for one in windows}
    for shift in range(3):  # base64 of it, wherever it begins in what was encoded
        text = base64.b64encode(b"\0" * shift + secret.encode())
        inner = text[2 + (shift > 0) * 2 : len(text) // 4 * 4 - 4]
        found |= {
            inner[at : at + size + 3] for at in range(max(1, len(inner) - size - 2)) if len(inner) >= size + 3
        }
    return found
