"""Exercise 10: a generated Dockerfile with a layer for each chapter becomes one with few.

Right is whatever keeps the chapters, the book, the shared base and the cache: one COPY with a wildcard, or of
a folder that .dockerignore has thinned, a stage, a bind mount. Few layers at the price of those is wrong.
"""

from __future__ import annotations

import secrets as randomness
from collections.abc import Mapping

from dockerlab.checks.rules import (
    layers_at_most,
    nothing_in_layers,
    runs_again_at_most,
    same_file,
    same_output,
)
from dockerlab.checks.verdict import Verdict
from dockerlab.context.context import File
from dockerlab.engines.results import Build, Engine

CHAPTERS = 60
_NAMES = [f"chapter-{number:02}.txt" for number in range(1, CHAPTERS + 1)]
_DRAFT = "This chapter is not finished.\n"

STARTER = (
    "FROM debian:trixie-slim\nCOPY bind.sh /book/\n"
    + "".join(f"COPY chapters/{name} /book/chapters/\n" for name in _NAMES)
    + "RUN sh /book/bind.sh\nCOPY cover.txt /book/\n"
    + 'CMD ["cat", "/book/cover.txt", "/book/book.txt"]\n'
)

_FILES: dict[str, str | bytes | File] = {
    "bind.sh": "cat /book/chapters/*.txt > /book/book.txt\n",
    "cover.txt": "The book of layers\n",
    **{f"chapters/{name}": f"{name}: {'words ' * number}\n" for number, name in enumerate(_NAMES, 1)},
    "chapters/draft-61.txt": _DRAFT,
    "chapters/draft-62.txt": _DRAFT,
}
CONTEXT: Mapping[str, str | bytes | File] = _FILES
LAYERS = 4  # on top of the base

BUILD, LINES, CHANGE, PRICE = "Build", "Lines are not layers", "Change one thing", "And the price"


def rules(attempt: Build, starter: Build, engine: Engine) -> list[Verdict]:
    """Measure that nothing is lost, the layers, what is shared with the base, and what an edit costs."""
    chapter = f"/book/chapters/{_NAMES[randomness.randbelow(CHAPTERS)]}"
    return [
        same_file(attempt, starter, path="book/book.txt", rule="The book is what it was", look=BUILD),
        same_output(
            attempt,
            starter,
            engine=engine,
            argv=["cat", "/book/cover.txt", chapter],
            rule="The cover and the chapters are there",
            look=BUILD,
        ),
        nothing_in_layers(
            attempt,
            unwanted=lambda entry: entry.path.rpartition("/")[2].startswith("draft-"),
            rule="The drafts are in no layer",
            look=LINES,
        ),
        layers_at_most(
            attempt,
            limit=starter.image.base_layers + LAYERS,
            rule=f"At most {LAYERS} layers on top of the base",
            look=CHANGE,
        ),
        _shares_the_base(attempt, starter),
        runs_again_at_most(
            attempt,
            engine=engine,
            context=CONTEXT,
            path="cover.txt",
            limit=0,
            rule="An edit of cover.txt does not bind the book again",
            look=PRICE,
        ),
    ]


def _shares_the_base(attempt: Build, starter: Build) -> Verdict:
    """Compare the lowest layers with the base's: a squash has the files, in a layer that nobody else has."""
    base = [layer.diff_id for layer in starter.image.layers[: starter.image.base_layers]]
    shared = [layer.diff_id for layer in attempt.image.layers[: len(base)]] == base
    return Verdict(
        "The base's layers are still at the bottom, to be shared",
        shared,
        "they are" if shared else "the image does not begin with them",
        "they are",
        CHANGE,
    )
