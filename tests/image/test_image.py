import gzip
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import zstandard

from dockerlab.errors import ImageError, ImageNotFoundError
from dockerlab.image.archive_reader import read_archive
from dockerlab.image.image import EMPTY_LAYER, validate


def _tar(files: dict[str, bytes | None]) -> bytes:
    """Return a tar of files; None is a folder."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            if content is None:
                info.type = tarfile.DIRTYPE
            info.size = len(content or b"")
            tar.addfile(info, io.BytesIO(content or b""))
    return out.getvalue()


def _sha(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


LAYERS = [
    _tar({"etc": None, "etc/a": b"one", "etc/b": b"two", "big": b"x" * 5000}),
    _tar({"etc": None, "etc/.wh.a": b"", "etc/c": b"three"}),
]


@dataclass
class Layout:
    """Makes an OCI layout folder by hand."""

    root: Path
    manifests: list[dict[str, Any]] = field(default_factory=list)

    def blob(self, data: bytes, media: str = "x") -> dict[str, Any]:
        """Store a blob; return its descriptor."""
        path = self.root / "blobs" / "sha256" / _sha(data)[7:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return {"mediaType": media, "digest": _sha(data), "size": len(data)}

    def config(self, **more: Any) -> bytes:
        """Return an image config for LAYERS, changed by keyword."""
        rows = [
            {"created_by": "COPY one", "created": "2026-01-01T00:00:00Z"},
            {"created_by": "ENV X=1", "empty_layer": True, "comment": "buildkit.dockerfile.v0"},
            {"created_by": "RUN rm", "created": None, "comment": None},
        ]
        config = {
            "architecture": "amd64",
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [_sha(layer) for layer in LAYERS]},
            "history": rows,
            **more,
        }
        return json.dumps(config).encode()

    def manifest(self, config: bytes, blobs: list[bytes], **more: Any) -> dict[str, Any]:
        """Store an image manifest; return its descriptor."""
        body = {
            "schemaVersion": 2,
            "config": self.blob(config),
            "layers": [self.blob(blob) for blob in blobs],
            **more,
        }
        return self.blob(json.dumps(body).encode())

    def write(self, *manifests: dict[str, Any]) -> Path:
        """Write the index; return the folder."""
        (self.root / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        (self.root / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": list(manifests)}))
        return self.root


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Return an empty layout to fill."""
    root = tmp_path / "layout"
    root.mkdir()
    return Layout(root)


def _named(
    descriptor: dict[str, Any], name: str, key: str = "org.opencontainers.image.ref.name"
) -> dict[str, Any]:
    return {**descriptor, "annotations": {key: name}}


def _archived(folder: Path, to: Path) -> Path:
    with tarfile.open(to, "w") as tar:
        for path in sorted(folder.rglob("*")):
            tar.add(path, path.relative_to(folder).as_posix(), recursive=False)
    return to


@pytest.mark.parametrize("kind", ["folder", "archive", "archive.gz"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress])
def test_a_layout_and_an_archive_read_alike(tmp_path: Path, layout: Layout, kind: str, pack: Any) -> None:
    """The same image comes from a layout folder and a tar of it, whatever its layers are packed with."""
    config = layout.config()
    root = layout.write(_named(layout.manifest(config, [pack(layer) for layer in LAYERS]), "app:1"))
    if kind == "folder":
        image = read_archive(root, "app:1")
    else:
        path = _archived(root, tmp_path / "image.tar")
        if kind.endswith("gz"):
            path.write_bytes(gzip.compress(path.read_bytes()))
        image = read_archive(path, "app:1")
    assert validate(image) == []
    assert (image.reference, image.id) == ("app:1", _sha(config))
    assert [layer.diff_id for layer in image.layers] == [_sha(layer) for layer in LAYERS]
    assert [(row.created_by, row.empty) for row in image.history] == [
        ("COPY one", False),
        ("ENV X=1", True),
        ("RUN rm", False),
    ]
    assert [row.layer for row in image.history] == [image.layers[0], None, image.layers[1]]
    assert [row.comment for row in image.history] == ["", "buildkit.dockerfile.v0", ""]
    assert sorted(image.tree()) == ["big", "etc", "etc/b", "etc/c"]
    assert image.tree().read("etc/c") == b"three"
    assert image.size_unpacked == 3 + 3 + 5000 + 5
    assert image.size_tar == sum(map(len, LAYERS))


