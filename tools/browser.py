"""Open notebooks in JupyterLab in a real browser, run them, and tell what happened.

Chromium is the system's own ($CHROMIUM, else chromium or google-chrome on the PATH), driven by Playwright.
It resolves no name but 127.0.0.1, and every request that is for another host is told.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.error import URLError
from urllib.parse import quote, urlsplit
from urllib.request import ProxyHandler, build_opener

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

Theme = Literal["light", "dark"]
THEMES: Mapping[Theme, str] = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
WIDTH = 1100  # CSS pixels: a laptop's window with the file browser closed
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
        source: cell.model.sharedModel.getSource(),
        count: cell.model.executionCount,
        waiting: cell.promptNode.textContent.includes('*'),
        expected: (cell.model.getMetadata('tags') || []).includes('raises-exception'),
        errors: cell.model.outputs.toJSON().filter(output => output.output_type === 'error')
            .map(output => output.ename + ': ' + output.evalue),
    }))
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
KERNEL_IDLE = """
() => {
    const panel = window.jupyterapp?.shell.currentWidget;
    return panel?.sessionContext?.session?.kernel?.status === 'idle';
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

    `errors` are cell errors that no tag expects; `left` are addresses on other hosts; `charts` counts
    plotly charts that were drawn; `seconds` is wall time of Run All.
    """

    notebook: str
    cells: int
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


def free_port() -> int:
    """Return a TCP port of loopback that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def isolated(home: Path) -> dict[str, str]:
    """Make an environment in which Jupyter reads nothing of the user's and keeps its own in `home`."""
    names = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
    settings = {f"JUPYTER_{name}": str(home / name.lower()) for name in names}
    settings |= {f"JUPYTERLAB_{name}_DIR": str(home / name.lower()) for name in ("SETTINGS", "WORKSPACES")}
    return {**os.environ, **settings, "IPYTHONDIR": str(home / "ipython"), "JUPYTER_PLATFORM_DIRS": "1"}


@contextmanager
def serve(root: Path, *, home: Path, timeout: float = 60) -> Iterator[str]:
    """Serve `root` with JupyterLab on a free port of loopback; the value is its address, without a token.

    Raises TimeoutError when it does not answer within `timeout` seconds, with the end of its log.
    """
    home.mkdir(parents=True, exist_ok=True)
    address = f"http://127.0.0.1:{(port := free_port())}"
    line = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"),
        *(f"--ServerApp.port={port}", "--ServerApp.port_retries=0", "--ServerApp.ip=127.0.0.1"),
        *("--IdentityProvider.token=", "--ServerApp.password=", f"--ServerApp.root_dir={root}"),
    ]
    log = home / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(line, env=isolated(home), stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_until_answering(address, server, timeout=timeout, log=log)
        yield address
    finally:
        server.terminate()
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def wait_until_answering(address: str, server: subprocess.Popen[bytes], *, timeout: float, log: Path) -> None:
    """Return once the server at `address` answers; TimeoutError when it ended or `timeout` seconds passed."""
    opener = build_opener(ProxyHandler({}))
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with opener.open(f"{address}/api", timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.1)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
    raise TimeoutError(f"JupyterLab did not answer at {address} within {timeout:.0f} s:\n{tail}")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the system's Chromium, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_notebook(
    browser: Browser, address: str, notebook: str, *, theme: Theme = "light"
) -> Iterator[tuple[Page, list[str], list[str]]]:
    """Open `notebook` (a path below the served root) with its kernel ready.

    The value is the page, and two lists that go on growing: console errors, and addresses on other hosts.
    """
    console: list[str] = []
    left: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error":
            console.append(f"{message.text} ({message.location.get('url', '')})")

    def watch(url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in {"http", "https", "ws", "wss"} and parts.hostname != "127.0.0.1":
            left.append(url)

    context = browser.new_context(viewport={"width": WIDTH, "height": 900}, reduced_motion="reduce")
    try:
        page = context.new_page()
        page.on("console", hear)
        page.on("pageerror", lambda error: console.append(str(error)))
        page.on("request", lambda request: watch(request.url))
        page.on("websocket", lambda opened: watch(opened.url))
        page.goto(f"{address}/lab/tree/{quote(notebook)}?reset", wait_until="domcontentloaded")
        page.wait_for_function(KERNEL_IDLE, timeout=90_000)
        set_theme(page, theme)
        if page.locator("#jp-left-stack").is_visible():
            page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
        yield page, console, left
    finally:
        context.close()


def set_theme(page: Page, theme: Theme) -> None:
    """Switch JupyterLab to its light or dark theme and wait until it is there."""
    name = THEMES[theme]
    page.evaluate("name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})", name)
    page.wait_for_selector(f"body[data-jp-theme-name='{name}']", state="attached")


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
    browser: Browser,
    address: str,
    notebook: str,
    *,
    themes: Sequence[Theme] = ("light",),
    shots: Path | None = None,
    timeout: float = 900,
) -> Visit:
    """Open `notebook`, run all its cells, and save a screenshot per theme into the folder `shots`."""
    saved: list[Path] = []
    name = Path(notebook).with_suffix("").as_posix().replace("/", "-")
    with open_notebook(browser, address, notebook, theme=themes[0]) as (page, console, left):
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
            errors=tuple(error for cell in cells if not cell["expected"] for error in cell["errors"]),
            console=tuple(console),
            left=tuple(left),
            charts=charts,
            seconds=seconds,
            screenshots=tuple(saved),
        )
