"""The Docker engine: BuildKit through `docker buildx build`, the rest through the Docker API."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from dockerlab.context import Context
from dockerlab.dockerfile import Dockerfile, Instruction, Stage, parse, parse_trigger
from dockerlab.engines import Build, Builder, Event, ImageSummary, Note, OnEvent, Ran, Step, summary
from dockerlab.engines import legacy as legacy_builder
from dockerlab.engines.buildkit import Request, run_buildx
from dockerlab.engines.buildkit_steps import Matcher, StageFacts
from dockerlab.engines.docker_bases import LABEL, Bases, StandInMaker, rewritten
from dockerlab.engines.docker_errors import build_error, instruction_at, line_in
from dockerlab.engines.docker_images import ImageCache, home
from dockerlab.engines.plan import base_stage, chain, expanded, global_args, images, needed, root_base, target
from dockerlab.engines.steps import base_layer_count, own_rows, plan_steps
from dockerlab.errors import BuildError, DockerlabError, EngineError, ImageError, ImageNotFoundError
from dockerlab.image import STAND_IN, Image, same_reference

OWN_PREFIX = "dockerlab/"
DEFAULT_TAG = f"{OWN_PREFIX}build:latest"
ANSWER = 5.0  # seconds a daemon gets to answer before it counts as not there
DAEMON_REFUSED = 125  # `docker run`: the error is Docker's, not the command's
PATIENCE = 600.0  # seconds without a byte before a call to a daemon that did answer is given up

Api = Any  # docker.APIClient, which is not typed


def probe(docker: str = "docker") -> tuple[str | None, str]:
    """Return the daemon's version and "", or None and why Docker cannot be used, in one sentence.

    The docker command is asked, so DOCKER_HOST and contexts count as they do for a learner's own commands.
    """
    if shutil.which(docker) is None:
        return None, "There is no docker command here."
    version = _ask([docker, "version", "--format", "{{.Server.Version}}"])
    if version is None:
        return None, "No Docker daemon answers."
    if _ask([docker, "buildx", "version"]) is None:
        return None, "Docker answers, but its buildx plugin is not installed."
    return version, ""


def _ask(command: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=ANSWER, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


@dataclass(frozen=True)
class _Job:
    """What both builders are given, worked out once."""

    dockerfile: Dockerfile
    context: Context | None
    tag: str
    target: str | None
    build_args: Mapping[str, str]
    secrets: Mapping[str, bytes]
    no_cache: bool
    args: Mapping[str, str | None]
    final: Stage
    served: Mapping[str, str]  # reference -> stand-in
    on_event: Callable[[Event], None]

    @property
    def base(self) -> str | None:
        return root_base(self.dockerfile, self.final, self.args)


@dataclass(frozen=True)
class _Made:
    """What a builder hands back: the image's ID, its steps once the layers are known, context bytes."""

    identity: str
    steps: Callable[[Mapping[int, str]], tuple[Step, ...]]
    numbers: Mapping[int, int]  # id(Instruction) -> Step.number
    context_bytes: int


