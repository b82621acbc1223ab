"""Archives as ADD finds them: every compression and form of tar, links that lead elsewhere, damage.

Dockerfile reference, "ADD": "the archive is unpacked as `tar -x` does"; tar(5), pax(1), the GNU tar manual.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from typing import Any

import zstandard

from tests.conformance.case import Case, Item

from .adding import PLAIN, archive

END = bytes(1024)
ONE = archive(("file", "one", 0o640, 1, 2, "one\n"))
BARE = ONE[:1024]  # header and content, without the end


def _tar(
    *members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT, pax: dict[str, str] | None = None
) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form, pax_headers=pax, errors="surrogateescape") as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def _info(name: str, kind: bytes = tarfile.REGTYPE, **fields: Any) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mtime = kind, 1_400_000_000
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def _file(name: str, data: bytes = b"data\n", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    return _info(name, size=len(data), **fields), data


def _other(name: str, kind: bytes, **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    return _info(name, kind, **fields), b""


def _sum(block: bytes) -> bytes:
    """Return a header with its checksum put right."""
    total = sum(block[:148]) + 8 * 32 + sum(block[156:512])
    return block[:148] + b"%06o\0 " % total + block[156:512]


def _changed(at: int, to: bytes, data: bytes = ONE) -> bytes:
    return _sum(data[:at] + to + data[at + len(to) : 512]) + data[512:]


def _old_sparse() -> bytes:
    """A file of 4096 bytes, of which the last 4 are stored: GNU tar's old sparse format."""
    head = bytearray(_info("sparse", b"S", size=4).tobuf(tarfile.GNU_FORMAT)[:512])
    head[386:410] = b"%011o\0%011o\0" % (4092, 4)
    head[483:495] = b"%011o\0" % 4096
    return _sum(bytes(head)) + b"end\n".ljust(512, b"\0") + END


def _pax_sparse() -> bytes:
    data = b"1\n4092\n4\n".ljust(512, b"\0") + b"end\n"
    info, _ = _file("GNUSparseFile.0/sparse", data)
    info.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "sparse",
        "GNU.sparse.realsize": "4096",
    }
    return _tar((info, data))


def _pax_sparse_01() -> bytes:
    info, data = _file("GNUSparseFile.0/sparse", b"end\n")
    info.pax_headers = {
        "GNU.sparse.map": "4092,4",
        "GNU.sparse.numblocks": "1",
        "GNU.sparse.size": "4096",
        "GNU.sparse.name": "sparse",
    }
    return _tar((info, data))


def _with_pax(name: str, **records: str) -> bytes:
    info, data = _file(name)
    info.pax_headers = {key.replace("__", "."): value for key, value in records.items()}
    return _tar((info, data))


PACKED = {
    "plain": ONE,
    "gzip": gzip.compress(ONE, mtime=0),
    "bzip2": bz2.compress(ONE),
    "xz": lzma.compress(ONE),
    "zstd": zstandard.ZstdCompressor().compress(ONE),
    "lzma": lzma.compress(ONE, format=lzma.FORMAT_ALONE),
    "gzip-twice": gzip.compress(gzip.compress(ONE, mtime=0), mtime=0),
    "gzip-members": gzip.compress(ONE[:700], mtime=0) + gzip.compress(ONE[700:], mtime=0),
    "bzip2-streams": bz2.compress(ONE[:700]) + bz2.compress(ONE[700:]),
    "xz-streams": lzma.compress(ONE[:700]) + lzma.compress(ONE[700:]),
    "zstd-frames": zstandard.ZstdCompressor().compress(ONE[:700])
    + zstandard.ZstdCompressor().compress(ONE[700:]),
    "zstd-skippable": b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd" + zstandard.ZstdCompressor().compress(ONE),
    "gzip-trailing": gzip.compress(ONE, mtime=0) + b"trailing",
    "bzip2-trailing": bz2.compress(ONE) + b"trailing",
    "xz-trailing": lzma.compress(ONE) + b"trailing",
    "zstd-trailing": zstandard.ZstdCompressor().compress(ONE) + b"trailing",
    "gzip-cut-late": gzip.compress(ONE, mtime=0)[:-4],
    "gzip-cut": gzip.compress(PLAIN + bytes(range(256)) * 400, mtime=0)[:1000],
    "gzip-wrong-sum": gzip.compress(ONE, mtime=0)[:-8] + b"\1\2\3\4" + gzip.compress(ONE, mtime=0)[-4:],
    "bzip2-cut": bz2.compress(ONE)[:-6],
    "xz-cut": lzma.compress(ONE)[:-6],
    "zstd-cut": zstandard.ZstdCompressor().compress(ONE)[:-3],
    "xz-check": lzma.compress(ONE, check=lzma.CHECK_SHA256),
    "nothing": b"",
    "gzip-of-nothing": gzip.compress(b"", mtime=0),
    "gzip-of-end": gzip.compress(END, mtime=0),
    "gzip-head": b"\x1f\x8b\x08",
    "xz-head": b"\xfd7zXZ\0",
    "bzip2-head": b"BZh9",
    "zstd-head": b"\x28\xb5\x2f\xfd",
}

