"""Every widget works in JupyterLab, by click and by the keyboard alone, light and dark."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tools.browser import run_all, screenshot, set_theme

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tools.browser import Lab

FOCUSED = "() => document.activeElement.closest('.dockerlab-list') ? 'list' : document.activeElement.tagName"
OUTLINE = "() => getComputedStyle(document.activeElement).outlineStyle"
WAIT = 60_000  # milliseconds for what takes some hundred, on a machine that has much else to do
READY = "() => [...document.querySelectorAll('.dockerlab-box')].every(box => box.dataset.keys === 'on')"


class Widgets:
    """The open notebook with all its widgets."""

    def __init__(self, page: Page) -> None:
        self.page = page
        boxes = page.locator(".dockerlab-box")
        self.explorer = boxes.nth(0)
        self.playground = boxes.nth(1)
        self.list = self.explorer.locator(".dockerlab-list select")

    def lines(self) -> list[str]:
        """Return the explorer's list, white space made single."""
        return [" ".join(text.split()) for text in self.list.locator("option").all_text_contents()]

    def chosen(self) -> str:
        """Return the chosen line of the explorer's list."""
        return " ".join(str(self.list.evaluate("list => list.selectedOptions[0].textContent")).split())

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        for key in keys:
            self.page.keyboard.press(key)

    def focus(self) -> str:
        """Return what has the focus."""
        return str(self.page.evaluate(FOCUSED))

    def until(self, met: Callable[[], bool]) -> None:
        """Wait for a kernel's answer to show, within bounds; fail when it does not."""
        for _ in range(WAIT // 50):
            if met():
                return
            self.page.wait_for_timeout(50)
        assert met()

    def shows(self, box: Locator, text: str) -> None:
        """Wait until `box` shows `text`."""
        box.get_by_text(text).first.wait_for(timeout=WAIT)


@pytest.fixture
def widgets(lab: Lab) -> Iterator[Widgets]:
    """Open and run the notebook of widgets; afterwards nothing was wrong and nothing left the machine."""
    with lab.notebook("widgets.ipynb") as (page, console, left):
        run_all(page)
        widgets = Widgets(page)
        widgets.until(lambda: len(widgets.lines()) > 2)
        page.wait_for_function(READY, timeout=WAIT)
        yield widgets
        assert (console, left) == ([], [])


def test_widgets_look_right(widgets: Widgets, shots: Path) -> None:
    """Every widget is there in both themes; the screenshots are for a person."""
    assert widgets.page.locator(".dockerlab-box").count() == 2
    for theme in ("light", "dark"):
        set_theme(widgets.page, theme)
        screenshot(widgets.page, shots / f"widgets-{theme}.png")


def test_a_prediction_by_keys(widgets: Widgets) -> None:
    """Tab and Enter commit to a guess, with the focus in sight."""
    page = widgets.page
    page.get_by_role("button", name="1 layer", exact=True).focus()
    widgets.press("Tab")
    assert page.evaluate("() => document.activeElement.textContent.trim()") == "2 layers"
    widgets.press("Enter")
    page.get_by_text("Your guess: 2 layers.").wait_for(timeout=WAIT)


def test_the_explorer_by_click(widgets: Widgets) -> None:
    """A click chooses a line, Open opens a folder, a choice of layer and comparison lists anew."""
    box, page = widgets.explorer, widgets.page
    widgets.until(lambda: "data.csv" in widgets.chosen())
    widgets.shows(box, "/app/data.csv, added, as of layer 1.")
    many = next(i for i, line in enumerate(widgets.lines()) if line.endswith("many/"))
    widgets.list.select_option(index=many)
    widgets.shows(box, "A folder: 150 entries")
    box.get_by_role("button", name="Open", exact=True).click()
    widgets.until(lambda: "… 50 more: open this line" in widgets.lines())
    box.locator("select").nth(0).select_option(index=1)
    widgets.shows(box, "Layer 2: changed 1 path (13 B).")
    box.locator("select").nth(1).select_option(label="image one")
    widgets.shows(box, "As of layer 2, compared with image one")
    page.get_by_text("print('two')").last.wait_for(timeout=WAIT)


def test_the_explorer_by_keys(widgets: Widgets) -> None:
    """Tab reaches the list, arrows move in it, Enter opens, a find ends with Enter; JupyterLab stays out."""
    page = widgets.page
    widgets.explorer.locator("select").nth(0).focus()
    widgets.press("Tab", "Tab", "Tab", "Tab")
    assert widgets.focus() == "list"
    assert page.evaluate(OUTLINE) == "solid"
    widgets.press("Home", "ArrowDown", "ArrowDown")
    widgets.until(lambda: widgets.chosen().endswith("many/"))
    widgets.shows(widgets.explorer, "A folder: 150 entries")
    widgets.press("Enter")
    widgets.until(lambda: "▾ many/" in widgets.chosen())
    assert widgets.focus() == "list"
    widgets.press("ArrowDown")
    widgets.until(lambda: "f100.txt" in widgets.chosen())
    widgets.shows(widgets.explorer, "/app/many/f100.txt, added")
    widgets.press("ArrowUp", "ArrowLeft")
    widgets.until(lambda: "▸ many/" in widgets.chosen())
    widgets.press("ArrowRight")
    widgets.until(lambda: "▾ many/" in widgets.chosen())
    widgets.press("Tab")
    assert page.evaluate(OUTLINE) == "solid"
    widgets.press("Enter")  # the button does the same, and gives the focus back
    widgets.until(lambda: "▸ many/" in widgets.chosen())
    widgets.until(lambda: widgets.focus() == "list")
    widgets.press("Shift+Tab", "Shift+Tab")
    page.keyboard.type("f14*")
    widgets.press("Enter")
    widgets.until(lambda: len(widgets.lines()) == 10)
    assert page.evaluate("() => window.jupyterapp.shell.currentWidget.content.widgets.length") == 6


def test_the_explorer_is_where_it_was(widgets: Widgets) -> None:
    """When its cell runs again, what was opened and chosen is found again."""
    page = widgets.page
    many = next(i for i, line in enumerate(widgets.lines()) if line.endswith("many/"))
    widgets.list.select_option(index=many)
    widgets.list.focus()
    widgets.press("Enter")
    widgets.until(lambda: "▾ many/" in widgets.chosen())
    run_all(page)
    widgets.until(lambda: widgets.list.count() == 1 and "▾ many/" in widgets.chosen())


def test_the_playground_by_click(widgets: Widgets, shots: Path) -> None:
    """Edit, build, read the cached column, fail with a line, mend, compare two attempts."""
    box, page = widgets.playground, widgets.page
    build = box.get_by_role("button", name="Build", exact=True)
    build.click()
    widgets.shows(box, "attempt 1: 3 steps")
    box.locator(".js-plotly-plot .main-svg").first.wait_for(timeout=WAIT)
    editors = box.locator("textarea")
    editors.nth(1).fill(f"print({time.time_ns()})\n")  # in no cache
    build.click()
    widgets.shows(box, "attempt 2: 3 steps, 0 cached")
    editors.nth(0).fill("FROM scratch\nCOPY main.py /\nCOPY nothing.txt /\n")
    build.click()
    widgets.shows(box, "failed at line 3")
    assert "Dockerfile line 3" in box.get_by_role("alert").inner_text()
    box.get_by_role("button", name="Reset").click()
    widgets.until(lambda: "notes.txt" in editors.nth(0).input_value())
    build.click()
    widgets.shows(box, "attempt 4: 3 steps, 2 cached")
    selects = box.locator("select")
    selects.nth(1).select_option(label="attempt 2")
    selects.nth(2).select_option(label="attempt 4")
    box.get_by_role("button", name="Compare").click()
    widgets.shows(box, "attempt 2 and attempt 4")
    assert re.search(r"-print\(\d+\)\s+\+print\(1\)", box.inner_text())
    widgets.until(lambda: box.locator(".js-plotly-plot .main-svg:first-child").count() >= 2)
    for theme in ("light", "dark"):
        set_theme(page, theme)
        screenshot(page, shots / f"playground-{theme}.png")


def test_the_playground_by_keys(widgets: Widgets) -> None:
    """Ctrl+Enter in an editor builds; Tab and Enter reach every button; text typed stays in the editor."""
    box, page = widgets.playground, widgets.page
    box.locator("textarea").nth(0).focus()
    assert page.evaluate(OUTLINE) == "solid"
    widgets.press("Control+End")
    page.keyboard.type("LABEL by=keys")
    widgets.press("Control+Enter")
    widgets.shows(box, "attempt 1: 4 steps")
    widgets.press("Tab", "Tab", "Tab", "Tab", "Tab", "Tab")
    assert page.evaluate("() => document.activeElement.textContent.trim()") == "Build"
    assert page.evaluate(OUTLINE) == "solid"
    widgets.press("Enter")
    widgets.shows(box, "attempt 2: 4 steps, 2 cached")


def test_cancel_in_the_browser(lab: Lab) -> None:
    """While a RUN waits, its log is seen live; Cancel ends it, and the playground is usable again."""
    if not Path("/bin/busybox").exists():
        pytest.skip("needs /bin/busybox")
    with lab.notebook("cancel.ipynb") as (page, console, left):
        run_all(page)
        widgets, box = Widgets(page), page.locator(".dockerlab-box")
        box.get_by_role("button", name="Build", exact=True).click()
        widgets.shows(box, "it waits")
        cancel = box.get_by_role("button", name="Cancel")
        cancel.focus()
        widgets.press("Enter")
        widgets.shows(box, "Interrupted: nothing was kept of step 2")
        widgets.shows(box, "cancelled")
        assert cancel.is_disabled()
        assert box.get_by_role("button", name="Build", exact=True).is_enabled()
        assert (console, left) == ([], [])
