"""What all tests share: options, and a store that is never the learner's own."""

from __future__ import annotations

import os
import signal
from functools import cache
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

ROOT = Path(__file__).resolve().parent.parent
# What the files of a folder share. Elsewhere a test says so itself when it builds on Docker.
SHARED = {"tests/browser": "the browser", "tests/engines": "Docker", "tests/engines/docker": "Docker"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the browser tests, of the kill test and of the conformance suite."""
    parser.addoption(
        "--screenshots", metavar="DIR", type=Path, help="keep the browser tests' screenshots in this folder"
    )
    parser.addoption(
        "--kills",
        metavar="N",
        type=int,
        default=4,
        help="how often tests/engines/embedded/test_survival.py kills",
    )
    parser.addoption(
        "--stores",
        choices=("part", "whole"),
        default="part",
        help="tests/stores: the first lesson and the containerd store, or all lessons and both stores",
    )
    parser.addoption("--draw", metavar="N", type=int, default=1, help="the seed of what checks draw")
    parser.addoption("--seed", metavar="N", type=int, help="the seed of its moments, to have them again")
    parser.addoption(
        "--generated", metavar="N", type=int, default=30, help="Dockerfiles to draw for the conformance suite"
    )
    parser.addoption(
        "--oracle",
        choices=("modern", "installed"),
        default="modern",
        help="which Docker's BuildKit is compared with: that of tools/modern_docker.sh, or the installed one",
    )
    parser.addoption(
        "--record",
        metavar="DIR",
        type=Path,
        help="keep BuildKit's outcomes of the proot cases in this folder",
    )
    parser.addoption(
        "--recorded",
        metavar="DIR",
        type=Path,
        help="compare with the outcomes in this folder, ask no BuildKit",
    )


class Together(LoadFileScheduling):  # type: ignore[misc] # xdist ships no types
    """Tests side by side, but those of a file in one process, and so what shares Docker or the browser."""

    def _split_scope(self, nodeid: str) -> str:
        return shared(nodeid) or super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together | None:
    """Have `--dist loadfile` keep together what cannot be apart."""
    return Together(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes the longest, so that no process is alone at the end."""
    items.sort(key=lambda item: shared(item.nodeid) is None)


def shared(nodeid: str) -> str | None:
    """Name what a test's file shares with other files."""
    file = Path(nodeid.partition("::")[0])
    if named := SHARED.get(file.parent.as_posix()):
        return named
    return "Docker" if builds_on_docker(ROOT / file) else None


@cache
def builds_on_docker(file: Path) -> bool:
    """Tell whether a test of the file is marked so."""
    return "pytest.mark.docker" in file.read_text(encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    """Point the store at a folder in the checkout, shared by a whole run so that a base is made once."""
    os.environ.setdefault("DOCKERLAB_HOME", str(ROOT / ".lab" / "test"))
    # Who is started in the background of a shell is told to ignore Ctrl-C, and tests press it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