FORMS = {
    "end-only": END,
    "half-end": bytes(512),
    "end-10240": bytes(10240),
    "zeros-100": bytes(100),
    "zeros-then-text": END + b"text",
    "no-end": BARE,
    "half-the-end": BARE + bytes(512),
    "trailing-text": BARE + END + b"trailing bytes",
    "trailing-archive": BARE + END + archive(("file", "two", 0o640, 1, 2, "two\n")),
    "one-zero-block-between": BARE + bytes(512) + archive(("file", "two", 0o640, 1, 2, "two\n")),
    "second-header-bad": BARE + b"not a header".ljust(512, b"x") + END,
    "second-header-cut": BARE + BARE[:100],
    "content-cut": ONE[:514],
    "padding-cut": ONE[:516],
    "header-cut": ONE[:300],
    "header-only": ONE[:512],
    "v7": _changed(257, bytes(255)),
    "ustar": archive(("file", "one", 0o640, 1, 2, "one\n"), form=tarfile.USTAR_FORMAT),
    "ustar-prefix": archive(
        ("file", "p" * 90 + "/" + "n" * 90, 0o640, 1, 2, "one\n"), form=tarfile.USTAR_FORMAT
    ),
    "gnu-long": archive(
        ("dir", "d" * 120, 0o755, 0, 0, ""),
        ("link", "d" * 120 + "/l", 0o777, 0, 0, "../" + "t" * 120),
        ("file", "d" * 120 + "/" + "f" * 120, 0o644, 0, 0, "x"),
        ("hard", "h" * 120, 0o644, 0, 0, "d" * 120 + "/" + "f" * 120),
    ),
    "pax-long": archive(
        ("dir", "d" * 120, 0o755, 0, 0, ""),
        ("link", "d" * 120 + "/l", 0o777, 0, 0, "../" + "t" * 120),
        ("file", "d" * 120 + "/" + "f" * 120, 0o644, 0, 0, "x"),
        ("hard", "h" * 120, 0o644, 0, 0, "d" * 120 + "/" + "f" * 120),
        form=tarfile.PAX_FORMAT,
    ),
    "pax-global": _tar(_file("one"), pax={"comment": "0123456789abcdef"}),
    "pax-global-mtime": _tar(_file("one"), pax={"mtime": "1300000000"}),
    "pax-fraction": _tar(_file("one", mtime=1_400_000_000.75)),
    "pax-negative": _tar(_file("one", mtime=-5)),
    "pax-owner": _with_pax("one", uid="5000000", gid="6000000"),
    "pax-path": _with_pax("short", path="another/name"),
    "pax-path-empty": _with_pax("short", path=""),
    "pax-xattr": _with_pax("one", SCHILY__xattr__user__note="hello"),
    "pax-xattr-capability": _with_pax(
        "one", SCHILY__xattr__security__capability="\x01\0\0\x02\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
    ),
    "pax-unknown": _with_pax("one", VENDOR__thing="x"),
    "pax-latin-1": _tar(_file("caf\udce9")),
    "gnu-latin-1": _tar(_file("caf\udce9"), form=tarfile.GNU_FORMAT),
    "controls": _tar(_file("a\x1b[31m\n\x07b"), form=tarfile.GNU_FORMAT),
    "base-256-owner": _tar(_file("one", uid=5_000_000, gid=6_000_000), form=tarfile.GNU_FORMAT),
    "sparse-old": _old_sparse(),
    "sparse-1.0": _pax_sparse(),
    "sparse-0.1": _pax_sparse_01(),
    "contiguous": _tar(_file("one", type=tarfile.CONTTYPE), form=tarfile.USTAR_FORMAT),
    "type-nul": _tar(_file("one", type=tarfile.AREGTYPE), form=tarfile.USTAR_FORMAT),
    "type-nul-slash": _tar(_other("dir/", tarfile.AREGTYPE), form=tarfile.USTAR_FORMAT),
    "type-0-slash": _tar(_other("dir/", tarfile.REGTYPE), form=tarfile.USTAR_FORMAT),
    "type-unknown": _changed(156, b"Z"),
    "type-volume": _tar(_other("label", b"V"), _file("one"), form=tarfile.GNU_FORMAT),
    "type-dumpdir": _tar(_other("dump", b"D"), _file("one"), form=tarfile.GNU_FORMAT),
    "type-solaris": _tar(_other("x", b"X"), _file("one"), form=tarfile.GNU_FORMAT),
    "mode-with-type": _changed(100, b"0100640\0"),
    "mode-sticky": _tar(
        _other("d", tarfile.DIRTYPE, mode=0o1777), _file("s", mode=0o6755), _file("t", mode=0o1644)
    ),
    "mode-none": _tar(_other("d", tarfile.DIRTYPE, mode=0), _file("d/f", mode=0)),
    "link-mode": _tar(_other("l", tarfile.SYMTYPE, linkname="one", mode=0o600), _file("one")),
    "link-owner": _tar(_other("l", tarfile.SYMTYPE, linkname="one", uid=7, gid=8)),
    "link-with-size": _sum(_info("l", b"2", linkname="one", size=4).tobuf(tarfile.USTAR_FORMAT)[:512])
    + b"data".ljust(512, b"\0")
    + ONE,
    "link-empty": _tar(_other("l", tarfile.SYMTYPE, linkname="")),
    "hard-with-size": _tar(_file("one"))[:1024]
    + _sum(_info("h", b"1", linkname="one", size=5).tobuf(tarfile.USTAR_FORMAT)[:512])
    + ONE,
    "hard-to-link": _tar(
        _other("l", tarfile.SYMTYPE, linkname="one"), _file("one"), _other("h", tarfile.LNKTYPE, linkname="l")
    ),
    "hard-to-folder": _tar(
        _other("d", tarfile.DIRTYPE, mode=0o755), _other("h", tarfile.LNKTYPE, linkname="d")
    ),
    "hard-to-itself": _tar(_file("one"), _other("one", tarfile.LNKTYPE, linkname="one")),
    "hard-later-changed": _tar(
        _file("one"), _other("h", tarfile.LNKTYPE, linkname="one"), _file("one", b"new\n")
    ),
    "hard-modes": _tar(
        _file("one", mode=0o600), _other("h", tarfile.LNKTYPE, linkname="one", mode=0o755, uid=3)
    ),
    "hard-absolute": _tar(_file("d/one"), _other("h", tarfile.LNKTYPE, linkname="/d/one")),
    "hard-dotted": _tar(_file("d/one"), _other("h", tarfile.LNKTYPE, linkname="./d/../d/one")),
    "devices": _tar(
        _other("null", tarfile.CHRTYPE, mode=0o666, devmajor=1, devminor=3),
        _other("loop", tarfile.BLKTYPE, mode=0o660, devmajor=7, devminor=300),
        _other("pipe", tarfile.FIFOTYPE, mode=0o600),
    ),
    "name-empty": _changed(0, bytes(4)),
    "name-dot": _tar(_file("./."), form=tarfile.USTAR_FORMAT),
    "name-dot-dot": _tar(_file("../../x"), form=tarfile.USTAR_FORMAT),
    "name-slashes": _tar(_file("a//b///c"), form=tarfile.USTAR_FORMAT),
    "file-over-folder": _tar(_file("d/f"), _file("d", b"now a file\n")),
    "folder-over-file": _tar(_file("d"), _file("d/f")),
    "folder-twice": _tar(
        _other("d", tarfile.DIRTYPE, mode=0o700),
        _file("d/f"),
        _other("d", tarfile.DIRTYPE, mode=0o755, uid=4),
    ),
    "root-entry": _tar(_other("./", tarfile.DIRTYPE, mode=0o711, uid=4, gid=5), _file("./f")),
    "whiteouts": _tar(_file("d/a"), _file("d/.wh.a"), _file("d/.wh..wh..opq"), _file(".wh.missing")),
}


