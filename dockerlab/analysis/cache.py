"""Why each step of a build came from the cache or ran, and what an edit runs again under each builder."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from dockerlab.context.context import Context, File
from dockerlab.dockerfile.parser import parse
from dockerlab.dockerfile.stages import base_stage, global_args
from dockerlab.engines.results import Build, Builder, Change, LastBuild, Step
from dockerlab.errors import DockerfileError, DockerlabError

Verdict = Literal["hit", "miss", "nothing to cache"]

DERIVED = (
    "Docker does not say what its cache keys were made of: these reasons were worked out by the lab, from "
    "the Dockerfile and the context of this build and of the last one of the same name."
)
BUILDERS: Mapping[Builder, str] = {"buildkit": "BuildKit", "legacy": "legacy", "embedded": "embedded"}

_MARK = ".dockerlab-comparison"


@dataclass(frozen=True)
class StepVerdict:
    """What the cache did for one step, and why."""

    step: Step
    verdict: Verdict
    why: str  # a sentence without its full stop

    @property
    def changes(self) -> tuple[Change, ...]:
        """Return the step's own inputs that differ from the last build of the name: file, ENV, command."""
        return self.step.changes


@dataclass(frozen=True)
class Why:
    """The verdict on every step of a build, in the order they were built."""

    name: str
    engine: str
    verdicts: tuple[StepVerdict, ...]
    derived: bool  # the reasons are the lab's, not the builder's
    stand_in: str | None = None

    @property
    def finding(self) -> str:
        """Return how many steps ran, and which was the first, as a sentence."""
        asked = [verdict for verdict in self.verdicts if verdict.verdict != "nothing to cache"]
        missed = [verdict for verdict in asked if verdict.verdict == "miss"]
        if not asked:
            return f"{self.name}: no step that can be cached"
        if not missed:
            return f"{self.name}: all {len(asked)} steps came from the cache"
        first = f"the first is line {missed[0].step.line}"
        return f"{self.name}: {len(missed)} of {len(asked)} steps ran; {first}: {missed[0].why}"


def why(build: Build | LastBuild) -> Why:
    """Say of each step of a build whether it was a hit, a miss or nothing to cache, and why.

    The reasons of the embedded engine are its cache keys' own inputs; on Docker the lab derives them.
    """
    return Why(
        build.name,
        build.engine,
        tuple(_verdict(step) for step in build.steps),
        build.builder != "embedded",
        build.stand_in,
    )


def _verdict(step: Step) -> StepVerdict:
    if step.cached is None:
        if step.keyword == "FROM":
            said = "the base image is fetched, not built"
        else:
            said = step.reason or "it makes no layer: it only sets what the image says of itself"
        return StepVerdict(step, "nothing to cache", said)
    if step.cached:
        return StepVerdict(step, "hit", step.reason or "built before with the same inputs")
    return StepVerdict(step, "miss", step.reason or "it was not built before")


@dataclass(frozen=True)
class Edit:
    """One change to compare: of Dockerfile text, of context files, or of build arguments.

    `dockerfile` is a whole new text, or a pair (old text, new text) that is replaced once. `files` is path ->
    new content, or None to remove it. `build_args` are given to the build after the change only.
    """

    dockerfile: str | tuple[str, str] | None = None
    files: Mapping[str, str | bytes | File | None] | None = None
    build_args: Mapping[str, str] | None = None

    def apply(self, text: str, context: Context) -> tuple[str, Context]:
        """Return Dockerfile and context after the change; DockerfileError when the old text is not there."""
        if isinstance(self.dockerfile, tuple):
            old, new = self.dockerfile
            if old not in text:
                raise DockerfileError(f'"{old}" is not in the Dockerfile', hint="Name text that is there.")
            text = text.replace(old, new, 1)
        elif self.dockerfile is not None:
            text = self.dockerfile
        return text, context.edited(self.files) if self.files else context


EditLike = Edit | str | tuple[str, str] | Mapping[str, str | bytes | File | None]


def as_edit(edit: EditLike) -> Edit:
    """Take an Edit, a whole Dockerfile, a pair (old text, new text), or a dict of changed files."""
    if isinstance(edit, Edit):
        return edit
    return Edit(files=edit) if isinstance(edit, Mapping) else Edit(dockerfile=edit)


