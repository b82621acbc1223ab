"""How many layers an image can have here: piles of them are built, and started, until one breaks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from dockerlab.errors import DockerlabError
from dockerlab.inputs import ContextLike
from dockerlab.notebook.calls import build as build_dockerfile
from dockerlab.notebook.calls import run
from dockerlab.widgets.table import Table


def layer_limit(
    pile: Callable[[int], str], files: ContextLike, *, known: int = 120, most: int = 600
) -> Table:
    """Find the most layers that can be built here, and the most that a container starts on.

    `pile` gives the Dockerfile of an image of n layers. Each try halves what is left between `known`, which
    works, and `most`, where it ends. `.data` has the two numbers, as "builds" and "starts".
    """
    refused: dict[int, str] = {}

    def tried(layers: int, *, start: bool) -> bool:
        try:
            built = build_dockerfile(pile(layers), name="pile_tried", context=files, quiet=True)
            return not start or run(built, "true").exit_code == 0
        except DockerlabError as error:
            refused[layers] = error.message
            return False

    found: dict[str, int] = {}
    rows = []
    for what, works in (("builds", partial(tried, start=False)), ("starts", partial(tried, start=True))):
        highest = found[what] = _highest(works, known, most)
        why = "" if highest == most else refused.get(highest + 1, "")
        rows.append((what, f"{most} and more" if highest == most else str(highest), why))
    return Table(
        "The most layers an image can have here",
        ("it", "layers", "what one more says"),
        tuple(rows),
        right=("layers",),
        data=found,
    )


def _highest(works: Callable[[int], bool], known: int, most: int) -> int:
    if works(most):
        return most
    while most - known > 1:
        middle = (known + most) // 2
        known, most = (middle, most) if works(middle) else (known, middle)
    return known