def _leads(
    name: str,
    *members: tuple[tarfile.TarInfo, bytes],
    lines: str = "",
    to: str = "/x/",
    refused: str | None = None,
) -> Case:
    text = f"FROM @base\n{lines}ADD a.tar {to}\n"
    return Case(f"archive-leads-{name}", text, {"a.tar": _tar(*members)}, refused=refused)


def _link(name: str, to: str) -> tuple[tarfile.TarInfo, bytes]:
    return _other(name, tarfile.SYMTYPE, linkname=to)


LEADS = [
    _leads("absolute", _link("l", "/var/full"), _file("l/new")),
    _leads("relative", _link("l", "../var/full"), _file("l/new"), refused="symlink leads out"),
    _leads("far-up", _link("l", "../../../../var/full"), _file("l/new"), refused="symlink leads out"),
    _leads("dangling", _link("l", "/nowhere/yet"), _file("l/new")),
    _leads("inside", _link("l", "d"), _file("d/f"), _file("l/new")),
    _leads("dangling-inside", _link("l", "d"), _file("l/new")),
    _leads("chain", _link("a", "b"), _link("b", "/var/to-folder"), _file("a/new")),
    _leads("circle", _link("a", "b"), _link("b", "a"), _file("a/new"), refused="circle"),
    _leads("to-file", _link("l", "/var/full/one"), _file("l/new")),
    _leads("file-through", _link("l", "/var/full/one"), _file("l", b"over\n")),
    _leads("folder-through", _link("l", "/var/full"), _other("l", tarfile.DIRTYPE, mode=0o700)),
    _leads("dot-dot-behind", _link("l", "/var/full/deep"), _file("l/../new")),
    _leads("of-image", _file("to-folder/new"), to="/var/"),
    _leads("of-image-absolute", _file("abs/new"), lines="RUN ln -s /srv/app /var/abs\n", to="/var"),
    _leads("of-image-dangling", _file("to-nothing/new"), to="/var"),
    _leads("of-image-file", _file("to-file", b"over\n"), to="/var"),
    _leads("of-image-folder-entry", _other("to-folder", tarfile.DIRTYPE, mode=0o700), to="/var"),
    _leads(
        "hard-through",
        _link("l", "/var/full"),
        _other("h", tarfile.LNKTYPE, linkname="l/one"),
        refused="l/one",
    ),
    _leads("hard-of-image", _other("h", tarfile.LNKTYPE, linkname="full/one"), to="/var"),
    _leads(
        "hard-link-itself-through",
        _link("l", "/var/full"),
        _file("f"),
        _other("l/h", tarfile.LNKTYPE, linkname="f"),
    ),
    _leads("device-through", _link("l", "/var/full"), _other("l/p", tarfile.FIFOTYPE)),
    _leads("parents-through", _link("l", "/var/full"), _file("l/a/b/c")),
    _leads("destination-link", _file("new"), to="/var/to-folder/"),
    _leads("destination-dangling", _file("new"), to="/var/to-nothing/"),
    _leads("destination-below-link", _file("new"), to="/var/to-folder/more/"),
]


