"""`dockerlab why`: what the cache did for each step of a build, and why."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from pathlib import Path

from dockerlab import engines
from dockerlab.analysis.cache import DERIVED, Why
from dockerlab.analysis.cache import why as explain
from dockerlab.caching import last_build
from dockerlab.cli.answer import Answer, Shape
from dockerlab.context import Context
from dockerlab.engines import Build, LastBuild
from dockerlab.inputs import default_tag, read_dockerfile
from dockerlab.widgets.explanations import why_table
from dockerlab.widgets.progress import PlainLog


def why(args: Namespace) -> Answer:
    """Explain the last build of a tag, or build a folder and explain that."""
    folder = Path(args.target)
    build = _build(args, folder) if folder.is_dir() else last_build(args.target, args.engine)
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
                "number": one.step.number,
                "stage": one.step.stage,
                "line": one.step.line,
                "text": one.step.text,
                "verdict": one.verdict,
                "why": one.why,
                "seconds": one.step.seconds,
                "changes": [asdict(change) for change in one.changes],
            }
            for one in found.verdicts
        ],
    }


def _build(args: Namespace, folder: Path) -> Build | LastBuild:
    engine, _ = engines.choose(args.engine)
    return engine.build(
        read_dockerfile(folder / "Dockerfile"),
        context=Context.folder(folder),
        tag=args.tag or default_tag(folder.resolve().name),
        no_cache=args.no_cache,
        on_event=PlainLog(),
    )
