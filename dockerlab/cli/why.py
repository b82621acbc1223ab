"""`dockerlab why`: what the cache did for each step of a build, and why."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from pathlib import Path

from dockerlab import engines
from dockerlab.analysis.cache import DERIVED, Why
from dockerlab.analysis.cache import why as explain
from dockerlab.analysis.made_from import made_from
from dockerlab.cli.answer import Answer, Shape
from dockerlab.context.context import Context
from dockerlab.dockerfile.parser import parse
from dockerlab.engines.results import Build, LastBuild
from dockerlab.inputs import default_tag, read_dockerfile
from dockerlab.notebook.cache_questions import last_build
from dockerlab.widgets.explanations import why_table
from dockerlab.widgets.progress import PlainLog


def why(args: Namespace) -> Answer:
    """Explain the last build of a tag, or build a folder and explain that."""
    folder = Path(args.target)
    build = _build(args, folder) if folder.is_dir() else _last(args)
    found = explain(build)
    return Answer(lambda: shape(found), lambda: why_table(found).text(width=160))


def shape(found: Why) -> Shape:
    """`why`: `steps` in the order they were built; `changes` are the inputs of a miss that differ."""
    return {
        "name": found.name,
        "engine": found.engine,
        "stand_in": found.stand_in,
        "finding": found.finding,
        "reasons_from": "Dockerfile and context" if found.derived else "the builder's cache keys",
        "note": DERIVED if found.derived else None,
        "steps": [
            {
                "number": verdict.step.number,
                "stage": verdict.step.stage,
                "line": verdict.step.line,
                "text": verdict.step.text,
                "verdict": verdict.verdict,
                "why": verdict.why,
                "seconds": verdict.step.seconds,
                "changes": [asdict(change) for change in verdict.changes],
            }
            for verdict in found.verdicts
        ],
    }


def _last(args: Namespace) -> Build | LastBuild:
    """Return the last build of a tag; with --file only where that is the Dockerfile it was made from."""
    if args.file is not None:
        engine, _ = engines.choose(args.engine)
        made_from(engine.image(args.target), parse(read_dockerfile(Path(args.file))), args.target)
    return last_build(args.target, args.engine)


def _build(args: Namespace, folder: Path) -> Build | LastBuild:
    engine, _ = engines.choose(args.engine)
    written = Path(args.file) if args.file is not None else folder / "Dockerfile"
    return engine.build(
        read_dockerfile(written),
        context=Context.folder(folder, dockerfile=written.name),
        tag=args.tag or default_tag(folder.resolve().name),
        no_cache=args.no_cache,
        on_event=PlainLog(),
    )
