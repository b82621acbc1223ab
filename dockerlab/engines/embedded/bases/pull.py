"""Pulling: the right manifest for this machine, its config, its layers into the store."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

from dockerlab.engines.embedded.store import durable
from dockerlab.engines.embedded.store.store import Store
from dockerlab.engines.results import Note, OnEvent
from dockerlab.errors import ImageError, RegistryError
from dockerlab.image import oci
from dockerlab.image.compression import MAGIC, decompress, detect_compression
from dockerlab.image.image import Image, Layer
from dockerlab.image.reference import Reference
from dockerlab.registry.repository import Descriptor, Repository, endpoints, for_this_machine

_CONFIGS = (oci.CONFIG, oci.DOCKER_CONFIG)
_OTHER_PULL = 600.0  # seconds to wait for another process that is pulling
_EVERY = 0.1  # seconds between progress events


def pull(reference: str, store: Store, *, on_event: OnEvent | None = None) -> Image:
    """Pull an image into the store, under its reference. Raises RegistryError."""
    wanted = Reference.parse(reference)
    busy = "Another process has been pulling an image for ten minutes."
    errors: list[RegistryError] = []
    with store.building(), store.lock("pull", exclusive=True, timeout=_OTHER_PULL, busy=busy):
        for repository in endpoints(wanted):
            try:
                return _pulled(repository, store, on_event or (lambda _: None))
            except RegistryError as error:
                errors.append(error)
            finally:
                repository.close()
    if len(errors) == 1:
        raise errors[0]
    raise RegistryError("\n".join(error.message for error in errors), hint=errors[-1].hint) from errors[-1]


def _pulled(repository: Repository, store: Store, on_event: OnEvent) -> Image:
    reference = repository.reference
    on_event(Note(f"Asking {repository.server} for {reference}"))
    digest, manifest = repository.manifest(reference.digest or reference.tag or "latest")
    try:
        if "manifests" in manifest:
            _, manifest = repository.manifest(for_this_machine(reference, manifest["manifests"]).digest)
        config_blob = Descriptor.read(manifest["config"])
        blobs = [Descriptor.read(layer) for layer in manifest["layers"]]
        if config_blob.media_type not in _CONFIGS:
            raise RegistryError(
                f"{reference} at {repository.server} is not a container image ({config_blob.media_type}).",
                hint="Check the name.",
            )
        config = repository.small_blob(config_blob)
        diff_ids = json.loads(config)["rootfs"]["diff_ids"]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _unreadable(repository, error) from error
    if len(diff_ids) != len(blobs):
        raise _unreadable(repository, ValueError(f"{len(blobs)} layers, {len(diff_ids)} diff IDs"))
    progress = _Progress(repository, blobs, diff_ids, store, on_event)
    layers = [_layer(progress, blob, diff_id) for blob, diff_id in zip(blobs, diff_ids, strict=True)]
    name = Reference(reference.registry, reference.repository, None, digest).familiar
    return store.put_image(
        config,
        layers,
        reference=reference.familiar,
        repo_digest=name,
        compressed_sizes=[blob.size for blob in blobs],
    )


def _unreadable(repository: Repository, error: Exception) -> RegistryError:
    return RegistryError(
        f"{repository.reference} could not be pulled: the manifest {repository.server} has cannot be read "
        f"({error}).",
        hint="Check that it is a container image.",
    )


class _Progress:
    """A pull under way: what is to come and what has come, told at most ten times a second."""

    def __init__(
        self,
        repository: Repository,
        blobs: Sequence[Descriptor],
        diff_ids: Sequence[str],
        store: Store,
        on_event: OnEvent,
    ) -> None:
        self.repository, self.store, self.on_event = repository, store, on_event
        wanted = {blob for blob, diff_id in zip(blobs, diff_ids, strict=True) if not store.has_layer(diff_id)}
        self.total = sum(blob.size for blob in wanted)
        self.finished = 0
        self._told = 0.0

    def at(self, done: int, *, last: bool = False) -> None:
        if last or time.monotonic() - self._told >= _EVERY:
            self._told = time.monotonic()
            text = f"Pulling {self.repository.reference} from {self.repository.server}"
            self.on_event(Note(text, done=self.finished + done, total=self.total))


def _layer(progress: _Progress, blob: Descriptor, diff_id: str) -> Layer:
    store, repository = progress.store, progress.repository
    part = store.root / "downloads" / f"{blob.digest.removeprefix('sha256:')}.part"
    with durable.plain_errors(store.root):
        if store.has_layer(diff_id):
            part.unlink(missing_ok=True)  # a pull that was killed right after the layer was stored leaves it
            return store.layer(diff_id)
        for done in repository.fetch(blob, part):
            progress.at(done)
        with store.new_layer() as new, part.open("rb") as packed:
            compression = detect_compression(packed.read(MAGIC))
            packed.seek(0)
            try:
                for chunk in decompress(packed, compression, source=f"The layer {blob.digest}"):
                    new.write(chunk)
                found = new.digest()
            except ImageError as error:
                found = error.message
            if found != diff_id:
                part.unlink()
                raise RegistryError(
                    f"{repository.reference} could not be pulled: a layer from {repository.server} should "
                    f"unpack to {diff_id}, but: {found}",
                    hint="The image itself is damaged: take another tag, or tell its maintainer.",
                )
            layer = new.commit()
            try:
                _ = layer.entries  # names that lead out of the root are refused now, not at the first use
            except ImageError as error:
                part.unlink()
                store.forget_layer(diff_id)
                raise RegistryError(
                    f"{repository.reference} could not be pulled: {error.message}",
                    hint="The image itself is damaged: take another tag, or tell its maintainer.",
                ) from error
        part.unlink()
    progress.finished += blob.size
    progress.at(0, last=True)
    return layer
