"""Exercise 13.2: an edit costs nothing but itself.

Right is whatever lets each line read what it needs, and no more: lines in a good order, or stages.
"""

from __future__ import annotations

import secrets as randomness
from collections.abc import Mapping

from dockerlab.analysis.sizes import pull_size
from dockerlab.checks.exercises.real_image import COPIES, PROJECT, WHY, answers, little_wasted
from dockerlab.checks.rules import runs_again_at_most
from dockerlab.checks.verdict import Verdict
from dockerlab.context.context import Context, File
from dockerlab.engines.results import Build, Engine
from dockerlab.units import human_bytes

STARTER = """\
FROM python:3.13
WORKDIR /app
COPY app.py make_places.py load.py ./
COPY native native
RUN cc -O2 -shared -fPIC -o libdistance.so native/distance.c -lm \\
 && python make_places.py > places.csv \\
 && python load.py \\
 && rm places.csv
CMD ["python", "app.py"]
"""
CONTEXT: Mapping[str, str | bytes | File] = PROJECT
PULL = 100_000  # compressed bytes: far more than app.py, far less than the table


def rules(attempt: Build, starter: Build, engine: Engine) -> list[Verdict]:
    """Measure that it answers, what runs again after two edits, and what a server pulls."""
    return [
        answers(attempt, starter, engine=engine),
        runs_again_at_most(
            attempt,
            engine=engine,
            context=CONTEXT,
            path="app.py",
            limit=0,
            rule="An edit of app.py runs no RUN again",
            look=COPIES,
        ),
        _pulls_little(attempt, engine=engine),
        _keeps_the_table(attempt, engine=engine),
        little_wasted(attempt),
    ]


def _keeps_the_table(attempt: Build, *, engine: Engine) -> Verdict:
    """Edit the C file so that its library differs; the table must stay in the layer it was in."""
    name = f"edit_{randomness.token_hex(8)}"
    size = _pull_after(attempt, "native/distance.c", f"\nint {name}(void) {{ return 13; }}\n", engine=engine)
    return Verdict(
        "An edit of distance.c sends the table to nobody again",
        0 < size <= PULL,
        f"{human_bytes(size)} to pull" if size else "nothing: the edit is not in the image",
        f"at most {human_bytes(PULL)}",
        COPIES,
    )


def _pulls_little(attempt: Build, *, engine: Engine) -> Verdict:
    """Edit app.py; measure what a machine with the build before must pull."""
    size = _pull_after(attempt, "app.py", f'\nEDIT = "{randomness.token_hex(8)}"\n', engine=engine)
    return Verdict(
        "After an edit of app.py, a server that has the image before pulls little",
        0 < size <= PULL,
        f"{human_bytes(size)} to pull" if size else "nothing: the edit is not in the image",
        f"at most {human_bytes(PULL)}",
        WHY,
    )


def _pull_after(attempt: Build, path: str, more: str, *, engine: Engine) -> int:
    """Return the compressed bytes of the layers that are new after `more` was put at the end of a file."""
    old = CONTEXT[path]
    assert isinstance(old, str)
    before, after = (
        engine.build(
            attempt.dockerfile,
            context=Context.files(files),
            tag="dockerlab/edit-13-real-image:latest",
            builder=attempt.builder,
        )
        for files in (CONTEXT, {**CONTEXT, path: old + more})
    )
    return pull_size(after, [before])
