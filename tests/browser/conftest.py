"""JupyterLab and Chromium for the browser tests, each started once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dockerlab.engines import choose
from tools.browser import Lab, chromium, missing, open_lab
from tools.jupyterlab import serve
from tools.sections import NO_DOCKER

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def lab(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Open a copy of the course (JupyterLab saves what it runs).

    On the embedded engine its notebooks see no Docker, as where nbval runs them.
    """
    copy = tmp_path_factory.mktemp("course")
    for folder in ("notebooks", "exercises", "solutions"):
        if (ROOT / folder).is_dir():
            shutil.copytree(ROOT / folder, copy / folder)
    shutil.copy(ROOT / "course.toml", copy)
    for notebook in Path(__file__).parent.glob("*.ipynb"):
        shutil.copy(notebook, copy)
    with pytest.MonkeyPatch.context() as environment:
        if choose()[0].name == "embedded":
            environment.setenv(*NO_DOCKER)
        with serve(copy, home=tmp_path_factory.mktemp("jupyter")) as address:
            environment.undo()
            with open_lab(browser, address) as lab:
                yield lab


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start Chromium, or skip where there is none."""
    if reason := missing():
        pytest.skip(reason)
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def shots(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder screenshots go to: --screenshots DIR, or a temporary one."""
    chosen: Path | None = request.config.getoption("--screenshots")
    return chosen.resolve() if chosen else tmp_path_factory.mktemp("screenshots")
