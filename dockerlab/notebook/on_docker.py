"""What Docker makes of the same Dockerfile: BuildKit, or the legacy builder that was before it."""

from __future__ import annotations

from dockerlab.engines.results import Build, Builder
from dockerlab.errors import DockerlabError, EngineError
from dockerlab.notebook.calls import build as build_dockerfile
from dockerlab.units import count, human_bytes
from dockerlab.widgets.table import Table


def on_docker(x: Build, *, builder: Builder = "buildkit") -> Table:
    """Build a build once more on Docker, whatever engine made it; say in one sentence what came of it.

    The image is kept as "dockerlab/<name>_<builder>". Where there is no Docker, or it has no such builder,
    the sentence says so. `.data` holds the Build, or the error.
    """
    text, files, name = x.dockerfile, x.recipe.context, f"{x.name}_{builder}"
    who = "The legacy builder" if builder == "legacy" else "BuildKit"
    try:
        made = build_dockerfile(text, name=name, context=files, engine="docker", builder=builder, quiet=True)
    except EngineError as error:
        return Table(f"{who} is not here: {error.message}", (), (), data=error)
    except DockerlabError as error:
        return Table(f"{who} does not build {x.name}: {error.message}", (), (), data=error)
    read = f"it was sent {human_bytes(made.context_bytes)} of files"
    return Table(f"{who}: {x.name} adds {count(made.layers_added, 'layer')}, {read}", (), (), data=made)
