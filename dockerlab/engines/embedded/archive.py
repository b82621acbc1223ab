"""Archives in the form of `docker save`: written for `docker load`, and read back from any Docker version.

Written: an OCI layout with a manifest.json, as Docker 25 and later do; Docker 20 to 24 read only the latter.
"""

from __future__ import annotations

import glob
import io
import json
import os
import posixpath
import secrets
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dockerlab.engines.embedded import durable
from dockerlab.engines.embedded.blobs import encoded
from dockerlab.errors import ImageError
from dockerlab.image import Layer
from dockerlab.imagefile import read_archive
from dockerlab.reference import Reference

if TYPE_CHECKING:
    from dockerlab.engines.embedded.store import Store

_REF_NAME = "org.opencontainers.image.ref.name"
_CONTAINERD_NAME = "io.containerd.image.name"
_MAX_JSON = 16 << 20  # bytes; manifests and configs are kilobytes
_DAMAGED = "Write the archive again with `docker save -o FILE NAME`."


def save(store: Store, references: Sequence[str], path: Path) -> None:
    """Write the images to `path`, whole or not at all."""
    with store.building():
        descriptors = [store.find(reference) for reference in references]
        files: dict[str, bytes | Path] = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
        rows: dict[str, dict[str, Any]] = {}
        listed = []
        for descriptor in descriptors:
            manifest = json.loads(store.read_blob(descriptor["digest"]))
            parts = [manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"])]
            for digest in (descriptor["digest"], *parts):
                files[_blob(digest)] = store.blob_path(digest)
            row = rows.setdefault(
                descriptor["digest"],
                {
                    "Config": _blob(parts[0]),
                    "RepoTags": [],
                    "Layers": [_blob(digest) for digest in parts[1:]],
                },
            )
            name = (descriptor.get("annotations") or {}).get(_REF_NAME)
            item: dict[str, Any] = {
                key: descriptor[key]
                for key in ("mediaType", "digest", "size", "platform")
                if key in descriptor
            }
            if name is not None:
                reference = Reference.parse(name)
                notes = {_CONTAINERD_NAME: reference.full}
                if reference.tag:
                    notes[_REF_NAME] = reference.tag
                    row["RepoTags"].append(name)
                item["annotations"] = notes
            listed.append(item)
        files["index.json"] = encoded({"schemaVersion": 2, "manifests": listed})
        files["manifest.json"] = encoded(list(rows.values()))
        _write(files, path)


def _write(files: dict[str, bytes | Path], path: Path) -> None:
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    with durable.plain_errors(path.parent.absolute(), "archive"):
        durable.clear_temporaries(path.parent, f".{glob.escape(path.name)}.*.part")
        try:
            with aside.open("xb") as out:
                durable.try_lock(out.fileno(), exclusive=True)
                with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
                    for name, content in sorted(files.items()):
                        _add(tar, name, content)
                out.flush()
                os.fsync(out.fileno())
            aside.replace(path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise


def _add(tar: tarfile.TarFile, name: str, content: bytes | Path) -> None:
    info = tarfile.TarInfo(name)
    info.mode = 0o644
    if isinstance(content, bytes):
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
        return
    with content.open("rb") as blob:
        info.size = content.stat().st_size
        tar.addfile(info, blob)


def _blob(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/", 1)


@dataclass(frozen=True)
class _Listed:
    """An image an archive says it has."""

    names: tuple[str, ...]
    config: bytes
    key: str  # what read_archive() finds it by


def load(store: Store, path: Path) -> list[str]:
    """Put every image of the archive into the store; return the references (ids where there is no name).

    Layers are decompressed and their digests checked. Raises ImageError for an archive that is damaged, or
    that has names or links leading out of it.
    """
    found = []
    with store.building():
        for listed in list(_images(path)):
            image = read_archive(path, listed.key)
            layers = [_copied(store, layer) for layer in image.layers]
            for name in listed.names or (None,):
                stored = store.put_image(
                    listed.config,
                    layers,
                    reference=name,
                    base_layers=image.base_layers,
                    stand_in=image.stand_in,
                )
                if stored.id != image.id:
                    raise ImageError(f"A config in {path} is {stored.id}, not {image.id}.", hint=_DAMAGED)
                found.append(stored.reference or stored.id)
    if not found:
        raise ImageError(f"{path} holds no image.", hint=_DAMAGED)
    return found


def _copied(store: Store, layer: Layer) -> Layer:
    if store.has_layer(layer.diff_id):
        return store.layer(layer.diff_id)
    with store.new_layer() as new, layer.open_tar() as tar:
        while chunk := tar.read(1 << 20):
            new.write(chunk)
        if new.digest() != layer.diff_id:
            raise ImageError(
                f"A layer should have the digest {layer.diff_id}, but has {new.digest()}.", hint=_DAMAGED
            )
        stored = new.commit()
        try:
            _ = (
                stored.entries
            )  # a layer whose names lead out of the root is refused now, not at its first use
        except ImageError:
            store.forget_layer(layer.diff_id)
            raise
    return stored


def _images(path: Path) -> Iterator[_Listed]:
    try:
        with tarfile.open(path, "r:*") as tar:
            members = {posixpath.normpath(member.name): member for member in tar}
            if "manifest.json" in members:
                yield from _docker_images(tar, members)
            elif "index.json" in members:
                yield from _layout_images(tar, members)
            else:
                raise ImageError(
                    f"{path} has neither a manifest.json (docker save) nor an index.json (OCI layout).",
                    hint="Give the file that `docker save -o` wrote.",
                )
    except FileNotFoundError as error:
        raise ImageError(f"There is no file {path}.", hint="Check the path.") from error
    except (OSError, EOFError, tarfile.TarError) as error:
        raise ImageError(f"{path} cannot be read as an archive: {error}.", hint=_DAMAGED) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ImageError(f"{path} is not an image archive: {error!r}.", hint=_DAMAGED) from error


def _docker_images(tar: tarfile.TarFile, members: dict[str, tarfile.TarInfo]) -> Iterator[_Listed]:
    for row in json.loads(_read(tar, members, "manifest.json")):
        config = _read(tar, members, row["Config"])
        names = tuple(row.get("RepoTags") or ())
        yield _Listed(names, config, names[0] if names else _digest(config))


def _layout_images(tar: tarfile.TarFile, members: dict[str, tarfile.TarInfo]) -> Iterator[_Listed]:
    for descriptor in json.loads(_read(tar, members, "index.json"))["manifests"]:
        manifest = json.loads(_read(tar, members, _blob(descriptor["digest"])))
        if "config" not in manifest:
            raise ImageError("The archive has an image for several platforms.", hint=_DAMAGED)
        notes = descriptor.get("annotations") or {}
        name = notes.get(_CONTAINERD_NAME) or notes.get(_REF_NAME)
        config = _read(tar, members, _blob(manifest["config"]["digest"]))
        yield _Listed((name,) if name else (), config, _digest(config))


def _digest(data: bytes) -> str:
    import hashlib

    return "sha256:" + hashlib.sha256(data).hexdigest()


def _read(tar: tarfile.TarFile, members: dict[str, tarfile.TarInfo], name: str) -> bytes:
    member = members[name]
    if not member.isreg() or member.size > _MAX_JSON:
        raise ImageError(f"{name} in the archive is not a small file.", hint=_DAMAGED)
    file = tar.extractfile(member)
    assert file is not None
    return file.read()
