"""Open notebooks in JupyterLab in a real browser, run them, and tell what happened.

Chromium is the system's own ($CHROMIUM, else chromium or google-chrome on the PATH), driven by Playwright.
It resolves no name but 127.0.0.1, and every request that is for another host is told.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize, sync_playwright

Theme = Literal["light", "dark"]
THEMES: Mapping[Theme, str] = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
WIDTH = 1100  # CSS pixels: a laptop's window with the file browser closed
WINDOW: ViewportSize = {"width": WIDTH, "height": 900}
TALLEST = 16_000  # CSS pixels; Chromium paints nothing beyond its largest texture
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--force-color-profile=srgb"),
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)

CODE_CELLS = """
() => window.jupyterapp.shell.currentWidget.content.widgets
    .filter(cell => cell.model.type === 'code' && cell.model.sharedModel.getSource().trim())
    .map(cell => ({
        count: cell.model.executionCount,
        waiting: cell.promptNode.textContent.includes('*'),
        expected: (cell.model.getMetadata('tags') || []).includes('raises-exception'),
        errors: Array.from({length: cell.model.outputs.length}, (_, at) => cell.model.outputs.get(at))
            .filter(output => output.type === 'error').map(output => output.toJSON())
            .map(output => output.ename + ': ' + output.evalue),
    }))
"""
OUTPUTS = """
() => window.jupyterapp.shell.currentWidget.content.widgets
    .filter(cell => cell.model.type === 'code').map(cell => cell.model.outputs.toJSON())
