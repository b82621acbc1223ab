"""The playground: edit a Dockerfile and its files, build, compare with the attempts before."""

from __future__ import annotations

import difflib
import threading
import time
from collections.abc import Callable, Mapping
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from typing import Any

from dockerlab.context.context import Context
from dockerlab.engines.results import Build, Engine, Event
from dockerlab.errors import ContextError, DockerlabError
from dockerlab.interrupt import Cancel, cancellable
from dockerlab.printable import LINES, escape, printable
from dockerlab.units import count, human_bytes, human_seconds
from dockerlab.widgets.progress import BuildProgress
from dockerlab.widgets.table import Table

DOCKERFILE = "Dockerfile"
MOST_TEXT = 200_000  # bytes of a file that can be edited


@dataclass(frozen=True)
class Attempt:
    """One build of the playground: what was built, and how it ended. `seconds` is wall time."""

    number: int
    files: Mapping[str, str]  # the Dockerfile too
    result: str  # "built", "failed at line 3", "cancelled"
    seconds: float
    build: Build | None = None

    @property
    def name(self) -> str:
        """How charts and tables call it."""
        return f"attempt {self.number}"


@dataclass
class PlaygroundBuild:
    """A build that runs in its thread."""

    files: Mapping[str, str]
    progress: BuildProgress
    stop: Cancel = field(default_factory=Cancel)
    began: float = field(default_factory=time.perf_counter)


@dataclass
class Bench:
    """What a playground holds for as long as the kernel lives; re-running its cell finds it again."""

    given: Mapping[str, str]
    files: dict[str, str]
    attempts: list[Attempt] = field(default_factory=list)
    job: PlaygroundBuild | None = None
    progress: BuildProgress | None = None  # of the latest build
    thread: threading.Thread | None = None  # the one that did it, and told what came of it
    error: str = ""
    listeners: list[Callable[[], None]] = field(default_factory=list)


_benches: dict[str, Bench] = {}


