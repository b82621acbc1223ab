"""What all tests share: options, and a store that is never the learner's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the browser tests, of the kill test and of the conformance suite."""
    parser.addoption(
        "--screenshots", metavar="DIR", type=Path, help="keep the browser tests' screenshots in this folder"
    )
    parser.addoption(
        "--kills", metavar="N", type=int, default=4, help="how often tests/embedded/test_survival.py kills"
    )
    parser.addoption(
        "--lessons",
        choices=["first", "all"],
        default="first",
        help="the lessons tests/stores runs on each Docker",
    )
    parser.addoption("--seed", metavar="N", type=int, help="the seed of its moments, to have them again")
    parser.addoption(
        "--generated", metavar="N", type=int, default=30, help="Dockerfiles to draw for the conformance suite"
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


def pytest_configure(config: pytest.Config) -> None:
    """Point the store at a folder in the checkout, shared by a whole run so that a base is made once."""
    os.environ.setdefault("DOCKERLAB_HOME", str(ROOT / ".lab" / "test"))
