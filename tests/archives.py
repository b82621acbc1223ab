"""One image in every form it may be stored in, made by hand after what Docker, skopeo and buildx write."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import zstandard

from dockerlab.image.compression import detect_compression
from dockerlab.image.oci import CONFIG, INDEX, LAYER, MANIFEST
from dockerlab.image.platform import here
from tests.tiny_images import layer_tar

LAYERS = (
    layer_tar({"etc/a": b"one", "etc/b": b"two", "big": b"x" * 5000}),
    layer_tar({"etc/a": None, "etc/c": b"three"}),
)
ROWS: list[dict[str, Any]] = [
    {"created": "2026-01-01T00:00:00Z", "created_by": "COPY one / # buildkit"},
    {"created": "2026-01-01T00:00:00Z", "created_by": "ENV X=1", "empty_layer": True},
    {"created": "2026-01-01T00:00:00Z", "created_by": "RUN /bin/sh -c rm /etc/a # buildkit"},
]
NAME = "box:1"
Files = dict[str, "bytes | str"]  # a str is where a symlink leads


def sha(data: bytes) -> str:
    """Return a digest."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def config(**more: Any) -> bytes:
    """Return the image's config, changed by keyword; None takes a key out."""
    known = {
        "architecture": here().architecture,
        "os": "linux",
        "config": {"Env": ["X=1"]},
        "rootfs": {"type": "layers", "diff_ids": [sha(layer) for layer in LAYERS]},
        "history": ROWS,
        **more,
    }
    return json.dumps({key: value for key, value in known.items() if value != "absent"}).encode()


def packed(files: Mapping[str, bytes | str], path: Path, *, prefix: str = "") -> Path:
    """Write files as a tar."""
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(prefix + name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return path


def unpacked(files: Mapping[str, bytes | str], folder: Path) -> Path:
    """Write files below a folder."""
    for name, content in files.items():
        assert isinstance(content, bytes)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def before_1_10(*, named: bool = True) -> Files:
    """Return what Docker before 1.10 saved: a folder a layer, each with its own JSON."""
    ids = [hashlib.sha256(bytes([number])).hexdigest() for number in range(3)]
    tars = [LAYERS[0], bytes(1024), LAYERS[1]]
    files: Files = {}
    for number, (name, row) in enumerate(zip(ids, ROWS, strict=True)):
        node = {
            "id": name,
            "created": row["created"],
            "container_config": {"Cmd": [row["created_by"]]},
            "docker_version": "1.9.1",
            "config": {"Env": ["X=1"]},
            "architecture": here().architecture,
            "os": "linux",
            **({"parent": ids[number - 1]} if number else {}),
        }
        files |= {f"{name}/VERSION": b"1.0", f"{name}/json": json.dumps(node).encode()}
        files[f"{name}/layer.tar"] = tars[number]
    if named:
        files["repositories"] = json.dumps({"box": {"1": ids[2]}}).encode()
    return files


def before_25(configuration: bytes | None = None) -> Files:
    """Return what Docker 1.10 to 24 saved: manifest.json and a folder a layer, some of them links."""
    data = config() if configuration is None else configuration
    rows = [{"Config": f"{sha(data)[7:]}.json", "RepoTags": [NAME], "Layers": ["a/layer.tar", "b/layer.tar"]}]
    return {
        f"{sha(data)[7:]}.json": data,
        "a/VERSION": b"1.0",
        "a/json": b"{}",
        "a/layer.tar": "../c/layer.tar",
        "b/layer.tar": LAYERS[1],
        "c/layer.tar": LAYERS[0],
        "manifest.json": json.dumps(rows).encode(),
        "repositories": b'{"box":{"1":"b"}}',
    }


def blob(files: Files, data: bytes, media: str, **more: Any) -> dict[str, Any]:
    """Put a blob into a layout's files; return its descriptor."""
    files[f"blobs/sha256/{sha(data)[7:]}"] = data
    return {"mediaType": media, "digest": sha(data), "size": len(data), **more}


def manifest(files: Files, configuration: bytes, layers: Sequence[bytes], **more: Any) -> dict[str, Any]:
    """Put a manifest into a layout's files; return its descriptor."""
    body = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": blob(files, configuration, CONFIG),
        "layers": [blob(files, layer, _media(layer)) for layer in layers],
    }
    return blob(files, json.dumps(body).encode(), MANIFEST, **more)


def _media(layer: bytes) -> str:
    compression = detect_compression(layer)
    return f"{LAYER}+{compression}" if compression in ("gzip", "zstd") else LAYER


def layout(*listed: dict[str, Any], files: Files, rows: Sequence[Mapping[str, Any]] = ()) -> Files:
    """Finish a layout; with `rows` it has a manifest.json too."""
    index = {"schemaVersion": 2, "manifests": list(listed)}
    more: Files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": json.dumps(index).encode()}
    if rows:
        more["manifest.json"] = json.dumps(rows).encode()
    return {**files, **more}