"""
# Run All goes on to the end, or stops at the first error nobody expected.
DONE = f"""
() => {{
    const cells = ({CODE_CELLS})();
    if (cells.some(cell => cell.waiting)) return false;
    return cells.every(cell => cell.count !== null)
        || cells.some(cell => cell.errors.length && !cell.expected);
}}
"""
STARTED = "() => window.jupyterapp !== undefined"
RESTORED = "async () => { await window.jupyterapp.restored; }"
OPEN = """
async path => { await window.jupyterapp.commands.execute('docmanager:open', {path, factory: 'Notebook'}); }
"""
KERNEL_IDLE = """
path => {
    const panel = window.jupyterapp.shell.currentWidget;
    return panel?.context?.path === path && panel.sessionContext.session?.kernel?.status === 'idle';
}
"""
# A kernel outlives its notebook, and with it what was chosen and built there. Closing asks when there is
# something to save.
CLOSE = """
async () => {
    for (const panel of [...window.jupyterapp.shell.widgets('main')].filter(panel => panel.sessionContext)) {
        await panel.sessionContext.shutdown();
        panel.context.model.dirty = false;
        panel.close();
    }
}
"""
# From the top of the first cell to the bottom of the last: JupyterLab adds room to scroll past the end.
HEIGHT = """
() => {
    const cells = [...document.querySelectorAll('.jp-Notebook .jp-Cell')]
        .map(cell => cell.getBoundingClientRect());
    return cells.at(-1).bottom - cells[0].top;
}
"""
# Running all cells leaves the last one selected and in view.
TO_THE_TOP = """() => document.querySelectorAll(
    ".jp-WindowedPanel-outer, .jp-Notebook"
).forEach(panel => { panel.scrollTop = 0; })"""
TWO_FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"
# plotly draws in steps (draw, make an image of it, fit to the window 100 ms later); to change the window in
# the midst of them, or to look, is a race. Done when nothing in the notebook changed for 300 ms.
AT_REST = """
limit => new Promise(done => {
    const began = performance.now();
    let last = began;
    const watch = new MutationObserver(() => { last = performance.now(); });
    watch.observe(document.querySelector('.jp-Notebook'), {subtree: true, childList: true, attributes: true});
    const look = () => {
        const now = performance.now();
        if (now - last < 300 && now - began < limit) return requestAnimationFrame(look);
        watch.disconnect();
        done(now - last >= 300);
    };
    look();
})
"""
DRAWN = """
() => [...document.querySelectorAll('.js-plotly-plot')].every(plot => plot.querySelector('.main-svg'))
"""


@dataclass(frozen=True)
class Visit:
    """What happened when a notebook was opened and all its cells were run.

    `outputs` are those of each code cell, as a notebook's file holds them; `errors` are cell errors that no
    tag expects; `left` are addresses on other hosts; `charts` counts plotly charts that were drawn;
    `seconds` is wall time of Run All.
    """

    notebook: str
    cells: int
    outputs: tuple[list[dict[str, Any]], ...]
    errors: tuple[str, ...]
    console: tuple[str, ...]
    left: tuple[str, ...]
    charts: int
    seconds: float
    screenshots: tuple[Path, ...]


def find_chromium() -> str | None:
    """Return the path of a Chromium or Chrome to drive, or None where there is none."""
    if named := os.environ.get("CHROMIUM"):
        return named
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for name in names if (path := shutil.which(name))), None)


def missing() -> str | None:
    """Say what keeps a browser from being driven here, or None when nothing does."""
    if find_chromium() is None:
        return "no Chromium here: install it, or name one in CHROMIUM"
    driver = subprocess.run(
        [sys.executable, "-m", "playwright", "--version"], capture_output=True, text=True, check=False
    )
    return f"Playwright does not start: {driver.stderr.strip()}" if driver.returncode else None


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the system's Chromium, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass(frozen=True)
class Lab:
    """JupyterLab in one page of a browser: loaded once, for one notebook after the other.

    `console` and `left` hold the errors of the console, and the addresses on other hosts, since the last
    notebook was opened.
    """

    page: Page
    console: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    @contextmanager
    def notebook(self, path: str, *, theme: Theme = "light") -> Iterator[tuple[Page, list[str], list[str]]]:
        """Open the notebook at `path` (below the served root) with its kernel ready; end both afterwards.

        The value is the page and the two lists, which go on growing.
        """
        self.page.set_viewport_size(WINDOW)
        set_theme(self.page, theme)
        self.console.clear()
        self.left.clear()
        self.page.evaluate(OPEN, path)
        self.page.wait_for_function(KERNEL_IDLE, arg=path, timeout=90_000)
        try:
            yield self.page, self.console, self.left
        finally:
            self.page.evaluate(CLOSE)

    def hear(self, message: ConsoleMessage) -> None:
        """Note an error of the console."""
        if message.type == "error":
            self.console.append(f"{message.text} ({message.location.get('url', '')})")

    def watch(self, url: str) -> None:
        """Note an address that is on another host."""
        parts = urlsplit(url)
        if parts.scheme in {"http", "https", "ws", "wss"} and parts.hostname != "127.0.0.1":
            self.left.append(url)


@contextmanager
def open_lab(browser: Browser, address: str) -> Iterator[Lab]:
    """Open the JupyterLab that answers at `address`."""
    context = browser.new_context(viewport=WINDOW, reduced_motion="reduce")
    try:
        lab = Lab(page := context.new_page())
        page.on("console", lambda message: lab.hear(message))
        page.on("pageerror", lambda error: lab.console.append(str(error)))
        page.on("request", lambda request: lab.watch(request.url))
        page.on("websocket", lambda opened: lab.watch(opened.url))
        page.goto(f"{address}/lab?reset", wait_until="domcontentloaded")
        page.wait_for_function(STARTED, timeout=90_000)
        page.evaluate(RESTORED)
        if page.locator("#jp-left-stack").is_visible():
            page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
        yield lab
    finally:
        context.close()


def set_theme(page: Page, theme: Theme) -> None:
    """Switch JupyterLab to its light or dark theme and wait until it is there."""
    name = THEMES[theme]
    page.evaluate("name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})", name)
    page.wait_for_selector(f"body[data-jp-theme-name='{name}']", state="attached")
    page.wait_for_selector("#main:not(.lm-mod-hidden)")  # hidden while a theme's styles are fetched


def run_all(page: Page, *, timeout: float = 900) -> float:
    """Clear all outputs, run all cells from the Run menu, and return the seconds it took.

    Raises playwright's TimeoutError when cells still run after `timeout` seconds.
    """
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    began = time.monotonic()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.locator("li[data-command='runmenu:run-all']").click()
    page.wait_for_function(DONE, timeout=timeout * 1000, polling=200)
    seconds = time.monotonic() - began
    page.wait_for_function(DRAWN, timeout=30_000)
    settle(page)
    return seconds


def settle(page: Page, *, timeout: float = 5) -> bool:
    """Wait until the open notebook stands still, `timeout` seconds at most; tell whether it does."""
    return bool(page.evaluate(AT_REST, timeout * 1000))


def screenshot(page: Page, path: Path, *, width: int = WIDTH) -> Path:
    """Save the whole open notebook, top to bottom, as a PNG (`TALLEST` pixels at most)."""
    settle(page)
    height = page.evaluate(HEIGHT)
    page.set_viewport_size({"width": width, "height": min(int(height) + 160, TALLEST)})
    page.evaluate(TO_THE_TOP)
    page.evaluate(TWO_FRAMES)
    settle(page)
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=path, animations="disabled")
    return path


def visit(
    lab: Lab,
    notebook: str,
    *,
    themes: Sequence[Theme] = ("light",),
    shots: Path | None = None,
    timeout: float = 900,
) -> Visit:
    """Open `notebook`, run all its cells, and save a screenshot per theme into the folder `shots`."""
    saved: list[Path] = []
    name = Path(notebook).with_suffix("").as_posix().replace("/", "-")
    with lab.notebook(notebook, theme=themes[0]) as (page, console, left):
        seconds = run_all(page, timeout=timeout)
        cells: list[dict[str, Any]] = page.evaluate(CODE_CELLS)
        charts = page.locator(".js-plotly-plot:has(.main-svg)").count()
        if shots is not None:
            for theme in themes:
                set_theme(page, theme)
                saved.append(screenshot(page, shots / f"{name}-{theme}.png"))
        return Visit(
            notebook=notebook,
            cells=len(cells),
            outputs=tuple(page.evaluate(OUTPUTS)),
            errors=tuple(error for cell in cells if not cell["expected"] for error in cell["errors"]),
            console=tuple(console),
            left=tuple(left),
            charts=charts,
            seconds=seconds,
            screenshots=tuple(saved),
        )
