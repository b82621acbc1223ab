"""The few calls into IPython's display machinery, which has no types of its own."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Protocol


class Handle(Protocol):
    """An output that can be repainted."""

    def update(self, obj: Any, **_: Any) -> object:
        """Show `obj` in place of what was shown."""
        ...


def in_kernel() -> bool:
    """Tell whether this runs in a Jupyter kernel, where an output can be repainted."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")


def show(*objects: object) -> None:
    """Show each object below the running cell."""
    _display()(*objects)


def show_bundle(bundle: Mapping[str, Any]) -> None:
    """Show one output given as MIME type -> content."""
    _display()(dict(bundle), raw=True)


def show_repaintable(obj: object) -> Handle:
    """Show `obj` and return the handle that repaints it."""
    handle: Handle = _display()(obj, display_id=True)
    return handle


def _display() -> Any:
    from IPython.display import display

    return display