def index(files: Files, *listed: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Put an index into a layout's files; return its descriptor."""
    data = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": list(listed)}).encode()
    return blob(files, data, INDEX, **more)


NAMED = {"io.containerd.image.name": f"docker.io/library/{NAME}", "org.opencontainers.image.ref.name": "1"}
PLATFORM = {"architecture": here().architecture, "os": "linux"}
OTHER = {"architecture": "s390x", "os": "linux"}
ABSENT = {"mediaType": MANIFEST, "digest": f"sha256:{'ab' * 32}", "size": 500}
ATTESTATION = {
    "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
    "platform": {"architecture": "unknown", "os": "unknown"},
}


def oci(pack: Callable[[bytes], bytes] = bytes, configuration: bytes | None = None) -> Files:
    """Return an OCI layout as skopeo writes it."""
    files: Files = {}
    data = config() if configuration is None else configuration
    named = {"org.opencontainers.image.ref.name": f"docker.io/library/{NAME}"}
    return layout(manifest(files, data, [pack(one) for one in LAYERS], annotations=named), files=files)


def since_25(pack: Callable[[bytes], bytes] = bytes) -> Files:
    """Return what Docker 25 and later save: an OCI layout with a manifest.json."""
    files: Files = {}
    layers = [pack(one) for one in LAYERS]
    rows = [
        {
            "Config": f"blobs/sha256/{sha(config())[7:]}",
            "RepoTags": [NAME],
            "Layers": [f"blobs/sha256/{sha(layer)[7:]}" for layer in layers],
        }
    ]
    return layout(manifest(files, config(), layers, annotations=NAMED), files=files, rows=rows)


def containerd(*, attested: bool) -> Files:
    """Return what the containerd store saves of an image built or pulled for several platforms.

    Its index names a platform and an attestation; what was not pulled is not there.
    """
    files: Files = {}
    own = manifest(files, config(), [gzip.compress(one, mtime=0) for one in LAYERS], platform=PLATFORM)
    note = manifest(files, b'{"architecture":"unknown"}', [b"{}"], **ATTESTATION) if attested else {}
    listed = [{**ABSENT, "platform": OTHER}, own, {**ABSENT, **ATTESTATION, **note}]
    rows = since_25(lambda one: gzip.compress(one, mtime=0))["manifest.json"]
    return layout(index(files, *listed, annotations=NAMED), files={**files}, rows=json.loads(rows))


def platforms() -> Files:
    """Return an OCI layout with the image for two platforms, in an index within an index."""
    files: Files = {}
    other = manifest(files, config(architecture="s390x"), list(LAYERS), platform=OTHER)
    own = manifest(files, config(), list(LAYERS), platform=PLATFORM)
    return layout(index(files, index(files, other, own), annotations=NAMED), files=files)


def two_gzip_members(data: bytes) -> bytes:
    """Return gzip data in two members, as pigz and estargz write."""
    return gzip.compress(data[:700]) + gzip.compress(data[700:])


def zstd_chunked(data: bytes) -> bytes:
    """Return zstd frames with skippable frames before, between and after, as zstd:chunked has."""
    skip = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"
    pack = zstandard.ZstdCompressor().compress
    return skip + pack(data[:700]) + skip + pack(data[700:]) + skip + skip


LAYER_FORMS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "gzip, zeros after it": lambda data: gzip.compress(data) + bytes(700),
    "gzip, bytes after it": lambda data: gzip.compress(data) + b"trailing",
    "gzip in two members": two_gzip_members,
    "zstd": zstandard.ZstdCompressor().compress,
    "zstd:chunked": zstd_chunked,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
}
HISTORIES: dict[str, Any] = {
    "longer": [*ROWS, *ROWS],
    "shorter": ROWS[:1],
    "null": None,
    "absent": "absent",
    "empty": [],
    "created null": [{**row, "created": None} for row in ROWS],
    "created absent": [{key: row[key] for key in row if key != "created"} for row in ROWS],
    "created_by null": [{**row, "created_by": None} for row in ROWS],
    "created_by absent": [{key: row[key] for key in row if key != "created_by"} for row in ROWS],
    "comment null": [{**row, "comment": None, "author": None} for row in ROWS],
}
TARS: dict[str, Callable[[], Files]] = {
    "docker before 1.10": before_1_10,
    "docker before 1.10, of an ID": lambda: before_1_10(named=False),
    "docker before 25": before_25,
    "docker since 25": since_25,
    "containerd store": lambda: containerd(attested=True),
    "containerd store, the attestation not there": lambda: containerd(attested=False),
    "OCI": oci,
    "OCI, two platforms in nested indexes": platforms,
    **{f"layers {name}": lambda pack=pack: since_25(pack) for name, pack in LAYER_FORMS.items()},  # type: ignore[misc]
    **{
        f"history {name}": lambda rows=rows: before_25(config(history=rows))  # type: ignore[misc]
        for name, rows in HISTORIES.items()
    },
}
WHOLE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "xz": lzma.compress,
    "bz2": bz2.compress,
}
SHAPES = [
    *TARS,
    "OCI folder",
    "docker since 25, folder",
    "containerd store, folder",
    "OCI, names with ./",
    *(f"whole file {name}" for name in WHOLE),
]


def write(shape: str, folder: Path) -> Path:
    """Write the image in one of SHAPES; return the file or folder."""
    if shape == "OCI, names with ./":
        return packed(oci(), folder / "image.tar", prefix="./")
    if shape.startswith("whole file "):
        pack = WHOLE[shape.removeprefix("whole file ")]
        path = packed(since_25(), folder / "image.tar")
        path.write_bytes(pack(path.read_bytes()))
        return path
    if shape.endswith("folder"):
        kind = shape.removesuffix("folder").rstrip(", ")
        return unpacked(TARS[kind](), folder / "image")
    return packed(TARS[shape](), folder / "image.tar")
