"""Show a build while it runs: one row a step, repainted in place, and a small table when it is over."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TextIO

from dockerlab.engines.results import Build, Event, Finished, Log, Note, Started
from dockerlab.printable import LINES, clean, escape, printable
from dockerlab.units import count, human_bytes, human_seconds, human_share
from dockerlab.widgets.display import show_repaintable
from dockerlab.widgets.markup import fitted

if TYPE_CHECKING:
    from dockerlab.widgets.table import Table

REPAINT_SECONDS = 0.1  # a browser follows no faster, and apt prints hundreds of lines a second
TICK_SECONDS = 1.0  # how often the seconds of a silent step go on
NO_TIME = 0.01  # seconds
LEAST_PACE = 0.5  # seconds that must have passed before a pace says anything
LOG_LINES = 2000  # of the latest output kept for the log view
LIVE_ROWS = 12  # while it runs only the last steps are shown, so that the page does not jump


@dataclass
class _Row:
    number: int
    stage: str
    text: str
    line: int
    state: str  # "running" | "cached" | "ran" | "done" (nothing to run or reuse) | "failed" | "interrupted"
    seconds: float | None = None
    last: str = ""
    began: float = field(default_factory=time.monotonic)


class BuildProgress:
    """Collects the events of one build: call it with each. Another thread may read it meanwhile.

    `name` is the learner's name for the build, `engine` the engine that does it. Where it is not `alone`,
    but above a chart, it has no title in the end, and more than a few steps are folded away.
    """

    def __init__(self, name: str, *, engine: str, alone: bool = True) -> None:
        self.name = name
        self.engine = engine
        self.alone = alone
        self.ended = ""  # what became of the last step that ended, in a sentence
        self.total = 0
        self.note = ""
        self._told = ""  # the text of the last note, and when it was first heard, with how much done
        self._since = (0.0, 0)
        self.outcome = ""  # "" while it runs, then one sentence
        self.version = 0  # goes up with every event
        self._rows: dict[int, _Row] = {}
        self._log: deque[tuple[int, str]] = deque(maxlen=LOG_LINES)
        self._lock = threading.RLock()

    def __call__(self, event: Event) -> None:
        """Take one event in."""
        with self._lock:
            self._take(event)
            self.version += 1

    def _take(self, event: Event) -> None:
        if isinstance(event, Note):
            if event.text != self._told:
                self._told, self._since = event.text, (time.monotonic(), event.done)
            self.note = note_text(event) + self._left(event)
        elif isinstance(event, Log):
            row = self._rows.get(event.number)
            text = clean(event.text)
            if row is not None and text.strip():
                row.last = text
            self._log.append((event.number, text))
        elif isinstance(event, Started):
            self.total = max(self.total, event.total)
            self._rows[event.number] = _Row(event.number, event.stage, event.text, event.line, "running")
            self.note = ""
        else:
            self.total = max(self.total, event.total)
            step = event.step
            state = {True: "cached", False: "ran", None: "done"}[step.cached]
            row = _Row(step.number, step.stage, step.text, step.line, state, step.seconds)
            self._rows[step.number] = row
            self.ended = f"{self.name}: step {step.number} of {self.total} {state} {_took(row)}".rstrip()

    def _left(self, note: Note) -> str:
        """Say how long the rest will take at the pace so far, once there is one."""
        began, first = self._since
        took = time.monotonic() - began
        if note.done <= first or took < LEAST_PACE:
            return ""
        left = took * (note.total - note.done) / (note.done - first)
        return f", about {human_seconds(max(1, round(left)))} left" if note.done < note.total else ""

    @property
    def running(self) -> int | None:
        """The number of the step that is running (the lowest, when stages run side by side), or None."""
        with self._lock:
            numbers = [row.number for row in self._rows.values() if row.state == "running"]
        return min(numbers, default=None)

    def succeeded(self, build: Build) -> None:
        """End with what was built."""
        cached = sum(step.cached is True for step in build.steps)
        base = f", base {build.stand_in} (stand-in)" if build.stand_in else ""
        what = f"{count(len(build.steps), 'step')}, {cached} cached, {human_seconds(build.seconds)}"
        self._end(f"{self.name}: {what}, {build.engine}{base}", left="done")

    def failed(self, line: int | None) -> None:
        """End with a failure; `line` is the Dockerfile line of the failing step, when that is known."""
        for row in self._rows.values():
            if row.state == "running":
                row.state = "failed" if line in (None, row.line) else "interrupted"
        at = f" at line {line}" if line is not None else ""
        self._end(f"{self.name}: not built, failed{at}, {self.engine}", left="interrupted")

    def interrupted(self) -> str:
        """End with an interrupt; return the one sentence that says what was kept."""
        step = self.running
        if step is None:
            kept = "Interrupted: nothing was being built; what was built before stays cached."
        else:
            kept = f"Interrupted: nothing was kept of step {step}; what was built before stays cached."
        self._end(f"{self.name}: interrupted, {self.engine}", left="interrupted")
        return kept

    def html(self) -> str:
        """Return what to show now, as HTML."""
        if self.outcome:
            return self.table().html()
        shown = self._shown()
        done = sum(row.state != "running" for row in shown)
        of = f" {done} of {self.total} steps" if self.total else ""
        filled = f' max="{self.total}" value="{done}"' if self.total else ""
        note = f"<div>{escape(self.note)}</div>" if self.note else ""
        rows = "".join(_live_row(row) for row in shown[-LIVE_ROWS:])
        return fitted(
            f'<b>{escape(self.name)}</b> <progress aria-label="steps done"{filled}></progress>{of}, '
            f"{escape(self.engine)}{note}<table><tbody>{rows}</tbody></table>"
        )

    def said(self) -> str:
        """Return what a screen reader says: how it ended, else what became of the last step that ended."""
        return self.outcome or self.ended

    @property
    def log(self) -> tuple[str, ...]:
        """The last lines the steps printed, "#2   text", oldest first."""
        with self._lock:
            return tuple(f"#{number}   {text}" for number, text in self._log)

    def log_html(self) -> str:
        """Return the log as HTML to fold away, its end in view; "" when nothing was printed."""
        lines = self.log
        if not lines:
            return ""
        # Laid out from below, a box stays scrolled to its end while lines come.
        text = escape("\n".join(lines), keep=LINES)
        return (
            f"<details open><summary>log, {count(len(lines), 'line')}</summary>"
            '<div tabindex="0" role="region" aria-label="log" style="display:flex;'
            'flex-direction:column-reverse;max-height:15em;overflow-y:auto">'
            f'<pre style="border:0">{text}</pre></div></details>'
        )

    def text(self) -> str:
        """Return what to show now, as plain text."""
        if self.outcome:
            return self.table().text()
        step = self.running
        with self._lock:
            where = f"step {step} of {self.total}: {self._rows[step].text}" if step is not None else self.note
        return printable(f"{self.name}: building, {where}" if where else f"{self.name}: building")

    def table(self) -> Table:
        """Return the steps as a table: number, Dockerfile line, instruction, cached or ran, wall time."""
        from dockerlab.widgets.table import FEW_ROWS, FOLD_ROWS, Table

        rows = tuple(
            (
                str(row.number),
                str(row.line),
                row.text,
                "" if row.state == "done" else row.state,
                _took(row),
            )
            for row in self._shown()
        )
        return Table(
            self.outcome or self.text(),
            ("step", "line", "instruction", "cached?", "time"),
            rows,
            right=("step", "line", "time"),
            code=("instruction",),
            title=self.alone,
            fold=FOLD_ROWS if self.alone else FEW_ROWS,
        )

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return {"text/plain": self.text(), "text/html": self.html()}

    def _shown(self) -> list[_Row]:
        with self._lock:
            return [replace(self._rows[number]) for number in sorted(self._rows)]

    def _end(self, outcome: str, *, left: str) -> None:
        with self._lock:
            for row in self._rows.values():
                if row.state == "running":
                    row.state = left
            self.outcome = outcome


class PlainLog:
    """Write a build's events to a terminal, one line each, as `docker build --progress plain` does."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def __call__(self, event: Event) -> None:
        """Write one event."""
        if isinstance(event, Started):
            self._say(f"#{event.number} [{event.number}/{event.total}] {event.text}")
        elif isinstance(event, Log):
            self._say(f"#{event.number}   {clean(event.text)}")
        elif isinstance(event, Finished):
            step = event.step
            state = {True: "CACHED", False: f"ran in {human_seconds(step.seconds)}", None: "done"}[
                step.cached
            ]
            self._say(f"#{step.number} {state}")
        elif not event.unit or event.done in (0, event.total):  # of packages the first and the last
            self._say(f"-- {note_text(event)}")

    def _say(self, text: str) -> None:
        stream = self._stream if self._stream is not None else sys.stderr
        encoding = stream.encoding or "utf-8"  # what the terminal cannot show is no reason to stop a build
        shown = printable(text, keep="\t").encode(encoding, "backslashreplace").decode(encoding)
        print(shown, file=stream, flush=True)


