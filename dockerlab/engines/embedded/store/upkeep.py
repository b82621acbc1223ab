"""Keeping the store small and right: prune and validate."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dockerlab.engines.embedded.store import durable
from dockerlab.engines.embedded.store.blobs import decoded
from dockerlab.engines.embedded.store.descriptors import IMAGE_ID, damaged
from dockerlab.engines.held_images import key
from dockerlab.errors import ImageError, StoreError
from dockerlab.image import oci
from dockerlab.image.filesystem import CHUNK
from dockerlab.image.image import validate as validate_image

if TYPE_CHECKING:
    from dockerlab.engines.embedded.store.store import Store

_BUILD_WAIT = 10.0  # seconds to wait for builds of other processes
_STALE = 3600.0  # seconds; an index file takes well under one to write
_HEX = re.compile(r"[0-9a-f]{64}")


def prune(store: Store, *, all: bool = False) -> int:
    """Remove the build cache, and blobs no named image needs, nor one that a living process holds.

    Returns the bytes freed on disk. With `all` the images go too. Raises StoreError while a build is
    running, and ImageError for an image that is too damaged to tell what it needs.
    """
    store.need_writable()
    busy = "A build is running, and it may need what a prune would remove."
    freed = 0
    with (
        durable.plain_errors(store.root),
        store.lock("in-use", exclusive=True, timeout=_BUILD_WAIT, busy=busy),
        store.kept.changing(),
        store.changing() as index,
    ):
        held = store.kept.held()
        kept = [] if all else [item for item in index["manifests"] if _is_needed(item, held)]
        if kept != index["manifests"]:
            store.write_index({**index, "manifests": kept})
        needed = _needed(store, kept)
        for item in os.scandir(store.root / "blobs" / "sha256"):
            if item.name not in needed:
                freed += durable.remove_tree(Path(item.path))
        for item in os.scandir(store.root / "index"):
            stale = item.name.startswith(".") and item.stat().st_mtime < time.time() - _STALE
            if stale or (not item.name.startswith(".") and item.name.removesuffix(".json") not in needed):
                freed += durable.remove_tree(Path(item.path))
        for folder in ("steps", "builds", "mounts", "exports", "downloads"):
            for item in os.scandir(store.root / folder):
                freed += durable.remove_tree(Path(item.path))
        for path in list(_unpacked(store.work, needed)):
            freed += durable.remove_tree(path)
        for folder in ("tmp", "work/runs", "work/rootless/runs", "work/probes"):
            freed += durable.clear_temporaries(store.root / folder)
        for lock in store.root.glob(".mount-*.lock"):
            lock.unlink()
    return freed


def _is_needed(descriptor: Mapping[str, Any], held: set[str]) -> bool:
    notes = descriptor.get("annotations") or {}
    return oci.REF_NAME in notes or key(notes[IMAGE_ID]) in held


def _needed(store: Store, kept: Iterable[Mapping[str, Any]]) -> set[str]:
    needed: set[str] = set()
    for descriptor in kept:
        try:
            needed |= set(_reachable(store, [descriptor]))
        except StoreError as error:
            raise damaged(descriptor, error) from error
    return needed


def _unpacked(work: Path, needed: set[str], depth: int = 2) -> Iterator[Path]:
    """Yield what sandboxes unpacked: folders of layers that are no longer there, and proot's work trees."""
    for item in os.scandir(work):
        found = _HEX.search(item.name)
        if found or item.name.startswith("tree-"):
            if not found or found[0] not in needed:
                yield Path(item.path)
        elif depth and item.is_dir(follow_symlinks=False):
            yield from _unpacked(Path(item.path), needed, depth - 1)


def _reachable(store: Store, descriptors: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for descriptor in descriptors:
        digest = descriptor["digest"]
        yield digest.removeprefix("sha256:")
        if not store.blob_path(digest).exists():
            continue  # validate() reports it; a prune goes on
        content = decoded(store.blob_path(digest).read_bytes(), store.blob_path(digest))
        yield from _reachable(store, content.get("manifests", ()))
        for part in (content.get("config"), *content.get("layers", ())):
            if part:
                yield part["digest"].removeprefix("sha256:")


def validate(store: Store) -> list[str]:
    """Recompute the digest of every blob and check every image; return each mismatch as a sentence."""
    wrong = []
    with store.building():
        for item in sorted(os.scandir(store.root / "blobs" / "sha256"), key=lambda item: item.name):
            with open(item.path, "rb") as file:  # noqa: PTH123 - a DirEntry has no open()
                digest = hashlib.sha256()
                while chunk := file.read(CHUNK):
                    digest.update(chunk)
            if digest.hexdigest() != item.name:
                wrong.append(f"The blob sha256:{item.name} has the digest sha256:{digest.hexdigest()}.")
        for descriptor in store.read_index()["manifests"]:
            name = (descriptor.get("annotations") or {}).get(oci.REF_NAME, descriptor["digest"])
            try:
                image = store.image_of(descriptor)
                missing = [layer.diff_id for layer in image.layers if not store.has_layer(layer.diff_id)]
                wrong += [f"{name}: the layer {diff_id} is missing." for diff_id in missing]
                if not missing:
                    wrong += [f"{name}: {problem}" for problem in validate_image(image)]
            except (ImageError, StoreError) as error:
                wrong.append(f"{name}: {error.message}")
    return wrong


def leave_shared(store: Store) -> None:
    """Leave of a store what others read of it in place: images, layers, and records of steps."""
    with durable.plain_errors(store.root):
        for folder in ("builds", "mounts", "work", "exports", "downloads", "kept"):
            for path in (store.root / folder).glob("*"):
                durable.remove_tree(path)


def forget_layer(store: Store, diff_id: str) -> None:
    """Remove a layer that no image has, and what was unpacked of it."""
    name = diff_id.removeprefix("sha256:")
    with durable.plain_errors(store.root), store.changing() as index:
        if name in set(_reachable(store, index["manifests"])):
            return
        durable.remove_tree(store.blob_path(diff_id))
        durable.remove_tree(store.root / "index" / f"{name}.json")
        for folder in ("*", "rootless/*"):
            for path in store.work.glob(f"{folder}/{name}"):
                durable.remove_tree(path)
