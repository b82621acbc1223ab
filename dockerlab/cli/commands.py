"""What each command on the images that are kept does: fetch the engine, call it, answer."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from dockerlab import engines
from dockerlab.cli.answer import Answer
from dockerlab.errors import ContextError
from dockerlab.units import human_bytes

if TYPE_CHECKING:
    from dockerlab.engines.results import Engine


def doctor(args: Namespace) -> Answer:
    """Say what is used here, why, and what is missing; 1 when nothing can build, or an image is damaged."""
    from dockerlab.cli.doctor import examine

    report = examine(args.engine, verify=args.verify)
    return Answer(report.shape, report.text, code=0 if report.can_build and not report.damaged else 1)


def history(args: Namespace) -> Answer:
    """List an image's history rows, newest first, as Docker does."""
    from dockerlab.cli.archived import image_at
    from dockerlab.cli.shapes import history_shape
    from dockerlab.widgets.listings import history_table

    image, made_by = image_at(args.image, args.reference), None
    if image is None:
        engine = _engine(args)
        image, made_by = engine.image(args.image), engine.describe()
    table = history_table(image, full=args.no_trunc, made_by=made_by).newest_first()
    return Answer(
        lambda: history_shape(image, made_by), lambda: table.text(width=10_000 if args.no_trunc else 110)
    )


def images(args: Namespace) -> Answer:
    """List the images that are kept."""
    from dockerlab.cli.shapes import images_shape
    from dockerlab.widgets.listings import images_table

    engine = _engine(args)
    kept = engine.images()
    return Answer(
        lambda: images_shape(kept, engine.describe()),
        lambda: images_table(kept, engine=engine.describe()).text(),
    )


def save(args: Namespace) -> Answer:
    """Write images to one archive."""
    _engine(args).save(args.images, args.output)
    size = args.output.stat().st_size
    return Answer(
        lambda: {"output": str(args.output), "bytes": size},
        lambda: f"wrote {args.output}, {human_bytes(size)}",
    )


def push(args: Namespace) -> Answer:
    """Send an image to a registry: the layers that are not there."""
    from dockerlab.cli.shapes import push_shape
    from dockerlab.registry.push import push as push_image
    from dockerlab.widgets.listings import push_table

    image = _engine(args).image(args.image)
    pushed = push_image(image, args.to or args.image, packing=args.compression)
    return Answer(lambda: push_shape(pushed), lambda: push_table(image, pushed).text())


def load(args: Namespace) -> Answer:
    """Read the images of an archive."""
    engine = _engine(args)
    if not args.input.exists():
        raise ContextError(
            f"There is nothing at {args.input}.",
            hint="Give -i the archive that `docker save` wrote, or an OCI layout.",
        )
    loaded = engine.load(args.input)
    return Answer(
        lambda: {"images": loaded}, lambda: "\n".join(f"loaded {reference}" for reference in loaded)
    )


def rm(args: Namespace) -> Answer:
    """Remove images, one after the other; stops at the first that cannot be removed."""
    engine = _engine(args)
    for reference in args.images:
        engine.remove(reference)
        if not args.json:
            print(f"removed {reference}")
    return Answer(lambda: {"removed": args.images}, lambda: "", end="")


def prune(args: Namespace) -> Answer:
    """Free what no image needs."""
    engine = _engine(args)
    freed = engine.prune()
    return Answer(lambda: {"freed": freed}, lambda: f"freed {human_bytes(freed)}, {engine.describe()}")


def run(args: Namespace) -> Answer:
    """Run a command in an image; ends with its exit code."""
    engine = _engine(args)
    argv = args.argv[1:] if args.argv[:1] == ["--"] else args.argv
    ran = engine.run(args.image, argv or None, timeout=args.timeout)
    return Answer(
        lambda: {"exit_code": ran.exit_code, "output": ran.output, "engine": engine.describe()},
        lambda: ran.output,
        code=ran.exit_code,
        end="",
    )


def _engine(args: Namespace) -> Engine:
    return engines.choose(args.engine)[0]
