"""The progress card and the heat map of a class in a browser: reached by keys, readable, nothing fetched."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dockerlab.cli import main
from tests.checks.classroom import messy
from tools.browser import Lab, Theme

if TYPE_CHECKING:
    from playwright.sync_api import Browser

WAIT = 60_000  # milliseconds
OPEN = "name => window.jupyterapp.shell.currentWidget?.context?.path === name"
WIDER = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"

# WCAG 2.1, "contrast ratio", of the letters of each element on the first colour that is painted behind them.
CONTRASTS = """elements => elements.map(element => {
  const part = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  let behind = element;
  while (behind.parentElement && numbers(getComputedStyle(behind).backgroundColor)[3] === 0)
    behind = behind.parentElement;
  const [one, other] = [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor]
    .map(colour => light(numbers(colour))).sort((a, b) => b - a);
  return (one + 0.05) / (other + 0.05);
})"""


def test_the_cards_links_go_by_keys(lab: Lab) -> None:
    """Tab goes from a lesson to its exercise, which says what it is, and Enter opens it in JupyterLab."""
    with lab.notebook("notebooks/00-start-here.ipynb") as (page, console, left):
        card = page.locator(".jp-OutputArea-output").filter(has_text="To hand in:").last
        card.get_by_role("link", name="02 One RUN or three?").focus()
        page.keyboard.press("Tab")
        assert page.evaluate("() => document.activeElement.textContent") == "exercise 02"
        page.keyboard.press("Enter")
        page.wait_for_function(OPEN, arg="exercises/exercise-02-run-chaining.ipynb", timeout=WAIT)
        assert (console, left) == ([], [])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_heat_map_is_readable(browser: Browser, tmp_path: Path, shots: Path, theme: Theme) -> None:
    """In both themes all letters have a contrast of 4.5:1 and a narrow window is wide enough; no error."""
    assert main(["grade", str(messy(tmp_path / "in")), "-o", str(tmp_path)]) == 0
    context = browser.new_context(color_scheme=theme, viewport={"width": 600, "height": 800})
    try:
        page = context.new_page()
        heard: list[str] = []
        fetched: list[str] = []
        page.on("console", lambda message: heard.append(message.text))
        page.on("request", lambda request: fetched.append(request.url))
        page.goto((tmp_path / "grades.html").as_uri())
        page.screenshot(path=shots / f"grades-{theme}.png", full_page=True)
        ratios = page.eval_on_selector_all("h1, p, li, th, td, .key", CONTRASTS)
        assert len(ratios) > 100
        assert min(ratios) >= 4.5
        assert page.evaluate(WIDER) == 0
        assert heard == []
        assert [re.sub(r".*/", "", url) for url in fetched] == ["grades.html"]
    finally:
        context.close()
