"""`dockerlab bundle`: the course with all that its lessons install, as one file, used without a network."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from pathlib import Path

from dockerlab.cli.answer import Answer
from dockerlab.course import offline
from dockerlab.errors import EngineError, OptionError, RegistryError
from dockerlab.units import count, human_bytes
from dockerlab.widgets.listings import base_names, bases_at_hand
from dockerlab.widgets.progress import PlainLog


def run(args: Namespace) -> Answer:
    """Make a bundle, use one, or drop the one in use."""
    if sys.platform != "linux":
        raise EngineError(
            "A bundle is used by the embedded engine, which runs on Linux.",
            hint="Docker keeps bases for all its users: `docker pull` each image while there is a network.",
        )
    if (args.file is None) != (args.what == "drop"):
        raise OptionError("Give FILE to create and to use, and none to drop.")
    return _drop() if args.file is None else {"create": _create, "use": _use}[args.what](args)


def _create(args: Namespace) -> Answer:
    """Run the course's notebooks in a new store, keep what they fetched, and write it all to one file."""
    from dockerlab.engines.embedded import EmbeddedEngine, mirror
    from dockerlab.engines.embedded.sandbox.proot import debian_proot
    from dockerlab.engines.embedded.store import bundle, durable, upkeep
    from dockerlab.engines.embedded.store.shared import VARIABLE

    os.environ.pop(VARIABLE, None)  # all of it is to be in the file
    file: Path = args.file.absolute()
    aside = file.with_name(f".{file.name}.making")
    durable.remove_tree(aside)  # of one that was killed
    try:
        engine, say = EmbeddedEngine(aside / "store"), PlainLog()
        for reference in offline.bases():
            try:
                engine.bases.get(reference, on_event=say)
            except RegistryError as error:
                print(f"Left out: {error.message}", file=sys.stderr, flush=True)
        held = [one.reference for one in engine.images()]
        pages = engine.store.root / mirror.FOLDER
        pages.mkdir()
        (pages / mirror.RECORDING).touch()
        ran = offline.run_notebooks(aside / "course", home=engine.store.root)
        (pages / mirror.RECORDING).unlink()
        for one in engine.images():
            if one.reference not in held:
                engine.remove(one.reference)
        upkeep.leave_shared(engine.store)
        debian_proot.fetch(engine.store.root)
        names = base_names(bases_at_hand(engine))
        wheels = offline.wheels(aside / "wheels", pythons=args.python)
        bundle.pack(engine.store.root, file, wheels=aside / "wheels", readme=offline.readme(file.name))
    finally:
        durable.remove_tree(aside)
    size = file.stat().st_size
    return Answer(
        lambda: {"what": "create", "file": str(file), "bases": names},
        lambda: (
            f"wrote {file}, {human_bytes(size)}: {count(len(names), 'base image')}, "
            f"what {count(ran, 'notebook')} built and installed, {count(wheels, 'wheel')}"
        ),
    )


def _use(args: Namespace) -> Answer:
    """Unpack a bundle into the store; from then on it is asked before any network."""
    from dockerlab.engines.embedded import EmbeddedEngine
    from dockerlab.engines.embedded.store import bundle
    from dockerlab.engines.embedded.store.store import Store

    store = Store()
    bundle.use(store, args.file)
    names = base_names(bases_at_hand(EmbeddedEngine(store.root)))
    return Answer(
        lambda: {"what": "use", "file": str(args.file), "bases": names},
        lambda: f"In use: {', '.join(names)}, and what the lessons install. `dockerlab bundle drop` ends it.",
    )


def _drop() -> Answer:
    """Remove the bundle in use."""
    from dockerlab.engines.embedded.store import bundle
    from dockerlab.engines.embedded.store.store import Store

    dropped = bundle.drop(Store())
    return Answer(
        lambda: {"what": "drop", "file": None, "bases": []},
        lambda: "The bundle is no longer in use." if dropped else "No bundle was in use.",
    )
