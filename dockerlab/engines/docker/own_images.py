"""The lab's own images among those that Docker has: which they are, their names, and what nobody needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from dockerlab.engines.docker.bases import KEPT, LABEL
from dockerlab.engines.docker.daemon import Api, steadily
from dockerlab.engines.docker.images import ImageCache
from dockerlab.engines.held_images import HeldImages, key
from dockerlab.image import oci
from dockerlab.image.reference import OWN_PREFIX, parsed


class OwnImages:
    """The images that were built here, or are stand-ins of ours; nobody else's are listed or removed."""

    def __init__(self, api: Callable[[], Api], cache: ImageCache) -> None:
        self._api = api
        self._cache = cache

    def listed(self) -> list[Mapping[str, Any]]:
        """Return what Docker tells of each in its list."""
        built = self._cache.built()
        return [known for known in steadily(self._api().images) if self.has(known, built=built)]

    def has(self, known: Mapping[str, Any], *, built: set[str] | None = None) -> bool:
        """Tell whether an image is ours: built here, or with our label and under our name.

        The label alone does not do: whoever builds on one of our images inherits it.
        """
        labels = known.get("Labels") or (known.get("Config") or {}).get("Labels") or {}
        named = any(tag.startswith(OWN_PREFIX) for tag in names(known))
        if named and (LABEL in labels or oci.STAND_IN in labels):
            return True
        return str(known["Id"]) in (self._cache.built() if built is None else built)

    def prune(self, kept: HeldImages) -> int:
        """Remove those without a name that no process holds, and what is kept of images that are gone."""
        before = self._layer_bytes()
        with kept.changing():
            held = kept.held()
            for known in self.listed():
                for name in _no_longer_needed(known, held, place=kept.place):
                    self._remove_if_unused(name)
        freed = max(0, before - self._layer_bytes())
        remaining = steadily(partial(self._api().images, all=True))
        return freed + self._cache.prune({str(known["Id"]) for known in remaining})

    def _remove_if_unused(self, reference: str) -> None:
        from docker.errors import APIError

        try:
            self._api().remove_image(reference)
        except APIError as error:
            # Gone already; or a container, or an image built on it, still needs it.
            if error.status_code not in (404, 409):
                raise

    def _layer_bytes(self) -> int:
        return int(steadily(self._api().df).get("LayersSize") or 0)


def names(known: Mapping[str, Any]) -> list[str]:
    """Return an image's names as people write them: Podman has them in full."""
    return [name.familiar for tag in known.get("RepoTags") or () if (name := parsed(tag)) is not None]


def is_kept(name: str) -> bool:
    """Tell whether a name is one that only keeps an image for those who hold it."""
    return name.startswith(f"{KEPT}:")


def _no_longer_needed(known: Mapping[str, Any], held: set[str], *, place: str) -> list[str]:
    """Return the names of this store that kept an image nobody holds now, or the ID of a nameless one."""
    found, own = names(known), f"{KEPT}:{place}-"
    if key(known["Id"]) in held:
        return []
    kept = [name for name in found if name.startswith(own) and name.removeprefix(own) not in held]
    return kept if found else [str(known["Id"])]
