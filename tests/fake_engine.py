"""An engine in memory: what is above the engines is tested without builds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from dockerlab.context.context import Context
from dockerlab.dockerfile.parser import Dockerfile, parse
from dockerlab.engines.options import BuildOptions
from dockerlab.engines.results import (
    Build,
    Builder,
    Finished,
    ImageSummary,
    LastBuild,
    Log,
    Note,
    OnEvent,
    Ran,
    Started,
    Step,
)
from dockerlab.errors import ImageNotFoundError, RunError, RunTimeoutError
from dockerlab.image.image import Image
from tests.tiny_images import layer_tar, stack


class FakeEngine:
    """Takes RUN, COPY and LABEL lines of one stage; "false" in a RUN fails it, "hang" interrupts it.

    Each RUN and COPY makes a layer of one file. `seen` holds the arguments of every build.
    """

    name = "embedded"

    def __init__(self, folder: Path, *, bases: Sequence[ImageSummary] = ()) -> None:
        self.folder = folder
        self.kept: dict[str, Image] = {}
        self.bases = list(bases)
        self.seen: list[dict[str, object]] = []
        self.freed = 0

    def describe(self) -> str:
        """Return a name."""
        return "fake engine"

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
        """Pretend to build."""
        text = dockerfile if isinstance(dockerfile, str) else dockerfile.text
        self.seen.append(
            {
                "context": context,
                "tag": tag,
                "target": target,
                "build_args": build_args,
                "secrets": secrets,
                "no_cache": no_cache,
                "squash": squash,
                "builder": builder,
                "options": options,
            }
        )
        tell = on_event or (lambda event: None)
        tell(Note("pulling a base", 5, 10))
        lines = [(n, one) for n, one in enumerate(text.splitlines(), 1) if one and not one.startswith("FROM")]
        layers: list[dict[str, bytes]] = []
        steps: list[Step] = []
        for number, (line, instruction) in enumerate(lines, 1):
            keyword = instruction.split()[0]
            tell(Started(number, len(lines), "0", instruction, line))
            tell(Log(number, "\x1b[31mworking\x1b[0m\r\n"))
            if "false" in instruction:
                raise RunError("the command ended with exit code 1", exit_code=1, log=("working",), line=line)
            if "hang" in instruction:
                raise KeyboardInterrupt
            diff_id = None
            if keyword != "LABEL":
                layers.append({f"file{number}": b"x" * 1000 * number})
                diff_id = "sha256:" + hashlib.sha256(layer_tar(layers[-1])).hexdigest()
            cached = None if diff_id is None else number == 1
            steps.append(Step(number, "0", keyword, instruction, line, cached, 0.25 * number, diff_id))
            tell(Finished(steps[-1], len(lines)))
        image = stack(
            self.folder,
            layers,
            history=[step.text if step.diff_id else f"-{step.text}" for step in steps],
            name=tag or "untagged:latest",
        )
        self.kept[tag or image.id] = image
        return Build(
            name=tag or "",
            image=image,
            steps=tuple(steps),
            engine=self.describe(),
            builder="embedded",
            seconds=1.5,
            dockerfile=parse(text),
            context_bytes=0,
        )

    def last_build(self, reference: str) -> LastBuild | None:
        """Keep nothing."""
        return None

    def image(self, reference: str) -> Image:
        """Return a kept image, by name or ID."""
        for name, image in self.kept.items():
            if reference in (name, image.id):
                return image
        raise ImageNotFoundError(f"There is no image {reference}.", hint="`dockerlab images` lists them.")

    def images(self) -> list[ImageSummary]:
        """List what is kept."""
        built = [
            ImageSummary(reference, image.id, "2026-01-01T00:00:00Z", image.size_unpacked, len(image.layers))
            for reference, image in self.kept.items()
        ]
        return [*self.bases, *built]

    def run(
        self,
        reference: str,
        argv: Sequence[str] | None = None,
        *,
        entrypoint: bool = True,
        timeout: float = 60,
    ) -> Ran:
        """Pretend to run."""
        self.image(reference)
        if argv and "hang" in argv[-1]:
            raise RunTimeoutError(timeout)
        return Ran(3 if argv and "exit 3" in argv[-1] else 0, f"ran {list(argv or ())}\n")

    def save(self, references: Sequence[str], path: Path) -> None:
        """Write the ids."""
        path.write_text(" ".join(self.image(reference).id for reference in references))

    def load(self, path: Path) -> list[str]:
        """Return what a file says."""
        return [path.read_text()]

    def remove(self, reference: str) -> None:
        """Forget an image."""
        self.image(reference)
        del self.kept[reference]

    def prune(self) -> int:
        """Return `freed`."""
        return self.freed
