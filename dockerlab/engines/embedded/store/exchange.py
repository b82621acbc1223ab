"""Images out of the store into archives, and from archives into the store."""

from __future__ import annotations

import glob
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dockerlab.engines.embedded.store import durable
from dockerlab.errors import ImageError
from dockerlab.image.archive_files import DAMAGED
from dockerlab.image.archive_reader import Stored
from dockerlab.image.archive_writer import write_archive
from dockerlab.image.filesystem import CHUNK
from dockerlab.image.image import Layer

if TYPE_CHECKING:
    from dockerlab.engines.embedded.store.store import Store


def save(store: Store, references: Sequence[str], path: Path) -> None:
    """Write the images to an archive that `docker load` takes, whole or not at all."""
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    with store.building(), durable.plain_errors(path.parent.absolute(), "archive"):
        images = [store.packed(reference) for reference in references]
        durable.clear_temporaries(path.parent, f".{glob.escape(path.name)}.*.part")
        try:
            with aside.open("xb") as out:
                durable.try_lock(out.fileno(), exclusive=True)
                write_archive(images, out)
                out.flush()
                os.fsync(out.fileno())
            aside.replace(path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise


def load(store: Store, path: Path) -> list[str]:
    """Put every image of an archive or a layout into the store; return the references, or IDs without one.

    Layers are decompressed and their digests checked. Raises ImageError for an archive that is damaged, or
    that has names or links leading out of it.
    """
    stored = Stored.open(path)
    found: list[str] = []
    with store.building():
        for one in stored.images:
            image = stored.read(one, None)
            layers = [_copied(store, layer) for layer in image.layers]
            for name in one.names or (None,):
                kept = store.put_image(
                    one.config,
                    layers,
                    reference=name,
                    base_layers=image.base_layers,
                    stand_in=image.stand_in,
                )
                found.append(kept.reference or kept.id)
    if not found:
        raise ImageError(f"{path} holds no image.", hint=DAMAGED)
    return found


def _copied(store: Store, layer: Layer) -> Layer:
    if store.has_layer(layer.diff_id):
        return store.layer(layer.diff_id)
    with store.new_layer() as new, layer.open_tar() as tar:
        while chunk := tar.read(CHUNK):
            new.write(chunk)
        if new.digest() != layer.diff_id:
            raise ImageError(
                f"A layer should have the digest {layer.diff_id}, but has {new.digest()}.", hint=DAMAGED
            )
        kept = new.commit()
        try:
            _ = kept.entries  # names that lead out of the root are refused now, not at the first use
        except ImageError:
            store.forget_layer(layer.diff_id)
            raise
    return kept
