"""The image store: an OCI image layout, with the build cache beside it.

    oci-layout, index.json   OCI image spec, image-layout.md; one descriptor per reference
    blobs/sha256/            manifests, configs, and layers as uncompressed tars (blob digest == diff ID)
    index/                   what the layers' headers say, so that a layer is parsed once
    steps/, builds/          the build cache, and what each step of the last build of a name was made of
    mounts/                  folders of RUN --mount=type=cache
    work/                    the sandboxes' own
    exports/                 archives made for Docker
    kept/                    which images Builds of living processes hold
    downloads/               what is being pulled, to go on from after a break; a stand-in's packages
    tmp/                     files being written; each is locked by its writer

What $DOCKERLAB_BASES names is read as if it were here (shared.py): images built on it are whole only with it.

Annotations: `org.opencontainers.image.ref.name` is "name:tag" as people write it, so `skopeo inspect
oci:FOLDER:name:tag` finds it; `io.containerd.image.name` is the whole reference. `dev.dockerlab.*` are ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dockerlab.engines.embedded.store import durable
from dockerlab.engines.embedded.store.blobs import NewLayer, decoded, default_root
from dockerlab.engines.embedded.store.buildcache import BuildCache
from dockerlab.engines.embedded.store.descriptors import (
    IMAGE_ID,
    damaged,
    notes_of,
    with_descriptor,
)
from dockerlab.engines.held_images import HeldImages
from dockerlab.engines.results import ImageSummary
from dockerlab.errors import ImageError, ImageNotFoundError
from dockerlab.image import oci
from dockerlab.image.archive_writer import Packed, descriptor_of, manifest_of
from dockerlab.image.image import Image, Layer, history_rows
from dockerlab.image.reference import ImageQuery, Reference

__all__ = ["NewLayer", "Store", "default_root"]

REPO_DIGEST = "dev.dockerlab.repo-digest"
COMPRESSED_SIZE = "dev.dockerlab.compressed-size"


class Store(BuildCache):
    """Images, layers and the build cache in one folder. Safe for many processes at once."""

    def __init__(self, root: Path | None = None) -> None:
        super().__init__(root)
        self.kept = HeldImages(self.root / "kept")
        if not (self.root / "index.json").exists():
            with self.changing() as index:
                self.write_index(index)

    @contextmanager
    def changing(self) -> Iterator[dict[str, Any]]:
        """Hold the index alone; the caller gets it as it is now."""
        with durable.plain_errors(self.root), self.lock("index", exclusive=True):
            yield self.read_index()

    def read_index(self) -> dict[str, Any]:
        """Return index.json as it is now."""
        try:
            data = (self.root / "index.json").read_bytes()
        except FileNotFoundError:
            return {"schemaVersion": 2, "mediaType": oci.INDEX, "manifests": []}
        index: dict[str, Any] = decoded(data, self.root / "index.json")
        return index

    def write_index(self, index: Mapping[str, Any]) -> None:
        """Replace index.json; only within changing()."""
        layout = self.root / "oci-layout"
        if not layout.exists():
            durable.write_whole(layout, oci.LAYOUT, temporary=self.root / "tmp")
        durable.write_whole(self.root / "index.json", oci.encoded(index), temporary=self.root / "tmp")

    def put_image(
        self,
        config: Mapping[str, Any] | bytes,
        layers: Sequence[Layer],
        *,
        reference: str | None,
        base_layers: int = 0,
        stand_in: str | None = None,
        repo_digest: str | None = None,
        compressed_sizes: Sequence[int] | None = None,
    ) -> Image:
        """Store an image of layers that are here; `reference` moves to it, what had it is nameless then.

        `rootfs` in the config is set from `layers`. Bytes are kept as they are, so the id stays what it was
        elsewhere. `compressed_sizes` (bytes) are what a registry said of the layers.
        """
        if not isinstance(config, bytes):
            config = oci.encoded(
                {**config, "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]}}
            )
        name = Reference.parse(reference) if reference is not None else None
        notes = {oci.BASE_LAYERS: str(base_layers)}
        if stand_in:
            notes[oci.STAND_IN] = stand_in
        if repo_digest:
            notes[REPO_DIGEST] = repo_digest
        with durable.plain_errors(self.root), self.building():
            for layer in layers:
                if not self.has_layer(layer.diff_id):
                    raise self._missing(layer.diff_id)
            image_id = self._put_blob(config)
            manifest = manifest_of(
                config,
                layers,
                annotations=notes,
                layer_annotations=[{COMPRESSED_SIZE: str(size)} for size in compressed_sizes or ()],
            )
            about = {IMAGE_ID: image_id}
            if name is not None:
                about |= {oci.REF_NAME: name.familiar, oci.CONTAINERD_NAME: name.full}
            self._put_blob(manifest)
            descriptor = descriptor_of(manifest, config, annotations=about)
            if descriptor not in self.read_index()["manifests"]:
                with self.changing() as index:
                    self.write_index({**index, "manifests": with_descriptor(descriptor, index["manifests"])})
        return self.image_of(descriptor)

    def image(self, reference: str) -> Image:
        """Return the image of that name, id ("sha256:...") or beginning of an id (4 digits or more)."""
        return self.image_of(self.find(reference))

    def find(self, reference: str) -> dict[str, Any]:
        """Return the index.json descriptor of an image; raises ImageNotFoundError."""
        return self._find(reference, self._manifests())

    def _manifests(self) -> list[dict[str, Any]]:
        """Return the descriptors of the images here, and of the shared ones but for names taken here."""
        own: list[dict[str, Any]] = self.read_index()["manifests"]
        if self.shared is None:
            return own
        taken = {notes_of(item).get(oci.REF_NAME) for item in own}
        named = [item for item in self.shared.manifests() if oci.REF_NAME in notes_of(item)]
        return [*(item for item in named if notes_of(item)[oci.REF_NAME] not in taken), *own]

    def _find(self, reference: str, manifests: Sequence[dict[str, Any]]) -> dict[str, Any]:
        wanted = ImageQuery.parse(reference)
        for item in manifests:
            if wanted.names(notes_of(item).get(oci.REF_NAME, "")):
                return item
        found = [item for item in manifests if wanted.begins([notes_of(item).get(IMAGE_ID, "")])]
        if len({notes_of(item)[IMAGE_ID] for item in found}) > 1:
            raise ImageNotFoundError(
                f'"{reference}" is the beginning of {len(found)} image ids.', hint="Give more of its digits."
            )
        if found:
            return found[-1]
        names = sorted(notes_of(item)[oci.REF_NAME] for item in manifests if oci.REF_NAME in notes_of(item))
        raise ImageNotFoundError(
            f'There is no image "{reference}" in the store.',
            hint=f"There is: {', '.join(names[:12])}."
            if names
            else "The store is empty: build or load one first.",
        )

    def image_of(self, descriptor: Mapping[str, Any]) -> Image:
        """Return the image of an index.json descriptor."""
        try:
            manifest = decoded(self.read_blob(descriptor["digest"]), self.blob_path(descriptor["digest"]))
            digest = manifest["config"]["digest"]
            config = decoded(self.read_blob(digest), self.blob_path(digest))
        except ImageError as error:
            raise damaged(descriptor, error) from error
        notes = notes_of(manifest)
        layers = tuple(
            self._layer(item["digest"], item["size"], compressed=_number(notes_of(item).get(COMPRESSED_SIZE)))
            for item in manifest["layers"]
        )
        labels = (config.get("config") or {}).get("Labels") or {}
        return Image(
            reference=notes_of(descriptor).get(oci.REF_NAME),
            id=manifest["config"]["digest"],
            config=config,
            layers=layers,
            history=history_rows(config, layers),
            base_layers=_number(notes.get(oci.BASE_LAYERS)) or 0,
            stand_in=notes.get(oci.STAND_IN) or labels.get(oci.STAND_IN) or None,
        )

    def images(self) -> list[ImageSummary]:
        """List the named images, the newest first."""
        found = [self.image_of(item) for item in self._manifests() if oci.REF_NAME in notes_of(item)]
        rows = [
            ImageSummary(
                reference=image.reference or "",
                id=image.id,
                created=str(image.config.get("created", "")),
                size_unpacked=sum(layer.size_unpacked for layer in image.layers),
                layers=len(image.layers),
                stand_in=image.stand_in,
            )
            for image in found
        ]
        return sorted(rows, key=lambda row: row.created, reverse=True)

    def tag(self, reference: str, new: str) -> Image:
        """Give the image one more name."""
        name = Reference.parse(new)
        with self.changing() as index:
            old = self._find(reference, index["manifests"])
            notes = {**notes_of(old), oci.REF_NAME: name.familiar, oci.CONTAINERD_NAME: name.full}
            item = {**old, "annotations": notes}
            self.write_index({**index, "manifests": with_descriptor(item, index["manifests"])})
        return self.image_of(item)

    def remove(self, reference: str) -> None:
        """Forget one name, or by id all names of an image; its blobs go with the next prune."""
        with self.changing() as index:
            item = self._find(reference, index["manifests"])
            notes = notes_of(item)
            if ImageQuery.parse(reference).names(notes.get(oci.REF_NAME, "")):
                kept = [other for other in index["manifests"] if other is not item]
            else:
                kept = [
                    other for other in index["manifests"] if notes_of(other).get(IMAGE_ID) != notes[IMAGE_ID]
                ]
            self.write_index({**index, "manifests": kept})

    # Archives and upkeep

    def save(self, references: Sequence[str], path: Path) -> None:
        """Write an archive that `docker load` takes."""
        from dockerlab.engines.embedded.store import exchange

        exchange.save(self, references, path)

    def load(self, path: Path) -> list[str]:
        """Read an archive or a layout; return the references (IDs where there is no name)."""
        from dockerlab.engines.embedded.store import exchange

        return exchange.load(self, path)

    def packed(self, reference: str) -> Packed:
        """Return an image as it goes into an archive, under that name alone, or by ID under none."""
        descriptor = self.find(reference)
        manifest = self.read_blob(descriptor["digest"])
        image = self.image_of(descriptor)
        config = self.read_blob(image.id)
        return Packed(config, manifest, image.layers, (image.reference,) if image.reference else ())

    def prune(self, *, all: bool = False) -> int:
        """Remove the build cache and unnamed images, with `all` every image; return the bytes freed."""
        from dockerlab.engines.embedded.store import upkeep

        return upkeep.prune(self, all=all)

    def forget_layer(self, diff_id: str) -> None:
        """Remove a layer that no image has."""
        from dockerlab.engines.embedded.store import upkeep

        upkeep.forget_layer(self, diff_id)

    def validate(self) -> list[str]:
        """Recompute every digest; return what is wrong, a sentence each, all at once."""
        from dockerlab.engines.embedded.store import upkeep

        return upkeep.validate(self)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None
