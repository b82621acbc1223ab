"""Build once more: the same Dockerfile after an edit, and which of its lines ran."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from dockerlab.analysis import cache
from dockerlab.context.context import Context
from dockerlab.engines.results import Build
from dockerlab.errors import ContextError
from dockerlab.inputs import ContextLike, as_context, default_tag
from dockerlab.notebook.calls import build as build_dockerfile
from dockerlab.notebook.calls import engine_of
from dockerlab.widgets.table import Table


def rebuild(
    x: Build,
    files: ContextLike | None = None,
    *,
    edit: str | None = None,
    name: str | None = None,
    build_args: Mapping[str, str] | None = None,
    no_cache: bool = False,
) -> Build:
    """Build the Dockerfile of a build once more, with these files, and show nothing.

    Without `name` the image takes the name of the first; each Build stays the image it is.
    `edit` is the path of a file that gets a line more, a comment that no build had before; the files given
    are not changed. ContextError where there is no such file.
    """
    context = as_context(files)
    if edit is not None:
        context = _edited(context or Context.files({}), edit)
    return build_dockerfile(
        x.dockerfile,
        name=name or x.name,
        tag=None if name else x.image.reference,
        context=context,
        engine=engine_of(x),
        builder=x.builder,
        build_args=build_args,
        no_cache=no_cache,
        quiet=True,
    )


def after_edits(
    x: Build, edits: Mapping[str, cache.EditLike], files: ContextLike | None = None
) -> dict[str, Build]:
    """Build the Dockerfile of a build after each edit of these files; return the builds by the edits' names.

    An edit is what `lab.compare_builders` takes, as a dict of changed files. Each is made to the files as
    given, right after a build of those, on top of a small layer that no build had before: so it runs the same
    lines each time. Nothing is shown.
    """
    text, context = x.dockerfile.text, as_context(files) or Context.files({})
    mark = secrets.token_hex(8)
    engine = engine_of(x)

    def build(text: str, context: Context, build_args: Mapping[str, str]) -> Build:
        marked, with_mark = cache.marked(text, context, build_args=build_args, mark=mark)
        tag = default_tag(f"{x.name}-edited")
        made = engine.build(marked, context=with_mark, tag=tag, build_args=build_args, builder=x.builder)
        return replace(cache.unmarked(made), name=x.name)

    found = {}
    for name, edit in edits.items():
        made = cache.as_edit(edit)
        build(text, context, {})
        found[name] = build(*made.apply(text, context), made.build_args or {})
    return found


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
    return Table(
        "Which lines ran, and which came from the cache",
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
