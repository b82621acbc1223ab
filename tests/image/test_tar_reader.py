import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dockerlab.errors import ImageError
from dockerlab.image.filesystem import Entry
from dockerlab.image.layer import BlobLayer
from dockerlab.image.tar_reader import read_index

_KINDS = {
    tarfile.REGTYPE: "file",
    tarfile.DIRTYPE: "dir",
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "hardlink",
    tarfile.CHRTYPE: "char",
    tarfile.BLKTYPE: "block",
    tarfile.FIFOTYPE: "fifo",
}
_name = st.text(st.characters(exclude_characters="/\0\n", exclude_categories=["Cs"]), min_size=1, max_size=70)
_path = st.lists(_name.filter(lambda part: part not in (".", "..")), min_size=1, max_size=4).map("/".join)


@st.composite
def _members(draw: st.DrawFn) -> list[tuple[tarfile.TarInfo, bytes]]:
    members = []
    for path in draw(st.lists(_path, max_size=6)):
        info = tarfile.TarInfo(path)
        info.type = draw(st.sampled_from(list(_KINDS)))
        info.mode = draw(st.integers(0, 0o7777))
        info.uid, info.gid = draw(st.tuples(st.integers(0, 2**31), st.integers(0, 2**31)))
        info.mtime = draw(st.integers(0, 2**36))
        content = b""
        if info.type == tarfile.REGTYPE:
            content = draw(st.binary(max_size=1500))
            info.size = len(content)
        elif info.type in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            info.linkname = draw(_path)
        elif info.type in (tarfile.CHRTYPE, tarfile.BLKTYPE):
            info.devmajor, info.devminor = draw(st.tuples(st.integers(0, 4000), st.integers(0, 200_000)))
        members.append((info, content))
    return members