def test_an_old_docker_archive_reads_too(tmp_path: Path, layout: Layout) -> None:
    """manifest.json with */layer.tar, a repeated layer being a symlink: docker save before 25."""
    config = layout.config(rootfs={"type": "layers", "diff_ids": [_sha(LAYERS[0])] * 2})
    path = tmp_path / "old.tar"
    with tarfile.open(path, "w") as tar:
        for name, data in {
            "aa/layer.tar": LAYERS[0],
            "cfg.json": config,
            "manifest.json": json.dumps(
                [{"Config": "cfg.json", "RepoTags": ["app:1"], "Layers": ["aa/layer.tar", "bb/layer.tar"]}]
            ).encode(),
        }.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("bb/layer.tar")
        link.type, link.linkname = tarfile.SYMTYPE, "../aa/layer.tar"
        tar.addfile(link)
    for asked in ("app:1", None, "docker.io/library/app:1", _sha(config)):
        image = read_archive(path, asked)
        assert (image.reference, image.id, len(image.layers)) == ("app:1", _sha(config), 2)
        assert validate(image) == []


def test_attestations_are_no_images_and_indexes_nest(layout: Layout) -> None:
    """What buildx pushes, an index in the index with an attestation beside the image, holds one image."""
    image = layout.manifest(layout.config(), LAYERS)
    other = layout.manifest(b"{}", [])
    inner = {
        "schemaVersion": 2,
        "manifests": [
            {
                **other,
                "platform": {"os": "unknown", "architecture": "unknown"},
                "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
            },
            {**image, "platform": {"os": "linux", "architecture": "amd64"}},
        ],
    }
    nested = layout.blob(json.dumps(inner).encode())
    root = layout.write(_named(nested, "docker.io/library/app:latest", "io.containerd.image.name"))
    assert read_archive(root).reference == "app:latest"
    assert len(read_archive(root, "app").layers) == 2


def test_dockerlab_annotations_come_back(layout: Layout) -> None:
    """base_layers and stand_in are read from the manifest's annotations."""
    notes = {"dev.dockerlab.base-layers": "1", "dev.dockerlab.stand-in": "debian:trixie-slim"}
    image = read_archive(layout.write(layout.manifest(layout.config(), LAYERS, annotations=notes)))
    assert (image.base_layers, image.stand_in, image.reference) == (1, "debian:trixie-slim", None)


def test_which_image_must_be_said_when_there_are_several(layout: Layout) -> None:
    """Without a reference several images are an error, and an unknown name lists the known ones."""
    one = _named(layout.manifest(layout.config(), LAYERS), "one:1")
    two = _named(layout.manifest(layout.config(author="x"), LAYERS), "two:2")
    root = layout.write(one, two)
    with pytest.raises(ImageError, match=r"holds several images(.|\n)*one:1 \(linux/amd64\), two:2"):
        read_archive(root)
    with pytest.raises(ImageNotFoundError, match=r"no image named three(.|\n)*one:1 \(linux/amd64\), two:2"):
        read_archive(root, "three")
    assert read_archive(root, "two:2").config["author"] == "x"


def test_history_that_does_not_fit_gives_no_row_a_layer(layout: Layout) -> None:
    """Rows are matched to layers only when they add up; validate() says when they do not."""
    config = layout.config(history=[{"created_by": "only one"}])
    image = read_archive(layout.write(layout.manifest(config, LAYERS)))
    assert [row.layer for row in image.history] == [None]
    assert validate(image) == ["The history has 1 rows that made a layer, the image has 2 layers."]


