"""The file .dockerignore: which patterns it holds, and which line is none."""

from __future__ import annotations

from dockerlab.dockerfile.patterns import Patterns, read_pattern
from dockerlab.errors import ContextError


def parse_ignore_file(text: str, *, name: str = ".dockerignore") -> Patterns:
    """Read an ignore file; raises ContextError naming the file and the line of a pattern that is none."""
    patterns = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        if line.startswith("#"):
            continue
        try:
            patterns.append(read_pattern(line))
        except ValueError as error:
            raise ContextError(
                f"{name} line {number}: {line.strip()!r} is not a pattern: {error}",
                hint="Fix or remove that line; a [ needs its ], and \\ needs a character after it.",
            ) from error
    return Patterns(tuple(pattern for pattern in patterns if pattern is not None))
