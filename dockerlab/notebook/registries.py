"""What lessons do with a registry: begin one on this machine, push to it, pull from it."""

from __future__ import annotations

from pathlib import Path

from dockerlab.engines.results import Build, Engine
from dockerlab.image.image import Image
from dockerlab.notebook.calls import Subject, engine_of
from dockerlab.registry.fetch import fetch
from dockerlab.registry.push import Packing
from dockerlab.registry.push import push as push_image
from dockerlab.registry.server import Registry
from dockerlab.widgets.listings import pull_table, push_table
from dockerlab.widgets.table import Table


def registry() -> Registry:
    """Begin a registry on this machine: the names of its images begin with its `address`."""
    return Registry()


def push(
    x: Subject, to: str | None = None, *, packing: Packing = "gzip", engine: str | Engine | None = None
) -> Table:
    """Send an image to a registry, `to` "registry/name:tag" (default: its own name), and say what was sent.

    `packing` is how layers are compressed. `.data` holds the digest and each part. Raises RegistryError.
    """
    image = engine_of(x, engine).image(x) if isinstance(x, str) else x.image if isinstance(x, Build) else x
    assert isinstance(image, Image)
    return push_table(image, push_image(image, to or image.reference or image.id, packing=packing))


def pull(reference: str, into: str | Path) -> Table:
    """Fetch an image from a registry into a folder, and say what came; what is there is not fetched again.

    The folder becomes an OCI layout, which `lab.read_archive` reads. Raises RegistryError.
    """
    return pull_table(fetch(reference, Path(into)))
