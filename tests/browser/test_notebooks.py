"""Every lesson runs in JupyterLab in a browser, as a learner sees it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tools.browser import Visit, visit
from tools.course import ROOT, read_course

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PNG = b"\x89PNG\r\n\x1a\n"
LESSONS = [lesson.notebook for lesson in read_course().lessons if (ROOT / lesson.notebook).exists()]


def assert_clean(seen: Visit) -> None:
    """Fail on an error in a cell, an error in the console, or a request to another host."""
    assert seen.errors == ()
    assert seen.console == ()
    assert seen.left == ()
    assert all(path.read_bytes().startswith(PNG) for path in seen.screenshots)


def test_a_chart_is_drawn(served: str, browser: Browser, shots: Path) -> None:
    """A plotly chart made from its mimetype alone is drawn, and no request leaves the machine."""
    seen = visit(browser, served, "chart.ipynb", themes=("light", "dark"), shots=shots)
    assert_clean(seen)
    assert (seen.cells, seen.charts, len(seen.screenshots)) == (2, 1, 2)


@pytest.mark.parametrize("notebook", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_runs(served: str, browser: Browser, shots: Path, notebook: Path) -> None:
    """All cells of the lesson run: no error in a cell or the console, no request to another host."""
    assert_clean(visit(browser, served, notebook.as_posix(), themes=("light", "dark"), shots=shots))
