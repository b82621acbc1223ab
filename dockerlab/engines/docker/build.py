"""A build on Docker, by either builder: what is asked, what is done, what comes of it."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from dockerlab.context.context import Context
from dockerlab.dockerfile.parser import Dockerfile, Stage
from dockerlab.dockerfile.scope import BuildArguments
from dockerlab.dockerfile.stages import (
    base_stage,
    chain,
    expanded,
    global_args,
    images,
    needed,
    root_base,
    stage_name,
    target,
)
from dockerlab.engines.cache.last_builds import LastBuilds
from dockerlab.engines.cache.planned_build import PlannedBuild
from dockerlab.engines.cache.planned_steps import Planned, base_layer_count, own_rows
from dockerlab.engines.cache.reasons import Reasons, explained
from dockerlab.engines.docker import legacy as legacy_builder
from dockerlab.engines.docker.bases import KEPT, LABEL, DockerBases, rewritten
from dockerlab.engines.docker.buildkit_steps import Matcher
from dockerlab.engines.docker.buildx import BuildxRequest, run_buildx, selected
from dockerlab.engines.docker.errors import build_error, instruction_at, line_in
from dockerlab.engines.docker.images import ImageCache
from dockerlab.engines.held_images import HeldImages, key
from dockerlab.engines.options import BuildOptions
from dockerlab.engines.results import Build, Event, Note, Recipe, Step
from dockerlab.errors import EngineError
from dockerlab.image.image import Image

Api = Any  # docker.APIClient, which is not typed


@dataclass(frozen=True)
class BuildRequest:
    """What the caller of build() wants."""

    dockerfile: Dockerfile
    context: Context | None
    tag: str
    target: str | None
    build_args: Mapping[str, str]
    secrets: Mapping[str, bytes]
    no_cache: bool
    legacy: bool
    options: BuildOptions
    on_event: Callable[[Event], None]

    @property
    def recipe(self) -> Recipe:
        """Return what the build remembers of it."""
        return Recipe(
            self.context, self.target, self.build_args, self.secrets, squash=False, options=self.options
        )

    def uncached(self, stage: str) -> bool:
        """Tell whether a stage of that name is built without the cache."""
        return self.no_cache or self.options.filtered(stage)


@dataclass(frozen=True)
class BuildJob:
    """What follows from it, worked out once."""

    asked: BuildRequest
    args: Mapping[str, str | None]
    final: Stage
    stages: tuple[Stage, ...]  # those that will be built, in order
    served: Mapping[str, str]  # reference -> stand-in
    bound: Mapping[str, str]  # reference -> the build context that BuildKit is to take it from
    lines: tuple[Planned, ...]  # what the stages do, the ONBUILD of their bases included

    @property
    def planned(self) -> tuple[Planned, ...]:
        """Return the lines that are steps of their own."""
        return tuple(line for line in self.lines if line.number)

    @property
    def base(self) -> str | None:
        """Return the image that the final stage goes back to; None is scratch."""
        return root_base(self.asked.dockerfile, self.final, self.args)


@dataclass(frozen=True)
class BuilderResult:
    """What a builder hands back: the steps once the layers are known, context bytes."""

    steps: Callable[[Mapping[int, str]], tuple[Step, ...]]
    context_bytes: int


class Builds:
    """Builds on one daemon."""

    def __init__(self, docker: str, api: Callable[[], Api], bases: DockerBases, cache: ImageCache) -> None:
        self._docker = docker
        self._api = api
        self._bases = bases
        self._cache = cache
        self.kept = HeldImages(cache.root / "kept")
        self.last = LastBuilds(cache.root / "builds")

    def build(self, asked: BuildRequest, *, engine: str, started: float) -> Build:
        """Build, and read the image; `started` is when the caller began, by time.perf_counter()."""
        job = self._job(asked)
        with self._own_name() as name:
            made = self._legacy(job, name) if asked.legacy else self._buildkit(job, name)
            took = time.perf_counter() - started
            image, diff_ids = self._finished(job, str((self._bases.inspect(name) or {})["Id"]))
            for tag in (asked.tag, *asked.options.tags):
                self._give_name(image, tag)
        build = Build(
            name=asked.tag.rpartition("/")[2].partition(":")[0],
            image=image,
            steps=made.steps(diff_ids),
            engine=engine,
            builder="legacy" if asked.legacy else "buildkit",
            seconds=took,
            dockerfile=asked.dockerfile,
            context_bytes=made.context_bytes,
            base=job.base,
            stand_in=image.stand_in,
            recipe=asked.recipe,
            given=BuildArguments(asked.build_args, job.args),
        )
        build = replace(build, steps=self._explained(job, build))
        for name in (asked.tag, *asked.options.tags):
            self.last.put(name, build)
        return build

    @contextlib.contextmanager
    def _own_name(self) -> Iterator[str]:
        """Give a name that no other build has: what has it afterwards is what was built, in every store.

        What BuildKit reports as the image's ID is one of a config, which the containerd image store does not
        know. The name is taken away again, and the image with it where the build came to no good end.
        """
        mark = secrets.token_hex(8)
        with self.kept.changing():
            release = self.kept.hold(mark)
        try:
            yield self._kept_name(mark)
        finally:
            self._bases.untag(self._kept_name(mark))
            release()

    def _give_name(self, image: Image, tag: str) -> None:
        """Move the name to the image; a held one that had it gets a name of ours: no store drops it."""
        with self.kept.changing():
            self.kept.hold_image(image)
            before = self._bases.inspect(tag)
            if before is not None and before["Id"] != image.id and key(before["Id"]) in self.kept.held():
                self._bases.tag(before["Id"], self._kept_name(key(before["Id"])))
            self._bases.tag(image.id, tag)

    def _kept_name(self, mark: str) -> str:
        return f"{KEPT}:{self.kept.place}-{mark}"

    def _explained(self, job: BuildJob, build: Build) -> tuple[Step, ...]:
        """Give each step its inputs, and each miss its reason, as far as Dockerfile and context tell."""
        asked = job.asked

        continued = {stage: base_stage(asked.dockerfile, stage, job.args) for stage in job.stages}
        return explained(
            job.planned,
            build.steps,
            Reasons(self.last.get(asked.tag, build.builder), uncached=asked.uncached),
            {stage_name(one): stage_name(below) for one, below in continued.items() if below is not None},
        )

    def _job(self, asked: BuildRequest) -> BuildJob:
        asked.options.check_platform(self._machine)
        final = target(asked.dockerfile, asked.target)
        args = global_args(asked.dockerfile, asked.build_args, asked.target, machine=self._machine)
        everything = asked.dockerfile.stages
        wanted = range(final.index + 1) if asked.legacy else sorted(needed(asked.dockerfile, final, args))
        stages = tuple(everything[index] for index in wanted)
        named = images(asked.dockerfile, stages, args)
        for name in asked.options.contexts:
            named.pop(name, None)
        served = self._bases.ready(named, asked.on_event)

        def image(name: str) -> tuple[Sequence[str], Mapping[str, Any]] | None:
            known = self._bases.inspect(served.get(name, name))
            if known is None:
                return None
            return (known.get("RootFS") or {}).get("Layers") or (), known.get("Config") or {}

        given = BuildArguments(asked.build_args, args)
        linked = any(one.enabled("link") for stage in stages for one in stage.instructions)
        lines = PlannedBuild(
            asked.dockerfile,
            asked.context,
            given,
            image,
            asked.legacy,
            asked.options.network,
            links=self._links if linked else True,
        ).steps(stages)
        bound = {} if asked.legacy else self._bound(named, served)
        return BuildJob(asked, args, final, stages, served, bound, lines)

    def _bound(self, named: Iterable[str], served: Mapping[str, str]) -> dict[str, str]:
        """Say where BuildKit finds stand-ins, and a builder not the daemon's own all images of the daemon.

        Such a builder sees no image store but its own: it is sent what it needs as an OCI layout.
        """
        if self._is_own_builder:
            return {reference: f"docker-image://{name}" for reference, name in served.items()}
        held = {reference: self._bases.inspect(served.get(reference, reference)) for reference in named}
        return {
            reference: f"oci-layout://{self._cache.root}@{self._cache.manifest(str(known['Id']))}"
            for reference, known in held.items()
            if known is not None
        }

    @cached_property
    def _is_own_builder(self) -> bool:
        found = selected(self._docker)
        return found is None or found.driver == "docker"

    @cached_property
    def _links(self) -> bool:
        """Tell whether COPY --link is done: a daemon without the containerd image store takes it for COPY."""
        status = dict(self._api().info().get("DriverStatus") or ())
        return not self._is_own_builder or "containerd" in str(status.get("driver-type"))

    @cached_property
    def _machine(self) -> str:
        return str(self._api().version().get("Arch") or "")

    def _buildkit(self, job: BuildJob, name: str) -> BuilderResult:
        numbered = {stage.index: self._from_numbered(job, stage) for stage in job.stages}
        matcher = Matcher(job.asked.dockerfile, job.planned, numbered, job.asked.on_event)
        request = BuildxRequest(
            job.asked.dockerfile.text,
            job.asked.context,
            name,
            f"{LABEL}=1",
            job.asked.target,
            job.asked.build_args,
            job.asked.secrets,
            job.asked.no_cache,
            job.bound,
            job.asked.options,
        )
        ended = run_buildx(self._docker, request, matcher.feed)
        if ended.code:
            failed = matcher.graph.failed
            at = matcher.line_of(failed) if failed else None
            at = at or instruction_at(job.asked.dockerfile, line_in(ended.text))
            said = [line for line in ended.text if line.startswith("ERROR:")] or [
                failed.error if failed else ""
            ]
            log = failed.log if failed else ()
            raise build_error(
                said[-1] or "\n".join(ended.text), job.asked.dockerfile, at=at, log=log, began=bool(failed)
            )
        for warning in matcher.graph.warnings:
            job.asked.on_event(Note(warning))
        for index in sorted(matcher.unmatched):
            line = job.asked.dockerfile.stages[index].from_.line
            job.asked.on_event(Note(f"BuildKit's report on the stage at line {line} does not fit its lines."))
        return BuilderResult(
            matcher.steps,
            matcher.graph.context_bytes,
        )

    def _legacy(self, job: BuildJob, name: str) -> BuilderResult:
        if job.asked.secrets:
            raise EngineError("the legacy builder has no secrets", hint='Leave out builder="legacy".')
        progress = legacy_builder.LegacyProgress(
            job.planned, len(job.asked.dockerfile.args), job.asked.on_event
        )
        text = (
            rewritten(job.asked.dockerfile, job.served, lambda word, line: expanded(word, job.args, line))
            if job.served
            else job.asked.dockerfile.text
        )
        sent = legacy_builder.pack(job.asked.context, text)
        with contextlib.closing(sent.tar):
            stream = self._api().build(
                fileobj=sent.tar,
                custom_context=True,
                dockerfile=legacy_builder.DOCKERFILE,
                decode=True,
                tag=name,
                buildargs=dict(job.asked.build_args),
                nocache=job.asked.no_cache,
                target=job.asked.target or "",
                rm=True,
                forcerm=True,
            )
            try:
                error = legacy_builder.messages(stream, progress)
            finally:
                stream.close()  # on Ctrl-C this is what makes the daemon stop
        if error:
            at = progress.at.instruction if progress.at else None
            raise build_error(error, job.asked.dockerfile, at=at, log=progress.log)
        return BuilderResult(progress.steps, sent.size)

    def _from_numbered(self, job: BuildJob, stage: Stage) -> bool:
        base = expanded(stage.base, job.args, stage.from_.line)
        below = base_stage(job.asked.dockerfile, stage, job.args)
        return below is None and base != "scratch" and base not in job.bound

    def _finished(self, job: BuildJob, identity: str) -> tuple[Image, dict[int, str]]:
        """Return the image, read and marked as ours, and the layer of each step that made one."""
        image = self._cache.read(identity, job.asked.tag)
        kept = chain(job.asked.dockerfile, job.final, job.args)
        lines = [line for stage in kept for line in job.lines if line.stage is stage]
        lines = [line for line in lines if line.instruction.keyword != "FROM"]
        own = own_rows(image.history, [line.instruction for line in lines], legacy=job.asked.legacy)
        base = self._bases.inspect(job.served.get(job.base, job.base)) if job.base else None
        below = list(((base or {}).get("RootFS") or {}).get("Layers") or ())
        if own is not None:
            count = base_layer_count(image, own)
        else:
            count = len(below)
            job.asked.on_event(
                Note("The image's history does not fit the Dockerfile, so no layer is given a line.")
            )
        if below and [layer.diff_id for layer in image.layers[:count]] != below:
            job.asked.on_event(Note(f"{job.base} is another image now than the one this build used."))
        if job.base is None:
            count = 0
        stand_in = job.base if job.base in job.served else None
        self._cache.mark_built(identity, base_layers=count, stand_in=stand_in)
        diff_ids = {
            line.number: row.layer.diff_id
            for line, row in zip(lines, own or (), strict=False)
            if row is not None and row.layer is not None
        }
        return self._cache.read(identity, job.asked.tag), diff_ids
