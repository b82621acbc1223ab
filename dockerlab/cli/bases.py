"""`dockerlab bases`: a folder of base images, and of builds already done, that others read in place."""

from __future__ import annotations

import sys
from argparse import Namespace

from dockerlab.checks.manifest import bases as of_the_course
from dockerlab.cli.answer import Answer
from dockerlab.context.context import Context
from dockerlab.errors import EngineError
from dockerlab.inputs import read_dockerfile
from dockerlab.units import count
from dockerlab.widgets.progress import PlainLog


def bases(args: Namespace) -> Answer:
    """Put images, and the steps of the builds in `--warm` folders, into a folder; say how to use it."""
    if sys.platform != "linux":
        raise EngineError(
            "Bases are put into a folder for the embedded engine, which runs on Linux.",
            hint="Docker keeps bases for all its users: `docker pull` each image.",
        )
    from dockerlab.engines.embedded import EmbeddedEngine
    from dockerlab.engines.embedded.store.shared import VARIABLE
    from dockerlab.engines.embedded.store.upkeep import leave_shared

    wanted = args.images or of_the_course()
    args.into.mkdir(parents=True, exist_ok=True)  # readable as the umask says, where a store is private
    engine, say = EmbeddedEngine(args.into), PlainLog()
    for reference in wanted:
        engine.bases.get(reference, on_event=say)
    for folder in args.warm:
        engine.build(read_dockerfile(folder / "Dockerfile"), context=Context.folder(folder), on_event=say)
    leave_shared(engine.store)
    held = [one.stand_in or one.reference for one in engine.images()]
    root = engine.store.root
    return Answer(
        lambda: {"into": str(root), "bases": held, "warm": [str(folder) for folder in args.warm]},
        lambda: (
            f"{count(len(held), 'base image')} in {root}: {', '.join(held)}\n"
            f"Others read them in place with {VARIABLE}={root}"
        ),
    )
