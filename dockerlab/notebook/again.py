"""Build once more: the same Dockerfile after an edit, which of its lines ran, and what they printed."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from dockerlab.analysis import cache
from dockerlab.context.context import Context
from dockerlab.dockerfile.parser import Dockerfile
from dockerlab.engines.results import Build
from dockerlab.errors import ContextError, DockerfileError
from dockerlab.inputs import ContextLike, as_context, default_tag
from dockerlab.notebook.calls import build as build_dockerfile
from dockerlab.notebook.calls import engine_of
from dockerlab.units import human_seconds
from dockerlab.widgets.table import Table


def rebuild(
    x: Build,
    files: ContextLike | None = None,
    *,
    edit: str | int | None = None,
    name: str | None = None,
    build_args: Mapping[str, str] | None = None,
    no_cache: bool = False,
) -> Build:
    """Build the Dockerfile of a build once more, with these files or those it had, and show nothing.

    Without `name` the image takes the name of the first; each Build stays the image it is.
    `edit` is the path of a file that gets a line more (a comment, of a Python module an assignment), or the
    line of a RUN that gets a comment: one that no build had before. The files given are not changed.
    ContextError where there is no such file, DockerfileError where no RUN of a shell begins in that line.
    """
    text, context = x.dockerfile.text, as_context(files) or x.recipe.context
    if isinstance(edit, int):
        text = _with_comment(x.dockerfile, edit)
    elif edit is not None:
        context = _edited(context or Context.files({}), edit)
    return build_dockerfile(
        text,
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
    """Build the Dockerfile of a build after each edit; return the builds by the edits' names.

    An edit is what `lab.compare_builders` takes, as a dict of changed files. Each is made to the files given,
    or those the build had, right after a build of those, on top of a small layer that no build had before: so
    it runs the same lines each time. Nothing is shown.
    """
    text, context = x.dockerfile.text, as_context(files) or x.recipe.context or Context.files({})
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
    # Of a Python module what is compiled from it is another too, or a rerun would find it in the cache.
    line = "edit = {}" if path.endswith(".py") else "# edit {}"
    return context.edited({path: before + f"{line.format(time.time_ns())}\n".encode()})


def _with_comment(dockerfile: Dockerfile, line: int) -> str:
    shells = [one for stage in dockerfile.stages for one in stage.instructions if one.keyword == "RUN"]
    runs = [one for one in shells if not (one.json or one.heredocs)]
    edited = next((one for one in runs if one.line == line), None)
    if edited is None:
        there = ", ".join(str(one.line) for one in runs) or "none"
        raise DockerfileError(f"No RUN begins in line {line}.", hint=f"Lines of a RUN: {there}.")
    lines = dockerfile.text.splitlines()
    lines[edited.end_line - 1] += f"  # edit {time.time_ns()}"
    return "\n".join(lines) + "\n"


def log(x: Build, *words: str) -> Table:
    """List what the RUNs of a build printed as they ran: with `words`, only lines that hold one of these.

    `.data` holds the lines of text.
    """
    found = [
        (step.line, text.strip())
        for step in x.steps
        for text in step.log
        if not words or any(word in text for word in words)
    ]
    return Table(
        f"{x.name}: what ran took {_took(x)}, and printed",
        ("line", "log"),
        tuple((str(line), text) for line, text in found),
        right=("line",),
        data=tuple(text for _, text in found),
    )


def ran(x: Build | Mapping[str, Build], *, seconds: bool = False) -> Table:
    """Say which lines of a Dockerfile ran and which came from the cache, of one build or of several by name.

    `seconds` says how long those that ran took. `.data` holds the lines that ran.
    """
    if not isinstance(x, Mapping):
        new, cached = _lines(x)
        took = f" in {_took(x)}" if seconds else ""
        return Table(f"{x.name}: {_said(new)} ran{took}, {_said(cached)} from the cache", (), (), data=new)
    found = {name: _lines(build) for name, build in x.items()}
    return Table(
        "Which lines ran, and which came from the cache",
        ("build", "ran", "from the cache", *(("what ran took",) if seconds else ())),
        tuple(
            (name, _said(new), _said(cached), *((_took(x[name]),) if seconds else ()))
            for name, (new, cached) in found.items()
        ),
        data={name: new for name, (new, _) in found.items()},
    )


def _lines(build: Build) -> tuple[list[int], list[int]]:
    steps = build.steps
    return [one.line for one in steps if one.cached is False], [one.line for one in steps if one.cached]


def _took(build: Build) -> str:
    return human_seconds(sum(step.seconds for step in build.steps if step.cached is False))


def _said(lines: Sequence[int]) -> str:
    if not lines:
        return "no line"
    return f"line{'s' if len(lines) > 1 else ''} {', '.join(map(str, lines))}"
