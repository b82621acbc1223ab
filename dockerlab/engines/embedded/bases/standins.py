"""Stand-ins: which references have one, and how each is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources

from dockerlab.engines.embedded.sandbox.contract import Sandbox
from dockerlab.engines.embedded.store.store import Store
from dockerlab.engines.results import Note, OnEvent
from dockerlab.errors import RegistryError
from dockerlab.image import oci
from dockerlab.image.image import Image
from dockerlab.image.reference import Reference, stand_in_name


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
    "node:22-slim": Derived("node-22-slim.Dockerfile"),
    "nginx:alpine": Derived("nginx-alpine.Dockerfile"),
}
_SAME = {
    "debian:13-slim": "debian:trixie-slim",
    "debian:stable-slim": "debian:trixie-slim",
    "debian:13": "debian:trixie",
    "debian:stable": "debian:trixie",
    "debian:latest": "debian:trixie",
    "python:3.13-slim-trixie": "python:3.13-slim",
    "python:3.13-trixie": "python:3.13",
    "node:22-trixie-slim": "node:22-slim",
}


def references() -> list[str]:
    """Return the references that have a stand-in."""
    return list(_RECIPES)


def recipe(reference: str) -> Minbase | Derived | None:
    """Return how the stand-in for a reference is made, or None."""
    return _RECIPES.get(_canonical(reference))


def kept_as(reference: str) -> str:
    """Return the name the stand-in for a reference is kept under, one for all names of the same image."""
    return stand_in_name(_canonical(reference))


def _canonical(reference: str) -> str:
    name = Reference.parse(reference).familiar
    return _SAME.get(name, name)


def make_minbase(
    recipe: Minbase, reference: str, store: Store, sandbox: Callable[[], Sandbox], *, on_event: OnEvent
) -> Image:
    """Make a Debian base. Raises RegistryError when the host knows no Debian mirror."""
    from dockerlab.engines.embedded.bases import minbase
    from dockerlab.engines.embedded.bases.debian import mirrors

    found = mirrors()
    if found is None:
        raise RegistryError(
            "This machine's apt has no Debian mirror to take packages from.",
            hint="Set DOCKERLAB_DEBIAN_MIRROR to the address of a Debian mirror (it ends in /debian).",
        )
    return minbase.make(
        store,
        sandbox(),
        found,
        reference=reference,
        name=kept_as(reference),
        suite=recipe.suite,
        slim=recipe.slim,
        say=lambda text, *, done=0, total=0: on_event(
            Note(f"Stand-in for {reference}: {text}", done, total, unit="packages")
        ),
    )


def make_derived(
    recipe: Derived,
    reference: str,
    store: Store,
    build: Callable[[str, str], Image] | None,
    *,
    on_event: OnEvent,
) -> Image:
    """Build a stand-in from its Dockerfile."""
    if build is None:
        raise RegistryError(
            f"The stand-in for {reference} is built from a Dockerfile, and there is no builder."
        )
    text = (resources.files(__package__) / "recipes" / recipe.file).read_text()
    name = kept_as(reference)
    on_event(Note(f"Stand-in for {reference}: building {recipe.file}"))
    # Under another name until it is whole: an interrupted build must not count as made.
    image = build(f'{text}LABEL {oci.STAND_IN}="{reference}"\n', f"{name}-unfinished")
    finished = store.put_image(
        image.config, image.layers, reference=name, base_layers=image.base_layers, stand_in=reference
    )
    store.remove(f"{name}-unfinished")
    return finished
