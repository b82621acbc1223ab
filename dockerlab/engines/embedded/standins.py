"""Stand-ins: which references have one, and how each is made."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from dockerlab.engines import Note, OnEvent
from dockerlab.engines.embedded.debian import mirrors
from dockerlab.engines.embedded.layertar import LayerWriter, in_order
from dockerlab.engines.embedded.reference import Reference
from dockerlab.engines.embedded.sandbox import Sandbox
from dockerlab.engines.embedded.store import Store
from dockerlab.errors import RegistryError
from dockerlab.filesystem import Entry
from dockerlab.image import STAND_IN, Image, Layer

_BUNDLE = "etc/ssl/certs/ca-certificates.crt"
_LOCAL = "usr/local/share/ca-certificates"
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.DOTALL)


@dataclass(frozen=True)
class Minbase:
    """A minimal Debian system; `slim`: without documentation and translations."""

    suite: str
    slim: bool


@dataclass(frozen=True)
class Derived:
    """A Dockerfile of ours, in the folder recipes/."""

    file: str


_RECIPES: dict[str, Minbase | Derived] = {
    "debian:trixie-slim": Minbase("trixie", slim=True),
    "debian:trixie": Minbase("trixie", slim=False),
    "python:3.13-slim": Derived("python-3.13-slim.Dockerfile"),
    "python:3.13": Derived("python-3.13.Dockerfile"),
}
_SAME = {
    "debian:13-slim": "debian:trixie-slim",
    "debian:stable-slim": "debian:trixie-slim",
    "debian:13": "debian:trixie",
    "debian:stable": "debian:trixie",
    "debian:latest": "debian:trixie",
    "python:3.13-slim-trixie": "python:3.13-slim",
    "python:3.13-trixie": "python:3.13",
}


def references() -> list[str]:
    """Return the references that have a stand-in."""
    return list(_RECIPES)


def recipe(reference: str) -> Minbase | Derived | None:
    """Return how the stand-in for a reference is made, or None."""
    name = Reference.parse(reference).familiar
    return _RECIPES.get(_SAME.get(name, name))


def stand_in_name(reference: str) -> str:
    """Return the name a stand-in is kept under: "dockerlab/stand-in:debian-trixie-slim"."""
    name = Reference.parse(reference).familiar
    return "dockerlab/stand-in:" + re.sub(r"[:/@]", "-", _SAME.get(name, name))


def make_minbase(
    recipe: Minbase, reference: str, store: Store, sandbox: Sandbox, *, on_event: OnEvent
) -> Image:
    """Make a Debian base. Raises RegistryError when the host knows no Debian mirror."""
    from dockerlab.engines.embedded import minbase

    found = mirrors()
    if found is None:
        raise RegistryError(
            "This machine's apt has no Debian mirror to take packages from.",
            hint="Set DOCKERLAB_DEBIAN_MIRROR to the address of a Debian mirror (it ends in /debian).",
        )
    return minbase.make(
        store,
        sandbox,
        found,
        reference=reference,
        name=stand_in_name(reference),
        suite=recipe.suite,
        slim=recipe.slim,
        say=lambda text: on_event(Note(f"Stand-in for {reference}: {text}")),
    )


def make_derived(
    recipe: Derived,
    reference: str,
    store: Store,
    build: Callable[[str, str], Image] | None,
    *,
    on_event: OnEvent,
) -> Image:
    """Build a stand-in from its Dockerfile, and let it trust what this machine trusts by SSL_CERT_FILE."""
    if build is None:
        raise RegistryError(
            f"The stand-in for {reference} is built from a Dockerfile, and there is no builder."
        )
    text = (resources.files(__package__) / "recipes" / recipe.file).read_text()
    name = stand_in_name(reference)
    on_event(Note(f"Stand-in for {reference}: building {recipe.file}"))
    # Under another name until it is whole: an interrupted build must not count as made.
    image = build(f'{text}LABEL {STAND_IN}="{reference}"\n', f"{name}-unfinished")
    layers, config = [*image.layers], dict(image.config)
    trusted = _trust_layer(image, store)
    if trusted is not None:
        layers.append(trusted)
        row = {
            "created": config.get("created", ""),
            "created_by": "# certificates of this machine's SSL_CERT_FILE",
        }
        config["history"] = [*config.get("history", []), row]
    finished = store.put_image(
        config, layers, reference=name, base_layers=image.base_layers, stand_in=reference
    )
    store.remove(f"{name}-unfinished")
    return finished


def _trust_layer(image: Image, store: Store) -> Layer | None:
    """Return a layer with the certificates this machine's SSL_CERT_FILE has beyond the image's, or None."""
    path = os.environ.get("SSL_CERT_FILE")
    known = image.tree().read(_BUNDLE)
    if not path or known is None or not Path(path).is_file():
        return None
    extra = list(_beyond(Path(path).read_bytes(), known))
    if not extra:
        return None
    mtime = max(entry.mtime for layer in image.layers for entry in layer.entries)
    files = {f"{_LOCAL}/dockerlab-{number}.crt": pem for number, pem in enumerate(extra, 1)}
    files[_BUNDLE] = known + b"".join(extra)
    tree = image.tree()
    entries = [Entry(name, "file", 0o644, mtime=mtime, size=len(pem)) for name, pem in files.items()]
    for folder in sorted({parent for name in files for parent in _parents(name)}):
        node = tree.get(folder)
        entries.append(node.entry if node is not None else Entry(folder, "dir", 0o755, mtime=mtime))
    with store.new_layer() as out:
        writer = LayerWriter(out)
        for entry in in_order(entries):
            writer.add(entry, files.get(entry.path))
        writer.close()
        return out.commit()


def _beyond(bundle: bytes, known: bytes) -> Iterator[bytes]:
    """Yield the certificates of `bundle` that neither the image has nor the host's distribution ships."""
    shipped = b"".join(path.read_bytes() for path in Path("/usr/share/ca-certificates").rglob("*.crt"))
    seen = {_bare(pem) for pem in _CERTIFICATE.findall(known + b"\n" + shipped)}
    for pem in _CERTIFICATE.findall(bundle):
        if _bare(pem) not in seen:
            seen.add(_bare(pem))
            yield pem.rstrip(b"\n") + b"\n"


def _bare(pem: bytes) -> bytes:
    return b"".join(pem.split())


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