def test_validate_names_every_mismatch_at_once(layout: Layout) -> None:
    """Two wrong layers are two sentences, each with the digest expected and the one found."""
    wrong = [_sha(b"1"), _sha(b"2")]
    config = layout.config(rootfs={"type": "layers", "diff_ids": wrong})
    image = read_archive(layout.write(layout.manifest(config, LAYERS)))
    assert validate(image) == [
        f"Layer {number} should have the digest {diff_id}, but has {_sha(layer)}."
        for number, (diff_id, layer) in enumerate(zip(wrong, LAYERS, strict=True), 1)
    ]


def test_damage_is_an_image_error_that_names_it(tmp_path: Path, layout: Layout) -> None:
    """A missing layer, a changed config, wrong JSON, a wrong count and a foreign file say what is wrong."""
    config = layout.config()
    root = layout.write(layout.manifest(config, LAYERS))
    layer = root / "blobs" / "sha256" / _sha(LAYERS[1])[7:]
    layer.unlink()
    with pytest.raises(ImageError, match=f"lacks the layer blobs/sha256/{_sha(LAYERS[1])[7:]}"):
        read_archive(root)
    layer.write_bytes(LAYERS[1])
    (root / "blobs" / "sha256" / _sha(config)[7:]).write_bytes(config.replace(b"amd64", b"amd65"))
    with pytest.raises(ImageError, match=f"{_sha(config)[7:]} in .* has the digest"):
        read_archive(root)
    with pytest.raises(ImageError, match="names 2 layers, the manifest 1"):
        read_archive(layout.write(layout.manifest(layout.config(), LAYERS[:1])))
    (root / "index.json").write_text("{")
    with pytest.raises(ImageError, match=r"index\.json in .* is not JSON"):
        read_archive(root)
    (root / "index.json").unlink()
    with pytest.raises(ImageError, match=r"neither an index\.json"):
        read_archive(root)
    with pytest.raises(ImageError, match="is not a whole tar"):
        read_archive(root / "oci-layout")
    (tmp_path / "empty").touch()
    with pytest.raises(ImageError, match="is empty"):
        read_archive(tmp_path / "empty")
    with pytest.raises(ImageError, match="cannot be read: No such file"):
        read_archive(tmp_path / "none")


def test_what_skopeo_writes_reads_back(tmp_path: Path, layout: Layout) -> None:
    """skopeo's docker-archive and oci-archive copies of a layout hold the same image."""
    if shutil.which("skopeo") is None:
        pytest.skip("needs skopeo")
    root = layout.write(_named(layout.manifest(layout.config(), LAYERS), "app:1"))
    (manifest,) = json.loads((root / "index.json").read_text())["manifests"]
    body = json.loads((root / "blobs" / "sha256" / manifest["digest"][7:]).read_text())
    media = "application/vnd.oci.image"
    body["mediaType"] = f"{media}.manifest.v1+json"
    body["config"]["mediaType"] = f"{media}.config.v1+json"
    for row in body["layers"]:
        row["mediaType"] = f"{media}.layer.v1.tar"
    descriptor = {**layout.blob(json.dumps(body).encode()), "mediaType": body["mediaType"]}
    layout.write(_named(descriptor, "app:1"))
    for to in ("docker-archive:{}:app:1", "oci-archive:{}:app:1"):
        path = tmp_path / f"{to[:3]}.tar"
        command = ["skopeo", "--insecure-policy", "copy", f"oci:{root}:app:1", to.format(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        image = read_archive(path, "app:1")
        assert validate(image) == []
        assert [layer.diff_id for layer in image.layers] == [_sha(layer) for layer in LAYERS]


def test_the_empty_layer_is_1024_zeros() -> None:
    """EMPTY_LAYER is the digest of a tar with no members."""
    assert _sha(bytes(1024)) == EMPTY_LAYER
