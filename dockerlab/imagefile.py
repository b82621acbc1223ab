"""Read an image from where it is stored: an OCI image layout, or a `docker save` archive."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dockerlab import oci
from dockerlab.bundle import DAMAGED, Archive, Files, Folder, read_bytes, read_json
from dockerlab.errors import ImageError, ImageNotFoundError
from dockerlab.image import Image, history_rows
from dockerlab.layer import BlobLayer
from dockerlab.platform import Platform, here
from dockerlab.reference import Wanted, parsed
from dockerlab.streams import detect_compression


def read_layout(path: Path, reference: str | None = None) -> Image:
    """Read an image from an OCI image layout folder (OCI image-layout.md).

    `reference` may be a name, an image ID or a manifest digest; without it the folder must hold one image.
    Raises ImageNotFoundError (naming what there is) and ImageError.
    """
    return _read(Folder(path), reference)


def read_archive(path: Path, reference: str | None = None) -> Image:
    """Read an image from a `docker save` archive, of any Docker version, or a tar of an OCI layout.

    Nothing is unpacked to disk unless the archive or a layer in it is compressed. `reference` is as for
    read_layout().
    """
    return _read(Archive(path), reference)


@dataclass(frozen=True)
class _Found:
    """An image of a layout or archive, before its layers are opened."""

    names: tuple[str, ...]
    digest: str  # of its manifest, "" in an old archive
    config: str  # the blob's name
    layers: tuple[str, ...]  # the blobs' names
    annotations: Mapping[str, str]
    platform: Platform


def _read(files: Files, reference: str | None) -> Image:
    if files.where("index.json") is not None:
        found = _layout_images(files)
    elif files.where("manifest.json") is not None:
        found = _docker_images(files)
    else:
        raise ImageError(
            f"{files.path} has neither an index.json (OCI layout) nor a manifest.json (docker save).",
            hint="Give the file that `docker save -o` wrote, or an OCI image layout.",
        )
    image, name = _pick(files, found, reference)
    raw = read_bytes(files, image.config)
    config = read_json(raw, f"{image.config} in {files.path}")
    identity = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    diff_ids = (config.get("rootfs") or {}).get("diff_ids") or []
    if len(diff_ids) != len(image.layers):
        raise ImageError(
            f"{image.config} in {files.path} names {len(diff_ids)} layers, the manifest {len(image.layers)}.",
            hint=DAMAGED,
        )
    layers = tuple(_layer(files, blob, diff_id) for blob, diff_id in zip(image.layers, diff_ids, strict=True))
    base = image.annotations.get(oci.BASE_LAYERS, "0")
    if not base.isdecimal() or int(base) > len(layers):
        raise ImageError(
            f"The annotation {oci.BASE_LAYERS} in {files.path} is {base!r}, a layer count was expected."
        )
    # The label outlives `docker save` and `docker load`, which drop annotations.
    labels = (config.get("config") or {}).get("Labels") or {}
    return Image(
        reference=name,
        id=identity,
        config=config,
        layers=layers,
        history=history_rows(config, layers),
        base_layers=int(base),
        stand_in=image.annotations.get(oci.STAND_IN) or labels.get(oci.STAND_IN) or None,
    )


def _pick(files: Files, found: list[_Found], reference: str | None) -> tuple[_Found, str | None]:
    """Return the image asked for, and its name."""
    fits: list[tuple[_Found, str | None]] = []
    wanted = None if reference is None else Wanted.parse(reference)
    for image in found:
        named = [name for name in image.names if wanted is not None and wanted.names(name)]
        if named:
            fits.append((image, _familiar(named[0])))
        elif wanted is None or wanted.begins((image.digest, _config_digest(files, image))):
            fits.append((image, _familiar(image.names[0]) if image.names else None))
    if len({_config_digest(files, image) for image, _ in fits}) > 1:  # one image for several platforms
        native = [fit for fit in fits if here().fit(fit[0].platform)]
        if reference is not None or len({fit[1] for fit in fits}) == 1:
            fits = native or fits[:1]
    names = sorted({_familiar(name) for image in found for name in image.names})
    there = f"It has {', '.join(names)}." if names else f"It has {len(found)} images, none with a name."
    if not fits:
        if reference is None:
            raise ImageError(f"{files.path} holds no image.")
        raise ImageNotFoundError(f"{files.path} holds no image named {reference}.", hint=there)
    if reference is None and len({_config_digest(files, image) for image, _ in fits}) > 1:
        raise ImageError(f"{files.path} holds several images: say which one.", hint=there)
    return fits[0]


def _config_digest(files: Files, image: _Found) -> str:
    if image.config.startswith("blobs/sha256/"):
        return "sha256:" + image.config.rpartition("/")[2]
    return f"sha256:{hashlib.sha256(read_bytes(files, image.config)).hexdigest()}"


def _layout_images(files: Files) -> list[_Found]:
    index = read_json(read_bytes(files, "index.json"), f"index.json in {files.path}")
    return list(_manifests(files, index, names=(), depth=0))


def _manifests(
    files: Files, index: Mapping[str, Any], *, names: tuple[str, ...], depth: int
) -> Iterator[_Found]:
    if depth > 4:
        raise ImageError(f"{files.path} has indexes nested more than 4 deep.")
    for descriptor in index.get("manifests") or ():
        notes = descriptor.get("annotations") or {}
        where = descriptor.get("platform") or {}
        if oci.is_attestation(descriptor):
            continue
        own = notes.get(oci.CONTAINERD_NAME) or notes.get(oci.REF_NAME)
        mine = (*names, own) if own else names
        blob = _blob(files, descriptor)
        manifest = read_json(read_bytes(files, blob, descriptor=descriptor), f"{blob} in {files.path}")
        if "manifests" in manifest:
            yield from _manifests(files, manifest, names=mine, depth=depth + 1)
            continue
        config = manifest.get("config") or {}
        yield _Found(
            names=mine,
            digest=descriptor["digest"],
            config=_blob(files, config),
            layers=tuple(_blob(files, layer) for layer in manifest.get("layers") or ()),
            annotations={**notes, **(manifest.get("annotations") or {})},
            platform=Platform.read(where),
        )


def _docker_images(files: Files) -> list[_Found]:
    """Read a manifest.json: `docker save` before version 25, podman's docker-archive."""
    rows = read_json(read_bytes(files, "manifest.json"), f"manifest.json in {files.path}", kind=list)
    try:
        return [
            _Found(
                tuple(row.get("RepoTags") or ()),
                "",
                row["Config"],
                tuple(row["Layers"] or ()),
                {},
                Platform(),
            )
            for row in rows
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise ImageError(f"manifest.json in {files.path} lacks {error}.", hint=DAMAGED) from error


def _blob(files: Files, descriptor: Mapping[str, Any]) -> str:
    algorithm, colon, digest = str(descriptor.get("digest", "")).partition(":")
    if not colon or not digest.isalnum():
        raise ImageError(
            f"A descriptor in {files.path} has no digest: {json.dumps(descriptor)[:80]}", hint=DAMAGED
        )
    return f"blobs/{algorithm}/{digest}"


def _layer(files: Files, blob: str, diff_id: str) -> BlobLayer:
    where = files.where(blob)
    if where is None:
        raise ImageError(f"{files.path} lacks the layer {blob}.", hint=DAMAGED)
    with where.path.open("rb") as file:
        file.seek(where.offset)
        compression = detect_compression(file.read(min(4, where.length)))
    return BlobLayer(
        where.path, diff_id, offset=where.offset, length=where.length, compression=compression, owner=files
    )


def _familiar(name: str) -> str:
    known = parsed(name)
    return name if known is None else known.familiar
