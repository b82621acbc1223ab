"""Write images as an archive that `docker load` takes: an OCI layout with a manifest.json.

Docker 25 and later save in that form; Docker 20 to 24 read only the manifest.json.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from dockerlab.image import oci
from dockerlab.image.image import Image
from dockerlab.image.layer import Layer
from dockerlab.image.platform import Platform
from dockerlab.image.reference import Reference


@dataclass(frozen=True)
class Packed:
    """An image to write: its config and manifest as bytes, which make its ID and digest."""

    config: bytes
    manifest: bytes
    layers: Sequence[Layer]
    names: tuple[str, ...]


def manifest_of(
    config: bytes,
    layers: Iterable[Layer],
    *,
    annotations: Mapping[str, str],
    layer_annotations: Sequence[Mapping[str, str]] = (),
) -> bytes:
    """Return an image manifest of uncompressed layers (OCI image spec, manifest.md)."""
    described: list[dict[str, Any]] = [
        {"mediaType": oci.LAYER, "digest": layer.diff_id, "size": layer.size_tar} for layer in layers
    ]
    for item, notes in zip(described, layer_annotations, strict=False):
        item["annotations"] = notes
    return oci.encoded(
        {
            "schemaVersion": 2,
            "mediaType": oci.MANIFEST,
            "config": {"mediaType": oci.CONFIG, "digest": oci.digest_of(config), "size": len(config)},
            "layers": described,
            "annotations": annotations,
        }
    )


def descriptor_of(manifest: bytes, config: bytes, *, annotations: Mapping[str, str]) -> dict[str, Any]:
    """Return what an index says of a manifest (OCI image spec, descriptor.md)."""
    found = {"mediaType": oci.MANIFEST, "digest": oci.digest_of(manifest), "size": len(manifest)}
    platform = Platform.read(json.loads(config)).written()
    return {
        **found,
        **({"annotations": dict(annotations)} if annotations else {}),
        **({"platform": platform} if {"architecture", "os"} <= platform.keys() else {}),
    }


def packed(config: bytes, layers: Sequence[Layer], names: Iterable[str]) -> Packed:
    """Return an image of a config and its layers, with a manifest that says no more."""
    return Packed(config, manifest_of(config, layers, annotations={}), layers, tuple(names))


def renamed(image: Image, reference: str, *, labels: Mapping[str, str]) -> Packed:
    """Return an image under another name and that alone, with more labels; its layers stay what they are."""
    inner = image.config.get("config") or {}
    labelled = {**inner, "Labels": {**(inner.get("Labels") or {}), **labels}}
    return packed(oci.encoded({**image.config, "config": labelled}), image.layers, [reference])


def write_archive(images: Iterable[Packed], out: BinaryIO) -> None:
    """Write images, each layer once. Names are references, familiar or full."""
    blobs: dict[str, bytes | Layer] = {}
    rows, listed = [], []
    merged: dict[bytes, Packed] = {}
    for image in images:
        names = merged[image.manifest].names if image.manifest in merged else ()
        merged[image.manifest] = replace(image, names=tuple(dict.fromkeys((*names, *image.names))))
    for image in merged.values():
        files = {oci.digest_of(data): data for data in (image.config, image.manifest)}
        blobs |= {**files, **{layer.diff_id: layer for layer in image.layers}}
        references = [Reference.parse(name) for name in image.names]
        rows.append(
            {
                "Config": oci.blob_name(oci.digest_of(image.config)),
                "RepoTags": [reference.familiar for reference in references if reference.tag],
                "Layers": [oci.blob_name(layer.diff_id) for layer in image.layers],
            }
        )
        for reference in references or (None,):
            notes = {} if reference is None else {oci.CONTAINERD_NAME: reference.full}
            if reference is not None and reference.tag:
                notes[oci.REF_NAME] = reference.tag
            listed.append(descriptor_of(image.manifest, image.config, annotations=notes))
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for digest, blob in sorted(blobs.items()):
            _add(tar, oci.blob_name(digest), blob)
        _add(tar, "index.json", oci.encoded({"schemaVersion": 2, "manifests": listed}))
        _add(tar, "manifest.json", oci.encoded(rows))
        _add(tar, "oci-layout", oci.LAYOUT)


def _add(tar: tarfile.TarFile, name: str, content: bytes | Layer) -> None:
    info = tarfile.TarInfo(name)
    info.mode = 0o644
    info.size = len(content) if isinstance(content, bytes) else content.size_tar
    with io.BytesIO(content) if isinstance(content, bytes) else content.open_tar() as stream:
        tar.addfile(info, stream)
