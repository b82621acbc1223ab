"""What a notebook shows when it is opened again, and the kernel that made it is gone."""

from __future__ import annotations

from pathlib import Path

from tools.browser import Lab, run_all, screenshot

SAVE = "() => window.jupyterapp.commands.execute('docmanager:save')"
NOTES = """() => [...document.querySelectorAll('.dockerlab-card, .dockerlab-box')]
    .map(one => getComputedStyle(one, '::after').content)"""
WAIT = 60_000  # milliseconds


def test_widgets_show_their_last_state(lab: Lab, shots: Path) -> None:
    """A guess, the explorer and the playground stand as they were left, and no output is an error."""
    with lab.notebook("widgets.ipynb") as (page, _, _):
        run_all(page)
        page.get_by_role("button", name="2 layers").click()
        page.get_by_text("Your guess: 2 layers.").wait_for(timeout=WAIT)
        page.locator(".dockerlab-list option").nth(2).wait_for(state="attached", timeout=WAIT)
        page.evaluate(SAVE)
    with lab.notebook("widgets.ipynb") as (page, _, _):
        page.get_by_text("Your guess: 2 layers.").wait_for(timeout=WAIT)
        page.locator(".dockerlab-list option").nth(2).wait_for(state="attached", timeout=WAIT)
        assert page.locator(".dockerlab-box").count() == 2
        assert page.evaluate(NOTES) == ['"This is how it was left. Run the cell again to use it."'] * 3
        assert page.get_by_text("Error displaying widget").count() == 0
        screenshot(page, shots / "without-a-kernel.png")
