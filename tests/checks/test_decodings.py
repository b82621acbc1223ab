from __future__ import annotations

import base64
import bz2
import gzip
import lzma
import os

import pytest

from dockerlab.checks.decodings import decoded_forms, pieces

SECRET = "key-5d1e9a7c40b83f26"


@pytest.mark.parametrize(
    "hide",
    [
        lambda data: data,
        gzip.compress,
        bz2.compress,
        lzma.compress,
        base64.b64encode,
        base64.encodebytes,
        base64.urlsafe_b64encode,
        lambda data: data.hex().encode(),
        lambda data: base64.b64encode(data[:9]) + b"\n" + base64.b64encode(data[9:]),
        lambda data: base64.b64encode(gzip.compress(data)),
        lambda data: gzip.compress(data.hex().encode()),
    ],
    ids=[
        "plain",
        "gzip",
        "bzip2",
        "xz",
        "base64",
        "lines",
        "url",
        "hex",
        "pieces",
        "base64-of-gzip",
        "gzip-of-hex",
    ],
)
def test_what_is_packed_or_encoded_is_found(hide: object) -> None:
    """The bytes are among the forms, whatever they were packed with or encoded as."""
    assert callable(hide)
    data = f"API_KEY={SECRET}\n".encode()
    assert any(data.strip() in form for form in decoded_forms(hide(data)))


def test_what_only_looks_packed_is_itself() -> None:
    """Damaged archives and text that is not quite base64 are no error."""
    for data in (
        b"\x1f\x8bnot gzip",
        b"BZh nothing",
        b"abcdefghijklm",
        b"abc",
        b"API_KEY=key-5d1e9a7c40b",
        os.urandom(100),
    ):
        assert next(decoded_forms(data)) == data
        assert list(decoded_forms(data))


@pytest.mark.parametrize(
    "told",
    [
        SECRET,
        SECRET[::-1],
        SECRET.encode().hex(),
        SECRET[:10],
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(f"a{SECRET}b".encode()).decode(),
        base64.b64encode(f"API_KEY={SECRET}".encode()).decode(),
    ],
)
def test_a_piece_gives_a_secret_away(told: str) -> None:
    """Half of it, reversed, in hex, in base64 wherever it begins: one of the pieces is in the text."""
    assert any(piece in f"ENV A={told} B=1".encode() for piece in pieces(SECRET))


def test_other_text_gives_nothing_away() -> None:
    """Names and other keys hold no piece of it."""
    text = b"ENV MAPS_API_KEY=key-0000000000000000 LANG=C.UTF-8 " + base64.b64encode(b"something else" * 9)
    assert not [piece for piece in pieces(SECRET) if piece in text]
