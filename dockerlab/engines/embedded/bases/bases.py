"""Base images: from the store, from a registry, or a stand-in made of Debian packages."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from dockerlab.dockerfile.hints import near_base
from dockerlab.engines.embedded.sandbox.contract import Sandbox
from dockerlab.engines.embedded.store.store import Store
from dockerlab.engines.results import Note, OnEvent
from dockerlab.errors import ImageNotFoundError, RegistryError
from dockerlab.image.image import Image
from dockerlab.image.reference import Reference

_ASK_AGAIN = 600.0  # seconds; until then a stand-in that is there is used without asking the registry


class Bases:
    """Where FROM gets its images. `build` makes an image of a Dockerfile's text under a tag."""

    def __init__(
        self, store: Store, sandbox: Callable[[], Sandbox], build: Callable[[str, str], Image] | None = None
    ) -> None:
        self._store = store
        self._sandbox = sandbox
        self._build = build

    def get(self, reference: str, *, fresh: bool = False, on_event: OnEvent | None = None) -> Image:
        """Return the image: the store's, else a registry's, else a stand-in (Image.stand_in is set then).

        `fresh` asks the registry alone, whatever the store has: `docker build --pull`.
        Raises RegistryError, which says what was tried and what to do.
        """
        if fresh:
            from dockerlab.engines.embedded.bases.pull import pull

            return pull(reference, self._store, on_event=on_event)
        try:
            return self._store.image(reference)
        except ImageNotFoundError:
            name = Reference.parse(reference).familiar
        if not self._store.writable or self._is_shared(name) or self._registry_was_silent(name):
            kept = self._kept(name)
            if kept is not None:
                return kept
        # Here, because requests takes longer to import than a cached build takes in all.
        from dockerlab.engines.embedded.bases.pull import pull

        try:
            return pull(reference, self._store, on_event=on_event)
        except RegistryError as error:
            not_pulled = error
            self._store.put_step(_silent_key(name), {"asked": time.time()})
        from dockerlab.engines.embedded.bases import standins

        try:
            image = self.stand_in(name, on_event=on_event, why=not_pulled.message)
        except RegistryError as error:
            raise RegistryError(
                f"{name} is not in the store; {not_pulled.message}\n"
                f"No stand-in could be made either: {error.message}",
                hint=error.hint or not_pulled.hint,
            ) from error
        if image is None:
            raise RegistryError(
                f"{name} is not in the store; {not_pulled.message}\n"
                f"There is no stand-in for it (there is for {', '.join(standins.references())}).",
                hint=near_base(name, standins.references()) or not_pulled.hint,
            ) from not_pulled
        return image

    def stand_in(self, reference: str, *, on_event: OnEvent | None = None, why: str = "") -> Image | None:
        """Return the stand-in for a reference, made once and kept; None when there is no recipe for it.

        `why` is told with the first progress event. Raises RegistryError when packages cannot be had, and
        BuildError when they cannot be set up.
        """
        from dockerlab.engines.embedded.bases import standins

        name = Reference.parse(reference).familiar
        recipe = standins.recipe(name)
        if recipe is None:
            return None
        kept = self._kept(name)
        if kept is not None:
            return kept
        tell = on_event or _ignore
        tell(
            Note(
                f"{why} A stand-in for {name} is made of Debian packages, once." if why else f"Making {name}"
            )
        )
        busy = "Another process has been making a stand-in for half an hour."
        with self._store.building(), self._store.lock("stand-in", exclusive=True, timeout=1800, busy=busy):
            kept = self._kept(name)
            if kept is not None:
                return kept
            if isinstance(recipe, standins.Minbase):
                return standins.make_minbase(recipe, name, self._store, self._sandbox, on_event=tell)
        # Out of the lock: its own FROM may need another stand-in.
        return standins.make_derived(recipe, name, self._store, self._build, on_event=tell)

    def _is_shared(self, name: str) -> bool:
        """Tell whether the shared place has a stand-in for it; no registry is asked then."""
        from dockerlab.engines.embedded.bases import standins

        return self._store.shared is not None and standins.kept_as(name) in self._store.shared.names()

    def _registry_was_silent(self, name: str) -> bool:
        """Tell whether the registry could not give this image a short while ago, to any process."""
        asked = (self._store.step(_silent_key(name)) or {}).get("asked", 0)
        return 0 <= time.time() - float(asked) < _ASK_AGAIN

    def _kept(self, name: str) -> Image | None:
        from dockerlab.engines.embedded.bases import standins

        try:
            return self._store.image(standins.kept_as(name))
        except ImageNotFoundError:
            return None

    def stand_in_archive(self, reference: str, *, on_event: OnEvent | None = None) -> Path | None:
        """Return a `docker load` archive of the stand-in for a reference; None when it has no recipe.

        In the archive it has a name of ours (`standins.kept_as`), never the real one.
        """
        from dockerlab.engines.embedded.bases import standins

        image = self.stand_in(reference, on_event=on_event)
        if image is None:
            return None
        path = self._store.root / "exports" / f"{image.id.removeprefix('sha256:')}.tar"
        if not path.exists():
            self._store.save([standins.kept_as(reference)], path)
        return path


def _silent_key(name: str) -> str:
    return f"not pulled: {name}"


def _ignore(event: object) -> None:
    """Drop an event."""
