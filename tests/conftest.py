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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests run side by side, keep in one process those of one group, of Docker, or of one file.

    Groups come first: they are the longest.
    """
    groups = {item: _group(item) for item in items}
    for item, group in groups.items():
        item.add_marker(pytest.mark.xdist_group(group or item.path.stem))
    items.sort(key=lambda item: groups[item] is None)


def _group(item: pytest.Item) -> str | None:
    if item.get_closest_marker("docker"):
        return "docker"
    mark = item.get_closest_marker("xdist_group")
    return mark.args[0] if mark else None


def pytest_configure(config: pytest.Config) -> None:
    """Point the store at a folder in the checkout, shared by a whole run so that a base is made once."""
    os.environ.setdefault("DOCKERLAB_HOME", str(ROOT / ".lab" / "test"))
