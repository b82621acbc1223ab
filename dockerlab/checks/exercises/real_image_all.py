"""Exercise 13.3: nothing left to say. The advice of the lab is the judge, and it looks at the image alone.

Right is whatever answers as it did, tells no secret, runs as somebody, and gives the advice nothing to find.
"""

from __future__ import annotations

from collections.abc import Mapping

from dockerlab.analysis.advice import advise
from dockerlab.checks.exercises.real_image import (
    COPIES,
    LOOK,
    PRICE,
    PROJECT,
    SECRET,
    STAGES,
    WASTEFUL,
    answers,
    little_wasted,
    runs_as_app,
)
from dockerlab.checks.rules import layers_at_most, nothing_in_layers, runs_again_at_most, secret_nowhere
from dockerlab.checks.verdict import Verdict
from dockerlab.context.context import File
from dockerlab.engines.results import Build, Engine

STARTER = WASTEFUL.replace("WORKDIR /app\n", f"ENV MAPS_API_KEY={SECRET}\nWORKDIR /app\n")
CONTEXT: Mapping[str, str | bytes | File] = PROJECT
LAYERS = 10  # on top of what a small base has; the starter's base has more layers than that
_COMPILERS = ("/gcc", "/cc", "/cc1", "/x86_64-linux-gnu-gcc", "/aarch64-linux-gnu-gcc")


def rules(attempt: Build, starter: Build, engine: Engine) -> list[Verdict]:
    """Measure that it answers, its user, that no secret is told, and that nothing is left to be said."""
    return [
        answers(attempt, starter, engine=engine),
        runs_as_app(attempt),
        secret_nowhere(
            attempt,
            secret=SECRET.encode(),
            rule="The key is in no layer, in no line of the history, in no setting",
            look=LOOK,
        ),
        little_wasted(attempt),
        nothing_in_layers(
            attempt,
            unwanted=lambda entry: f"/{entry.path}".endswith(_COMPILERS) and entry.kind == "file",
            rule="No compiler is in the image",
            look=STAGES,
        ),
        runs_again_at_most(
            attempt,
            engine=engine,
            context=CONTEXT,
            path="app.py",
            limit=0,
            rule="An edit of app.py runs no RUN again",
            look=COPIES,
        ),
        layers_at_most(
            attempt,
            limit=attempt.image.base_layers + LAYERS,
            rule=f"At most {LAYERS} layers on top of the base",
            look=PRICE,
        ),
        _nothing_to_say(attempt),
    ]


def _nothing_to_say(attempt: Build) -> Verdict:
    """Ask for the advice of the lab, measured findings only: hadolint is not everywhere."""
    found = advise(attempt, hadolint=False).findings
    return Verdict(
        "lab.advise finds nothing",
        not found,
        "; ".join(f"{finding.where}: {finding.code}" for finding in found) or "nothing",
        "nothing",
        LOOK,
    )
