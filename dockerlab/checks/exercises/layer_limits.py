"""Exercise 10: a generated Dockerfile with a layer for each chapter becomes one with few.

Right is whatever keeps the chapters, the book, the shared base and the cache: one COPY with a wildcard, or of
a folder that .dockerignore has thinned, a stage, a bind mount. Few layers at the price of those is wrong.
"""

from __future__ import annotations

from dockerlab.checks.rules import (
    Found,
    answers,
    layers_at_most,
    rule,
    runs_again_at_most,
    same_files,
    untouched_by,
)
from dockerlab.checks.trial import Files, Trial
from dockerlab.checks.verdict import Verdict
from dockerlab.context.context import File

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
CONTEXT: Files = _FILES
LAYERS = 4  # on top of the base

BUILD, LINES, CHANGE, PRICE = "Build", "Lines are not layers", "Change one thing", "And the price"


def rules(trial: Trial) -> list[Verdict]:
    """Measure that nothing is lost, the layers, what is shared with the base, and what an edit costs."""
    trial.unsquashed()
    draw = trial.draw
    mark = f"{draw.getrandbits(32):08x}"
    edits: Files = {
        "bind.sh": f"{{ echo {mark}; cat /book/chapters/*.txt; }} > /book/book.txt\n",
        "cover.txt": f"The book of {mark}\n",
        **{f"chapters/{name}": f"{name}: {draw.getrandbits(64):x}\n" for name in _NAMES},
    }
    drafts: Files = {f"chapters/draft-{one}.txt": draw.randbytes(3000).hex() for one in (61, 62)}
    book = ["book/book.txt", "book/cover.txt", "book/chapters"]
    return [
        answers("A container shows the cover and the book", BUILD, trial, [None], edits=edits),
        same_files(
            "The book, its chapters and its cover are what they were",
            BUILD,
            trial,
            book,
            edits=edits,
            modes="kept",
        ),
        untouched_by("The drafts are in no layer", LINES, trial, drafts, edits=edits),
        layers_at_most(f"At most {LAYERS} layers on top of the base", CHANGE, trial, LAYERS),
        _shares_the_base("The base's layers are still at the bottom, to be shared", CHANGE, trial),
        runs_again_at_most("An edit of cover.txt does not bind the book again", PRICE, trial, "cover.txt", 0),
    ]


@rule
def _shares_the_base(trial: Trial) -> Found:
    """Compare the lowest layers with the base's: a squash has the files, in a layer that nobody else has."""
    base = [layer.diff_id for layer in trial.starter.image.layers[: trial.starter.image.base_layers]]
    shared = [layer.diff_id for layer in trial.attempt.image.layers[: len(base)]] == base
    return Found(shared, "they are" if shared else "the image does not begin with them", "they are")
