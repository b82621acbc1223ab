"""Run the checks of `make test`, section after section, and sum up; or all of CI's, or only those named."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock
from typing import BinaryIO

from dockerlab.engines import choose
from dockerlab.errors import EngineError
from tools.browser import missing
from tools.course import ROOT
from tools.sections import LANES, TEST, WITHOUT_BROWSER, Section, sections

SHOWN = 200_000  # bytes of the log of a section that ran beside another; the file has all of them
GRACE = 30  # seconds to clean up in, for a command that is told to stop
PRINTING = Lock()
INTERRUPTED = Event()


@dataclass(frozen=True)
class Outcome:
    """How a section went; `seconds` is wall time."""

    title: str
    passed: bool
    seconds: float


def run(section: Section, log: Path, environment: Mapping[str, str], *, live: bool) -> Outcome:
    """Run a section's commands, all of them even when one fails, and keep what they print in `log`.

    `live` shows it as it comes. In CI a section is stopped at its limit, and has failed.
    """
    began = time.monotonic()
    deadline = began + section.limit if environment.get("CI") else float("inf")
    settings = {**environment, **section.environment}
    passed = True
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as written, log.open("rb") as read:
        for command in section.commands:
            process = subprocess.Popen(
                command, cwd=ROOT, env=settings, stdout=written, stderr=subprocess.STDOUT
            )
            try:
                in_time = ended(process, deadline, read if live else None)
                if not in_time:
                    process.send_signal(signal.SIGINT)
                    written.write(f"\nStopped at the limit of this section, {section.limit} s.\n".encode())
                    written.flush()
            finally:
                reap(process)
            passed = passed and in_time and process.returncode == 0
            if not in_time:
                break
        if live:
            show(read)
    return Outcome(section.title, passed, time.monotonic() - began)


def ended(process: subprocess.Popen[bytes], deadline: float, shown: BinaryIO | None) -> bool:
    """Wait for a command, show what it prints meanwhile; tell whether it ended before the deadline."""
    while time.monotonic() < deadline:
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.2)
            return True
        if shown is not None:
            show(shown)
    return False


def reap(process: subprocess.Popen[bytes]) -> None:
    """Let a command that was told to stop (Ctrl-C tells it too) clean up; kill it when it takes too long."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=GRACE)
    process.kill()
    process.wait()


def show(read: BinaryIO) -> None:
    """Print what is new in a log."""
    sys.stdout.buffer.write(read.read())
    sys.stdout.flush()


def excerpt(log: Path, *, passed: bool) -> str:
    """Give what a log says: whole where the section failed, the slowest and the sum where it passed."""
    text = log.read_text(errors="replace")
    if passed:
        return "\n".join(text.splitlines()[-25:])
    if len(text) > SHOWN:
        half = SHOWN // 2
        left_out = f"... {len(text) - SHOWN} characters are left out, {log} has them ..."
        text = "\n".join([text[:half], left_out, text[-half:]])
    return text


def lane(names: Sequence[str], found: Mapping[str, Section], environment: Mapping[str, str]) -> list[Outcome]:
    """Run sections one after the other beside those of other lanes; each is printed when it has ended."""
    outcomes = []
    for name in names:
        if INTERRUPTED.is_set():
            break
        log = ROOT / ".lab" / "logs" / f"{name}.log"
        outcome = run(found[name], log, environment, live=False)
        outcomes.append(outcome)
        with PRINTING:
            print(f"\n== {outcome.title}\n{excerpt(log, passed=outcome.passed)}\n{line(outcome)}", flush=True)
    return outcomes


def line(outcome: Outcome) -> str:
    """Say in one line how a section went."""
    return f"  {'passed' if outcome.passed else 'FAILED':7} {outcome.seconds:7.1f} s  {outcome.title}"


def settings(*, everything: bool) -> dict[str, str]:
    """Give the sections a store of their own in the checkout: a learner's images are never touched."""
    found = dict(os.environ)
    found.setdefault("DOCKERLAB_HOME", str(ROOT / ".lab" / "test"))
    found.setdefault("JUPYTER_PLATFORM_DIRS", "1")
    found.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of kernels and commands start
    if everything:  # Docker has a section of its own
        found["DOCKERLAB_ENGINE"] = "embedded"
    return found


def on_embedded(environment: Mapping[str, str]) -> bool:
    """Tell whether the tests will run on the embedded engine; where there is none at all, they say so."""
    try:
        return choose(environment.get("DOCKERLAB_ENGINE"))[0].name == "embedded"
    except EngineError:
        return False


def main() -> int:
    """Run the sections asked for and print a table of what passed and the seconds each took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="all that CI runs; needs root and Docker")
    parser.add_argument("sections", nargs="*", metavar="SECTION")
    options = parser.parse_args()
    environment = settings(everything=options.all)
    found = sections(embedded=on_embedded(environment))
    names = options.sections or (WITHOUT_BROWSER if missing() else TEST)
    if unknown := [name for name in names if name not in found]:
        parser.error(f"no section {unknown[0]!r}; there are {', '.join(found)}")

    outcomes: list[Outcome] = []
    try:
        for name in names:
            print(f"\n== {found[name].title}", flush=True)
            outcomes.append(run(found[name], ROOT / ".lab" / "logs" / f"{name}.log", environment, live=True))
            print(line(outcomes[-1]), flush=True)
        if options.all:
            with ThreadPoolExecutor(len(LANES)) as pool:
                running = [pool.submit(lane, names, found, environment) for names in LANES]
                try:
                    outcomes += [outcome for done in running for outcome in done.result()]
                except KeyboardInterrupt:
                    INTERRUPTED.set()
                    raise
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130
    print("\n== Summary")
    print("\n".join(map(line, outcomes)))
    return int(not all(outcome.passed for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
