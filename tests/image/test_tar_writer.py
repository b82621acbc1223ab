"""Layer tars against tarfile, and against the bytes BuildKit writes."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from dockerlab.errors import ImageError
from dockerlab.image.filesystem import Entry
from dockerlab.image.layer import EMPTY_LAYER
from dockerlab.image.tar_writer import LayerWriter, header, in_order

LONG_SPLIT = "d" * 90 + "/" + "f" * 60
LONG_WHOLE = "w" * 130
DEEP = "/".join(["p" * 50] * 6)
ENTRIES = [
    (Entry("bin", "dir", mode=0o755, mtime=7), b""),
    (Entry("bin/su", "file", mode=0o4755, uid=1, gid=2, mtime=1_700_000_000, size=3), b"abc"),
    (Entry("bin/full", "file", size=1024), b"z" * 1024),
    (Entry("bin/sh", "symlink", mode=0o777, link="su"), b""),
    (Entry("bin/su2", "hardlink", mode=0o4755, link="bin/su"), b""),
    (Entry("null", "char", mode=0o666, device=(1, 3)), b""),
    (Entry("disk", "block", mode=0o660, device=(259, 70000)), b""),
    (Entry("pipe", "fifo", mode=0o644), b""),
    (Entry("é/ü", "file", mode=0o600, size=2), b"hi"),
    (Entry(LONG_SPLIT, "file", size=1), b"s"),
    (Entry(LONG_WHOLE, "dir", mode=0o755), b""),
    (Entry(DEEP, "file", size=1), b"d"),
    (Entry("far", "symlink", link="/" + "l" * 150), b""),
    (Entry("far2", "symlink", link="/ö"), b""),
    (Entry("owner", "file", uid=2097152, gid=4_000_000_000, size=1), b"o"),
    (Entry("old", "file", mtime=-5), b""),
    (
        Entry("ping", "file", size=1, xattrs=(("security.capability", b"\1\0\0\2\0\n=\0"), ("user.x", b""))),
        b"p",
    ),
    (Entry("b\udcff", "file", size=1), b"b"),
]


def written(pairs: list[tuple[Entry, bytes]]) -> tuple[bytes, LayerWriter]:
    """Return the tar of these entries, and its closed writer."""
    out = io.BytesIO()
    writer = LayerWriter(out)
    for entry, content in pairs:
        writer.add(entry, content)
    writer.close()
    return out.getvalue(), writer


def test_empty_layer_is_1024_zero_bytes() -> None:
    """A layer without entries has the diff ID that BuildKit's empty layers have."""
    data, writer = written([])
    assert data == bytes(1024)
    assert writer.digest == EMPTY_LAYER
    assert writer.size == 1024


def test_digest_and_size_are_those_of_the_bytes() -> None:
    """`digest` and `size` describe exactly what went to the stream."""
    data, writer = written(ENTRIES)
    assert writer.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert writer.size == len(data)


def test_tarfile_reads_back_every_field() -> None:
    """Python's tarfile finds the same names, types, owners, times, links, devices, attributes and content."""
    data, _ = written(ENTRIES)
    types = {
        "file": tarfile.REGTYPE,
        "dir": tarfile.DIRTYPE,
        "symlink": tarfile.SYMTYPE,
        "hardlink": tarfile.LNKTYPE,
        "char": tarfile.CHRTYPE,
        "block": tarfile.BLKTYPE,
        "fifo": tarfile.FIFOTYPE,
    }
    with tarfile.open(fileobj=io.BytesIO(data), errors="surrogateescape") as tar:
        members = tar.getmembers()
        assert len(members) == len(ENTRIES)
        for member, (entry, content) in zip(members, ENTRIES, strict=True):
            assert member.name == entry.path
            assert member.type == types[entry.kind]
            assert (member.mode, member.uid, member.gid) == (entry.mode, entry.uid, entry.gid)
            assert (member.mtime, member.size, member.linkname) == (entry.mtime, entry.size, entry.link)
            assert (member.uname, member.gname) == ("", "")
            assert (member.devmajor, member.devminor) == entry.device
            for name, value in entry.xattrs:
                stored = member.pax_headers[f"SCHILY.xattr.{name}"]
                assert stored.encode("utf-8", "surrogateescape") == value
            if entry.kind == "file":
                stream = tar.extractfile(member)
                assert stream is not None
                assert stream.read() == content


def test_gnu_tar_lists_it() -> None:
    """GNU tar accepts the archive without a warning."""
    data, _ = written(ENTRIES)
    listed = subprocess.run(["tar", "-tf", "-"], input=data, capture_output=True, check=True)
    assert listed.stderr == b""
    assert len(listed.stdout.splitlines()) == len(ENTRIES)


def test_file_of_8_gib_gets_its_size_from_pax() -> None:
    """A size that does not fit ustar's 11 octal digits is in the pax header, and tarfile reads it."""
    size = 8 << 30
    info = tarfile.TarFile.tarinfo
    with tarfile.open(fileobj=io.BytesIO(header(Entry("big", "file", size=size)) + bytes(1024))) as tar:
        member = tar.next()
    assert isinstance(member, info)
    assert member.size == size


