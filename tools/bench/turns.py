"""Taking turns: each contender does its work once a round, so that all get the same load of the machine."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dockerlab.errors import DockerlabError

FAILURES = (DockerlabError, OSError, subprocess.SubprocessError)


@dataclass(frozen=True)
class Turn:
    """What one contender does in a round; only `work` is timed."""

    work: Callable[[], object]
    prepare: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Figure:
    """One contender's time for one piece of work."""

    work: str
    contender: str
    runs: int
    seconds: float  # median
    fastest: float
    slowest: float
    beside: str = ""  # the contender that `ratio` compares with; "" when there is none
    ratio: float | None = None  # median over the rounds of this contender's time by the other's
    lowest: float | None = None  # of these ratios
    highest: float | None = None
    goal: float | None = None  # for the ratio; None: none was set
    load: float = 0.0  # load average over a minute, when it was measured

    @property
    def met(self) -> bool | None:
        """Tell whether the goal is reached; None where there is none."""
        return None if self.goal is None or self.ratio is None else self.ratio <= self.goal


def take(
    work: str,
    turns: Mapping[str, Turn],
    *,
    runs: int,
    beside: str,
    goals: Mapping[str, float],
    tell: Callable[[str], None],
    found: list[Figure],
) -> None:
    """Let every contender work `runs` times, in turn, after a first round that counts for nothing.

    Who begins changes from round to round. One that fails in the first round is told with its reason and is
    left out. A failure later, or an interrupt, ends the measuring of this work; the figures of the rounds
    that were complete are put into `found` all the same. Raises those of FAILURES.
    """
    present: dict[str, Turn] = {}
    for name, turn in turns.items():
        tell(f"{work}: {name}, to warm up")
        try:
            turn.prepare()
            turn.work()
        except FAILURES as error:
            tell(f"{work}: {name} is left out: {reason(error)}")
        else:
            present[name] = turn
    times: dict[str, list[float]] = {name: [] for name in present}
    names = list(present)
    try:
        for number in range(runs):
            for name in names[number % len(names) :] + names[: number % len(names)] if names else ():
                tell(f"{work}: {name}, {number + 1} of {runs}")
                present[name].prepare()
                began = time.perf_counter()
                present[name].work()
                times[name].append(time.perf_counter() - began)
    finally:
        whole = min((len(some) for some in times.values()), default=0)
        rounds = {name: some[:whole] for name, some in times.items()}
        for name in names if whole else ():
            found.append(_figure(work, name, rounds, beside=beside, goal=goals.get(name)))


def _figure(
    work: str, name: str, times: Mapping[str, Sequence[float]], *, beside: str, goal: float | None
) -> Figure:
    mine = times[name]
    ratios: Sequence[float] = ()
    if beside in times and beside != name:
        ratios = [one / other for one, other in zip(mine, times[beside], strict=True)]
    return Figure(
        work=work,
        contender=name,
        runs=len(mine),
        seconds=statistics.median(mine),
        fastest=min(mine),
        slowest=max(mine),
        beside=beside if ratios else "",
        ratio=statistics.median(ratios) if ratios else None,
        lowest=min(ratios) if ratios else None,
        highest=max(ratios) if ratios else None,
        goal=goal,
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0,
    )


def reason(error: BaseException) -> str:
    """Say in one line what went wrong: of a program, the last line it printed."""
    if isinstance(error, subprocess.CalledProcessError):
        lines = [line for line in f"{error.stdout or ''}\n{error.stderr or ''}".splitlines() if line.strip()]
        return lines[-1].strip() if lines else f"it ended with exit code {error.returncode}"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def run(command: Sequence[str], *, env: Mapping[str, str] | None = None) -> str:
    """Run a program to its end; return what it printed. Raises those of FAILURES."""
    return subprocess.run(command, check=True, capture_output=True, timeout=900, env=env, text=True).stdout


def tell(text: str) -> None:
    """Say on stderr what is being done."""
    print(f"  {text}", file=sys.stderr, flush=True)
