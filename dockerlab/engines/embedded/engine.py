"""The embedded engine: builds, keeps and runs images with no daemon."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from dockerlab.engines.embedded import sandbox as sandboxes
from dockerlab.engines.embedded.bases.bases import Bases
from dockerlab.engines.embedded.sandbox.contract import Command, Sandbox
from dockerlab.engines.embedded.store.store import Store
from dockerlab.engines.results import Build, Builder, Event, ImageSummary, LastBuild, OnEvent, Ran
from dockerlab.errors import BuildError, EngineError, RunTimeoutError
from dockerlab.image.image import Image
from dockerlab.image.reference import Reference

if TYPE_CHECKING:
    from dockerlab.context.context import Context
    from dockerlab.dockerfile.parser import Dockerfile
    from dockerlab.engines.options import BuildOptions

# What only some calls need is imported in them: a command is to start quickly.


class EmbeddedEngine:
    """Satisfies `dockerlab.engines.results.Engine` on Linux, without Docker and without root."""

    name = "embedded"

    def __init__(self, root: Path | None = None) -> None:
        self.store = Store(root)
        self.bases = Bases(self.store, lambda: self.sandbox, self._build_stand_in)

    @cached_property
    def sandbox(self) -> Sandbox:
        """Return the sandbox that RUN uses; found by trying on first use."""
        return sandboxes.choose(self.store.work)

    def describe(self) -> str:
        """Return the engine's name with the sandbox it runs commands in."""
        try:
            return f"embedded ({sandboxes.name(self.store.work)})"
        except EngineError:
            return "embedded (no sandbox: RUN cannot be built)"

    def build(
        self,
        dockerfile: str | Dockerfile,
        *,
        context: Context | None = None,
        tag: str | None = None,
        target: str | None = None,
        build_args: Mapping[str, str] | None = None,
        secrets: Mapping[str, bytes] | None = None,
        no_cache: bool = False,
        squash: bool = False,
        builder: Builder | None = None,
        options: BuildOptions | None = None,
        on_event: OnEvent | None = None,
    ) -> Build:
        """Build an image; see `dockerlab.engines.results.Engine.build`."""
        from dockerlab.context.context import Context
        from dockerlab.dockerfile.parser import parse
        from dockerlab.engines.embedded import epoch
        from dockerlab.engines.embedded.build_request import Request
        from dockerlab.engines.embedded.builder import build
        from dockerlab.engines.options import BUILDKIT_ONLY, BuildOptions
        from dockerlab.image.platform import here

        if builder not in (None, "embedded"):
            raise EngineError(
                f'the "{builder}" builder is part of Docker',
                hint="Use --engine docker where Docker is installed.",
            )
        options = options or BuildOptions()
        options.check_platform(here().architecture)
        for flag in options.buildkit:
            raise EngineError(
                f"The embedded engine does not do --{flag}: {BUILDKIT_ONLY[flag]}.",
                hint="Leave it out, or build with --engine docker where Docker is installed.",
            )
        request = Request(
            parse(dockerfile) if isinstance(dockerfile, str) else dockerfile,
            context if context is not None else Context.files({}),
            tag,
            target,
            epoch.given(build_args or {}, os.environ),
            dict(secrets or {}),
            no_cache,
            squash,
            options,
        )
        with self.store.building():
            built = build(
                request,
                self.store,
                self.bases,
                lambda: self.sandbox,
                engine=self.describe,
                on_event=on_event or _ignore,
            )
            if self.store.writable:  # else whoever can prune it is somebody else
                with self.store.kept.changing():
                    self.store.kept.hold_image(built.image)
        return built

    def _build_stand_in(self, dockerfile: str, tag: str) -> Image:

        # A stand-in is as old as its packages, whatever date a build of yours is given.
        from dockerlab.dockerfile.scope import EPOCH

        return self.build(dockerfile, tag=tag, build_args={EPOCH: ""}).image

    def last_build(self, reference: str) -> LastBuild | None:
        """Return what is kept of the last build of that tag, as it was written, or None."""
        from dockerlab.engines.cache.last_builds import read_record

        return read_record(reference, self.store.last_build(Reference.parse(reference).familiar))

    def image(self, reference: str) -> Image:
        """Return the image of that name or id; raises ImageNotFoundError."""
        return self.store.image(reference)

    def images(self) -> list[ImageSummary]:
        """List the named images, the newest first."""
        return self.store.images()

    def run(
        self,
        reference: str,
        argv: Sequence[str] | None = None,
        *,
        entrypoint: bool = True,
        timeout: float = 60,
    ) -> Ran:
        """Run `argv` (default: the image's command) in the image; what it writes is thrown away."""
        from dockerlab.dockerfile.scope import DEFAULT_PATH
        from dockerlab.engines.embedded.users import run_user

        image = self.store.image(reference)
        config = image.config.get("config") or {}
        words = [
            *((config.get("Entrypoint") or []) if entrypoint else []),
            *(argv if argv is not None else config.get("Cmd") or []),
        ]
        if not words:
            raise BuildError("the image has no command", hint="Say which one: run(image, ['ls', '/']).")
        user = run_user(image.tree(), str(config.get("User") or ""))
        env = dict(pair.split("=", 1) for pair in config.get("Env") or [])
        command = Command(
            tuple(words),
            {"PATH": DEFAULT_PATH, "HOME": user.home, **env},
            config.get("WorkingDir") or "/",
            user.uid,
            user.gid,
            user.groups,
        )
        output = bytearray()
        try:
            with self.store.building():
                code = self.sandbox.run(
                    image.layers, command, output=output.extend, layer=None, timeout=timeout
                )
        except TimeoutError as error:
            raise RunTimeoutError(timeout) from error
        printed = output.decode("utf-8", "replace")
        if code == 1 and printed.startswith(f'exec: "{words[0]}": '):  # what a RUN ends with, as in BuildKit
            code = 126 if printed.endswith("permission denied\n") else 127  # and a container, as in Docker
        return Ran(code, printed)

    def save(self, references: Sequence[str], path: Path) -> None:
        """Write an archive that `docker load` takes."""
        self.store.save(references, path)

    def load(self, path: Path) -> list[str]:
        """Read what `docker save` wrote; return the references."""
        return self.store.load(path)

    def remove(self, reference: str) -> None:
        """Forget a name; its blobs go with the next prune."""
        self.store.remove(reference)

    def prune(self) -> int:
        """Remove the build cache and unnamed images; return the bytes freed."""
        return self.store.prune()


def _ignore(event: Event) -> None:
    """Drop an event."""