@pytest.mark.parametrize("length", [1, 88, 89, 90, 91, 92, 987, 988, 989, 990, 991, 9984, 9985, 9986])
def test_pax_record_counts_its_own_length(length: int) -> None:
    """The self-counting length of a pax record is right on both sides of each power of ten."""
    entry = Entry("x", "file", xattrs=(("user.a", b"v" * length),))
    with tarfile.open(fileobj=io.BytesIO(header(entry) + bytes(1024))) as tar:
        member = tar.next()
    assert member is not None
    assert member.name == "x"
    assert member.pax_headers == {"SCHILY.xattr.user.a": "v" * length}


def test_whiteouts_have_their_marker_names() -> None:
    """Whiteouts (mode 0600) and opaque markers (their own) are empty files of the names in the spec."""
    opaque = Entry("c", "opaque", mode=0o755)
    data, _ = written([(Entry("a/b", "whiteout"), b""), (opaque, b""), (Entry("", "opaque"), b"")])
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        found = [(member.name, member.mode, member.size, member.isreg()) for member in tar]
    assert found == [
        ("a/.wh.b", 0o600, 0, True),
        ("c/.wh..wh..opq", 0o755, 0, True),
        (".wh..wh..opq", 0o644, 0, True),
    ]


def test_order_is_the_walk_of_buildkit() -> None:
    """Folders precede their content, `.wh.` does not count for sorting, opaque markers come first."""
    wanted = [
        Entry("a", "dir"),
        Entry("a", "opaque"),
        Entry("a/\t", "file"),
        Entry("a/b", "whiteout"),
        Entry("a/c", "file"),
        Entry("a-b", "file"),
        Entry("z", "whiteout"),
        Entry("é", "file"),
    ]
    assert in_order(reversed(wanted)) == wanted


@pytest.mark.parametrize("content", [None, b"ab", b"abcd", io.BytesIO(b"ab")])
def test_content_of_another_length_is_refused(content: io.BytesIO | bytes | None) -> None:
    """A file that shrank or grew while it was read is an ImageError, not a broken tar."""
    with pytest.raises(ImageError, match="should have 3 bytes"):
        LayerWriter(io.BytesIO()).add(Entry("f", "file", size=3), content)


def test_a_longer_stream_gives_only_the_bytes_of_the_entry() -> None:
    """A stream that goes on after the entry's size is read no further, so blobs can be copied from."""
    stream = io.BytesIO(b"abcdef")
    LayerWriter(io.BytesIO()).add(Entry("f", "file", size=3), stream)
    assert stream.tell() == 3


@pytest.mark.parametrize(
    "entry", [Entry("", "dir"), Entry("a\0b", "file"), Entry("a", "file", xattrs=(("user.a=b", b""),))]
)
def test_what_a_tar_cannot_hold_is_refused(entry: Entry) -> None:
    """The root itself, a zero byte in a name and '=' in an attribute name are ImageErrors."""
    with pytest.raises(ImageError):
        header(entry)


def _docker_answers() -> bool:
    try:
        return (
            subprocess.run(["docker", "info"], capture_output=True, timeout=30, check=False).returncode == 0
        )
    except (OSError, subprocess.TimeoutExpired):
        return False


@pytest.mark.docker
@pytest.mark.skipif(not _docker_answers(), reason="no Docker daemon to compare with")
def test_same_bytes_as_buildkit(tmp_path: Path) -> None:
    """A COPY layer written here from the same metadata is byte for byte BuildKit's, odd names included."""
    context = tmp_path / "context"
    files = {
        "plain": b"1",
        "é/ü": b"hi",
        LONG_SPLIT: b"split",
        "n" * 160: b"whole",
        DEEP + "/é": b"deep",
        "k" * 99 + "/x": b"slash",
    }
    for name, content in files.items():
        target = context / "files" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    (context / "files" / "far").symlink_to("/" + "l" * 150)
    (context / "files" / "empty").mkdir()
    (context / "files" / ("e" * 98)).mkdir()
    (context / "files" / ("e" * 120)).mkdir()
    (context / "files" / "plain").chmod(0o4711)
    for folder, names, others in os.walk(context):
        for name in names + others:
            os.utime(Path(folder, name), (1_600_000_000, 1_600_000_000), follow_symlinks=False)
    (context / "Dockerfile").write_text("FROM scratch\nCOPY --chown=5:6000 files /\n")
    tag = f"dockerlab-test-layertar-{os.getpid()}"
    subprocess.run(
        ["docker", "buildx", "build", "-q", "--label", "dev.dockerlab=test", "-t", tag, str(context)],
        check=True,
        capture_output=True,
    )
    try:
        archive = subprocess.run(["docker", "save", tag], check=True, capture_output=True).stdout
    finally:
        subprocess.run(["docker", "rmi", tag], check=True, capture_output=True)
    with tarfile.open(fileobj=io.BytesIO(archive)) as outer:
        manifest = json.load(outer.extractfile("manifest.json"))  # type: ignore[arg-type]
        stream = outer.extractfile(manifest[0]["Layers"][0])
        assert stream is not None
        theirs = stream.read()

    entries = []
    root = context / "files"
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        kind = "symlink" if path.is_symlink() else "dir" if path.is_dir() else "file"
        entries.append(
            Entry(
                str(path.relative_to(root)),
                kind,  # type: ignore[arg-type]
                mode=status.st_mode & 0o7777,
                uid=5,
                gid=6000,
                mtime=1_600_000_000,
                size=status.st_size if kind == "file" else 0,
                link=str(path.readlink()) if kind == "symlink" else "",
            )
        )
    ours, _ = written(
        [(entry, (root / entry.path).read_bytes() if entry.size else b"") for entry in in_order(entries)]
    )
    assert ours == theirs
