"""Build once more: the same Dockerfile after an edit, and which of its lines ran."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from dockerlab.context.context import Context
from dockerlab.engines.results import Build
from dockerlab.errors import ContextError
from dockerlab.inputs import ContextLike, as_context
from dockerlab.notebook.calls import build as build_dockerfile
from dockerlab.notebook.calls import engine_of
from dockerlab.widgets.table import Table


def rebuild(
    x: Build,
    files: ContextLike | None = None,
    *,
    edit: str | None = None,
    name: str | None = None,
    no_cache: bool = False,
) -> Build:
    """Build the Dockerfile of a build once more, with these files, and show nothing.

    `edit` is the path of a file that gets a line more, a comment that no build had before; the files given
    are not changed. ContextError where there is no such file.
    """
    context = as_context(files)
    if edit is not None:
        context = _edited(context or Context.files({}), edit)
    return build_dockerfile(
        x.dockerfile,
        name=name or x.name,
        context=context,
        engine=engine_of(x),
        builder=x.builder,
        no_cache=no_cache,
        quiet=True,
    )


def _edited(context: Context, path: str) -> Context:
    tree = context.all_files()
    before = tree.read(path) if path in tree else None
    if before is None:
        there = ", ".join(sorted(tree))
        raise ContextError(f"There is no file {path!r} to edit in these files.", hint=f"There are: {there}.")
    return context.edited({path: before + f"# edit {time.time_ns()}\n".encode()})


def ran(x: Build | Mapping[str, Build]) -> Table:
    """Say which lines of a Dockerfile ran and which came from the cache, of one build or of several by name.

    `.data` holds the lines that ran.
    """
    if not isinstance(x, Mapping):
        new, cached = _lines(x)
        return Table(f"{x.name}: {_said(new)} ran, {_said(cached)} from the cache", (), (), data=new)
    found = {name: _lines(build) for name, build in x.items()}
    by_count = sorted(found, key=lambda name: len(found[name][0]))
    return Table(
        f'Most lines ran for "{by_count[-1]}", fewest for "{by_count[0]}"',
        ("build", "ran", "from the cache"),
        tuple((name, _said(new), _said(cached)) for name, (new, cached) in found.items()),
        data={name: new for name, (new, _) in found.items()},
    )


def _lines(build: Build) -> tuple[list[int], list[int]]:
    steps = build.steps
    return [one.line for one in steps if one.cached is False], [one.line for one in steps if one.cached]


def _said(lines: Sequence[int]) -> str:
    if not lines:
        return "no line"
    return f"line{'s' if len(lines) > 1 else ''} {', '.join(map(str, lines))}"