def _tar(members: list[tuple[tarfile.TarInfo, bytes]], *, format: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


@settings(max_examples=150, deadline=None)
@given(_members(), st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
def test_same_members_as_tarfile(members: list[tuple[tarfile.TarInfo, bytes]], format: int) -> None:
    """Names, kinds, modes, owners, times, sizes, links, devices and contents are what tarfile reads."""
    data = _tar(members, format=format)
    entries = read_index(io.BytesIO(data), source="x", layer=False).entries
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        infos = tar.getmembers()
    assert len(entries) == len(infos)
    for entry, info, (_, content) in zip(entries, infos, members, strict=True):
        assert entry == Entry(
            info.name,
            _KINDS[info.type],  # type: ignore[arg-type]
            info.mode,
            info.uid,
            info.gid,
            int(info.mtime),
            info.size,
            info.linkname,
            (),
            (info.devmajor, info.devminor) if info.ischr() or info.isblk() else (0, 0),
        )
        assert data[entry.offset : entry.offset + entry.size] == content


def _made_by_tar(tmp_path: Path, *options: str) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    with (folder / "sparse").open("wb") as file:
        for at in range(0, 40 << 20, 1 << 20):  # 40 pieces: more than fit one old GNU header
            file.seek(at)
            file.write(b"here %d" % at)
        file.truncate(41 << 20)
    (folder / ("n" * 200)).write_bytes(b"long name")
    (folder / "plain").write_bytes(b"plain")
    archive = tmp_path / "made.tar"
    subprocess.run(["tar", *options, "-C", str(folder), "-cf", str(archive), "."], check=True)
    return archive


@pytest.mark.parametrize(
    "options",
    [
        ("--format=gnu", "--sparse"),
        ("--format=posix", "--sparse", "--sparse-version=0.0"),
        ("--format=posix", "--sparse", "--sparse-version=0.1"),
        ("--format=posix", "--sparse", "--sparse-version=1.0"),
    ],
)
def test_sparse_files_are_read_with_their_holes(tmp_path: Path, options: tuple[str, ...]) -> None:
    """A sparse file written by GNU tar, in any of its four forms, reads as the file it was made from."""
    if subprocess.run(["tar", "--version"], capture_output=True, check=False).stdout[:7] != b"tar (GN":
        pytest.skip("needs GNU tar")
    archive = _made_by_tar(tmp_path, *options)
    assert archive.stat().st_size < 1 << 20
    layer = BlobLayer(archive, "sha256:unchecked")
    by_path = {entry.path: entry for entry in layer.entries}
    assert sorted(by_path) == ["", "n" * 200, "plain", "sparse"]
    for path, entry in by_path.items():
        if path:
            with layer.open(entry) as stream:
                assert stream.read() == (tmp_path / "in" / path).read_bytes()


def test_names_are_cleaned() -> None:
    """A leading "./" or "/", a trailing slash and doubled slashes are no part of a path; "./" is the root."""
    infos = [
        tarfile.TarInfo(name) for name in ("./", "./a/", "/b", "c//d", "e/./f", "g/../h", ".i/.j", "..k")
    ]
    data = _tar([(info, b"") for info in infos], format=tarfile.PAX_FORMAT)
    assert [entry.path for entry in read_index(io.BytesIO(data), source="x").entries] == [
        *("", "a", "b", "c/d", "e/f", "h", ".i/.j", "..k")
    ]


def test_a_name_that_leads_out_is_refused() -> None:
    """A member named ../x is damage, not a file beside the root."""
    data = _tar([(tarfile.TarInfo("a/../../x"), b"")], format=tarfile.PAX_FORMAT)
    with pytest.raises(ImageError, match=r"made up is not a whole tar: the name 'a/\.\./\.\./x' leads out"):
        read_index(io.BytesIO(data), source="made up")


def test_markers_are_decoded() -> None:
    """.wh.x hides x, .wh..wh..opq hides the folder's lower content, aufs' own .wh..wh. names are left out."""
    names = [
        "a/.wh.b",
        "a/.wh..wh..opq",
        ".wh.top",
        ".wh..wh..opq",
        ".wh..wh.plnk",
        "a/.wh..hidden",
        "x.wh.y",
    ]
    data = _tar([(tarfile.TarInfo(name), b"") for name in names], format=tarfile.USTAR_FORMAT)
    assert [(entry.kind, entry.path) for entry in read_index(io.BytesIO(data), source="x").entries] == [
        ("whiteout", "a/b"),
        ("opaque", "a"),
        ("whiteout", "top"),
        ("opaque", ""),
        ("whiteout", "a/.hidden"),
        ("file", "x.wh.y"),
    ]


def test_xattrs_are_bytes() -> None:
    """SCHILY.xattr records become xattrs, sorted, with bytes that are no text kept."""
    info = tarfile.TarInfo("f")
    info.pax_headers = {
        "SCHILY.xattr.user.b": b"\x00\xff=\n".decode("utf-8", "surrogateescape"),
        "SCHILY.xattr.security.capability": "x",
        "hdrcharset": "BINARY",
    }
    data = _tar([(info, b"")], format=tarfile.PAX_FORMAT)
    (entry,) = read_index(io.BytesIO(data), source="x").entries
    assert entry.xattrs == (("security.capability", b"x"), ("user.b", b"\x00\xff=\n"))


def test_negative_and_fractional_times_round_down() -> None:
    """Times are whole seconds, rounded towards the past."""
    infos = [tarfile.TarInfo(name) for name in ("a", "b", "c")]
    for info, when in zip(infos, (-1, 1.75, -1.5), strict=True):
        info.mtime = when
    data = _tar([(info, b"") for info in infos], format=tarfile.PAX_FORMAT)
    assert [entry.mtime for entry in read_index(io.BytesIO(data), source="x").entries] == [-1, 1, -2]


def test_gnu_numbers_in_base_256() -> None:
    """Owners and times beyond octal are read from GNU's binary form."""
    info = tarfile.TarInfo("a")
    info.uid, info.mtime = 2**31, -5
    (entry,) = read_index(io.BytesIO(_tar([(info, b"")], format=tarfile.GNU_FORMAT)), source="x").entries
    assert (entry.uid, entry.mtime) == (2**31, -5)


def test_global_pax_headers_count_for_nothing() -> None:
    """What a global pax header says of all members is passed over, as Docker's reader does."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"uid": "7"}) as tar:
        tar.addfile(tarfile.TarInfo("a"))
        tar.addfile(tarfile.TarInfo("b"))
    assert [entry.uid for entry in read_index(io.BytesIO(out.getvalue()), source="x").entries] == [0, 0]


def test_an_archive_without_its_final_zeros_is_whole() -> None:
    """The end of the file ends the archive too, as in tarfile and Go."""
    data = _tar([(tarfile.TarInfo("a"), b"")], format=tarfile.USTAR_FORMAT)[:512]
    assert [entry.path for entry in read_index(io.BytesIO(data), source="x").entries] == ["a"]


def test_damage_is_named() -> None:
    """A flipped bit, a cut content and a cut header each raise ImageError that says where."""
    info = tarfile.TarInfo("a")
    info.size = 1000
    data = _tar([(info, b"x" * 1000)], format=tarfile.USTAR_FORMAT)
    flipped = bytes([data[0] ^ 1]) + data[1:]
    with pytest.raises(ImageError, match="header at byte 0 does not match its checksum"):
        read_index(io.BytesIO(flipped), source="x")
    with pytest.raises(ImageError, match="'a' has 1000 bytes at byte 512, but the file ends at 900"):
        read_index(io.BytesIO(data[:900]), source="x")
    with pytest.raises(ImageError, match="100 bytes at byte 0 where a header of 512 was expected"):
        read_index(io.BytesIO(data[:100]), source="x")
    with pytest.raises(ImageError, match="where a header of 512"):
        read_index(io.BytesIO(b"this is not a tar"), source="x")


INDEX_LARGE = """
import re, sys
from pathlib import Path
from dockerlab.image.tar_reader import read_index
before = Path("/proc/self/status").read_text()
with open(sys.argv[1], "rb", buffering=0) as file:
    entries = read_index(file, source="it").entries
after = Path("/proc/self/status").read_text()
high = [int(re.search(r"VmHWM:\\s+(\\d+)", text)[1]) for text in (before, after)]
print(len(entries), 1024 * (high[1] - high[0]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what a process's memory came to")
def test_a_large_tar_does_not_stay_in_memory(tmp_path: Path) -> None:
    """Indexing 256 MB in files of 64 kB takes less than 50 MB."""
    info = tarfile.TarInfo("a")
    info.size = 64_000
    with (tmp_path / "tar").open("wb") as file:
        for _ in range(4000):
            file.write(info.tobuf() + bytes(64_000))
        file.write(bytes(1024))
    done = subprocess.run(
        [sys.executable, "-c", INDEX_LARGE, str(tmp_path / "tar")],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    count, more = map(int, done.stdout.split())
    assert count == 4000
    assert more < 50_000_000
