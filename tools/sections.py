"""What is checked: each section's commands and its limit in CI, and which of them `make test` and CI run."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from tools.course import ROOT

PYTHON = sys.executable
# A worker waits for a download, for proot or for a page as often as for a core.
AT_ONCE = str(min(8, (os.cpu_count() or 2) + 1))
PYTEST = (PYTHON, "-m", "pytest", "-q", "-rfEs", "--durations=15")
NBVAL = (
    *(PYTHON, "-m", "pytest", "--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=600"),
    *("--nbval-sanitize-with=tests/nbval.cfg", "--color=no", "--durations=15"),
    # A kernel that is shut down leaves sockets for the garbage collector: not a lesson's fault.
    *("-W", "default", "-o", "addopts=", "-p", "no:cacheprovider", "-p", "tests.cells", "--quiet"),
)
READY = (PYTHON, "-m", "tools.ready")
# No Docker is in sight of the notebooks on the embedded engine, as on Binder; what a lesson asks of Docker is
# asked in the run on Docker.
NO_DOCKER = ("DOCKER_HOST", "unix:///run/no-docker-here")
RECORDED = ROOT / ".lab" / "buildkit"  # what BuildKit made of the cases, for the run that has no Docker
AS_ON_BINDER = ("bash", "tests/unprivileged.sh")
AS_ON_A_LAPTOP = ("bash", "tests/ordinary.sh")  # it sees what was recorded as .lab/buildkit

TEST = ("engine", "lint", "tests", "solutions")
# Where no browser runs the lessons, nbval does.
WITHOUT_BROWSER = ("engine", "lint", "tests", "notebooks")
# What `make test-all` adds: two lanes that share the cores. Only the first builds on Docker, whose builder
# may miss its own cache when others build.
LANES = (
    ("conformance", "proot-cases", "rootless-cases", "docker-notebooks"),
    ("long", "unprivileged-notebooks"),
)


@dataclass(frozen=True)
class Section:
    """One check: a title, the commands it consists of, and the seconds it may take in CI."""

    title: str
    limit: int
    commands: tuple[tuple[str, ...], ...]
    environment: Mapping[str, str] = field(default_factory=dict)


def sections(*, embedded: bool) -> Mapping[str, Section]:
    """Return all sections by name; on the embedded engine several tests, or notebooks, run at a time."""
    side_by_side = ("-n", AT_ONCE, "--dist", "worksteal") if embedded else ()
    by_file = ("-n", AT_ONCE, "--dist", "loadfile", "--no-loadscope-reorder") if embedded else ()
    hidden = dict([NO_DOCKER]) if embedded else {}
    on_docker = {"DOCKERLAB_ENGINE": "docker"}
    return {
        "engine": Section("An engine is ready", 200, (READY,)),
        "lint": Section(
            "Lint and types",
            120,
            (
                (PYTHON, "-m", "ruff", "check", "."),
                (PYTHON, "-m", "ruff", "format", "--check", "."),
                (PYTHON, "-m", "mypy"),
            ),
        ),
        "tests": Section(
            "Unit tests, exercises, lessons in a browser", 1000, ((*PYTEST, *by_file, "-m", "not long"),)
        ),
        "solutions": Section("Solutions, cell by cell", 200, ((*NBVAL, *by_file, "solutions"),), hidden),
        "notebooks": Section(
            "Lessons and solutions, cell by cell",
            1500,
            ((*NBVAL, *by_file, "notebooks", "solutions"),),
            hidden,
        ),
        "long": Section(
            "Long tests: right and wrong answers to every exercise",
            1700,
            ((*PYTEST, *side_by_side, "-m", "long and not docker"),),
        ),
        "conformance": Section(
            "Long tests beside Docker: the embedded builder and BuildKit",
            1600,
            ((*PYTEST, "-m", "long and docker", f"--record={RECORDED}"),),
        ),
        "proot-cases": Section(
            "The same as an ordinary user, as on Binder",
            130,
            (
                (
                    *(*AS_ON_BINDER, ".venv/bin/python", *PYTEST[1:], "tests/conformance"),
                    *("-k", "proot", f"--recorded={RECORDED}"),
                ),
            ),
        ),
        "rootless-cases": Section(
            "The same as an ordinary user who has user namespaces, as on a laptop",
            150,
            (
                (
                    *(*AS_ON_A_LAPTOP, ".venv/bin/python", *PYTEST[1:], "-k", "rootless"),
                    *("tests/conformance", "tests/engines/embedded", "--recorded=.lab/buildkit"),
                ),
            ),
        ),
        "docker-notebooks": Section(
            "Lessons and solutions on Docker", 1400, (READY, (*NBVAL, "notebooks", "solutions")), on_docker
        ),
        "unprivileged-notebooks": Section(
            "Lessons and solutions as an ordinary user, as on Binder",
            1450,
            ((*AS_ON_BINDER, ".venv/bin/python", "-m", "tools.suite", "engine", "notebooks"),),
        ),
        "survival": Section(
            "Killed at 200 moments in each sandbox",
            3600,
            ((*PYTEST, "tests/engines/embedded/test_survival.py", "--kills=200"),),
        ),
    }
