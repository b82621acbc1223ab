"""Read stored images: archives of `docker save`, whatever its age, and OCI layouts as a tar or a folder.

Known are manifest.json (Docker 1.10 and later, podman), index.json (OCI image-layout.md, with which Docker 25
and later save too), and the folders VERSION, json, layer.tar of before 1.10 with the file repositories.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from dockerlab.errors import ImageError, ImageNotFoundError
from dockerlab.image import oci
from dockerlab.image.archive_files import DAMAGED, Archive, Files, Folder, read_bytes, read_json
from dockerlab.image.archive_v1 import version_1
from dockerlab.image.compression import detect_compression
from dockerlab.image.image import Image, history_rows
from dockerlab.image.layer import BlobLayer
from dockerlab.image.platform import Platform, here
from dockerlab.image.reference import ImageQuery, parsed

_DEEPEST = 4  # indexes in indexes


def read_archive(path: Path, reference: str | None = None) -> Image:
    """Read an image from an archive, or from the folder of an OCI layout.

    `reference` may be a name, an image ID or a manifest's digest; without it there must be one image. Nothing
    is unpacked to disk unless the archive or a layer in it is compressed. Raises ImageNotFoundError (naming
    what there is) and ImageError.
    """
    return Stored.open(path).image(reference)


@dataclass(frozen=True)
class StoredImage:
    """An image as it is stored, before its layers are opened."""

    group: str  # images of one are told apart by platform alone
    names: tuple[str, ...]  # familiar
    digests: tuple[str, ...]  # of its config, its manifest and the indexes around
    config: bytes
    layers: tuple[str, ...]  # file names
    annotations: Mapping[str, Any]
    platform: Platform
    lacks: str  # what is not there of it, "" when it is whole


class Stored:
    """Images stored in one place, which is opened and unpacked once."""

    def __init__(self, files: Files) -> None:
        self._files = files
        with _told(files):
            self._all = tuple(_merged(self._found()))

    @classmethod
    def open(cls, path: Path) -> Stored:
        """Open an archive or a folder."""
        return cls(Folder(path) if path.is_dir() else Archive(path))

    @cached_property
    def images(self) -> tuple[StoredImage, ...]:
        """Return the images; of one for several platforms that which is whole and fits this machine best."""
        groups: dict[str, list[StoredImage]] = {}
        for image in self._all:
            for key in image.names or (image.group,):
                groups.setdefault(key, []).append(image)
        best = {key: _best(group) for key, group in groups.items()}
        return tuple(
            replace(stored, names=tuple(name for name in stored.names if best[name] is stored))
            for stored in {id(stored): stored for stored in best.values()}.values()
        )

    def image(self, reference: str | None = None) -> Image:
        """Return the image asked for, or the only one."""
        source, wanted = self._files.source, None if reference is None else ImageQuery.parse(reference)
        if wanted is None:
            fits = [stored for stored in self.images if not stored.lacks] or list(self.images)
        else:
            fits = [stored for stored in self.images if any(map(wanted.names, stored.names))]
            fits = fits or [stored for stored in self._all if wanted.begins(stored.digests)]
        if not fits:
            asked = "no image" if reference is None else f"no image named {reference}"
            raise ImageNotFoundError(f"{source} holds {asked}.", hint=self._holdings())
        meant = {stored.digests[0] for stored in fits}
        if wanted is not None and wanted.digits:
            meant = {digest for stored in fits for digest in stored.digests if wanted.begins([digest])}
        if len(meant) > 1:
            raise ImageError(f"{source} holds several images: say which.", hint=self._holdings())
        found = _best(fits)
        name = next((name for name in found.names if wanted is not None and wanted.names(name)), None)
        return self.read(found, name or next(iter(found.names), None))

    def config(self, identity: str) -> bytes:
        """Return the config of an image that is here, as it is."""
        return next(stored.config for stored in self._all if stored.digests[0] == identity)

    def read(self, stored: StoredImage, name: str | None) -> Image:
        """Open an image's layers; the image is called `name`."""
        if stored.lacks:
            raise ImageError(f"{self._files.source} lacks {stored.lacks}.", hint=self._holdings())
        with _told(self._files):
            return self._opened(stored, name)

    def _opened(self, stored: StoredImage, name: str | None) -> Image:
        config, source = json.loads(stored.config), self._files.source
        diff_ids = [str(diff_id) for diff_id in (config.get("rootfs") or {}).get("diff_ids") or ()]
        if len(diff_ids) != len(stored.layers):
            raise ImageError(
                f"The config of {' '.join(stored.names) or stored.digests[0]} in {source} names "
                f"{len(diff_ids)} layers, the manifest {len(stored.layers)}.",
                hint=DAMAGED,
            )
        base = str(stored.annotations.get(oci.BASE_LAYERS, "0"))
        if not base.isdecimal() or int(base) > len(diff_ids):
            raise ImageError(
                f"The annotation {oci.BASE_LAYERS} in {source} is {base!r}, a layer count was expected."
            )
        layers = tuple(map(self._layer, stored.layers, diff_ids))
        # The label outlives `docker save` and `docker load`, which drop annotations.
        labels = (config.get("config") or {}).get("Labels") or {}
        return Image(
            reference=name,
            id=stored.digests[0],
            config=config,
            layers=layers,
            history=history_rows(config, layers),
            base_layers=int(base),
            stand_in=stored.annotations.get(oci.STAND_IN) or labels.get(oci.STAND_IN) or None,
        )

    def _layer(self, file: str, diff_id: str) -> BlobLayer:
        where = self._files.where(file)
        assert where is not None
        return BlobLayer(
            where.path,
            diff_id,
            offset=where.offset,
            length=where.length,
            compression=detect_compression(where.head()),
            owner=self._files,
        )

    def _holdings(self) -> str:
        """Say what there is, and of what only the name is there."""

        def listed(images: Iterable[StoredImage]) -> str:
            return ", ".join(
                f"{' '.join(stored.names) or stored.digests[0][:19]} ({stored.platform})" for stored in images
            )

        whole = listed(stored for stored in self._all if not stored.lacks)
        parts = listed(stored for stored in self._all if stored.lacks)
        text = f"It holds {whole}." if whole else "It holds no whole image."
        return f"{text} Not all is there of {parts}." if parts else text

    def _found(self) -> Iterator[StoredImage]:
        files, found = self._files, False
        if files.where("index.json"):
            index = read_json(files, "index.json")
            for number, item in enumerate(index.get("manifests") or ()):
                yield from self._listed(item, (), (), f"entry {number}", 0)
                found = True
        if files.where("manifest.json"):
            for row in read_json(files, "manifest.json", kind=list):
                yield self._image(row["Config"], row["Layers"] or (), names=row.get("RepoTags") or ())
        elif not found and (folders := files.folders("json")):
            for old in version_1(files, folders):
                about = Platform.read(json.loads(old.config))
                names, identity = _familiar(old.names), (oci.digest_of(old.config),)
                yield StoredImage(old.folder, names, identity, old.config, old.layers, {}, about, old.lacks)
        elif not found and not files.where("index.json"):
            raise ImageError(
                f"{files.source} has neither an index.json (OCI layout) nor a manifest.json (docker save).",
                hint="Give the file that `docker save -o` wrote, or an OCI image layout.",
            )

    def _listed(
        self,
        item: Mapping[str, Any],
        names: tuple[str, ...],
        digests: tuple[str, ...],
        group: str,
        depth: int,
    ) -> Iterator[StoredImage]:
        """Yield the images of what an index lists: a manifest, or an index again."""
        if depth > _DEEPEST:
            raise ImageError(f"{self._files.source} has indexes nested more than {_DEEPEST} deep.")
        if oci.is_attestation(item):
            return
        notes = item.get("annotations") or {}
        own = notes.get(oci.CONTAINERD_NAME) or notes.get(oci.REF_NAME)
        names, digests = (*names, own) if own else names, (item["digest"], *digests)
        file = oci.blob_name(item["digest"])
        platform = Platform.read(item.get("platform") or {})
        if self._files.where(file) is None:
            what = f"the manifest {file} for {platform}"
            yield StoredImage(group, _familiar(names), digests, b"", (), notes, platform, what)
            return
        raw = read_bytes(self._files, file, descriptor=item)
        manifest = read_json(self._files, file, raw=raw)
        for inner in manifest.get("manifests") or ():
            yield from self._listed(inner, names, digests, group, depth + 1)
        if "manifests" not in manifest:
            found = self._image(
                oci.blob_name(manifest["config"]["digest"]),
                [oci.blob_name(layer["digest"]) for layer in manifest.get("layers") or ()],
                names=names,
            )
            yield replace(
                found,
                group=group,
                digests=(*found.digests, *digests),
                annotations={**notes, **(manifest.get("annotations") or {})},
                platform=platform if platform.architecture else found.platform,
            )

    def _image(self, config: str, layers: Sequence[str], *, names: Sequence[str]) -> StoredImage:
        missing = [f"the layer {file}" for file in layers if self._files.where(file) is None]
        if self._files.where(config) is None:
            what = f"the config {config}"
            return StoredImage(config, _familiar(names), (config,), b"", (), {}, Platform(), what)
        raw = read_bytes(self._files, config)
        platform = Platform.read(read_json(self._files, config, raw=raw))
        identity = oci.digest_of(raw)
        return StoredImage(
            identity, _familiar(names), (identity,), raw, tuple(layers), {}, platform, "".join(missing[:1])
        )


@contextmanager
def _told(files: Files) -> Iterator[None]:
    """Turn what goes wrong with JSON that is not what its format says into an ImageError."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ImageError(f"{files.source} is not an image archive: {error!r}.", hint=DAMAGED) from error


def _merged(found: Iterable[StoredImage]) -> Iterator[StoredImage]:
    """Yield each image once: Docker 25 and later list it in two files, and once for each of its names."""
    known: dict[str, StoredImage] = {}
    for image in found:
        old = known.setdefault(image.digests[0], image)
        known[image.digests[0]] = replace(
            old if image.lacks or not old.lacks else image,
            group=old.group,
            names=tuple(dict.fromkeys((*old.names, *image.names))),
            digests=tuple(dict.fromkeys((*old.digests, *image.digests))),
        )
    yield from known.values()


def _best(images: Sequence[StoredImage]) -> StoredImage:
    return max(images, key=lambda one: (not one.lacks, here().fit(one.platform)))


def _familiar(names: Iterable[str]) -> tuple[str, ...]:
    """Return names as people write them; what is no reference is no name."""
    return tuple(known.familiar for name in names if (known := parsed(name)) is not None)
