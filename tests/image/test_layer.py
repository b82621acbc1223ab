import gzip
import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from dockerlab.errors import ImageError
from dockerlab.image.compression import Compression, decompress, detect_compression
from dockerlab.image.filesystem import Tree
from dockerlab.image.layer import BlobLayer, tar_digest


def _tar(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


FILES = {"a": b"alpha", "empty": b"", "big": bytes(range(256)) * 1000}
TAR = _tar(FILES)
DIFF_ID = f"sha256:{hashlib.sha256(TAR).hexdigest()}"


def _blob(compression: Compression | None) -> bytes:
    if compression == "gzip":
        return gzip.compress(TAR[:3000]) + gzip.compress(TAR[3000:])  # two members, as pigz and estargz write
    return zstandard.compress(TAR) if compression == "zstd" else TAR


@pytest.mark.parametrize("compression", [None, "gzip", "zstd"])
def test_a_blob_reads_alike_however_it_is_compressed(tmp_path: Path, compression: Compression | None) -> None:
    """Sizes, entries, contents and the tar itself are the same from a plain, gzip and zstd blob."""
    blob = _blob(compression)
    path = tmp_path / "blob"
    path.write_bytes(b"before" + blob + b"after")
    assert detect_compression(blob[:4]) == compression
    layer = BlobLayer(path, DIFF_ID, offset=6, length=len(blob), compression=compression)
    assert layer.size_tar == len(TAR)
    assert layer.size_unpacked == sum(map(len, FILES.values()))
    assert tar_digest(layer) == DIFF_ID
    for entry in layer.entries:
        with layer.open(entry) as stream:
            assert stream.read() == FILES[entry.path]


def test_content_can_be_read_from_the_middle(tmp_path: Path) -> None:
    """A large file's stream seeks, ends at its own end, and two streams do not disturb each other."""
    path = tmp_path / "blob"
    path.write_bytes(TAR)
    layer = BlobLayer(path, DIFF_ID)
    big = next(entry for entry in layer.entries if entry.path == "big")
    with layer.open(big) as one, layer.open(big) as two:
        one.seek(-6, io.SEEK_END)
        assert two.read(3) == FILES["big"][:3]
        assert one.read() == FILES["big"][-6:]
        assert one.read() == b""
        assert two.read(3) == FILES["big"][3:6]


def test_compressed_size_is_what_gzip_6_makes(tmp_path: Path) -> None:
    """size_compressed() is the length of the gzip level 6 stream; a gzip blob's own length when it is one."""
    path = tmp_path / "blob"
    path.write_bytes(TAR)
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    assert BlobLayer(path, DIFF_ID).size_compressed() == len(packer.compress(TAR) + packer.flush())
    path.write_bytes(_blob("gzip"))
    assert BlobLayer(path, DIFF_ID, compression="gzip").size_compressed() == len(_blob("gzip"))


def test_the_index_file_saves_the_parsing(tmp_path: Path) -> None:
    """Entries and the compressed size come back from the index file without the blob being read."""
    path, index = tmp_path / "blob", tmp_path / "blob.json"
    path.write_bytes(TAR)
    first = BlobLayer(path, DIFF_ID, index=index)
    entries, compressed = first.entries, first.size_compressed()
    path.write_bytes(bytes(len(TAR)))
    second = BlobLayer(path, DIFF_ID, index=index)
    assert (second.entries, second.size_compressed()) == (entries, compressed)
    assert [entry.offset for entry in second.entries] == [entry.offset for entry in entries]


@pytest.mark.parametrize("damage", ["", "{}", "[1", '{"version": 1}', "null"])
def test_a_wrong_index_file_is_ignored(tmp_path: Path, damage: str) -> None:
    """An index that is damaged, foreign or of another blob is written anew, never believed."""
    path, index = tmp_path / "blob", tmp_path / "blob.json"
    path.write_bytes(TAR)
    index.write_text(damage)
    assert [entry.path for entry in BlobLayer(path, DIFF_ID, index=index).entries] == list(FILES)
    assert json.loads(index.read_text())["blob"] == len(TAR)
    other = _tar({"other": b"x"})
    path.write_bytes(other)
    assert [entry.path for entry in BlobLayer(path, "sha256:other", index=index).entries] == ["other"]


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_a_damaged_blob_is_an_image_error(tmp_path: Path, compression: Compression) -> None:
    """A cut, a flipped and a swapped compressed blob raise ImageError that names the file."""
    path = tmp_path / "blob"
    whole = _blob(compression)
    for damaged in (whole[:-20], whole[:40] + bytes(20) + whole[60:]):
        path.write_bytes(damaged)
        with pytest.raises(ImageError, match=str(path)):
            _ = BlobLayer(path, DIFF_ID, compression=compression).entries
    path.write_bytes(whole)
    with pytest.raises(ImageError, match=f"should unpack to sha256:other, but unpacks to {DIFF_ID}"):
        _ = BlobLayer(path, "sha256:other", compression=compression).entries


def test_a_blob_cut_short_is_an_image_error(tmp_path: Path) -> None:
    """A plain layer whose file is shorter than it should be says how much is there."""
    path = tmp_path / "blob"
    path.write_bytes(TAR[:600])
    with pytest.raises(ImageError, match=rf"cut short: 600 of {len(TAR)} bytes"):
        _ = BlobLayer(path, DIFF_ID, length=len(TAR)).entries


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_what_unpacks_to_much_more_comes_in_pieces(pack: Callable[[bytes], bytes]) -> None:
    """64 MB of zeros, a few kB packed, are handed on 1 MiB at a time, padding after them left out."""
    size = 64 << 20
    packed = pack(bytes(size))
    compression = detect_compression(packed[:4])
    if compression == "gzip":
        packed += bytes(3 << 20)
    sizes = [len(piece) for piece in decompress(io.BytesIO(packed), compression, source="it")]
    assert sum(sizes) == size
    assert max(sizes) <= 1 << 20


def test_temporary_files_go_with_the_layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a compressed layer was unpacked to is removed when the layer is no longer used."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(work))
    path = tmp_path / "blob"
    path.write_bytes(_blob("gzip"))
    layer = BlobLayer(path, DIFF_ID, compression="gzip")
    assert layer.size_tar == len(TAR)
    assert len(list(work.rglob("tmp*"))) == 1
    del layer
    assert list(work.rglob("tmp*")) == []


def test_a_hard_link_reads_as_its_target(tmp_path: Path) -> None:
    """In the merged tree a hard link has the content and size of the file it points to."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("a")
        info.size = 5
        tar.addfile(info, io.BytesIO(b"alpha"))
        link = tarfile.TarInfo("b")
        link.type, link.linkname = tarfile.LNKTYPE, "./a"
        tar.addfile(link)
    path = tmp_path / "blob"
    path.write_bytes(out.getvalue())
    layer = BlobLayer(path, "sha256:unchecked")
    assert layer.size_unpacked == 5
    assert Tree.stacked([(layer.entries, layer)]).read("b") == b"alpha"
