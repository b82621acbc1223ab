"""`dockerlab build`: what the command line asks for, the build, and what is said of it."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dockerlab import engines
from dockerlab.cli.answer import Answer, Shape
from dockerlab.cli.build_options import read_options
from dockerlab.context.context import Context
from dockerlab.dockerfile.parser import decode
from dockerlab.engines.results import Event, OnEvent
from dockerlab.errors import ContextError, OptionError
from dockerlab.inputs import read_dockerfile
from dockerlab.shared_options import key_values, read_secrets
from dockerlab.units import count, human_bytes, human_seconds
from dockerlab.widgets.progress import BuildProgress, PlainLog

if TYPE_CHECKING:
    from dockerlab.cli.output import Output


def build(args: Namespace) -> Answer:
    """Build a Dockerfile and print the image's id and size."""
    build_args, secrets = key_values(args.build_arg), read_secrets(args.secret)
    options, outputs = read_options(args), _outputs(args)
    engine, _ = engines.choose(args.engine)
    progress = BuildProgress("Dockerfile", engine=engine.name)
    write = _writer(args)

    def on_event(event: Event) -> None:
        progress(event)
        write(event)

    try:
        with _given(args) as (text, context):
            built = engine.build(
                text,
                context=context,
                tag=args.tag[0] if args.tag else None,
                target=args.target,
                build_args=build_args,
                secrets=secrets,
                no_cache=args.no_cache,
                squash=args.squash,
                builder=args.builder,
                options=options,
                on_event=on_event,
            )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(progress.interrupted()) from None
    if args.iidfile is not None:
        args.iidfile.write_text(built.image.id, encoding="utf-8")
    for output in outputs:
        output.write(built.image, engine)
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

    if any(output.dest is None for output in outputs):
        return Answer(shape, lambda: "", end="")  # standard output holds the image
    return Answer(shape, lambda: built.image.id if args.quiet else summary)


def writer(*, quiet: bool) -> OnEvent:
    """Return what writes a build's events to stderr as plain lines, or nothing at all."""
    return (lambda _: None) if quiet else PlainLog()


def _writer(args: Namespace) -> OnEvent:
    if args.quiet or args.progress == "quiet":
        return lambda _: None
    return _json_event if args.progress == "json" else PlainLog()


def _json_event(event: Event) -> None:
    from dockerlab.cli.shapes import event_shape

    print(json.dumps(event_shape(event)), file=sys.stderr, flush=True)


def _outputs(args: Namespace) -> list[Output]:
    if not args.output:
        return []
    from dockerlab.cli.output import read_output

    outputs = [output for text in args.output if (output := read_output(text)) is not None]
    if args.json and any(output.dest is None for output in outputs):
        raise OptionError("--output and --json cannot both have standard output.")
    return outputs


@contextmanager
def _given(args: Namespace) -> Iterator[tuple[str, Context]]:
    """Yield the Dockerfile's text and the build context."""
    if args.context == "-":
        if args.file == "-":
            raise OptionError("The context and the Dockerfile cannot both come from standard input.")
        from dockerlab.cli.standard_input import context_or_dockerfile

        with context_or_dockerfile() as found:
            yield _in_folder(found, args.file) if isinstance(found, Path) else (found, Context.files({}))
        return
    folder = Path(args.context)
    if not folder.is_dir():
        remote = "://" in args.context or args.context.startswith("git@")
        raise ContextError(
            f"There is no folder {args.context} to build in.",
            hint="A context from the web is not done here: download it, and give the folder."
            if remote
            else "Give the folder that COPY reads.",
        )
    if args.file == "-":
        yield decode(sys.stdin.buffer.read()), Context.folder(folder)
    else:
        yield _in_folder(folder, args.file and str(Path(args.file).absolute()))


def _in_folder(folder: Path, file: str | None) -> tuple[str, Context]:
    """Return a Dockerfile's text and its context, which goes by the Dockerfile's name for its ignore file."""
    path = folder / (file or "Dockerfile")
    text = read_dockerfile(path)
    try:
        name = path.resolve().relative_to(folder.resolve()).as_posix()
    except ValueError:
        name = path.name
    return text, Context.folder(folder, dockerfile=name)
