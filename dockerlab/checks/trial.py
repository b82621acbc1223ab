"""An attempt on trial beside its starter: both built again with the same edits, whatever the learner gave.

A rebuild of the attempt is the learner's own build, its context with .dockerignore, target, build arguments
and secrets, with the edit. What an edit holds is drawn anew for each trial, so nothing can be known before.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from os import getpid
from random import Random

from dockerlab.analysis.history import Row, layer_rows
from dockerlab.context.context import Context, File
from dockerlab.dockerfile.parser import Dockerfile
from dockerlab.engines.results import Build, Engine, Recipe, Step
from dockerlab.errors import DockerlabError, ImageNotFoundError
from dockerlab.image.image import Layer

Files = Mapping[str, str | bytes | File]

# Bases whose layers are nobody's own work. Any other may be an image of the learner's that became a base.
_OFFICIAL = {"alpine", "busybox", "debian", "perl", "python", "ubuntu"}


@dataclass(frozen=True)
class RebuildOptions:
    """What a rebuild is given besides the edited files."""

    build_args: Mapping[str, str] | None = None
    secrets: Mapping[str, bytes] | None = None
    fresh: int = 0  # not from the cache, and the how manyth build that is not
    rewrite: Callable[[Dockerfile], str] | None = None  # of the text, before it is built


AS_IT_WAS = RebuildOptions()


class Trial:
    """The attempt, the starter, and what they become after edits; each is built once."""

    def __init__(self, attempt: Build, starter: Build, engine: Engine, *, name: str, draw: Random) -> None:
        self.attempt = attempt  # the learner's build
        self.starter = starter
        self.engine = engine
        self.draw = draw
        self.tag = f"dockerlab/check-{name}:{getpid()}"
        self._made: dict[object, Build | DockerlabError] = {}

    def again(self, edits: Files | None = None, given: RebuildOptions = AS_IT_WAS) -> Build:
        """Build the attempt again with edited files; raises the error of a build that fails, each time."""
        return self._build(self.attempt, edits or {}, given)

    def model(self, edits: Files | None = None, given: RebuildOptions = AS_IT_WAS) -> Build:
        """Build the starter again with the same edits."""
        return self._build(self.starter, edits or {}, given)

    def unsquashed(self) -> None:
        """Go by what the learner's Dockerfile makes without --squash, from here on."""
        if self.attempt.recipe.squash:
            whole = replace(self.attempt, recipe=replace(self.attempt.recipe, squash=False))
            self.attempt = whole
            self.attempt = self.again()

    def on_top(self, lines: str, *, files: Files | None = None, given: RebuildOptions = AS_IT_WAS) -> Build:
        """Build an image of these lines on top of the attempt, as it is built again; it is not kept."""
        self._made.clear()  # so that the name is the attempt's: no engine builds on an ID
        self.again(given=given)
        text, context = f"FROM {self.tag}\n{lines}", Context.files(files or {})
        return self.engine.build(text, context=context, tag=self.tag, builder=self.attempt.builder)

    def ran_again(self, path: str, more: str) -> tuple[Build, list[Step]]:
        """Put an edit that nobody has seen at the end of a file; return the build, and the RUN steps it cost.

        `more` has `{}` where the new text goes. The build before the edit is made first: it is in the cache.
        """
        self.before(path)
        edited = self.again({path: self._original(path) + more.format(secrets.token_hex(8)).encode()})
        return edited, [step for step in edited.steps if step.keyword == "RUN" and step.cached is False]

    def before(self, path: str) -> Build:
        """Return the build before that edit: with the file as the exercise has it."""
        return self.again({path: self._original(path)})

    def _original(self, path: str) -> bytes:
        context = self.starter.recipe.context
        assert context is not None
        node = context.all_files().get(path)
        assert node is not None
        with context.open(node.entry) as file:
            return file.read()

    def own(self, build: Build) -> list[tuple[Row, Layer]]:
        """List the layers that are on top of the base, with their rows; without a known base, all of them."""
        found = self.rows(build)
        if (build.base or "").removeprefix("docker.io/library/").partition(":")[0] in _OFFICIAL:
            return found[build.image.base_layers :]
        base = {layer.diff_id for layer in self.starter.image.layers[: self.starter.image.base_layers]}
        return [(row, layer) for row, layer in found if layer.diff_id not in base]

    def rows(self, build: Build) -> list[tuple[Row, Layer]]:
        """List all layers with their rows, lowest first."""
        return list(zip(layer_rows(build), build.image.layers, strict=True))

    def _build(self, build: Build, edits: Files, given: RebuildOptions) -> Build:
        key = (build is self.attempt, frozenset(edits.items()), repr(given))
        if key not in self._made:
            recipe = build.recipe
            context = recipe.context
            try:
                made: Build | DockerlabError = self._built(build, recipe, context, edits, given)
            except DockerlabError as error:
                made = error
            self._made[key] = made
        found = self._made[key]
        if isinstance(found, DockerlabError):
            raise found
        return found

    def _built(
        self, build: Build, recipe: Recipe, context: Context | None, edits: Files, given: RebuildOptions
    ) -> Build:
        if edits:
            context = (context or Context.files({})).edited(edits)
        return self.engine.build(
            build.dockerfile if given.rewrite is None else given.rewrite(build.dockerfile),
            context=context,
            tag=self.tag,
            target=recipe.target,
            build_args={**recipe.build_args, **(given.build_args or {})},
            secrets={**recipe.secrets, **(given.secrets or {})} or None,
            no_cache=given.fresh > 0,
            squash=recipe.squash,
            # The legacy builder has no heredocs, which a rewritten text may have.
            builder=None if given.rewrite and build.builder == "legacy" else build.builder,
            options=replace(recipe.options, tags=()),
        )


@contextmanager
def on_trial(attempt: Build, starter: Build, engine: Engine, *, name: str, draw: Random) -> Iterator[Trial]:
    """Give a trial, and take the name of what it built away again."""
    trial = Trial(attempt, starter, engine, name=name, draw=draw)
    try:
        yield trial
    finally:
        with suppress(ImageNotFoundError):
            engine.remove(trial.tag)
