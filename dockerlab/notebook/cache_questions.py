"""What lessons ask about the cache: why a step ran, how builders differ, what another order would cost."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from dockerlab import engines
from dockerlab.analysis import cache
from dockerlab.analysis.order_cost import Order
from dockerlab.analysis.reorder import what_if_orders
from dockerlab.context.context import Context
from dockerlab.dockerfile.parser import Dockerfile
from dockerlab.engines.results import Build, Builder, Engine, LastBuild
from dockerlab.errors import EngineError, ImageNotFoundError
from dockerlab.image.reference import OWN_PREFIX
from dockerlab.inputs import ContextLike, as_context, find_engine, read_dockerfile
from dockerlab.widgets.explanations import BuilderComparison, WhatIf, why_table
from dockerlab.widgets.table import Table


def why(x: Build | str, *, engine: str | Engine | None = None) -> Table:
    """Say of each step of a build whether it came from the cache, and why not.

    A string is the tag of the last build under it. On Docker the reasons are worked out by the lab from
    Dockerfile and context, and the table says so. Raises ImageNotFoundError when no build is known.
    """
    return why_table(cache.why(last_build(x, engine) if isinstance(x, str) else x))


def compare_builders(
    dockerfile: str | Path | Dockerfile,
    edits: Mapping[str, cache.EditLike],
    *,
    context: ContextLike | None = None,
    builders: Sequence[Builder] = ("buildkit", "legacy", "embedded"),
) -> BuilderComparison:
    """Build before and after each edit with BuildKit, the legacy builder and the embedded one.

    An edit is a dict of changed files (None removes one), a pair (old text, new text) in the Dockerfile, a
    whole new Dockerfile, or an Edit. Each pair of builds begins with a small layer of its own, so that
    nothing built before counts. Builders that are not here are left out, and the table says why. Raises
    EngineError when none is here.
    """
    text = read_dockerfile(dockerfile) if isinstance(dockerfile, Path) else dockerfile
    text = text.text if isinstance(text, Dockerfile) else text
    files = as_context(context) or Context.files({})
    here: dict[Builder, cache.BuildWith] = {}
    missing: dict[Builder, str] = {}
    made_by: dict[Builder, Engine] = {}
    for builder in builders:
        try:
            engine, _ = engines.choose("embedded" if builder == "embedded" else "docker")
        except EngineError as error:
            missing[builder] = error.message
            continue
        here[builder] = _build_with(engine, builder)
        made_by[builder] = engine
    if not here:
        raise EngineError("None of these builders is here.", hint="Look at `dockerlab doctor`.")
    made = {name: cache.as_edit(edit) for name, edit in edits.items()}
    try:
        found = cache.compare(text, made, files, builders=here, missing=missing, mark=secrets.token_hex(8))
    finally:
        for builder, engine in made_by.items():
            with suppress(ImageNotFoundError):  # every build failed
                engine.remove(_tag(builder))
    return BuilderComparison(found)


def what_if(
    build: Build,
    *,
    order: Sequence[int] | Mapping[str, Sequence[int]] | None = None,
    changes_per_week: Mapping[int, float] | None = None,
    needs: Mapping[int, Sequence[int]] | None = None,
    stage: str | None = None,
) -> WhatIf:
    """Work out what other orders of a stage's steps would cost in rebuilding per week, and the best one.

    `order` is a list of Dockerfile lines in their new order, or several by name; `changes_per_week` says how
    often what a line reads changes, `needs` which lines a line must stay below (in place of what its text
    tells). Computed from the seconds and bytes this build measured, not measured itself. Raises BuildError
    when a step came from the cache, so that its time is not known: build with no_cache=True.
    """
    return WhatIf(
        what_if_orders(
            build, orders=_named(order), changes_per_week=changes_per_week, needs=needs, stage=stage
        )
    )


def _named(order: Sequence[int] | Mapping[str, Sequence[int]] | None) -> Mapping[str, Order]:
    if order is None:
        return {}
    named = order if isinstance(order, Mapping) else {"your order": order}
    return {name: tuple(lines) for name, lines in named.items()}


def last_build(tag: str, engine: str | Engine | None = None) -> LastBuild:
    """Return what is kept of the last build of a tag; ImageNotFoundError when there is nothing."""
    chosen, _ = find_engine(engine)
    found = chosen.last_build(tag)
    if found is None:
        raise ImageNotFoundError(
            f"No build of {tag} is known to {chosen.describe()}.",
            hint=f"Build it under that name first: dockerlab build -t {tag} FOLDER.",
        )
    return found


def _tag(builder: Builder) -> str:
    return f"{OWN_PREFIX}comparison-{builder}:latest"


def _build_with(engine: Engine, builder: Builder) -> cache.BuildWith:
    def build(text: str, context: Context, build_args: Mapping[str, str]) -> Build:
        tag = _tag(builder)
        return engine.build(text, context=context, tag=tag, build_args=build_args, builder=builder)

    return build
