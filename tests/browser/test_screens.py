"""Every table and widget in JupyterLab: whole at any width, in both themes, by eye, ear and keys.

One page has them all, and is run once. Of charts, which plotly draws, axe sees what is around them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tools.browser import HEIGHT, THEMES, TO_THE_TOP, run_all, set_theme, settle

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tools.browser import Lab

HERE = Path(__file__).parent
NOTEBOOK = HERE / "screens.ipynb"
# CSS pixels: a lesson beside its exercise, 200 % zoom, with the file browser, and a laptop's.
WIDTHS = (1366, 1024, 683, 398)
WAIT = 60_000  # milliseconds

# What leaves its output, is cut, or can be scrolled sideways. What is one pixel wide is for the ear.
CUT = """
() => [...document.querySelectorAll('.jp-Notebook .jp-OutputArea-output')].flatMap(output => {
    const edge = output.getBoundingClientRect();
    const ours = [output, ...output.querySelectorAll('*')].filter(one => one.checkVisibility());
    return ours.filter(one => {
        const box = one.getBoundingClientRect();
        if (box.width <= 1 || one.closest('thead')?.clientWidth <= 1) return false;
        if (one.closest('.js-plotly-plot, .jp-RenderedJavaScript, style, script, option')) return false;
        if (box.right > edge.right + 1 || box.left < edge.left - 1) return true;
        if (one.matches('select, textarea, input')) return false;
        const hides = getComputedStyle(one).overflowX !== 'visible';
        return hides && one.clientWidth > 1 && one.scrollWidth > one.clientWidth + 1;
    }).map(one => `${one.tagName} .${one.className} ${one.textContent.slice(0, 60)}`);
})
"""
DRAWN = """
() => window.jupyterapp.shell.currentWidget.content.widgets.filter(cell => cell.model.type === 'code')
    .filter(cell => cell.model.outputs.length)
    .every(cell => cell.outputArea.node.getBoundingClientRect().height > 10)
"""
# WCAG 1.4.11, of the edges of controls and of the colour that is painted behind them.
EDGES = """
() => {
    const part = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
    const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
    const marks = '.dockerlab-box :is(select, textarea, input)';
    return [...document.querySelectorAll(marks)].filter(one => one.checkVisibility()).map(one => {
        let behind = one.parentElement;
        while (behind.parentElement && numbers(getComputedStyle(behind).backgroundColor)[3] === 0)
            behind = behind.parentElement;
        const [a, b] = [getComputedStyle(one).borderBottomColor, getComputedStyle(behind).backgroundColor]
            .map(colour => light(numbers(colour))).sort((a, b) => b - a);
        return (a + 0.05) / (b + 0.05);
    });
}
"""
OPEN_ALL = """
() => document.querySelectorAll('.dl-out details:not([open])').forEach(one => {
    one.open = true;
    one.dataset.opened = '';
})
"""
OPEN_AS_BEFORE = """
() => document.querySelectorAll('.dl-out details[data-opened]').forEach(one => { one.open = false; })
"""
FOCUSED_IS_OPEN = "() => document.activeElement.parentElement.open"
TITLES = """
name => [...document.querySelectorAll('.jp-CodeCell')].filter(cell => cell.textContent.includes(name))
    .flatMap(cell => [...cell.querySelectorAll('.jp-OutputArea b')].filter(one => one.checkVisibility()))
    .map(one => one.textContent)
"""


@pytest.fixture(scope="module")
def page(lab: Lab) -> Iterator[Page]:
    """Open and run the notebook; afterwards nothing was wrong and nothing left the machine."""
    with lab.notebook(NOTEBOOK.name) as (page, console, left):
        run_all(page)
        look(page, WIDTHS[0])
        page.locator(".dockerlab-list option").first.wait_for(state="attached", timeout=WAIT)
        yield page
        assert (console, left) == ([], [])


def look(page: Page, width: int) -> None:
    """Show the whole page at a width."""
    page.set_viewport_size({"width": width, "height": 900})
    settle(page)
    page.set_viewport_size({"width": width, "height": int(page.evaluate(HEIGHT)) + 300})
    page.evaluate(TO_THE_TOP)
    page.wait_for_function(DRAWN, timeout=WAIT)  # JupyterLab draws what comes into view, in its own time
    settle(page)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_width(page: Page, request: pytest.FixtureRequest, shots: Path, width: int) -> None:
    """In both themes nothing leaves its output or scrolls sideways, and the edges of controls have 3:1."""
    look(page, width)
    for theme in THEMES:
        set_theme(page, theme)
        if request.config.getoption("--screenshots"):
            page.screenshot(path=shots / f"screens-{width}-{theme}.png", animations="disabled")
        edges = page.evaluate(EDGES)
        assert len(edges) > 8  # all is there
        assert page.evaluate(CUT) == []
        assert min(edges) >= 3


def test_no_one_is_kept_out(page: Page) -> None:
    """In both themes axe finds nothing serious or critical in any output, folded parts opened."""
    page.evaluate(OPEN_ALL)
    told: list[dict[str, Any]] = []
    for theme in THEMES:
        set_theme(page, theme)
        found = Axe().run(
            page, context=".jp-Notebook .jp-OutputArea-output", options={"resultTypes": ["violations"]}
        )
        told += [
            {"rule": one["id"], "nodes": [node["html"][:200] for node in one["nodes"][:4]]}
            for one in found.response["violations"]
            if one["impact"] in ("serious", "critical")
        ]
    page.evaluate(OPEN_AS_BEFORE)
    assert told == []


def test_a_folded_table_opens_by_keys(page: Page) -> None:
    """What is folded away is opened by Enter and closed by Space; JupyterLab's own keys stay out."""
    page.locator(".dl-out details:not([open]) > summary").first.focus()
    page.keyboard.press("Enter")
    assert page.evaluate(FOCUSED_IS_OPEN) is True
    page.keyboard.press("Space")
    assert page.evaluate(FOCUSED_IS_OPEN) is False


def test_a_build_has_one_title(page: Page) -> None:
    """A build's cell has no bold title beside its chart's own; how it went and its history can be folded."""
    assert page.evaluate(TITLES, "%%dockerfile whole") == []


def test_a_build_speaks(page: Page) -> None:
    """The page's own region, which stays, has said how the last build went; what is saved has no script."""
    region = page.locator("#dockerlab-said")
    assert region.get_attribute("aria-live") == "polite"
    assert (region.text_content() or "").startswith("missing: not built, failed at line 2")
    assert page.locator(".jp-OutputArea-output script").count() == 0


def test_a_guess_is_taken_back_and_a_revealed_card_keeps_focus(page: Page) -> None:
    """The chosen button pressed again takes the guess back, and no button of a card loses the focus."""
    card = page.locator(".dockerlab-card")
    for _ in range(2):
        card.get_by_role("button", name="2 layers").focus()
        page.keyboard.press("Enter")
        card.get_by_text("Press it again to take it back.").or_(card.get_by_text("Measured")).wait_for()
        assert page.evaluate("() => document.activeElement.textContent.trim()") == "2 layers"
