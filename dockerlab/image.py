"""Image, Layer, History: immutable views, read alike from an OCI layout and a `docker save` archive."""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import platform
import posixpath
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from dockerlab.errors import ImageError, ImageNotFoundError
from dockerlab.filesystem import Entry, Tree
from dockerlab.layer import (
    EMPTY_LAYER,
    BlobLayer,
    Compression,
    Layer,
    decompress,
    detect_compression,
    tar_digest,
)
from dockerlab.tarindex import read_index

__all__ = [
    "BASE_LAYERS",
    "EMPTY_LAYER",
    "STAND_IN",
    "BlobLayer",
    "Compression",
    "History",
    "Image",
    "Layer",
    "detect_compression",
    "full_reference",
    "history_rows",
    "read_archive",
    "read_layout",
    "same_reference",
    "validate",
]

BASE_LAYERS = "dev.dockerlab.base-layers"  # manifest annotations of images that this package made
STAND_IN = "dev.dockerlab.stand-in"
_REF_NAME = "org.opencontainers.image.ref.name"
_FULL_NAME = "io.containerd.image.name"
_MAX_JSON = 16 << 20  # an index, manifest or config is a few kB; more is not one
_DAMAGED = "The file is damaged or was cut short; make or fetch it again."


@dataclass(frozen=True)
class History:
    """One row of `docker history`."""

    created_by: str
    created: str
    empty: bool  # True: this row made no layer
    comment: str = ""
    layer: Layer | None = None


@dataclass(frozen=True)
class Image:
    """An image as it was built."""

    reference: str | None  # "name:tag"
    id: str  # "sha256:..." of the config blob
    config: Mapping[str, Any]  # the OCI image config, whole
    layers: tuple[Layer, ...]  # lowest first
    history: tuple[History, ...]  # oldest first
    base_layers: int = 0  # how many of `layers` came from the FROM image (0 when not known)
    stand_in: str | None = None  # reference this image's base stands in for, or None

    def tree(self) -> Tree:
        """Return the file system a container of this image would see."""
        return Tree.stacked((layer.entries, layer) for layer in self.layers)

    @property
    def size_unpacked(self) -> int:
        """Return the file contents of all layers in bytes; what a later layer hides counts too."""
        return sum(layer.size_unpacked for layer in self.layers)

    @property
    def size_tar(self) -> int:
        """Return the length of all uncompressed layer tars in bytes."""
        return sum(layer.size_tar for layer in self.layers)

    def size_compressed(self) -> int:
        """Return the bytes a push of all layers would send (gzip, level 6); measured once per layer."""
        return sum(layer.size_compressed() for layer in self.layers)


def history_rows(config: Mapping[str, Any], layers: Sequence[Layer]) -> tuple[History, ...]:
    """Return the config's history with each row's layer, matched in order by `empty_layer`.

    When the rows do not add up to the layers, no row is given one (validate() says so).
    """
    rows = config.get("history") or ()
    fits = sum(not row.get("empty_layer") for row in rows) == len(layers)
    left = iter(layers)
    return tuple(
        History(
            created_by=row.get("created_by", ""),
            created=row.get("created", ""),
            empty=bool(row.get("empty_layer")),
            comment=row.get("comment", ""),
            layer=next(left) if fits and not row.get("empty_layer") else None,
        )
        for row in rows
    )


def full_reference(reference: str) -> str:
    """Return a familiar name in its full form: "debian" is "docker.io/library/debian:latest"."""
    name, at, digest = reference.partition("@")
    head, slash, rest = name.partition("/")
    if not slash or not ("." in head or ":" in head or head == "localhost"):
        name = f"docker.io/{name}" if slash else f"docker.io/library/{name}"
    elif head == "index.docker.io":
        name = f"docker.io/{rest}"
    if not at and ":" not in name.rpartition("/")[2]:
        name += ":latest"
    return name + at + digest


def same_reference(one: str, other: str) -> bool:
    """Tell whether two references, familiar or full, name the same image."""
    return full_reference(one) == full_reference(other)


def read_layout(path: Path, reference: str | None = None) -> Image:
    """Read an image from an OCI image layout folder (OCI image-layout.md).

    `reference` may be a name, an image ID or a manifest digest; without it the folder must hold one image.
    Raises ImageNotFoundError (naming what there is) and ImageError.
    """
    return _read(_Folder(path), reference)


def read_archive(path: Path, reference: str | None = None) -> Image:
    """Read an image from a `docker save` archive, of any Docker version, or a tar of an OCI layout.

    Nothing is unpacked to disk unless the archive or a layer in it is compressed. `reference` is as for
    read_layout().
    """
    return _read(_Archive(path), reference)


