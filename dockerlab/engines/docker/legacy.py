"""The legacy builder, through the Docker API: for lessons that compare it with BuildKit.

It takes the whole context, runs every stage up to the target in order, and caches each instruction by the
ones above it. No label is given: the legacy builder would add a LABEL step and a history row for it.
"""

from __future__ import annotations

import io
import re
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import IO, Any, BinaryIO, cast

from dockerlab.context.context import Context
from dockerlab.dockerfile.stages import stage_name
from dockerlab.engines.cache.planned_steps import Planned
from dockerlab.engines.results import Event, Finished, Log, Started, Step
from dockerlab.errors import EngineError
from dockerlab.image.filesystem import Entry

DOCKERFILE = ".dockerlab.Dockerfile"  # listed in .dockerignore, so that COPY . leaves it out
_STEP = re.compile(r"Step (\d+)/(\d+) : (\S+)")
_ARROW = re.compile(r" ---> (.*)")
_NOISE = re.compile(r"Remov(ing|ed) intermediate container [0-9a-f]+|Successfully (built|tagged) ")
_RED = re.compile(r"\x1b\[(?:91|0)m")  # what the builder puts around standard error
_TYPES = {"dir": tarfile.DIRTYPE, "symlink": tarfile.SYMTYPE, "fifo": tarfile.FIFOTYPE}


@dataclass(frozen=True)
class PackedContext:
    """A build context as the API takes it: a tar, and how many bytes of it."""

    tar: BinaryIO
    size: int


def pack(context: Context | None, dockerfile: str) -> PackedContext:
    """Return the whole context, as .dockerignore lets it through, with the Dockerfile added."""
    out = tempfile.SpooledTemporaryFile(max_size=16 << 20)  # noqa: SIM115 - the caller closes it
    ignore = b""
    with tarfile.open(fileobj=cast(IO[bytes], out), mode="w", format=tarfile.PAX_FORMAT) as tar:
        tree = context.tree() if context is not None else None
        for path in tree.walk("") if tree is not None else ():
            assert tree is not None
            node = tree.get(path)
            if node is None or node.entry.kind not in ("file", "dir", "symlink"):
                continue
            if path == ".dockerignore":
                ignore = tree.read(path) or b""
                continue
            info = _info(path, node.entry)
            if node.entry.kind == "file":
                with node.origin.open(node.entry) as content:
                    tar.addfile(info, content)
            else:
                tar.addfile(info)
        patterns = [*ignore.splitlines(), DOCKERFILE.encode()]
        if not ignore:  # COPY . takes an ignore file of the learner's own along, but not one made here
            patterns.append(b".dockerignore")
        for name, data in (
            (".dockerignore", b"\n".join(patterns) + b"\n"),
            (DOCKERFILE, dockerfile.encode("utf-8", "surrogateescape")),
        ):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    size = out.tell()
    out.seek(0)
    return PackedContext(cast(BinaryIO, out), size)


class LegacyProgress:
    """Turns the builder's text, as it comes, into events and steps."""

    def __init__(
        self,
        planned: Sequence[Planned],
        skipped: int,
        on_event: Callable[[Event], None],
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._planned = planned
        self._skipped = skipped  # ARGs before the first FROM: steps to Docker, none to us
        self._on_event = on_event
        self._clock = clock
        self._steps: list[Step] = []
        self._now: Planned | None = None
        self._began = 0.0
        self._cached = False
        self._log: list[str] = []
        self._rest = ""

    @property
    def at(self) -> Planned | None:
        """Return the step that is being done, or was when the build failed."""
        return self._now

    @property
    def log(self) -> tuple[str, ...]:
        """Return what that step printed so far."""
        return tuple(self._log)

    def feed(self, text: str) -> None:
        """Take the next piece of the builder's output."""
        *whole, self._rest = (self._rest + text).split("\n")
        for line in whole:
            self._line(line)

    def end(self) -> None:
        """Count the last step as done."""
        if self._rest:
            self._line(self._rest)
            self._rest = ""
        self._finish()

    def steps(self, diff_ids: Mapping[int, str]) -> tuple[Step, ...]:
        """Return the steps, with the layer each made by Step.number."""
        return tuple(replace(step, diff_id=diff_ids.get(step.number)) for step in self._steps)

    def _line(self, line: str) -> None:
        match = _STEP.match(line)
        if match:
            self._finish()
            self._start(int(match[1]), match[3])
            return
        arrow = _ARROW.match(line)
        if arrow:
            self._cached = self._cached or arrow[1] == "Using cache"
        elif self._now is not None and line.strip() and not _NOISE.match(line):
            text = _RED.sub("", line).rstrip("\r").rpartition("\r")[2]
            self._log.append(text)
            self._on_event(Log(self._now.number, text))

    def _start(self, number: int, keyword: str) -> None:
        self._began, self._cached, self._log = self._clock(), False, []
        ours = number - self._skipped
        if ours < 1:
            return
        plan = self._planned[ours - 1] if ours <= len(self._planned) else None
        if plan is None or plan.instruction.keyword != keyword.upper():
            self._now = None
            raise EngineError(
                f"Docker's legacy builder reports {keyword} as step {number}, another line was expected.",
                hint='Leave out builder="legacy", and please report this Dockerfile.',
            )
        self._now = plan
        one = plan.instruction
        self._on_event(Started(plan.number, len(self._planned), stage_name(plan.stage), one.text, one.line))

    def _finish(self) -> None:
        plan = self._now
        if plan is None:
            return
        self._now = None
        one = plan.instruction
        step = Step(
            number=plan.number,
            stage=stage_name(plan.stage),
            keyword=one.keyword,
            text=one.text,
            line=one.line,
            cached=None if one.keyword == "FROM" else self._cached,
            seconds=self._clock() - self._began,
            log=tuple(self._log),
        )
        self._steps.append(step)
        self._on_event(Finished(step, len(self._planned)))


def messages(stream: Iterator[Mapping[str, Any]], progress: LegacyProgress) -> str:
    """Feed a build's output to `progress`; return the error's text, "" when there is none."""
    for message in stream:
        if "error" in message:
            return str(message["error"])
        if "stream" in message:
            progress.feed(str(message["stream"]))
    progress.end()
    return ""


def _info(path: str, entry: Entry) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path)
    info.type = _TYPES.get(entry.kind, tarfile.REGTYPE)
    info.mode, info.uid, info.gid, info.mtime = entry.mode, entry.uid, entry.gid, entry.mtime
    info.size = entry.size if entry.kind == "file" else 0
    info.linkname = entry.link
    return info
