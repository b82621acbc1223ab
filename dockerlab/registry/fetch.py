"""Fetching an image into a folder, an OCI layout: what a machine that has nothing has to pull."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from dockerlab.image import oci
from dockerlab.image.reference import Reference
from dockerlab.registry.repository import Descriptor, Repository, endpoints, for_this_machine


@dataclass(frozen=True)
class Fetched:
    """What a pull brought: the image's digest, and of each blob whether it came over the wire."""

    reference: str
    digest: str  # of the manifest
    blobs: tuple[tuple[Descriptor, bool], ...]  # layers from the lowest, then the config

    @property
    def bytes_received(self) -> int:
        """Return the bytes of the blobs that came over the wire."""
        return sum(blob.size for blob, came in self.blobs if came)


def fetch(reference: str, folder: Path) -> Fetched:
    """Pull an image into an OCI layout, which is made; blobs that it has are not asked for.

    Of an index, this machine's image is taken. Raises RegistryError.
    """
    wanted = Reference.parse(reference)
    repository = next(iter(endpoints(wanted)))
    try:
        return _fetched(repository, wanted, folder)
    finally:
        repository.close()


def _fetched(repository: Repository, wanted: Reference, folder: Path) -> Fetched:
    digest, manifest = repository.manifest(wanted.digest or wanted.tag or "latest")
    if "manifests" in manifest:
        digest, manifest = repository.manifest(for_this_machine(wanted, manifest["manifests"]).digest)
    blobs = [Descriptor.read(one) for one in (*manifest["layers"], manifest["config"])]
    came = tuple((blob, _blob(repository, blob, folder)) for blob in blobs)
    data = repository.manifest_bytes(digest)
    (folder / oci.blob_name(digest)).write_bytes(data)
    (folder / "oci-layout").write_bytes(oci.LAYOUT)
    _name(folder, wanted, {"mediaType": manifest["mediaType"], "digest": digest, "size": len(data)})
    return Fetched(wanted.familiar, digest, came)


def _blob(repository: Repository, blob: Descriptor, folder: Path) -> bool:
    """Fetch a blob unless the folder has it; return whether it came."""
    place = folder / oci.blob_name(blob.digest)
    if place.exists():
        return False
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_suffix(".part")
    for _ in repository.fetch(blob, part):
        pass
    part.replace(place)
    return True


def _name(folder: Path, wanted: Reference, described: dict[str, object]) -> None:
    """Put the image into the layout's index, in place of what had its name."""
    index = folder / "index.json"
    listed = json.loads(index.read_bytes())["manifests"] if index.exists() else []
    name = {oci.CONTAINERD_NAME: wanted.full, oci.REF_NAME: wanted.tag or "latest"}
    others = [one for one in listed if one.get("annotations") != name]
    value = {
        "schemaVersion": 2,
        "mediaType": oci.INDEX,
        "manifests": [*others, {**described, "annotations": name}],
    }
    index.write_bytes(oci.encoded(value))
