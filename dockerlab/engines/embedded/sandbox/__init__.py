"""Which sandbox can be had here, found by trying."""

from __future__ import annotations

import os
from pathlib import Path

from dockerlab.engines.embedded.sandbox import remembered
from dockerlab.engines.embedded.sandbox.contract import Sandbox
from dockerlab.errors import EngineError

_CHOICES = ("auto", "namespaces", "proot")


def name(work: Path) -> str:
    """Return the name of the sandbox that `choose` gives, which need not try again what it found before."""
    return remembered.recall(work) or choose(work).name


def choose(work: Path) -> Sandbox:
    """Return the best sandbox that really works here; see `explain`."""
    return explain(work)[0]


def explain(work: Path) -> tuple[Sandbox, str]:
    """Return the best sandbox that really works here, found by trying, and why it is no better one, or "".

    `work` is a folder it may keep. $DOCKERLAB_SANDBOX is "auto" (the default), "namespaces" or "proot".
    Raises EngineError (what to install).
    """
    wanted = os.environ.get("DOCKERLAB_SANDBOX") or "auto"
    if wanted not in _CHOICES:
        raise EngineError(
            f'DOCKERLAB_SANDBOX is "{wanted}".',
            hint=f"Set it to {', '.join(_CHOICES[:-1])} or {_CHOICES[-1]}.",
        )
    refused = ""
    if wanted != "proot":
        namespaces, refused = _namespaces(work)
        if namespaces is not None:
            remembered.remember(work, namespaces.name)
            return namespaces, ""
        if wanted == "namespaces":
            raise EngineError(
                f"RUN cannot use namespaces here: {refused}.",
                hint="Set DOCKERLAB_SANDBOX=auto to let dockerlab use proot instead.",
            )
    from dockerlab.engines.embedded.sandbox.proot import proot

    tried = f" Namespaces were refused: {refused}." if refused else ""
    try:
        found = proot.ProotSandbox(work)
    except EngineError as error:
        raise EngineError(f"RUN needs proot. {error.message.rstrip('.')}.{tried}", hint=error.hint) from error
    broken = proot.probe(work)
    if broken is not None:
        raise EngineError(
            f"RUN cannot be built here. {broken.rstrip('.')}.{tried}",
            hint="Use Docker, or a machine where one of the two works. Without RUN a Dockerfile builds here.",
        )
    remembered.remember(work, found.name)
    return found, f"It is {found.origin}.{tried}"


def _namespaces(work: Path) -> tuple[Sandbox | None, str]:
    """Return a sandbox of namespaces, or None and why there is none: as we are, then as root of our own."""
    # Imported here: they need Linux, and the contract above must be readable everywhere.
    from dockerlab.engines.embedded.sandbox.namespaces.namespaces import NamespaceSandbox
    from dockerlab.engines.embedded.sandbox.namespaces.rootless import RootlessSandbox

    reasons = []
    for sandbox in (NamespaceSandbox(work), RootlessSandbox(work)):
        reason = sandbox.probe()
        if reason is None:
            return sandbox, ""
        reasons.append(reason.rstrip("."))
    return None, ", and ".join(reasons)
