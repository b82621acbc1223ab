import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockerlab.engines.docker.images import ImageCache
from dockerlab.errors import ImageError
from dockerlab.image.archive_reader import read_archive
from dockerlab.image.archive_writer import renamed, write_archive
from dockerlab.image.image import validate


def _tar(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
    return out.getvalue()


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


LAYERS = [_tar({"a": b"one"}), _tar({"b": b"two" * 1000})]
CONFIG = json.dumps(
    {
        "rootfs": {"diff_ids": [f"sha256:{_sha(layer)}" for layer in LAYERS]},
        "history": [{"created_by": "x"}, {"created_by": "y"}],
        "config": {"Labels": {"dev.dockerlab.stand-in": "debian:13"}},
    }
).encode()
ID = f"sha256:{_sha(CONFIG)}"


def _new() -> bytes:
    """Return what Docker 25 and later save: blobs, with OCI documents beside manifest.json."""
    blobs = [CONFIG, *LAYERS, b'{"schemaVersion": 2}']
    names = [f"blobs/sha256/{_sha(layer)}" for layer in LAYERS]
    manifest = [{"Config": f"blobs/sha256/{_sha(CONFIG)}", "RepoTags": None, "Layers": names}]
    files = {f"blobs/sha256/{_sha(blob)}": blob for blob in blobs}
    return _tar(
        {**files, "index.json": b"{}", "manifest.json": json.dumps(manifest).encode(), "oci-layout": b"{}"}
    )


def _packed() -> bytes:
    """Return what a containerd image store saves: the same with gzip layers under their own digests."""
    packed = [gzip.compress(layer) for layer in LAYERS]
    names = [f"blobs/sha256/{_sha(layer)}" for layer in packed]
    manifest = [{"Config": f"blobs/sha256/{_sha(CONFIG)}", "Layers": names}]
    files = dict(zip(names, packed, strict=True))
    files[f"blobs/sha256/{_sha(CONFIG)}"] = CONFIG
    return _tar({**files, "manifest.json": json.dumps(manifest).encode()})


def _old() -> bytes:
    """Return what Docker before 25 saved: folders by layer, a second copy being a link."""
    manifest = [{"Config": "c.json", "RepoTags": ["x:1"], "Layers": ["l1/layer.tar", "l2/layer.tar"]}]
    files = {"c.json": CONFIG, "real/layer.tar": LAYERS[0], "l1/VERSION": b"1.0", "l2/layer.tar": LAYERS[1]}
    return _tar(
        {**files, "manifest.json": json.dumps(manifest).encode()}, {"l1/layer.tar": "../real/layer.tar"}
    )


def _pieces(data: bytes, size: int = 1000) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


@pytest.mark.parametrize("archive", [_new(), _packed(), _old()], ids=["new", "packed", "old"])
def test_every_kind_of_archive_gives_the_same_image(tmp_path: Path, archive: bytes) -> None:
    """Layers are kept uncompressed by diff ID, once, and the second read asks Docker for nothing."""
    asked: list[str] = []

    def export(identity: str) -> Iterator[bytes]:
        asked.append(identity)
        return _pieces(archive)

    cache = ImageCache(tmp_path, export)
    for _ in range(2):
        image = cache.read(ID, "x:1")
        assert (image.id, image.reference, image.stand_in) == (ID, "x:1", "debian:13")
        assert validate(image) == []
    assert asked == [ID]
    assert sorted(path.name for path in (tmp_path / "blobs" / "sha256").iterdir()) == sorted(
        _sha(blob) for blob in [CONFIG, *LAYERS]
    )
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_lost_blob_is_fetched_again(tmp_path: Path) -> None:
    """When a blob is gone the image is saved anew, and what was known of it is kept."""
    cache = ImageCache(tmp_path, lambda _: _pieces(_new()))
    cache.read(ID, None)
    cache.mark_built(ID, base_layers=1, stand_in=None)
    (tmp_path / "blobs" / "sha256" / _sha(LAYERS[1])).unlink()
    image = cache.read(ID, None)
    assert (image.base_layers, validate(image)) == (1, [])
    assert cache.built() == {ID}


@pytest.mark.parametrize("cut", [0, 700, 2000, 5000])
def test_an_archive_that_ends_early_leaves_no_record(tmp_path: Path, cut: int) -> None:
    """When Docker goes away in the middle of a save it is an ImageError, and the next read is right."""
    archives = iter([_new()[:cut], _new()])
    cache = ImageCache(tmp_path, lambda _: _pieces(next(archives)))
    with pytest.raises(ImageError):
        cache.read(ID, None)
    assert validate(cache.read(ID, None)) == []


def test_prune_keeps_what_is_alive(tmp_path: Path) -> None:
    """Blobs of images that Docker still has stay, the others go, and their bytes are counted."""
    cache = ImageCache(tmp_path, lambda _: _pieces(_new()))
    cache.read(ID, None)
    assert cache.prune({ID}) == 0
    assert validate(cache.read(ID, None)) == []
    assert cache.prune(set()) >= sum(map(len, LAYERS))
    assert list((tmp_path / "blobs" / "sha256").iterdir()) == []


def test_an_archive_under_another_name(tmp_path: Path) -> None:
    """renamed() gives the image that name alone and those labels, its layers unchanged."""
    cache = ImageCache(tmp_path, lambda _: _pieces(_new()))
    path = tmp_path / "out.tar"
    with path.open("wb") as out:
        write_archive([renamed(cache.read(ID, "debian:13"), "dockerlab/x:1", labels={"k": "v"})], out)
    image = read_archive(path)
    assert (image.reference, validate(image)) == ("dockerlab/x:1", [])
    assert image.config["config"]["Labels"] == {"dev.dockerlab.stand-in": "debian:13", "k": "v"}
    assert [layer.diff_id[7:] for layer in image.layers] == [_sha(layer) for layer in LAYERS]