class DockerEngine:
    """Satisfies `dockerlab.engines.Engine` wherever a Docker daemon answers.

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
        self._bases = Bases(lambda: self._api, self._client, stand_in)

    @cached_property
    def _api(self) -> Api:
        return self._client(PATIENCE)

    def _client(self, timeout: float) -> Api:
        import docker

        return docker.from_env(timeout=int(timeout)).api

    @cached_property
    def _version(self) -> str:
        with _talking():
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
        builder: Builder | None = None,
        on_event: OnEvent | None = None,
    ) -> Build:
        """Build an image with BuildKit, or with `builder="legacy"`; see `dockerlab.engines.Engine.build`.

        BuildKit leaves out stages that nothing needs, the legacy builder does not. A tag that names an image
        which is not the lab's own is refused, never moved.
        """
        if builder not in (None, "buildkit", "legacy"):
            raise EngineError(
                f'the "{builder}" builder is not part of Docker',
                hint='Use "buildkit" or "legacy", or leave it out.',
            )
        started = time.perf_counter()
        with _talking():
            job = self._job(
                parse(dockerfile) if isinstance(dockerfile, str) else dockerfile,
                context,
                tag or DEFAULT_TAG,
                target,
                dict(build_args or {}),
                dict(secrets or {}),
                no_cache,
                on_event or _ignore,
                builder == "legacy",
            )
            made = self._legacy(job) if builder == "legacy" else self._buildkit(job)
            took = time.perf_counter() - started
            image, diff_ids = self._finished(job, made, legacy=builder == "legacy")
            return Build(
                name=job.tag.rpartition("/")[2].partition(":")[0],
                image=image,
                steps=made.steps(diff_ids),
                engine=self._described(builder or "buildkit"),
                builder=builder or "buildkit",
                seconds=took,
                dockerfile=job.dockerfile,
                context_bytes=made.context_bytes,
                base=job.base,
                stand_in=image.stand_in,
            )

    def _job(
        self,
        dockerfile: Dockerfile,
        context: Context | None,
        tag: str,
        name: str | None,
        build_args: Mapping[str, str],
        secrets: Mapping[str, bytes],
        no_cache: bool,
        on_event: Callable[[Event], None],
        legacy: bool,
    ) -> _Job:
        known = self._bases.inspect(tag)
        if known is not None and not self._ours(known):
            raise EngineError(
                f"{tag} is an image of your own, and building would take its name away.",
                hint="Choose another tag, or none.",
            )
        final = target(dockerfile, name)
        args = global_args(dockerfile, build_args, name, machine=self._machine)
        stages = _stages(dockerfile, final, args, legacy=legacy)
        served = self._bases.ready(images(dockerfile, stages, args), on_event)
        return _Job(
            dockerfile, context, tag, name, build_args, secrets, no_cache, args, final, served, on_event
        )

    @cached_property
    def _machine(self) -> str:
        return str(self._api.version().get("Arch") or "")

    def _buildkit(self, job: _Job) -> _Made:
        stages = _stages(job.dockerfile, job.final, job.args, legacy=False)
        planned = plan_steps(stages)
        facts = {stage.index: self._facts(job, stage) for stage in stages}
        matcher = Matcher(job.dockerfile, planned, facts, job.on_event)
        request = Request(
            job.dockerfile.text,
            job.context,
            job.tag,
            f"{LABEL}=1",
            job.target,
            job.build_args,
            job.secrets,
            job.no_cache,
            job.served,
        )
        ended = run_buildx(self._docker, request, matcher.feed)
        if ended.code:
            failed = matcher.graph.failed
            at = matcher.line_of(failed) if failed else None
            at = at or instruction_at(job.dockerfile, line_in(ended.text))
            said = [line for line in ended.text if line.startswith("ERROR:")] or [
                failed.error if failed else ""
            ]
            log = failed.log if failed else ()
            raise build_error(
                said[-1] or "\n".join(ended.text), job.dockerfile, at=at, log=log, began=bool(failed)
            )
        for warning in matcher.graph.warnings:
            job.on_event(Note(warning))
        for index in sorted(matcher.unmatched):
            line = job.dockerfile.stages[index].from_.line
            job.on_event(Note(f"BuildKit's report on the stage at line {line} does not fit its lines."))
        return _Made(
            ended.identity or str(self._inspect(job.tag)["Id"]),
            matcher.steps,
            {id(plan.instruction): plan.number for plan in planned},
            matcher.graph.context_bytes,
        )

    def _legacy(self, job: _Job) -> _Made:
        if job.secrets:
            raise EngineError("the legacy builder has no secrets", hint='Leave out builder="legacy".')
        planned = plan_steps(_stages(job.dockerfile, job.final, job.args, legacy=True))
        progress = legacy_builder.LegacyProgress(planned, len(job.dockerfile.args), job.on_event)
        text = (
            rewritten(job.dockerfile, job.served, lambda word, line: expanded(word, job.args, line))
            if job.served
            else job.dockerfile.text
        )
        sent = legacy_builder.pack(job.context, text)
        with contextlib.closing(sent.tar):
            stream = self._api.build(
                fileobj=sent.tar,
                custom_context=True,
                dockerfile=legacy_builder.DOCKERFILE,
                decode=True,
                tag=job.tag,
                buildargs=dict(job.build_args),
                nocache=job.no_cache,
                target=job.target or "",
                rm=True,
                forcerm=True,
            )
            try:
                identity, error = legacy_builder.messages(stream, progress)
            finally:
                stream.close()  # on Ctrl-C this is what makes the daemon stop
        if error:
            at = progress.at.instruction if progress.at else None
            raise build_error(error, job.dockerfile, at=at, log=progress.log)
        numbers = {id(plan.instruction): plan.number for plan in planned}
        return _Made(identity or str(self._inspect(job.tag)["Id"]), progress.steps, numbers, sent.size)

    def _facts(self, job: _Job, stage: Stage) -> StageFacts:
        below = base_stage(job.dockerfile, stage, job.args)
        base = expanded(stage.base, job.args, stage.from_.line)
        numbered = below is None and base != "scratch" and base not in job.served
        return StageFacts(numbered, tuple(one.keyword for one in self._triggers(job, stage)))

    def _triggers(self, job: _Job, stage: Stage) -> list[Instruction]:
        """Return what ONBUILD of the stage's base adds, as far as the base can be looked at."""
        below = base_stage(job.dockerfile, stage, job.args)
        if below is not None:
            return [parse_trigger(one.args[0]) for one in below.instructions if one.keyword == "ONBUILD"]
        base = expanded(stage.base, job.args, stage.from_.line)
        known = self._bases.inspect(job.served.get(base, base)) if base != "scratch" else None
        return [parse_trigger(text) for text in ((known or {}).get("Config") or {}).get("OnBuild") or ()]

    def _finished(self, job: _Job, made: _Made, *, legacy: bool) -> tuple[Image, dict[int, str]]:
        """Return the image, read and marked as ours, and the layer of each step that made one."""
        image = self.cache.read(made.identity, job.tag)
        instructions: list[Instruction] = []
        for stage in chain(job.dockerfile, job.final, job.args):
            instructions += [*self._triggers(job, stage), *stage.instructions]
        own = own_rows(image.history, instructions, legacy=legacy)
        base = self._bases.inspect(job.served.get(job.base, job.base)) if job.base else None
        below = list(((base or {}).get("RootFS") or {}).get("Layers") or ())
        if own is not None:
            count = base_layer_count(image, own)
        else:
            count = len(below)
            job.on_event(
                Note("The image's history does not fit the Dockerfile, so no layer is given a line.")
            )
        if below and [layer.diff_id for layer in image.layers[:count]] != below:
            job.on_event(Note(f"{job.base} is another image now than the one this build used."))
        if job.base is None:
            count = 0
        stand_in = job.base if job.base in job.served else None
        self.cache.mark_built(made.identity, base_layers=count, stand_in=stand_in)
        diff_ids = {
            made.numbers[id(one)]: row.layer.diff_id
            for one, row in zip(instructions, own or (), strict=False)
            if row is not None and row.layer is not None and id(one) in made.numbers
        }
        return self.cache.read(made.identity, job.tag), diff_ids

    def image(self, reference: str) -> Image:
        """Return any image Docker has, by name or ID; it is saved out of Docker once per ID."""
        with _talking():
            known = self._inspect(reference)
            named = None if reference.startswith("sha256:") else reference
            tags = known.get("RepoTags") or ()
            if named is not None and not any(same_reference(named, tag) for tag in tags):
                named = tags[0] if tags else None  # an ID prefix
            return self.cache.read(str(known["Id"]), named)

    def images(self) -> list[ImageSummary]:
        """List the lab's own images, stand-ins included, the newest first."""
        with _talking():
            found = [
                summary(self.cache.read(str(one["Id"]), tag))
                for one in self._own_images()
                for tag in one.get("RepoTags") or ()
            ]
        return sorted(found, key=lambda one: one.created, reverse=True)

    def run(self, reference: str, argv: Sequence[str] | None = None, *, timeout: float = 60) -> Ran:
        """Run `argv` (default: the image's command) in a new container, which is removed again.

        Raises BuildError when the command is not over after `timeout` seconds.
        """
        with _talking():
            self._inspect(reference)
        name = f"dockerlab-{secrets.token_hex(8)}"
        # `docker run` attaches before the container starts; logs asked for afterwards may lack their end.
        command = [self._docker, "run", "--rm", "--pull=never", "--name", name, "--label", f"{LABEL}=1"]
        try:
            done = subprocess.run(
                [*command, reference, *(argv or ())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            self._end(name)
            message = f"the command was still running after {timeout:g} seconds"
            raise BuildError(message, hint="Give it more time with timeout=.") from error
        except KeyboardInterrupt:
            self._end(name)
            raise
        output = done.stdout.decode("utf-8", "replace")
        if done.returncode == DAEMON_REFUSED and "docker: " in output:
            if "no command specified" in output.lower():
                raise BuildError(
                    f"{reference} has no command", hint="Say which one: run(image, ['ls', '/'])."
                )
            raise EngineError(f"Docker refused: {output.partition('docker: ')[2].splitlines()[0]}")
        return Ran(done.returncode, output)

    def _end(self, container: str) -> None:
        """Remove a container that may still run, or may never have been made."""
        subprocess.run(
            [self._docker, "rm", "--force", "--volumes", container],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )

    def save(self, references: Sequence[str], path: Path) -> None:
        """Write an archive that `docker load` takes; `path` appears only when it is whole."""
        with _talking():
            for reference in references:
                self._inspect(reference)
        with tempfile.TemporaryDirectory(dir=path.absolute().parent, prefix=".dockerlab-") as folder:
            part = Path(folder) / "image.tar"
            self._command(["save", "--output", str(part), *references])
            part.replace(path)

    def load(self, path: Path) -> list[str]:
        """Load what `docker save` wrote into Docker; return the references (IDs for images without one)."""
        found: list[str] = []
        if not path.is_file():
            raise ImageError(f"There is no file {path}.", hint="Give the file that `docker save -o` wrote.")
        with _talking(), path.open("rb") as archive:
            for message in self._api.load_image(archive):
                if "error" in message:
                    raise EngineError(f"Docker did not take {path}: {message['error']}")
                for line in str(message.get("stream", "")).splitlines():
                    if line.startswith("Loaded image"):
                        found.append(line.partition(": ")[2].strip())
        return found

    def remove(self, reference: str) -> None:
        """Remove an image of the lab's own; anyone else's is refused with EngineError."""
        with _talking():
            if not self._ours(self._inspect(reference)):
                raise EngineError(
                    f"{reference} was not built by dockerlab, so it is left alone.",
                    hint=f"To remove it all the same: docker rmi {reference}",
                )
            self._api.remove_image(reference)

    def prune(self) -> int:
        """Remove our images that lost their name, and what is kept of images Docker no longer has.

        Returns the bytes freed, in Docker's image store and in the lab's folder. Docker's build cache is
        shared with everything else that is built here, so it is left alone.
        """
        with _talking():
            before = int(self._api.df().get("LayersSize") or 0)
            for one in self._own_images():
                if not one.get("RepoTags"):
                    self._remove_if_unused(str(one["Id"]))
            freed = max(0, before - int(self._api.df().get("LayersSize") or 0))
            return freed + self.cache.prune({str(one["Id"]) for one in self._api.images(all=True)})

    def _remove_if_unused(self, identity: str) -> None:
        from docker.errors import APIError

        try:
            self._api.remove_image(identity)
        except APIError as error:
            if error.status_code != 409:  # a container, or an image built on it, still needs it
                raise

    def _own_images(self) -> list[Mapping[str, Any]]:
        built = self.cache.built()
        return [one for one in self._api.images() if self._ours(one, built=built)]

    def _ours(self, known: Mapping[str, Any], *, built: set[str] | None = None) -> bool:
        """Tell whether an image is ours: built here, or with our label and under our name.

        The label alone does not do: whoever builds on one of our images inherits it.
        """
        labels = known.get("Labels") or (known.get("Config") or {}).get("Labels") or {}
        named = any(str(tag).startswith(OWN_PREFIX) for tag in known.get("RepoTags") or ())
        if named and (LABEL in labels or STAND_IN in labels):
            return True
        return str(known["Id"]) in (self.cache.built() if built is None else built)

    def _inspect(self, reference: str) -> Mapping[str, Any]:
        known = self._bases.inspect(reference)
        if known is None:
            raise ImageNotFoundError(
                f"Docker has no image named {reference}.", hint="List the lab's own with `dockerlab images`."
            )
        return known

    def _export(self, identity: str) -> Iterator[bytes]:
        return cast("Iterator[bytes]", self._api.get_image(identity, chunk_size=1 << 20))

    def _command(self, arguments: Sequence[str]) -> None:
        done = subprocess.run(
            [self._docker, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise EngineError(f"docker {arguments[0]} failed: {done.stderr.strip()}")


def _stages(
    dockerfile: Dockerfile, final: Stage, args: Mapping[str, str | None], *, legacy: bool
) -> list[Stage]:
    """Return the stages that will be built, in order; the legacy builder builds all up to the last."""
    if legacy:
        return list(dockerfile.stages[: final.index + 1])
    return [dockerfile.stages[index] for index in sorted(needed(dockerfile, final, args))]


@contextlib.contextmanager
def _talking() -> Iterator[None]:
    """Turn what goes wrong between us and the daemon into EngineError."""
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except DockerlabError:
        raise
    except APIError as error:
        raise EngineError(f"Docker refused: {error.explanation or error}") from error
    except (DockerException, RequestException) as error:
        raise EngineError(
            f"Docker does not answer: {error}", hint="See whether it runs with `docker version`."
        ) from error


def _ignore(event: Event) -> None:
    """Drop an event."""
