"""ADD (Dockerfile reference, "ADD"): local archives are unpacked, URLs are downloaded."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import tarfile
import zipfile

import zstandard

from tests.conformance.case import Case, Item, Link

from .served import SERVED

WHEN = 1_400_000_000  # seconds

Row = tuple[str, str, int, int, int, str]  # kind, name, mode, uid, gid, content or link

KINDS = {
    "file": tarfile.REGTYPE,
    "dir": tarfile.DIRTYPE,
    "link": tarfile.SYMTYPE,
    "hard": tarfile.LNKTYPE,
    "fifo": tarfile.FIFOTYPE,
    "char": tarfile.CHRTYPE,
}


def archive(*rows: Row, form: int = tarfile.GNU_FORMAT) -> bytes:
    """Return a tar of these rows."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form, errors="surrogateescape") as tar:
        for number, (kind, name, mode, uid, gid, text) in enumerate(rows):
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.uid, info.gid, info.mtime = KINDS[kind], mode, uid, gid, WHEN + number
            if kind == "char":
                info.devmajor, info.devminor = 1, 3
            if kind == "file":
                data = text.encode()
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
            else:
                info.linkname = text
                tar.addfile(info)
    return out.getvalue()


PLAIN = archive(
    ("dir", "top", 0o750, 3, 4, ""),
    ("file", "top/one", 0o640, 1, 2, "one\n"),
    ("file", "top/suid", 0o4755, 0, 0, "s\n"),
    ("link", "top/link", 0o777, 5, 6, "one"),
    ("hard", "top/hard", 0o640, 1, 2, "top/one"),
    ("file", "bare/parents/file", 0o600, 7, 8, "deep\n"),
    ("file", "root.txt", 0o644, 1000, 1000, "root\n"),
)
ZIP = io.BytesIO()
with zipfile.ZipFile(ZIP, "w") as _zip:
    _zip.writestr("one", "1")


def _add(
    name: str,
    words: str,
    content: bytes | None = None,
    *,
    refused: str | None = None,
    differs: str | None = None,
    more: dict[str, Item] | None = None,
) -> Case:
    context: dict[str, Item] = {
        "a.tar": PLAIN if content is None else content,
        "b.txt": "b\n",
        **(more or {}),
    }
    text = f"FROM @base\nADD {words}\n"
    return Case(
        f"add-{name}",
        text,
        context,
        refused=refused,
        mtimes=("x/top/one", "x/top", "x/root.txt", "x/top/link"),
        differs=differs,
    )


SUM = hashlib.sha256(SERVED["/plain.txt"].content).hexdigest()


def _url(name: str, words: str, *, refused: str | None = None, mtimes: tuple[str, ...] = ()) -> Case:
    return Case(f"add-url-{name}", f"FROM @base\nADD {words}\n", refused=refused, mtimes=mtimes)


