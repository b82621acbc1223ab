"""`dockerlab build`: what the command line asks for, the build, and what is said of it."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from pathlib import Path

from dockerlab import engines
from dockerlab.cli.answer import Answer, Shape
from dockerlab.context import Context
from dockerlab.engines import Event, OnEvent
from dockerlab.errors import ContextError
from dockerlab.inputs import read_dockerfile
from dockerlab.options import key_values, read_secrets
from dockerlab.units import count, human_bytes, human_seconds
from dockerlab.widgets.progress import BuildProgress, PlainLog


def build(args: Namespace) -> Answer:
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

    def shape() -> Shape:
        from dockerlab.cli.shapes import build_shape

        return build_shape(built)

    return Answer(shape, lambda: built.image.id if args.quiet else summary)


def writer(*, quiet: bool) -> OnEvent:
    """Return what writes a build's events to stderr as plain lines, or nothing at all."""
    return (lambda _: None) if quiet else PlainLog()


def _writer(args: Namespace) -> OnEvent:
    if args.quiet:
        return lambda _: None
    return _json_event if args.progress == "json" else PlainLog()


def _json_event(event: Event) -> None:
    from dockerlab.cli.shapes import event_shape

    print(json.dumps(event_shape(event)), file=sys.stderr, flush=True)


def _dockerfile(args: Namespace) -> tuple[str, str]:
    """Return the Dockerfile's text, and its name as seen from the context (for its own .dockerignore)."""
    if args.file == "-":
        return sys.stdin.read(), "Dockerfile"
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
