"""Run the checks of `make test`, one section after the other, and sum up (or only the sections named)."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field

from tools.course import ROOT

PYTHON = sys.executable
NBVAL = (
    *("--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=600"),
    *("--nbval-sanitize-with=tests/nbval.cfg", "--color=no"),
    # A kernel that is shut down leaves sockets for the garbage collector: not a lesson's fault.
    *("-W", "default", "-o", "addopts=", "-p", "no:cacheprovider", "-p", "tests.cells", "--quiet"),
)
# On the embedded engine two notebooks run at a time. BuildKit may miss its own cache when others build, so
# then no Docker is in sight, as on Binder; what a lesson asks of Docker is asked in the run on Docker.
EMBEDDED = os.environ.get("DOCKERLAB_ENGINE") == "embedded"
TWO_AT_A_TIME = ("-n", "2", "--dist", "loadfile") if EMBEDDED else ()


@dataclass(frozen=True)
class Section:
    """One check: a title and the commands it consists of."""

    title: str
    commands: tuple[tuple[str, ...], ...]
    environment: dict[str, str] = field(default_factory=dict)


PYTEST = (PYTHON, "-m", "pytest", "-q", "-rs", "--durations=10")
# Suites of many builds, with commands of their own.
LONG = {"answers": "tests/checks", "conformance": "tests/conformance"}

SECTIONS = {
    "engine": Section("An engine is ready", ((PYTHON, "-m", "tools.ready"),)),
    "lint": Section(
        "Lint and types",
        (
            (PYTHON, "-m", "ruff", "check", "."),
            (PYTHON, "-m", "ruff", "format", "--check", "."),
            (PYTHON, "-m", "mypy"),
        ),
    ),
    "tests": Section(
        "Unit tests, exercises, browser",
        ((*PYTEST, *(f"--ignore={folder}" for folder in LONG.values())),),
    ),
    "notebooks": Section(
        "Notebooks and solutions, cell by cell",
        ((PYTHON, "-m", "pytest", *NBVAL, *TWO_AT_A_TIME, "notebooks", "solutions"),),
        {"DOCKER_HOST": "unix:///run/no-docker-here"} if EMBEDDED else {},
    ),
    "answers": Section("Right and wrong answers to every exercise", ((*PYTEST, LONG["answers"]),)),
    "conformance": Section("The embedded builder beside BuildKit", ((*PYTEST, LONG["conformance"]),)),
    "survival": Section(
        "Killed at 200 moments in each sandbox",
        ((*PYTEST, "tests/embedded/test_survival.py", "--kills=200"),),
    ),
}
# "tests" has a few of the kills.
ASKED_FOR = {*LONG, "survival"}


def environment() -> dict[str, str]:
    """Give the sections a store of their own in the checkout: a learner's images are never touched."""
    settings = dict(os.environ)
    settings.setdefault("DOCKERLAB_HOME", str(ROOT / ".lab" / "test"))
    settings.setdefault("JUPYTER_PLATFORM_DIRS", "1")
    return settings


def run(section: Section, settings: dict[str, str]) -> bool:
    """Run a section's commands to the end, all of them even when one fails."""
    codes = [
        subprocess.run(command, cwd=ROOT, env={**settings, **section.environment}, check=False).returncode
        for command in section.commands
    ]
    return not any(codes)


def main() -> int:
    """Run the sections asked for and print a table of what passed and the seconds each took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    names = parser.parse_args().sections or [name for name in SECTIONS if name not in ASKED_FOR]
    if unknown := [name for name in names if name not in SECTIONS]:
        parser.error(f"no section {unknown[0]!r}; there are {', '.join(SECTIONS)}")

    settings = environment()
    results: list[tuple[str, bool, float]] = []
    for name in names:
        section = SECTIONS[name]
        print(f"\n== {section.title}", flush=True)
        began = time.monotonic()
        try:
            passed = run(section, settings)
        except KeyboardInterrupt:
            print("\nInterrupted.", file=sys.stderr)
            return 130
        results.append((section.title, passed, time.monotonic() - began))

    print("\n== Summary")
    for title, passed, seconds in results:
        print(f"  {'passed' if passed else 'FAILED':7} {seconds:7.1f} s  {title}")
    return 0 if all(passed for _, passed, _ in results) else 1


if __name__ == "__main__":
    sys.exit(main())