ARCHIVES = [
    _add("tar", "a.tar /x/"),
    _add("tar-no-slash", "a.tar /x"),
    _add("tar-to-root", "a.tar /"),
    _add("tar-gz", "a.tar /x/", gzip.compress(PLAIN, mtime=0)),
    _add("tar-bz2", "a.tar /x/", bz2.compress(PLAIN)),
    _add("tar-xz", "a.tar /x/", lzma.compress(PLAIN)),
    _add("tar-zst", "a.tar /x/", zstandard.ZstdCompressor().compress(PLAIN)),
    _add("tar-chown", "--chown=ann:staff a.tar /x/y/", differs="add-owner"),
    _add("tar-chown-chmod", "--chown=5:6 --chmod=711 a.tar /var/full/new/", differs="add-owner"),
    _add("tar-chmod-words", "--chmod=u+x a.tar b.txt /x/", differs="chmod"),
    _add("tar-unpack", "--unpack a.tar b.txt /x/", differs="newer"),
    _add("tar-unpack-false", "--unpack=false a.tar /x/", differs="newer"),
    _add("tar-chmod", "--chmod=600 a.tar /x/"),
    _add(
        "tar-over-existing",
        "a.tar /var/full",
        archive(("dir", "deep", 0o711, 9, 9, ""), ("file", "one", 0o600, 9, 9, "new\n")),
    ),
    _add("tar-into-symlink", "a.tar /var/to-folder", differs="add-owner"),
    _add("tar-onto-file", "a.tar /var/full/one", refused="/var/full/one"),
    _add(
        "tar-dot-names",
        "a.tar /x/",
        archive(("dir", "./", 0o700, 3, 4, ""), ("file", "./f", 0o644, 1, 2, "f\n")),
    ),
    _add("tar-absolute", "a.tar /x/", archive(("file", "/abs/f", 0o644, 0, 0, "f\n"))),
    _add("tar-up", "a.tar /x/", archive(("file", "../up", 0o644, 0, 0, "f\n")), refused="../up"),
    _add("tar-up-inside", "a.tar /x/", archive(("file", "a/../b", 0o644, 0, 0, "f\n"))),
    _add("tar-link-up", "a.tar /x/", archive(("link", "l", 0o777, 0, 0, "../../var"))),
    _add(
        "tar-hard-link-up", "a.tar /x/", archive(("hard", "l", 0o644, 0, 0, "../var/full/one")), refused="l"
    ),
    _add(
        "tar-hard-link-missing",
        "a.tar /x/",
        archive(("hard", "l", 0o644, 0, 0, "nothing")),
        refused="nothing",
    ),
    _add(
        "tar-fifo-device",
        "a.tar /x/",
        archive(("fifo", "p", 0o644, 1, 1, ""), ("char", "null", 0o666, 0, 0, "")),
    ),
    _add(
        "tar-twice-a-name",
        "a.tar /x/",
        archive(("file", "f", 0o644, 0, 0, "1\n"), ("file", "f", 0o600, 1, 1, "22\n")),
    ),
    _add(
        "tar-replaces", "a.tar /x/", archive(("file", "f", 0o644, 0, 0, "1\n"), ("dir", "f", 0o755, 0, 0, ""))
    ),
    _add(
        "tar-whiteout",
        "a.tar /x/",
        archive(("file", "f", 0o644, 0, 0, "1\n"), ("file", ".wh.f", 0o644, 0, 0, "")),
    ),
    _add(
        "tar-long-names",
        "a.tar /x/",
        archive(("file", "n" * 130, 0o644, 0, 0, "1\n"), ("link", "l", 0o777, 0, 0, "t" * 130)),
    ),
    _add(
        "tar-pax",
        "a.tar /x/",
        archive(("file", "ü" * 80, 0o644, 3_000_000, 0, "1\n"), form=tarfile.PAX_FORMAT),
    ),
    _add(
        "tar-ustar",
        "a.tar /x/",
        archive(("file", "u/" * 60 + "f", 0o644, 0, 0, "1\n"), form=tarfile.USTAR_FORMAT),
    ),
    _add("tar-empty", "a.tar /x/", archive()),
    _add("tar-cut", "a.tar /x/", PLAIN[:700], refused="not a whole tar"),
    _add("tar-gz-cut", "a.tar /x/", gzip.compress(PLAIN, mtime=0)[:60]),
    _add("two-archives", "a.tar c.tar /x/", more={"c.tar": archive(("file", "c", 0o644, 0, 0, "c\n"))}),
    _add("tar-and-file", "a.tar b.txt /x/"),
    _add("tar-glob", "*.tar /x/"),
    _add("tar-in-folder", "d /x/", more={"d/in.tar": PLAIN}),
    _add("tar-symlink", "l /x/", more={"l": Link("a.tar")}),
    _add("zip", "a.tar /x/", ZIP.getvalue()),
    _add("gz-no-tar", "a.tar /x/", gzip.compress(b"just text\n", mtime=0)),
    _add("no-archive", "b.txt /x/"),
    _add("folder", "d /x", more={"d/f": "f\n"}),
    _add("json", '["b.txt", "/x y/"]'),
    _add("missing", "nothing /x/", refused="nothing"),
    Case("add-heredoc", "FROM @base\nADD <<EOF /x/f\none\nEOF\n"),
    Case("add-on-scratch", "FROM scratch\nADD a.tar /\n", {"a.tar": PLAIN}),
    Case("add-copy-keeps-archive", "FROM @base\nCOPY a.tar /x/\n", {"a.tar": PLAIN}),
]

URLS = [
    _url("folder", "@server/plain.txt /x/", mtimes=("x/plain.txt",)),
    _url("name", "@server/plain.txt /x/renamed", mtimes=("x/renamed",)),
    _url("existing-folder", "@server/plain.txt /srv/app"),
    _url("no-date", "@server/no-date.txt /x/", mtimes=("x/no-date.txt",)),
    _url("query", "@server/plain.txt?a=b /x/"),
    _url("escaped", "@server/with%20space.txt /x/"),
    _url("disposition", "@server/disposition /x/"),
    _url("no-name", "@server/ /x/"),
    _url("no-name-to-file", "@server/ /x"),
    _url("tar-not-unpacked", "@server/archive.tar /x/"),
    _url("gzip-not-unpacked", "@server/archive.tar.gz /x/"),
    _add("url-and-archive", "@server/archive.tar a.tar /x/"),
    _url("chown-chmod", "--chown=ann:staff --chmod=755 @server/plain.txt /x/"),
    _url("two", "@server/plain.txt @server/no-date.txt /x/"),
    _url("checksum", f"--checksum=sha256:{SUM} @server/plain.txt /x/"),
    _url("checksum-wrong", f"--checksum=sha256:{'0' * 64} @server/plain.txt /x/", refused="digest"),
    _url("checksum-bad", "--checksum=sha256:zz @server/plain.txt /x/", refused="checksum"),
    _url("checksum-on-file", f"--checksum=sha256:{SUM} nothing.txt /x/", refused="checksum"),
    _url("missing", "@server/missing /x/", refused="404"),
    _url("variable", "@server/$NAME /x/"),
]

CASES = [*ARCHIVES, *URLS]