def validate(image: Image) -> list[str]:
    """Recompute every layer digest and compare the counts; return every mismatch, one sentence each."""
    wrong: list[str] = []
    diff_ids = (image.config.get("rootfs") or {}).get("diff_ids") or []
    if len(diff_ids) != len(image.layers):
        wrong.append(f"The config names {len(diff_ids)} layers, the image has {len(image.layers)}.")
    for number, layer in enumerate(image.layers, 1):
        if number <= len(diff_ids) and diff_ids[number - 1] != layer.diff_id:
            wrong.append(f"Layer {number} is {layer.diff_id}, the config says {diff_ids[number - 1]}.")
        try:
            found = tar_digest(layer)
            if found != layer.diff_id:
                wrong.append(f"Layer {number} should have the digest {layer.diff_id}, but has {found}.")
            _ = layer.entries
        except (ImageError, OSError) as error:
            wrong.append(f"Layer {number} cannot be read: {error}")
    rows = [row for row in image.history if not row.empty]
    if image.history and len(rows) != len(image.layers):
        wrong.append(
            f"The history has {len(rows)} rows that made a layer, the image has {len(image.layers)} layers."
        )
    return wrong


@dataclass(frozen=True)
class _Where:
    """Bytes in a file on disk."""

    path: Path
    offset: int
    length: int


class _Files(Protocol):
    """Named files: a layout folder's, or an archive's."""

    path: Path

    def where(self, name: str) -> _Where | None: ...


class _Folder:
    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise ImageError(
                f"{path} is not a folder.", hint="An OCI image layout is a folder with an index.json."
            )
        self.path = path

    def where(self, name: str) -> _Where | None:
        file = self.path / name
        return _Where(file, 0, file.stat().st_size) if file.is_file() else None


class _Archive:
    def __init__(self, path: Path) -> None:
        self.path = self._plain = path
        try:
            with path.open("rb") as file:
                head = file.read(4)
        except OSError as error:
            raise ImageError(f"{path} cannot be read: {error.strerror}.") from error
        if not head:
            raise ImageError(f"{path} is empty, an image archive was expected.", hint=_DAMAGED)
        compression = detect_compression(head)
        if compression:
            self._plain = self._unpack(compression)
        with self._plain.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            index = read_index(data, source=str(path), layer=False)
        self._entries: dict[str, Entry] = {entry.path: entry for entry in index.entries}

    def _unpack(self, compression: Compression) -> Path:
        handle, name = tempfile.mkstemp(prefix="dockerlab-archive-")
        weakref.finalize(self, Path(name).unlink, missing_ok=True)
        with os.fdopen(handle, "wb") as out, self.path.open("rb") as packed:
            for chunk in decompress(packed, compression, source=str(self.path)):
                out.write(chunk)
        return Path(name)

    def where(self, name: str) -> _Where | None:
        entry = self._entries.get(name)
        for _ in range(40):  # old archives store a layer once and link to it
            if entry is None or entry.kind not in ("symlink", "hardlink"):
                break
            here = "" if entry.kind == "hardlink" else posixpath.dirname(entry.path)
            entry = self._entries.get(posixpath.normpath(posixpath.join(here, entry.link)))
        if entry is None or entry.kind != "file":
            return None
        return _Where(self._plain, entry.offset, entry.size)


@dataclass(frozen=True)
class _Found:
    """An image of a layout or archive, before its layers are opened."""

    names: tuple[str, ...]
    digest: str  # of its manifest, "" in an old archive
    config: str  # the blob's name
    layers: tuple[str, ...]  # the blobs' names
    annotations: Mapping[str, str]
    platform: tuple[str, str]


def _read(files: _Files, reference: str | None) -> Image:
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
    raw = _bytes(files, image.config)
    config = _json(raw, f"{image.config} in {files.path}")
    identity = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    diff_ids = (config.get("rootfs") or {}).get("diff_ids") or []
    if len(diff_ids) != len(image.layers):
        raise ImageError(
            f"{image.config} in {files.path} names {len(diff_ids)} layers, the manifest {len(image.layers)}.",
            hint=_DAMAGED,
        )
    layers = tuple(_layer(files, blob, diff_id) for blob, diff_id in zip(image.layers, diff_ids, strict=True))
    base = image.annotations.get(BASE_LAYERS, "0")
    if not base.isdecimal() or int(base) > len(layers):
        raise ImageError(
            f"The annotation {BASE_LAYERS} in {files.path} is {base!r}, a layer count was expected."
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
        stand_in=image.annotations.get(STAND_IN) or labels.get(STAND_IN) or None,
    )


def _pick(files: _Files, found: list[_Found], reference: str | None) -> tuple[_Found, str | None]:
    """Return the image asked for, and its name."""
    fits: list[tuple[_Found, str | None]] = []
    for image in found:
        named = [name for name in image.names if reference is not None and same_reference(name, reference)]
        if named:
            fits.append((image, _familiar(named[0])))
        elif reference is None or (
            reference.startswith("sha256:") and reference in (image.digest, _config_digest(files, image))
        ):
            fits.append((image, _familiar(image.names[0]) if image.names else None))
    if len({_config_digest(files, image) for image, _ in fits}) > 1:  # one image for several platforms
        here = ("linux", _architecture())
        native = [fit for fit in fits if fit[0].platform == here]
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