REFUSED = {
    "one-zero-block-between": "one block of zeros at byte 1024",
    "second-header-bad": "header at byte 1024",
    "second-header-cut": "100 bytes at byte 1024",
    "content-cut": "the file ends at 514",
    "header-only": "the file ends at 512",
    "sparse-old": "type b'S'",
    "contiguous": "type b'7'",
    "type-unknown": "type b'Z'",
    "type-volume": "type b'V'",
    "type-dumpdir": "type b'D'",
    "type-solaris": "type b'X'",
    "link-with-size": "header at byte 512",
    "link-empty": "symlink l",
    "hard-to-folder": "hard link h to d",
    "hard-to-itself": "hard link one to one",
    "name-dot-dot": "'../../x' leads out",
    "folder-over-file": "/x/d is a file",
}


def _added(kind: str, name: str, content: bytes) -> Case:
    context: dict[str, Item] = {"a.tar": content}
    refused = REFUSED.get(name)
    mtimes = ("x/one", "x/l", "x/h", "x/sparse")
    return Case(
        f"archive-{kind}-{name}", "FROM @base\nADD a.tar /x/\n", context, refused=refused, mtimes=mtimes
    )


CASES = [
    *(_added("packed", name, content) for name, content in PACKED.items()),
    *(_added("form", name, content) for name, content in FORMS.items()),
    *LEADS,
]