# A region is only read out if it was there before its text changed, and what is painted anew each second
# never was. So the page has one of its own, whose text changes when a step ends.
_SAY = """<script>(text => {
  let region = document.getElementById('dockerlab-said');
  if (!region) {
    region = document.createElement('div');
    region.id = 'dockerlab-said';
    region.setAttribute('role', 'status');
    region.setAttribute('aria-live', 'polite');
    region.style.cssText = 'position:fixed;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)';
    document.body.append(region);
  }
  if (region.textContent !== text) region.textContent = text;
})(TEXT)</script>"""


@dataclass(frozen=True)
class _Aloud:
    """A build's progress with what a screen reader says of it."""

    progress: BuildProgress

    def html(self) -> str:
        said = json.dumps(self.progress.said()).replace("<", r"\u003c")
        return self.progress.html() + _SAY.replace("TEXT", said)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return {"text/plain": self.progress.text(), "text/html": self.html()}


@contextmanager
def live(progress: BuildProgress) -> Iterator[None]:
    """Show `progress` in the running cell and repaint it there until the block ends.

    A thread of its own paints: the last line before a long silence is seen, and a log costs the build little.
    What is painted last is all that is saved: the words for a screen reader are not in it.
    """
    handle = show_repaintable(progress)
    over = threading.Event()

    def follow() -> None:
        shown, at = progress.version, time.monotonic()
        while not over.wait(REPAINT_SECONDS):
            if progress.version != shown or time.monotonic() - at >= TICK_SECONDS:
                shown, at = progress.version, time.monotonic()
                handle.update(_Aloud(progress))

    # In a copy of the cell's context, where the kernel keeps which cell its output belongs to.
    painter = threading.Thread(target=copy_context().run, args=(follow,), name="build progress", daemon=True)
    painter.start()
    try:
        yield
    finally:
        over.set()
        painter.join()
        if not progress.outcome:
            progress.failed(None)
        handle.update(_Aloud(progress))
        handle.update(progress)


def note_text(note: Note) -> str:
    """Return a note as it is shown: its text, and what is done of what is to do."""
    if note.total:
        done, total = (str(one) if note.unit else human_bytes(one) for one in (note.done, note.total))
        unit = f" {note.unit}" if note.unit and note.unit not in note.text else ""
        return f"{note.text}: {done} of {total}{unit}, {human_share(note.done, note.total)}"
    return note.text


def _took(row: _Row) -> str:
    """Return a finished step's wall time; nothing for metadata, which takes no time worth reading."""
    if row.seconds is None or (row.state == "done" and row.seconds < NO_TIME):
        return ""
    return human_seconds(row.seconds)


def _live_row(row: _Row) -> str:
    took = f"{time.monotonic() - row.began:.0f} s" if row.state == "running" else _took(row)
    state = '<progress aria-label="running"></progress>' if row.state == "running" else escape(row.state)
    last = f"<br><small>{escape(row.last[-120:])}</small>" if row.state == "running" and row.last else ""
    return (
        f'<tr><td>{row.number}</td><td style="text-align:left"><code>{escape(row.text)}</code>{last}</td>'
        f"<td>{state}</td><td>{took}</td></tr>"
    )