@dataclass(frozen=True)
class Comparison:
    """Builds after each edit, by builder. An edit that one builder refuses has the error in its place."""

    builds: Mapping[str, Mapping[Builder, Build | DockerlabError]]  # edit -> builder
    missing: Mapping[Builder, str]  # builders that are not here, and why

    @property
    def builders(self) -> tuple[Builder, ...]:
        """Return the builders that built, in the order of their columns."""
        return tuple(dict.fromkeys(builder for column in self.builds.values() for builder in column))

    def rows(self) -> tuple[tuple[str, int, str, tuple[str, ...]], ...]:
        """Return (edit, line, instruction, a word per builder) for each step any builder could cache."""
        found = []
        for edit, column in self.builds.items():
            built = [column[builder] for builder in self.builders]
            lines: dict[int, Step] = {}
            for build in built:
                for step in build.steps if isinstance(build, Build) else ():
                    if step.cached is not None:
                        lines.setdefault(step.line, step)
            for line, step in sorted(lines.items()):
                found.append((edit, line, step.text, tuple(_word(build, line) for build in built)))
            if not lines:
                found.append((edit, 0, "", tuple(_word(build, 0) for build in built)))
        return tuple(found)


def _word(build: Build | DockerlabError, line: int) -> str:
    if isinstance(build, DockerlabError):
        return f"error: {build.message}"
    step = next((step for step in build.steps if step.line == line), None)
    if step is None:
        return "not built"
    return {True: "cached", False: "ran", None: "metadata"}[step.cached]


# Dockerfile, context, build arguments -> the build
BuildWith = Callable[[str, Context, Mapping[str, str]], Build]


def compare(
    dockerfile: str,
    edits: Mapping[str, Edit],
    context: Context,
    *,
    builders: Mapping[Builder, BuildWith],
    missing: Mapping[Builder, str],
    mark: str,
) -> Comparison:
    """Build before and after each edit with each builder.

    Each pair of builds starts with a one-file layer that holds `mark`, which must be new each time: so
    neither an earlier comparison nor another edit can have filled the cache. That layer is left out of what
    is returned, and lines are those of the Dockerfile as given.
    """
    found: dict[str, dict[Builder, Build | DockerlabError]] = {}
    for number, (name, edit) in enumerate(edits.items()):
        found[name] = {}
        own, build_args = f"{mark}-{number}", edit.build_args or {}
        before = marked(dockerfile, context, build_args={}, mark=own)
        after = marked(*edit.apply(dockerfile, context), build_args=build_args, mark=own)
        for builder, build in builders.items():
            try:
                build(*before, {})
                found[name][builder] = unmarked(build(*after, build_args))
            except DockerlabError as error:
                found[name][builder] = error
    return Comparison(found, dict(missing))


def marked(text: str, context: Context, *, build_args: Mapping[str, str], mark: str) -> tuple[str, Context]:
    """Add the layer of the mark to each stage that starts from an image, and its file to the context."""
    parsed = parse(text)
    args = global_args(parsed, build_args, None)
    lines = text.split("\n")
    for stage in reversed(parsed.stages):
        if base_stage(parsed, stage, args) is None:
            lines.insert(stage.from_.end_line, f"COPY {_MARK} /")
    files: dict[str, str | bytes | File | None] = {_MARK: mark}
    there = context.all_files()
    for name in (f"{context.dockerfile}.dockerignore", ".dockerignore"):
        ignored = there.read(name) if name in there else None
        if ignored is not None:
            files[name] = ignored.rstrip(b"\n") + f"\n!{_MARK}\n".encode()
    return "\n".join(lines), context.edited(files)


def unmarked(build: Build) -> Build:
    """Take the marks' steps out of a build: what is left has the lines of the Dockerfile as given."""
    marks = [step.line for step in build.steps if step.text == f"COPY {_MARK} /"]
    steps: list[Step] = []
    for step in build.steps:
        if step.line not in marks:
            above = sum(line < step.line for line in marks)
            reason = step.reason and re.sub(
                r"(?<=\(line )\d+(?=\))",
                lambda found: str(int(found[0]) - sum(line < int(found[0]) for line in marks)),
                step.reason,
            )
            steps.append(replace(step, number=len(steps) + 1, line=step.line - above, reason=reason))
    return replace(build, steps=tuple(steps))


def shared_steps(builds: Sequence[Build]) -> bool:
    """Tell whether builds have the same instructions in the same places, so that one grid can show them."""
    first = [step.keyword for step in builds[0].steps]
    return all([step.keyword for step in build.steps] == first for build in builds)
