"""Exercise 00: an image that prints your name, without the line that only stores numbers.

Right is whatever reads the name from its file and stores next to nothing: the line deleted, the file copied,
a stage, another command. Deleting the numbers by a later line is too late.
"""

from __future__ import annotations

import secrets as randomness
from collections.abc import Mapping

from dockerlab.checks.rules import base_name_of, ended, final_file, own_layers, ran, shown
from dockerlab.checks.verdict import Verdict
from dockerlab.context.context import Context, File
from dockerlab.engines.results import Build, Engine, Ran
from dockerlab.errors import BuildError
from dockerlab.units import human_bytes

STARTER = """\
FROM debian:trixie-slim
RUN seq 1000000 > /numbers.txt
RUN echo "your name" > /name.txt
CMD ["cat", "/name.txt"]
"""
CONTEXT: Mapping[str, str | bytes | File] | None = None

NAME = "name.txt"
PERCENT = 1  # of the starter's bytes: room for a script or a user, not for the numbers

BUILD = "Build something"  # a heading of lesson 00


def rules(attempt: Build, starter: Build, engine: Engine) -> list[Verdict]:
    """Measure that a container prints the name in the file, and what the layers above the base store."""
    return [
        _prints_a_name(attempt, starter, engine),
        _reads_the_file(attempt, engine),
        _stores_little(attempt, starter),
    ]


def _prints_a_name(attempt: Build, starter: Build, engine: Engine) -> Verdict:
    """Compare what a container prints with the file; the name the starter came with is none."""
    content = final_file(attempt, NAME)
    name, placeholder = _words(content), _words(final_file(starter, NAME))
    printed = ran(attempt, None, engine=engine)
    told = bool(name) and _says(printed, name)
    holds = f"there is no file /{NAME}" if content is None else f"/{NAME} holds {shown(content)}"
    return Verdict(
        "A container prints your name",
        told and placeholder.casefold() not in name.casefold(),
        ended(printed) if told else f"{ended(printed)}; {holds}",
        f"prints what /{NAME} holds: a name, and not {placeholder!r}",
        BUILD,
    )


def _reads_the_file(attempt: Build, engine: Engine) -> Verdict:
    """Put another name on top of the image, so that a command that prints a fixed one does not pass.

    Raises BuildError where the image has no name of its own any more: then nothing can be put on top of it.
    """
    reference = base_name_of(attempt, engine)
    other = f"Guest {randomness.token_hex(4)}"
    context = Context.files({NAME: f"{other}\n"})
    try:
        again = engine.build(
            f"FROM {reference}\nCOPY {NAME} /{NAME}\n",
            context=context,
            builder=attempt.builder,
        )
        printed = ran(again, None, engine=engine)
    except BuildError as error:
        printed = Ran(1, error.message)
    return Verdict(
        f"With another name in /{NAME}, it prints that one",
        _says(printed, other),
        ended(printed),
        f"prints {other!r}",
        BUILD,
    )


def _stores_little(attempt: Build, starter: Build) -> Verdict:
    sizes = [(layer.size_unpacked, row.where) for row, layer in own_layers(attempt, starter)]
    stored, (largest, where) = sum(size for size, _ in sizes), max(sizes, default=(0, ""))
    budget = sum(layer.size_unpacked for _, layer in own_layers(starter, starter)) * PERCENT // 100
    most = f", the largest part by {where}" if largest < stored else f" by {where}" if stored else ""
    return Verdict(
        f"On top of the base, at most {PERCENT} % of what the starter stores there",
        stored <= budget,
        f"{human_bytes(stored)}{most}",
        f"at most {human_bytes(budget)}",
        BUILD,
    )


def _says(printed: Ran, name: str) -> bool:
    return printed.exit_code == 0 and name in " ".join(printed.output.split())


def _words(content: bytes | None) -> str:
    return " ".join((content or b"").decode("utf-8", "replace").split())
