"""What an engine is, and what its calls return: one contract, which both engines keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from dockerlab.engines.options import BuildOptions
from dockerlab.units import count, human_bytes, human_seconds

if TYPE_CHECKING:
    from dockerlab.context.context import Context
    from dockerlab.dockerfile.parser import Dockerfile
    from dockerlab.dockerfile.scope import BuildArguments
    from dockerlab.image.image import Image

Builder = Literal["buildkit", "legacy", "embedded"]


@dataclass(frozen=True)
class Change:
    """One named input of a step that differs from the last build of the same name. None: it was not there."""

    input: str  # "files", "environment", "command"
    name: str  # the file or variable, "" where the input is one value
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Step:
    """One instruction of a build, as it went.

    `cached` is None where there was nothing to run or reuse (metadata on BuildKit and the embedded builder).
    `seconds` is wall time. `reason` says why the step missed the cache, when that is known.
    """

    number: int  # 1-based, over the instructions of the stages that were built
    stage: str  # the stage's name, or its index as text
    keyword: str  # "RUN"
    text: str  # the instruction as one line, as written
    line: int  # first line in the Dockerfile
    cached: bool | None
    seconds: float
    diff_id: str | None = None  # the layer it made, if it made one
    log: tuple[str, ...] = ()
    reason: str | None = None
    inputs: Mapping[str, object] = field(default_factory=dict)  # what the cache key was made of, by name
    changes: tuple[Change, ...] = ()  # of a miss: its own inputs that differ, first the one `reason` names


@dataclass(frozen=True, repr=False)
class Recipe:
    """What a build was made of besides its Dockerfile: enough to build it again. It may hold secrets."""

    context: Context | None = None
    target: str | None = None
    build_args: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, bytes] = field(default_factory=dict)
    squash: bool = False
    options: BuildOptions = field(default_factory=BuildOptions)


@dataclass(frozen=True, repr=False)
class Build:
    """A finished build. Every number in it was measured on this machine by the engine it names."""

    name: str  # the learner's name for it
    image: Image
    steps: tuple[Step, ...]
    engine: str  # "embedded (namespaces)", "Docker 26.1.5, BuildKit"
    builder: Builder
    seconds: float
    dockerfile: Dockerfile
    context_bytes: int  # bytes of the build context that the builder read
    base: str | None = None  # the FROM reference of the final stage; None: scratch
    stand_in: str | None = None  # set when that base is a stand-in
    recipe: Recipe = field(default_factory=Recipe)
    given: BuildArguments | None = None  # the build arguments, and what the ARGs above the first FROM came to

    @property
    def layers_added(self) -> int:
        """Count the layers this Dockerfile put on top of its base."""
        return len(self.image.layers) - self.image.base_layers

    @property
    def size_added(self) -> int:
        """Return the unpacked bytes this Dockerfile put on top of its base."""
        return sum(layer.size_unpacked for layer in self.image.layers[self.image.base_layers :])

    def __repr__(self) -> str:
        asked = [step for step in self.steps if step.cached is not None]
        cached = sum(bool(step.cached) for step in asked)
        base = f"a stand-in for {self.stand_in}" if self.stand_in else self.base or "scratch"
        return (
            f"{self.name}: {human_bytes(self.image.size_unpacked)} unpacked, "
            f"{count(self.layers_added, 'layer')} on {base}. Built in {human_seconds(self.seconds)}, "
            f"{cached} of {count(len(asked), 'step')} from the cache ({self.engine})."
        )

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        from dockerlab.printable import escape

        border = "border:1px solid rgba(128,128,128,.5);border-radius:6px;padding:8px 12px"
        return {"text/plain": repr(self), "text/html": f'<div style="{border}">{escape(repr(self))}</div>'}


@dataclass(frozen=True)
class LastBuild:
    """What an engine keeps of the last build of a name; its steps have no log."""

    name: str
    steps: tuple[Step, ...]
    engine: str
    builder: Builder
    stand_in: str | None = None


# Progress events, in the order they happen. `number` is Step.number.
@dataclass(frozen=True)
class Started:
    """A step begins."""

    number: int
    total: int
    stage: str
    text: str
    line: int


@dataclass(frozen=True)
class Log:
    """One line a step printed."""

    number: int
    text: str


@dataclass(frozen=True)
class Finished:
    """A step is done."""

    step: Step
    total: int


@dataclass(frozen=True)
class Note:
    """Something worth saying that belongs to no step: a pull, a stand-in, what is done of what is to do."""

    text: str
    done: int = 0
    total: int = 0
    unit: str = ""  # of both: "packages"; "" is bytes


Event = Started | Log | Finished | Note
OnEvent = Callable[[Event], None]


@dataclass(frozen=True)
class Ran:
    """How a command in an image ended. Nothing it wrote is kept."""

    exit_code: int
    output: str  # stdout and stderr together, as text


@dataclass(frozen=True)
class ImageSummary:
    """One line of `images`."""

    reference: str
    id: str
    created: str
    size_unpacked: int | None  # bytes; None: not read out of Docker yet
    layers: int
    stand_in: str | None = None


class Engine(Protocol):
    """Builds, keeps and runs images; both engines pass tests/engines/test_contract.py.

    A reference is a name, looked up now ("app" is "app:latest" is "docker.io/library/app:latest"), or an ID
    or its start, which is the same image as long as that is kept. Where one is taken, ImageNotFoundError says
    that there is no such image, and ImageError that it cannot be a reference. Beyond what is said of each
    call, EngineError says that the engine cannot be used, StoreError (StoreFullError) that its disk cannot.
    """

    name: str  # "docker" | "embedded"

    def describe(self) -> str:
        """Return the engine with its version or kind: "Docker 26.1.5, BuildKit", "embedded (namespaces)"."""
        ...

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
        """Build an image; without `tag` the engine picks a name. `on_event` is called as things happen.
        `squash` leaves one layer over the base, their net change; only the embedded engine does it.

        Raises, with the Dockerfile line where there is one: DockerfileError for the text, ContextError for a
        file that COPY or ADD names, RunError for a RUN that failed, BuildError for any other step,
        RegistryError for an image that cannot be had, EngineError for what this engine does not do. No name
        moves then.
        KeyboardInterrupt ends the build and leaves the store right.
        """
        ...

    def last_build(self, reference: str) -> LastBuild | None:
        """Return what is kept of the last build of a name, or None when none is known."""
        ...

    def image(self, reference: str) -> Image:
        """Return an image by name or ID."""
        ...

    def images(self) -> list[ImageSummary]:
        """List the images that the lab made or fetched."""
        ...

    def run(
        self,
        reference: str,
        argv: Sequence[str] | None = None,
        *,
        entrypoint: bool = True,
        timeout: float = 60,
    ) -> Ran:
        """Run `argv` (default: the image's command; an entry point stays) for at most `timeout` seconds.

        Without `entrypoint`, `argv` is the whole command, as after `docker run --entrypoint`. A command that
        fails is no error: 127 is the exit code of one that is not there, 126 of one that cannot be executed,
        128 and the signal's number of one that a signal ended. Raises RunTimeoutError when the time is over,
        BuildError for an image without a command.
        """
        ...

    def save(self, references: Sequence[str], path: Path) -> None:
        """Write an archive that `docker load` takes; `path` appears only when it is whole."""
        ...

    def load(self, path: Path) -> list[str]:
        """Read what `docker save` wrote; return the names in it, IDs for what has none.

        Raises ImageError for a file that is not there, that is no archive, or that is damaged.
        """
        ...

    def remove(self, reference: str) -> None:
        """Remove a name, or with an ID all names of an image; on Docker only of one of the lab's own."""
        ...

    def prune(self) -> int:
        """Remove what no named image of ours needs; return the bytes freed."""
        ...


def summary(image: Image) -> ImageSummary:
    """Return an image's line of `images`."""
    return ImageSummary(
        reference=image.reference or "",
        id=image.id,
        created=str(image.config.get("created") or ""),
        size_unpacked=image.size_unpacked,
        layers=len(image.layers),
        stand_in=image.stand_in,
    )
