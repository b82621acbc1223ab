"""What each command does: fetch the engine, call it, print."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from dockerlab import engines
from dockerlab.cli import shapes
from dockerlab.context import Context
from dockerlab.dockerfile import decode
from dockerlab.engines import Event, OnEvent
from dockerlab.errors import ContextError
from dockerlab.inputs import read_dockerfile
from dockerlab.options import key_values, read_secrets
from dockerlab.units import count, human_bytes, human_seconds
from dockerlab.widgets.listings import history_table, images_table
from dockerlab.widgets.progress import BuildProgress, PlainLog


def doctor(args: Namespace) -> int:
    """Say what is used here, why, and what is missing; 1 when nothing can build, or an image is damaged."""
    from dockerlab.cli.doctor import examine

    report = examine(args.engine, verify=args.verify)
    _print(args, report.shape(), report.text())
    return 0 if report.can_build and not report.damaged else 1


def build(args: Namespace) -> int:
    """Build a Dockerfile and print the image's id and size."""
    build_args, secrets = key_values(args.build_arg), read_secrets(args.secret)
    engine, _ = engines.choose(args.engine)
    text, name = _dockerfile(args)
    progress = BuildProgress(name, engine=engine.name)
    write = _writer(args)

    def on_event(event: Event) -> None:
        progress(event)
        write(event)

    try:
        built = engine.build(
            text,
            context=Context.folder(args.context, dockerfile=name),
            tag=args.tag,
            target=args.target,
            build_args=build_args,
            secrets=secrets,
            no_cache=args.no_cache,
            squash=args.squash,
            builder=args.builder,
            on_event=on_event,
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(progress.interrupted()) from None
    cached = sum(step.cached is True for step in built.steps)
    named = f" {built.image.reference}" if built.image.reference else ""
    stand_in = f"\nbase {built.stand_in} is a stand-in" if built.stand_in else ""
    summary = (
        f"built{named} {built.image.id}\n"
        f"{count(len(built.steps), 'step')}, {cached} cached, {human_seconds(built.seconds)}; "
        f"{count(len(built.image.layers), 'layer')}, {human_bytes(built.image.size_unpacked)} unpacked; "
        f"{built.engine}{stand_in}"
    )
    _print(args, shapes.build_shape(built), built.image.id if args.quiet else summary)
    return 0


def history(args: Namespace) -> int:
    """List an image's history rows, newest first, as Docker does."""
    from dockerlab.cli.subjects import image_at  # which imports this module as well

    image, made_by = image_at(args.image, args.reference), None
    if image is None:
        engine, _ = engines.choose(args.engine)
        image, made_by = engine.image(args.image), engine.describe()
    table = history_table(image, full=args.no_trunc, made_by=made_by)
    width = 10_000 if args.no_trunc else 110
    _print(args, shapes.history_shape(image, made_by), table.newest_first().text(width=width))
    return 0


def images(args: Namespace) -> int:
    """List the images that are kept."""
    engine, _ = engines.choose(args.engine)
    kept = engine.images()
    table = images_table(kept, engine=engine.describe())
    _print(args, shapes.images_shape(kept, engine.describe()), table.text())
    return 0


def save(args: Namespace) -> int:
    """Write images to one archive."""
    engine, _ = engines.choose(args.engine)
    engine.save(args.images, args.output)
    size = args.output.stat().st_size
    _print(args, {"output": str(args.output), "bytes": size}, f"wrote {args.output}, {human_bytes(size)}")
    return 0


def load(args: Namespace) -> int:
    """Read the images of an archive."""
    engine, _ = engines.choose(args.engine)
    if not args.input.exists():
        raise ContextError(
            f"There is no file {args.input}.",
            hint="Give -i the archive that `docker save` wrote, or an OCI layout.",
        )
    loaded = engine.load(args.input)
    _print(args, {"images": loaded}, "\n".join(f"loaded {reference}" for reference in loaded))
    return 0


def rm(args: Namespace) -> int:
    """Remove images, one after the other; stops at the first that cannot be removed."""
    engine, _ = engines.choose(args.engine)
    for reference in args.images:
        engine.remove(reference)
        if not args.json:
            print(f"removed {reference}")
    if args.json:
        print(json.dumps({"removed": args.images}))
    return 0


def prune(args: Namespace) -> int:
    """Free what no image needs."""
    engine, _ = engines.choose(args.engine)
    freed = engine.prune()
    _print(args, {"freed": freed}, f"freed {human_bytes(freed)}, {engine.describe()}")
    return 0


def run(args: Namespace) -> int:
    """Run a command in an image; ends with its exit code."""
    engine, _ = engines.choose(args.engine)
    argv = args.argv[1:] if args.argv[:1] == ["--"] else args.argv
    ran = engine.run(args.image, argv or None, timeout=args.timeout)
    if args.json:
        print(json.dumps({"exit_code": ran.exit_code, "output": ran.output, "engine": engine.describe()}))
    else:
        sys.stdout.write(ran.output)
    return ran.exit_code


def _print(args: Namespace, shape: dict[str, Any], text: str) -> None:
    print(json.dumps(shape, indent=2) if args.json else text)


def writer(*, quiet: bool) -> OnEvent:
    """Return what writes a build's events to stderr as plain lines, or nothing at all."""
    return (lambda _: None) if quiet else PlainLog()


def _writer(args: Namespace) -> OnEvent:
    if args.quiet:
        return lambda _: None
    return _json_event if args.progress == "json" else PlainLog()


def _json_event(event: Event) -> None:
    print(json.dumps(shapes.event_shape(event)), file=sys.stderr, flush=True)


def _dockerfile(args: Namespace) -> tuple[str, str]:
    """Return the Dockerfile's text, and its name as seen from the context (for its own .dockerignore)."""
    if args.file == "-":
        return decode(sys.stdin.buffer.read()), "Dockerfile"
    if not args.context.is_dir():
        raise ContextError(
            f"There is no folder {args.context} to build in.", hint="Give the folder that COPY reads."
        )
    path = Path(args.file) if args.file else args.context / "Dockerfile"
    text = read_dockerfile(path)
    try:
        name = path.resolve().relative_to(args.context.resolve()).as_posix()
    except ValueError:
        name = path.name
    return text, name
