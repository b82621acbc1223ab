"""What a user may pass for an engine, a Dockerfile, a context or a tag, made into what a build takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from dockerlab import engines
from dockerlab.context.context import Context, File
from dockerlab.dockerfile.parser import decode
from dockerlab.engines.results import Engine
from dockerlab.errors import ContextError
from dockerlab.image.image import Image
from dockerlab.image.reference import OWN_PREFIX, STAND_IN_PREFIX, same_reference

ContextLike = Context | Path | str | Mapping[str, str | bytes | File]


def find_engine(engine: str | Engine | None) -> tuple[Engine, str]:
    """Return the engine asked for (a name, an object, or None for the best one here), and why this one."""
    if engine is None or isinstance(engine, str):
        return engines.choose(engine)
    return engine, "It was passed in."


def held_image(engine: Engine, reference: str) -> Image | None:
    """Return the image (or stand-in) an engine holds for a reference as FROM writes it, or None."""
    for held in engine.images():
        name = held.stand_in if held.reference.startswith(STAND_IN_PREFIX) else held.reference
        if name and same_reference(name, reference):
            return engine.image(held.reference)
    return None


def as_context(context: ContextLike | None) -> Context | None:
    """Turn what a learner may pass as a build context into one; ContextError when it is none."""
    if context is None or isinstance(context, Context):
        return context
    if isinstance(context, str | Path):
        return Context.folder(context)
    if isinstance(context, Mapping):
        return Context.files(context)
    raise ContextError(
        f"A {type(context).__name__} is no build context.",
        hint='Pass the path of a folder, or a dict of files: {"app.py": "print(1)"}.',
    )


def read_dockerfile(path: Path) -> str:
    """Return the text of a Dockerfile, its line ends as they are; ContextError when it cannot be read.

    Where there is no `Dockerfile`, `dockerfile` is read, as BuildKit does.
    """
    lower = path.with_name(path.name.lower())
    if path.name == "Dockerfile" and not path.exists() and lower.exists():
        path = lower
    try:
        return decode(path.read_bytes())
    except OSError as error:
        raise ContextError(
            f"The Dockerfile {path} cannot be read: {error.strerror or error}.",
            hint="Give the path of a Dockerfile, or its text.",
        ) from None


def default_tag(name: str) -> str:
    """Return the reference of a build that was given no tag: "dockerlab/<name>", in letters Docker allows.

    Rules: lower case letters, digits, single separators (distribution reference grammar, "path-component").
    """
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return f"{OWN_PREFIX}{plain or 'image'}:latest"
