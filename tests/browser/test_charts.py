"""Every chart of dockerlab.charts is drawn in JupyterLab, light and dark, wide and narrow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from dockerlab import charts
from tools.browser import DRAWN, run_all, screenshot, set_theme

if TYPE_CHECKING:
    from tools.browser import Lab

HERE = Path(__file__).parent
NARROW = 760  # CSS pixels of the window: what is left of a laptop's with the file browser open

# Text whose box leaves the drawing it stands in, or another text of the same chart that it lies upon.
CUT_OFF = """
() => [...document.querySelectorAll('.js-plotly-plot')].flatMap(plot => {
    const edge = plot.querySelector('.main-svg').getBoundingClientRect();
    return [...plot.querySelectorAll('text')]
        .filter(text => text.textContent.trim() && getComputedStyle(text).visibility !== 'hidden')
        .filter(text => {
            const box = text.getBoundingClientRect();
            return box.width > 0 && (
                box.left < edge.left - 1 || box.right > edge.right + 1
                || box.top < edge.top - 1 || box.bottom > edge.bottom + 1);
        })
        .map(text => text.textContent);
})
"""
# Charts that had room to draw: a plot's own drawing area, in pixels.
AREAS = """
() => [...document.querySelectorAll('.js-plotly-plot')].map(plot => {
    const size = plot._fullLayout._size;
    return [size.w, size.h];
})
"""


def test_the_notebook_has_every_chart() -> None:
    """Each function of dockerlab.charts is called in the notebook below: a new one must be added to it."""
    notebook = json.loads((HERE / "charts.ipynb").read_text(encoding="utf-8"))
    source = "".join("".join(cell["source"]) for cell in notebook["cells"])
    makers = [name for name in charts.__all__ if name != "Picture"]
    assert [name for name in makers if f"charts.{name}(" not in source] == []


def test_charts_are_drawn(lab: Lab, shots: Path) -> None:
    """Nothing is cut off in any chart, in both themes; no error in the console, no request elsewhere."""
    with lab.notebook("charts.ipynb") as (page, console, left):
        run_all(page)
        plots = page.locator(".js-plotly-plot:has(.main-svg)").count()
        assert plots == 9
        screenshot(page, shots / "charts-light.png")
        assert page.evaluate(CUT_OFF) == []
        set_theme(page, "dark")
        screenshot(page, shots / "charts-dark.png")
        assert page.evaluate(CUT_OFF) == []
        assert (console, left) == ([], [])


def test_charts_fit_a_narrow_window(lab: Lab, shots: Path) -> None:
    """In a window of 760 pixels every chart is drawn anew and nothing is cut off."""
    with lab.notebook("charts.ipynb") as (page, console, left):
        page.set_viewport_size({"width": NARROW, "height": 900})
        run_all(page)
        page.wait_for_function(DRAWN)
        screenshot(page, shots / "charts-narrow.png", width=NARROW)
        assert page.evaluate(CUT_OFF) == []
        assert all(width > 150 and height > 20 for width, height in page.evaluate(AREAS))
        assert (console, left) == ([], [])