class PlaygroundModel:
    """A Dockerfile with its files to play with. Show it as the last line of a cell.

    `name` is what the edits and attempts are kept under: a cell that runs again with the same Dockerfile and
    files goes on where it was; with others it starts from those, and keeps the attempts.
    """

    def __init__(
        self, dockerfile: str, files: Mapping[str, str], *, engine: Engine, name: str, tag: str
    ) -> None:
        given = {DOCKERFILE: dockerfile, **files}
        self.engine = engine
        self.name = name
        self.tag = tag
        self.bench = _benches.setdefault(name, Bench(given, dict(given)))
        if self.bench.given != given:
            self.bench.given = given
            self.reset()

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The builds so far, oldest first."""
        return tuple(self.bench.attempts)

    @property
    def files(self) -> dict[str, str]:
        """The Dockerfile and the files of the context, as edited; change them here or in the widget."""
        return self.bench.files

    @property
    def running(self) -> bool:
        """Tell whether a build runs."""
        return self.bench.job is not None

    def reset(self) -> None:
        """Put the files back as they were given; the attempts stay."""
        self.bench.files = dict(self.bench.given)

    def build(self) -> Attempt:
        """Build what is in the editor now and wait for the end; the result says how it ended."""
        self.start()
        self.wait()
        return self.bench.attempts[-1]

    def start(self) -> None:
        """Start a build in a thread of its own; nothing when one runs already."""
        if self.running:
            return
        progress = BuildProgress(f"attempt {len(self.attempts) + 1}", engine=self.engine.describe())
        job = PlaygroundBuild(dict(self.files), progress)
        self.bench.job, self.bench.progress, self.bench.error = job, progress, ""
        # In a copy of this context, where the kernel keeps which cell its output belongs to.
        run = copy_context().run
        thread = threading.Thread(target=run, args=(self._work, job), name="playground", daemon=True)
        self.bench.thread = thread
        thread.start()
        self._tell()

    def cancel(self) -> None:
        """End the running build, as Ctrl-C would: what was built before stays cached, the rest is gone."""
        job = self.bench.job
        if job is not None:
            job.stop()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the running build, `timeout` seconds at most; tell whether none runs any more."""
        thread = self.bench.thread
        if thread is None:
            return True
        thread.join(timeout)
        return not thread.is_alive()

    def _work(self, job: PlaygroundBuild) -> None:
        built, result = None, "failed"
        try:
            built = self._built(job)
            result = "built"
        except KeyboardInterrupt:
            self.bench.error = job.progress.interrupted()
            result = "cancelled"
        except DockerlabError as error:
            self.bench.error = str(error)
            job.progress.failed(error.line)
            result = f"failed at line {error.line}" if error.line is not None else "failed"
        finally:  # an error nobody foresaw goes on to the thread's hook, and the playground is usable again
            if not job.progress.outcome:
                job.progress.failed(None)
            took = built.seconds if built is not None else time.perf_counter() - job.began
            number = len(self.attempts) + 1
            self.bench.attempts.append(Attempt(number, job.files, result, took, built))
            self.bench.job = None
            self._tell()

    def _built(self, job: PlaygroundBuild) -> Build:
        def on_event(event: Event) -> None:
            job.stop.check()
            job.progress(event)

        context = {path: text for path, text in job.files.items() if path != DOCKERFILE}
        with cancellable(job.stop):
            built = self.engine.build(
                job.files[DOCKERFILE], context=Context.files(context), tag=self.tag, on_event=on_event
            )
        built = replace(built, name=job.progress.name)
        job.progress.succeeded(built)
        return built

    def _tell(self) -> None:
        for listener in self.bench.listeners:
            listener()

    def history(self) -> Table:
        """Return the attempts as a table, the newest first. Sizes are unpacked bytes."""
        return Table(
            count(len(self.attempts), "attempt"),
            ("attempt", "result", "layers", "size", "time", "cached steps"),
            tuple(_row(attempt) for attempt in reversed(self.attempts)),
            right=("attempt", "layers", "size", "time", "cached steps"),
        )

    def compared(self, one: int, other: int) -> tuple[Table, str]:
        """Return two attempts (by number) side by side, and a unified diff of their files."""
        pair = [self.attempts[number - 1] for number in (one, other)]
        left, right = (_row(attempt) for attempt in pair)
        heads = ("result", "layers", "size", "time", "cached steps")
        table = Table(
            f"{pair[0].name} and {pair[1].name}",
            ("", pair[0].name, pair[1].name),
            tuple(zip(heads, left[1:], right[1:], strict=True)),
            right=(pair[0].name, pair[1].name),
        )
        return table, _difference(pair[0].files, pair[1].files)

    def __repr__(self) -> str:
        parts = [
            f"--- {printable(path)}\n{printable(text.rstrip(), keep=LINES)}"
            for path, text in self.files.items()
        ]
        if self.attempts:
            parts.append(self.history().text())
        return "\n\n".join([self._lead(), *parts])

    def _lead(self) -> str:
        return f"Playground {self.name}: run this cell in JupyterLab to edit these files and build them."

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        files = "".join(
            f"<div><b>{escape(path)}</b><pre>{escape(text, keep=LINES)}</pre></div>"
            for path, text in self.files.items()
        )
        table = self.history().html() if self.attempts else ""
        return {
            "text/plain": repr(self),
            "text/html": f"<div><p>{escape(self._lead())}</p>{files}{table}</div>",
        }


def text_files(context: Context) -> dict[str, str]:
    """Return the files of a small context as text; ContextError for what is no text to edit."""
    tree = context.all_files()
    texts = {}
    for path in tree.walk(""):
        node = tree.get(path)
        if node is None or node.entry.kind != "file":
            continue
        if node.entry.size > MOST_TEXT:
            raise ContextError(f"{path} is too large to be edited here.", hint="Leave it out of the context.")
        with node.origin.open(node.entry) as content:
            try:
                texts[path] = content.read().decode("utf-8")
            except UnicodeDecodeError:
                raise ContextError(f"{path} is not UTF-8 text, so it cannot be edited here.") from None
    return texts


def forget(name: str) -> None:
    """Forget the edits and the attempts kept under `name`."""
    _benches.pop(name, None)


def _row(attempt: Attempt) -> tuple[str, ...]:
    build = attempt.build
    took = human_seconds(attempt.seconds)
    if build is None:
        return str(attempt.number), attempt.result, "", "", took, ""
    known = [step.cached for step in build.steps if step.cached is not None]
    return (
        str(attempt.number),
        attempt.result,
        str(len(build.image.layers)),
        human_bytes(build.image.size_unpacked),
        took,
        f"{sum(known)} of {len(known)}",
    )


def _difference(one: Mapping[str, str], other: Mapping[str, str]) -> str:
    lines: list[str] = []
    for path in dict.fromkeys([*one, *other]):
        before, after = one.get(path, ""), other.get(path, "")
        names = (path if path in one else "(no such file)", path if path in other else "(no such file)")
        lines += difflib.unified_diff(before.splitlines(), after.splitlines(), *names, lineterm="", n=1)
    return "\n".join(lines)
