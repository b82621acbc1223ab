"""The Docker engine: BuildKit through `docker buildx build`, the rest through the Docker API."""

from __future__ import annotations

import contextlib
import io
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, cast

from dockerlab.context.context import Context
from dockerlab.dockerfile.parser import Dockerfile, parse
from dockerlab.engines.docker.bases import DockerBases, StandInMaker
from dockerlab.engines.docker.build import BuildRequest, Builds
from dockerlab.engines.docker.daemon import Api, connect, talking
from dockerlab.engines.docker.images import ImageCache, home, packed_without_layers
from dockerlab.engines.docker.own_images import OwnImages, is_kept, names
from dockerlab.engines.docker.run import run_container
from dockerlab.engines.options import BuildOptions
from dockerlab.engines.results import Build, Builder, Event, ImageSummary, LastBuild, OnEvent, Ran, summary
from dockerlab.errors import EngineError, ImageError, ImageNotFoundError, StoreError
from dockerlab.image import oci
from dockerlab.image.archive_reader import Stored
from dockerlab.image.archive_writer import packed, write_archive
from dockerlab.image.image import Image
from dockerlab.image.reference import OWN_PREFIX, ImageQuery, Reference

DEFAULT_TAG = f"{OWN_PREFIX}build:latest"


class DockerEngine:
    """Satisfies `dockerlab.engines.results.Engine` wherever a Docker daemon answers.

    `stand_in` makes an image archive for a base that Docker neither has nor can pull, or returns None. `root`
    is where images taken from Docker are kept (default: `docker` in $DOCKERLAB_HOME).
    """

    name = "docker"

    def __init__(
        self,
        *,
        stand_in: StandInMaker | None = None,
        root: Path | None = None,
        docker: str = "docker",
    ) -> None:
        self._docker = docker
        self.cache = ImageCache(root or home() / "docker", self._export)
        self._bases = DockerBases(lambda: self._api, connect, stand_in)
        self._own = OwnImages(lambda: self._api, self.cache)
        self._builds = Builds(docker, lambda: self._api, self._bases, self.cache)

    @cached_property
    def _api(self) -> Api:
        return connect()

    @cached_property
    def _version(self) -> str:
        with talking():
            return str(self._api.version()["Version"]).partition("+")[0]

    def describe(self) -> str:
        """Return the engine's name with the daemon's version and the builder used by default."""
        return self._described("buildkit")

    def _described(self, builder: Builder) -> str:
        return f"Docker {self._version}, {'BuildKit' if builder == 'buildkit' else 'legacy builder'}"

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
        """Build an image with BuildKit, or with `builder="legacy"`; see `Engine.build`.

        BuildKit leaves out stages that nothing needs, the legacy builder does not. A tag that names an image
        which is not the lab's own is refused, never moved.
        """
        if builder not in (None, "buildkit", "legacy"):
            raise EngineError(
                f'the "{builder}" builder is not part of Docker',
                hint='Use "buildkit" or "legacy", or leave it out.',
            )
        if squash:
            raise EngineError(
                "The lab does not squash on Docker: BuildKit ignores --squash, and the legacy builder does it"
                " only where the daemon's experimental features are on.",
                hint="Build with --engine embedded, or copy the result of a stage: lesson 09 shows how.",
            )
        options = options or BuildOptions()
        if builder == "legacy" and options != BuildOptions():
            raise EngineError(
                "The legacy builder is here to be compared with, and takes few options.",
                hint="Leave --builder out, or the options that it does not list.",
            )
        started = time.perf_counter()
        tag = Reference.parse(tag or DEFAULT_TAG).familiar
        with talking():
            for name in (tag, *options.tags):
                known = self._bases.inspect(name)
                if known is not None and not self._own.has(known):
                    raise EngineError(
                        f"{name} is an image of your own, and building would take its name away.",
                        hint="Choose another tag, or none.",
                    )
            return self._builds.build(
                BuildRequest(
                    parse(dockerfile) if isinstance(dockerfile, str) else dockerfile,
                    context,
                    tag,
                    target,
                    dict(build_args or {}),
                    dict(secrets or {}),
                    no_cache,
                    builder == "legacy",
                    options,
                    on_event or _ignore,
                ),
                engine=self._described(builder or "buildkit"),
                started=started,
            )

    def last_build(self, reference: str) -> LastBuild | None:
        """Return what is kept of the last build of that tag, BuildKit's before the legacy builder's."""
        last, reference = self._builds.last, Reference.parse(reference).familiar
        return last.get(reference, "buildkit") or last.get(reference, "legacy")

    def image(self, reference: str) -> Image:
        """Return any image Docker has, by name or ID; it is saved out of Docker once per ID."""
        wanted = ImageQuery.parse(reference)
        with talking():
            known = self._inspect(reference)
            tags = [tag for tag in names(known) if not is_kept(tag)]
            named = next((tag for tag in tags if wanted.names(tag)), None)
            if named is None and wanted.name is not None:  # the first digits of an ID, or a digest
                named = tags[0] if tags else None
            return self.cache.read(str(known["Id"]), named)

    def images(self) -> list[ImageSummary]:
        """List the lab's own images that have a name, stand-ins included, the newest first.

        An image that was never read is not saved out of Docker for its size alone.
        """
        with talking():
            found = [
                self._summary(str(one["Id"]), tag)
                for one in self._own.listed()
                for tag in names(one)
                if not is_kept(tag)
            ]
        return sorted((one for one in found if one is not None), key=lambda one: one.created, reverse=True)

    def _summary(self, identity: str, tag: str) -> ImageSummary | None:
        """Return an image's line, or None when it was removed since it was listed."""
        if self.cache.holds(identity):
            return summary(self.cache.read(identity, tag))
        known = self._bases.inspect(identity)
        if known is None:
            return None
        labels = (known.get("Config") or {}).get("Labels") or {}
        layers = (known.get("RootFS") or {}).get("Layers") or ()
        return ImageSummary(
            tag, identity, str(known.get("Created") or ""), None, len(layers), labels.get(oci.STAND_IN)
        )

    def run(
        self,
        reference: str,
        argv: Sequence[str] | None = None,
        *,
        entrypoint: bool = True,
        timeout: float = 60,
    ) -> Ran:
        """Run `argv` (default: the image's command) in a new container, which is removed again.

        Raises RunTimeoutError when the command is not over after `timeout` seconds.
        """
        with talking():
            identity = str(self._inspect(reference)["Id"])
        return run_container(self._docker, identity, argv, entrypoint=entrypoint, timeout=timeout)

    def save(self, references: Sequence[str], path: Path) -> None:
        """Write an archive that `docker load` takes; `path` appears only when it is whole."""
        with talking():
            for reference in references:
                self._inspect(reference)
        try:
            with tempfile.TemporaryDirectory(dir=path.absolute().parent, prefix=".dockerlab-") as folder:
                part = Path(folder) / "image.tar"
                self._command(["save", "--output", str(part), *references])
                part.replace(path)
        except OSError as error:
            raise StoreError(
                f"{path} cannot be written: {error.strerror or error}.", hint="Give a folder that is there."
            ) from error

    def load(self, path: Path) -> list[str]:
        """Load an archive or an OCI layout into Docker; return the references (IDs for images without one).

        What this Docker does not take as it is, is written anew for it.
        """
        from docker.errors import APIError
        from requests.exceptions import JSONDecodeError  # the answer to an archive of before Docker 1.10

        with talking():
            if path.is_file():
                with path.open("rb") as archive, contextlib.suppress(ImageError, APIError, JSONDecodeError):
                    if found := self._loaded(archive, path):
                        return found
            stored = Stored.open(path)
            images = [packed(one.config, stored.read(one, None).layers, one.names) for one in stored.images]
            with tempfile.TemporaryFile() as out:
                write_archive(images, cast(BinaryIO, out))
                out.seek(0)
                return self._loaded(cast(BinaryIO, out), path)

    def _loaded(self, archive: BinaryIO, path: Path) -> list[str]:
        found: list[str] = []
        for message in self._api.load_image(archive):
            if "error" in message:
                raise ImageError(
                    f"Docker did not take {path}: {message['error']}",
                    hint="Give the file that `docker save -o` wrote.",
                )
            for line in str(message.get("stream", "")).splitlines():
                if line.startswith("Loaded image"):
                    found.append(line.partition(": ")[2].strip())
        return found

    def remove(self, reference: str) -> None:
        """Remove a name of the lab's own images, by ID all; anyone else's is refused with EngineError."""
        with talking():
            known = self._inspect(reference)
            if not self._own.has(known):
                raise EngineError(
                    f"{reference} was not built by dockerlab, so it is left alone.",
                    hint=f"To remove it all the same: docker rmi {reference}",
                )
            tags = names(known) or [reference]
            for tag in [tag for tag in tags if ImageQuery.parse(reference).names(tag)] or tags:
                self._api.remove_image(tag)

    def prune(self) -> int:
        """Remove our images that lost their name, and what is kept of images Docker no longer has.

        What a Build holds in a process that lives stays. Returns the bytes freed, in Docker's image store and
        in the lab's folder. Docker's build cache is shared with everything else that is built here, so it is
        left alone.
        """
        with talking():
            return self._own.prune(self._builds.kept)

    def _inspect(self, reference: str) -> Mapping[str, Any]:
        known = self._bases.inspect(reference)
        if known is None:
            raise ImageNotFoundError(
                f"Docker has no image named {reference}.", hint="List the lab's own with `dockerlab images`."
            )
        return known

    def _export(self, identity: str) -> Iterator[bytes]:
        known = self._api.inspect_image(identity)
        if not (known.get("RootFS") or {}).get("Layers"):
            # Docker with overlay2 refuses to save these: "empty export - not implemented".
            out = io.BytesIO()
            write_archive([packed_without_layers(known, self._api.history(identity) or ())], out)
            return iter([out.getvalue()])
        return cast("Iterator[bytes]", self._api.get_image(identity, chunk_size=1 << 20))

    def _command(self, arguments: Sequence[str]) -> None:
        done = subprocess.run(
            [self._docker, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise EngineError(f"docker {arguments[0]} failed: {done.stderr.strip()}")


def _ignore(event: Event) -> None:
    """Drop an event."""
