"""What Docker's legacy builder, the one before BuildKit, makes of the same Dockerfile."""

from __future__ import annotations

from dockerlab.engines.results import Build
from dockerlab.errors import DockerlabError, EngineError
from dockerlab.inputs import ContextLike
from dockerlab.notebook.calls import build as build_dockerfile
from dockerlab.units import count, human_bytes
from dockerlab.widgets.table import Table


def legacy(x: Build, files: ContextLike | None = None) -> Table:
    """Build the Dockerfile of a build with the legacy builder, and say in one sentence what came of it.

    Where there is no Docker, or it has no such builder, the sentence says so. `.data` holds the Build, or the
    error.
    """
    text = x.dockerfile
    try:
        made = build_dockerfile(
            text,
            name=f"{x.name}_legacy",
            context=files,
            engine="docker",
            builder="legacy",
            quiet=True,
        )
    except EngineError as error:
        return Table(f"The legacy builder is not here: {error.message}", (), (), data=error)
    except DockerlabError as error:
        return Table(f"The legacy builder does not build {x.name}: {error.message}", (), (), data=error)
    read = f"it was sent {human_bytes(made.context_bytes)} of files"
    added = f"adds {count(made.layers_added, 'layer')}"
    return Table(f"The legacy builder: {x.name} {added}, {read}", (), (), data=made)
