"""Build, measure and draw Docker image layers, with Docker or without it.

    import dockerlab as lab
    %load_ext dockerlab

Importing this costs next to nothing: each name below is fetched from its module when it is first used
(PEP 562), so neither plotly nor the Docker SDK is loaded before a chart is drawn or Docker is asked.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from dockerlab import charts as charts
    from dockerlab import errors as errors
    from dockerlab.caching import compare_builders as compare_builders
    from dockerlab.caching import what_if as what_if
    from dockerlab.caching import why as why
    from dockerlab.checks.card import progress as progress
    from dockerlab.checks.exercise import exercise as exercise
    from dockerlab.context import Context as Context
    from dockerlab.context import File as File
    from dockerlab.dockerfile import parse as parse
    from dockerlab.notebook import advise as advise
    from dockerlab.notebook import build as build
    from dockerlab.notebook import built as built
    from dockerlab.notebook import compare as compare
    from dockerlab.notebook import explore as explore
    from dockerlab.notebook import history as history
    from dockerlab.notebook import images as images
    from dockerlab.notebook import layers as layers
    from dockerlab.notebook import ledger as ledger
    from dockerlab.notebook import playground as playground
    from dockerlab.notebook import predict as predict
    from dockerlab.notebook import run as run
    from dockerlab.notebook import status as status
    from dockerlab.stored import read_archive as read_archive
    from dockerlab.units import human_bytes as human_bytes
    from dockerlab.units import human_seconds as human_seconds

__version__ = "0.1.0"

_HOMES = {
    "Context": "dockerlab.context",
    "File": "dockerlab.context",
    "advise": "dockerlab.notebook",
    "build": "dockerlab.notebook",
    "built": "dockerlab.notebook",
    "charts": "dockerlab.charts",
    "compare": "dockerlab.notebook",
    "compare_builders": "dockerlab.caching",
    "errors": "dockerlab.errors",
    "exercise": "dockerlab.checks.exercise",
    "explore": "dockerlab.notebook",
    "history": "dockerlab.notebook",
    "human_bytes": "dockerlab.units",
    "human_seconds": "dockerlab.units",
    "images": "dockerlab.notebook",
    "layers": "dockerlab.notebook",
    "ledger": "dockerlab.notebook",
    "parse": "dockerlab.dockerfile",
    "playground": "dockerlab.notebook",
    "predict": "dockerlab.notebook",
    "progress": "dockerlab.checks.card",
    "read_archive": "dockerlab.stored",
    "run": "dockerlab.notebook",
    "status": "dockerlab.notebook",
    "what_if": "dockerlab.caching",
    "why": "dockerlab.caching",
}

__all__ = [  # a test holds it equal to _HOMES
    "Context",
    "File",
    "advise",
    "build",
    "built",
    "charts",
    "compare",
    "compare_builders",
    "errors",
    "exercise",
    "explore",
    "history",
    "human_bytes",
    "human_seconds",
    "images",
    "layers",
    "ledger",
    "parse",
    "playground",
    "predict",
    "progress",
    "read_archive",
    "run",
    "status",
    "what_if",
    "why",
]


def __getattr__(name: str) -> Any:
    """Fetch a public name from the module it lives in."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'dockerlab' has no attribute {name!r}")
    module = import_module(home)
    value = module if home == f"dockerlab.{name}" else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """Add the `%%dockerfile` cell magic; IPython calls this on `%load_ext dockerlab`."""
    from dockerlab.magics import DockerfileMagics

    ipython.register_magics(DockerfileMagics(shell=ipython))