def _config_digest(files: _Files, image: _Found) -> str:
    if image.config.startswith("blobs/sha256/"):
        return "sha256:" + image.config.rpartition("/")[2]
    return f"sha256:{hashlib.sha256(_bytes(files, image.config)).hexdigest()}"


def _layout_images(files: _Files) -> list[_Found]:
    index = _json(_bytes(files, "index.json"), f"index.json in {files.path}")
    return list(_manifests(files, index, names=(), depth=0))


def _manifests(
    files: _Files, index: Mapping[str, Any], *, names: tuple[str, ...], depth: int
) -> Iterator[_Found]:
    if depth > 4:
        raise ImageError(f"{files.path} has indexes nested more than 4 deep.")
    for descriptor in index.get("manifests") or ():
        notes = descriptor.get("annotations") or {}
        where = descriptor.get("platform") or {}
        if "vnd.docker.reference.type" in notes or where.get("architecture") == "unknown":
            continue  # an attestation, not an image
        own = notes.get(_FULL_NAME) or notes.get(
            _REF_NAME
        )  # beside a full name, the ref name is the tag alone
        mine = (*names, own) if own else names
        blob = _blob(files, descriptor)
        manifest = _json(_bytes(files, blob, descriptor=descriptor), f"{blob} in {files.path}")
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
            platform=(where.get("os", "linux"), where.get("architecture", "")),
        )


def _docker_images(files: _Files) -> list[_Found]:
    """Read a manifest.json: `docker save` before version 25, podman's docker-archive."""
    rows = _json(_bytes(files, "manifest.json"), f"manifest.json in {files.path}", kind=list)
    try:
        return [
            _Found(
                tuple(row.get("RepoTags") or ()),
                "",
                row["Config"],
                tuple(row["Layers"] or ()),
                {},
                ("linux", ""),
            )
            for row in rows
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise ImageError(f"manifest.json in {files.path} lacks {error}.", hint=_DAMAGED) from error


def _blob(files: _Files, descriptor: Mapping[str, Any]) -> str:
    algorithm, colon, digest = str(descriptor.get("digest", "")).partition(":")
    if not colon or not digest.isalnum():
        raise ImageError(
            f"A descriptor in {files.path} has no digest: {json.dumps(descriptor)[:80]}", hint=_DAMAGED
        )
    return f"blobs/{algorithm}/{digest}"


def _layer(files: _Files, blob: str, diff_id: str) -> BlobLayer:
    where = files.where(blob)
    if where is None:
        raise ImageError(f"{files.path} lacks the layer {blob}.", hint=_DAMAGED)
    with where.path.open("rb") as file:
        file.seek(where.offset)
        compression = detect_compression(file.read(min(4, where.length)))
    return BlobLayer(
        where.path, diff_id, offset=where.offset, length=where.length, compression=compression, owner=files
    )


def _bytes(files: _Files, name: str, *, descriptor: Mapping[str, Any] | None = None) -> bytes:
    where = files.where(name)
    if where is None:
        raise ImageError(f"{files.path} lacks {name}.", hint=_DAMAGED)
    if where.length > _MAX_JSON:
        raise ImageError(
            f"{name} in {files.path} has {where.length} bytes, more than any manifest or config."
        )
    with where.path.open("rb") as file:
        file.seek(where.offset)
        raw = file.read(where.length)
    if name.startswith("blobs/sha256/"):
        found = hashlib.sha256(raw).hexdigest()
        if found != name.rpartition("/")[2]:
            raise ImageError(f"{name} in {files.path} has the digest {found} instead.", hint=_DAMAGED)
    if descriptor is not None and descriptor.get("size", len(raw)) != len(raw):
        raise ImageError(
            f"{name} in {files.path} has {len(raw)} bytes, its descriptor says {descriptor['size']}.",
            hint=_DAMAGED,
        )
    return raw


def _json(raw: bytes, what: str, *, kind: type = dict) -> Any:
    try:
        value = json.loads(raw)
    except ValueError as error:
        raise ImageError(f"{what} is not JSON: {error}.", hint=_DAMAGED) from error
    if not isinstance(value, kind):
        raise ImageError(
            f"{what} is not what its format says: a JSON {kind.__name__} was expected.", hint=_DAMAGED
        )
    return value


def _familiar(name: str) -> str:
    return name.removeprefix("docker.io/library/").removeprefix("docker.io/")


def _architecture() -> str:
    """Return this machine's architecture by Go's name."""
    machine = platform.machine().lower()
    return {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(machine, machine)
