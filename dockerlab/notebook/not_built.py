"""What a learner is told of a build that the network was needed for, and was not there."""

from __future__ import annotations

import re
import sys

from dockerlab.errors import DockerlabError, RegistryError, RunError

# What apt, pip, npm and curl print of a network that is not there.
_OFFLINE = re.compile(
    r"could(n't| not) (resolve|connect)|failure in name resolution|temporary failure resolving"
    r"|network is unreachable|EAI_AGAIN|ENOTFOUND|connection (timed out|refused)",
    re.IGNORECASE,
)

# How Docker's errors begin where a registry did answer (engines/docker/errors.py).
_ANSWERED = ("the image is not in its registry", "the registry allows no more pulls", "the syntax image")


def base_is_away(error: DockerlabError) -> bool:
    """Tell whether a build failed since its base image is not here and no registry answers."""
    return isinstance(error, RegistryError) and not error.message.startswith(_ANSWERED)


def not_built(error: DockerlabError) -> str:
    """Say in one line what was not built and why, and what to do; a notebook's name for it comes first."""
    name = _variable_of(error)
    if base_is_away(error):
        why = "its base image is not here, and no registry can be reached"
        return f"{name} was not built: {why}. Read on; run its cell again when you are online."
    log = "\n".join(error.log) if isinstance(error, RunError) else ""
    if _OFFLINE.search(log):
        return f"{name} was not built: no network. Read on; run its cell again when you are online."
    if "Unable to locate package" in log:  # `apt-get update` ends well without a network, and install fails
        why = "apt-get found no such package. Without a network it finds none"
        return f"{name} was not built: {why}. Read on; run its cell again when you are online."
    return f"{name} was not built: its cell says why. Read on, or mend it and run its cell again."


def _variable_of(error: DockerlabError) -> str:
    """Return the name that a notebook gave to what failed; the latest, as a cell may have run twice."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    names = [name for name, value in (shell.user_ns if shell else {}).items() if value is error]
    return next((name for name in names if not name.startswith("_")), "A Dockerfile")
