"""What course.toml says of an exercise: the package reads the one manifest and keeps no copy of its hints."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from dockerlab.errors import DockerlabError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PACKAGE = Path(__file__).resolve().parent.parent


def manifest_path() -> Path:
    """Return where course.toml is: in an installed package, else beside it in a checkout.

    Raises DockerlabError when it is at neither place.
    """
    for path in (PACKAGE / "course.toml", PACKAGE.parent / "course.toml"):
        if path.is_file():
            return path
    raise DockerlabError(
        f"The course's manifest, course.toml, is neither in {PACKAGE} nor beside it.",
        hint="Install dockerlab again, or use it from a checkout of the course.",
    )


@cache
def hints() -> dict[str, tuple[str, ...]]:
    """Return the hints of every exercise by its name, in the course's order."""
    return {one["name"]: tuple(one["hints"]) for _, one in _exercises()}


@cache
def lessons() -> dict[str, str]:
    """Return the name of each exercise's lesson."""
    return {one["name"]: lesson for lesson, one in _exercises()}


def _exercises() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each lesson's name with the name and the hints of each of its exercises."""
    for lesson in tomllib.loads(manifest_path().read_text(encoding="utf-8")).get("lesson", []):
        for one in [lesson] if lesson.get("exercise") else lesson.get("exercises", []):
            yield lesson["name"], one
