"""What an engine is, and which one to use here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from dockerlab.context import Context
from dockerlab.dockerfile import Dockerfile
from dockerlab.image import Image

Builder = Literal["buildkit", "legacy", "embedded"]


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


@dataclass(frozen=True)
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

    @property
    def layers_added(self) -> int:
        """Count the layers this Dockerfile put on top of its base."""
        return len(self.image.layers) - self.image.base_layers


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
    """Something worth saying that belongs to no step: a pull, a stand-in, bytes done of bytes to do."""

    text: str
    done: int = 0
    total: int = 0


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
    size_unpacked: int
    layers: int
    stand_in: str | None = None


class Engine(Protocol):
    """Builds, keeps and runs images. All references are "name:tag" ("name" means "name:latest")."""

    name: str  # "docker" | "embedded"

    def describe(self) -> str: ...  # "Docker 26.1.5, BuildKit" / "embedded (namespaces)"

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
    ) -> Build: ...

    def image(self, reference: str) -> Image: ...
    def images(self) -> list[ImageSummary]: ...
    def run(self, reference: str, argv: Sequence[str] | None = None, *, timeout: float = 60) -> Ran: ...
    def save(self, references: Sequence[str], path: Path) -> None: ...  # an archive `docker load` takes
    def load(self, path: Path) -> list[str]: ...  # what `docker save` wrote
    def remove(self, reference: str) -> None: ...  # only images labelled as ours on Docker
    def prune(self) -> int: ...  # bytes freed: build cache and unreferenced blobs of ours


def choose(name: str | None = None) -> tuple[Engine, str]:
    """Return the engine to use and why, in one sentence. `name` (default $DOCKERLAB_ENGINE, else "auto")."""
    ...
