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
    from dockerlab import examples as examples
    from dockerlab.checks.card import progress as progress
    from dockerlab.checks.exercise import exercise as exercise
    from dockerlab.checks.serving import ask as ask
    from dockerlab.context.context import Context as Context
    from dockerlab.context.context import File as File
    from dockerlab.dockerfile.parser import parse as parse
    from dockerlab.image.archive_reader import read_archive as read_archive
    from dockerlab.notebook.again import after_edits as after_edits
    from dockerlab.notebook.again import log as log
    from dockerlab.notebook.again import ran as ran
    from dockerlab.notebook.again import rebuild as rebuild
    from dockerlab.notebook.cache_questions import compare_builders as compare_builders
    from dockerlab.notebook.cache_questions import what_if as what_if
    from dockerlab.notebook.cache_questions import why as why
    from dockerlab.notebook.calls import advise as advise
    from dockerlab.notebook.calls import build as build
    from dockerlab.notebook.calls import compare as compare
    from dockerlab.notebook.calls import equipment as equipment
    from dockerlab.notebook.calls import explore as explore
    from dockerlab.notebook.calls import history as history
    from dockerlab.notebook.calls import images as images
    from dockerlab.notebook.calls import layers as layers
    from dockerlab.notebook.calls import ledger as ledger
    from dockerlab.notebook.calls import playground as playground
    from dockerlab.notebook.calls import predict as predict
    from dockerlab.notebook.calls import run as run
    from dockerlab.notebook.calls import status as status
    from dockerlab.notebook.on_docker import on_docker as on_docker
    from dockerlab.notebook.piles import layer_limit as layer_limit
    from dockerlab.notebook.registries import pull as pull
    from dockerlab.notebook.registries import push as push
    from dockerlab.notebook.registries import registry as registry
    from dockerlab.notebook.stored import files as files
    from dockerlab.notebook.stored import pulls as pulls
    from dockerlab.notebook.stored import sizes as sizes
    from dockerlab.units import human_bytes as human_bytes
    from dockerlab.units import human_seconds as human_seconds

__version__ = "0.1.0"

_HOMES = {
    "Context": "dockerlab.context.context",
    "File": "dockerlab.context.context",
    "advise": "dockerlab.notebook.calls",
    "after_edits": "dockerlab.notebook.again",
    "ask": "dockerlab.checks.serving",
    "build": "dockerlab.notebook.calls",
    "charts": "dockerlab.charts",
    "compare": "dockerlab.notebook.calls",
    "compare_builders": "dockerlab.notebook.cache_questions",
    "equipment": "dockerlab.notebook.calls",
    "errors": "dockerlab.errors",
    "examples": "dockerlab.examples",
    "exercise": "dockerlab.checks.exercise",
    "explore": "dockerlab.notebook.calls",
    "files": "dockerlab.notebook.stored",
    "history": "dockerlab.notebook.calls",
    "human_bytes": "dockerlab.units",
    "human_seconds": "dockerlab.units",
    "images": "dockerlab.notebook.calls",
    "layer_limit": "dockerlab.notebook.piles",
    "layers": "dockerlab.notebook.calls",
    "ledger": "dockerlab.notebook.calls",
    "log": "dockerlab.notebook.again",
    "on_docker": "dockerlab.notebook.on_docker",
    "parse": "dockerlab.dockerfile.parser",
    "playground": "dockerlab.notebook.calls",
    "predict": "dockerlab.notebook.calls",
    "progress": "dockerlab.checks.card",
    "pulls": "dockerlab.notebook.stored",
    "pull": "dockerlab.notebook.registries",
    "push": "dockerlab.notebook.registries",
    "ran": "dockerlab.notebook.again",
    "read_archive": "dockerlab.image.archive_reader",
    "rebuild": "dockerlab.notebook.again",
    "registry": "dockerlab.notebook.registries",
    "run": "dockerlab.notebook.calls",
    "sizes": "dockerlab.notebook.stored",
    "status": "dockerlab.notebook.calls",
    "what_if": "dockerlab.notebook.cache_questions",
    "why": "dockerlab.notebook.cache_questions",
}

__all__ = [  # a test holds it equal to _HOMES
    "Context",
    "File",
    "advise",
    "after_edits",
    "ask",
    "build",
    "charts",
    "compare",
    "compare_builders",
    "equipment",
    "errors",
    "examples",
    "exercise",
    "explore",
    "files",
    "history",
    "human_bytes",
    "human_seconds",
    "images",
    "layer_limit",
    "layers",
    "ledger",
    "log",
    "on_docker",
    "parse",
    "playground",
    "predict",
    "progress",
    "pull",
    "pulls",
    "push",
    "ran",
    "read_archive",
    "rebuild",
    "registry",
    "run",
    "sizes",
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
    from dockerlab.notebook.magics import DockerfileMagics, find_own_commands
    from dockerlab.notebook.not_built import answer_in_one_line

    find_own_commands()
    ipython.register_magics(DockerfileMagics(shell=ipython))
    answer_in_one_line(ipython)
