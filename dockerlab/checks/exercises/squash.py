"""Exercise 09: an image as clean as a squashed one, that still shares its base.

Right is whatever adds only the result to the base: a stage to pick from, or steps that clean up after
themselves.
"""

from __future__ import annotations

import re

from dockerlab.analysis.sizes import missing_layers
from dockerlab.checks.contents import final_file
from dockerlab.checks.random_readings import keeps_no_readings, other_readings
from dockerlab.checks.rules import Found, ran, rule, settings
from dockerlab.checks.trial import Files, RebuildOptions, Trial
from dockerlab.checks.verdict import Verdict
from dockerlab.checks.verdict_text import contrast, ended
from dockerlab.units import human_bytes

BASE = "debian:trixie-slim"
STARTER = """\
FROM debian:trixie-slim AS all
RUN seq 1000000 > /tmp/readings.txt
RUN sha256sum < /tmp/readings.txt > /srv/seal.txt
RUN rm /tmp/readings.txt
ENV UNIT=mm
WORKDIR /srv
USER nobody

FROM scratch
COPY --from=all / /
CMD ["sh", "-c", "echo $(id -un) in $(pwd): $(cut -c 1-8 /srv/seal.txt) ${UNIT:-no unit}"]
"""
CONTEXT: Files | None = None

SEAL = "srv/seal.txt"
BUDGET = 100_000  # bytes (unpacked) above the base: room for what programs log, not for the readings

GONE, CHANGE, WHY = "What else is gone", "Change one thing", "Why"  # headings of lesson 09


def rules(trial: Trial) -> list[Verdict]:
    """Measure what the image says, and what a machine that holds the base would have to fetch."""
    readings = other_readings(trial.draw)
    wanted = {"UNIT": "mm", "folder": "/srv", "user": "65534"}
    return [
        _says("A container says who and where it is, and the seal of the readings", GONE, trial, readings[0]),
        settings("Unit, folder and user are settings of the image", GONE, trial, wanted),
        keeps_no_readings("The readings are in no layer", CHANGE, trial, readings, "tmp/readings.txt", SEAL),
        _fetches_little("A machine that has the base fetches next to nothing", WHY, trial),
    ]


@rule
def _says(trial: Trial, other: RebuildOptions) -> Found:
    """Ask with other readings too, then with another user and unit, and a `seq` that prints nothing."""
    unit = f"u{trial.draw.getrandbits(32):x}"
    said, expected = "", ""
    for given, user, lines in (
        (RebuildOptions(), "nobody", ""),
        (other, "nobody", ""),
        (
            other,
            "daemon",
            f"ENV UNIT={unit}\nUSER 0\nCOPY --chmod=755 false /usr/local/bin/seq\nUSER daemon\n",
        ),
    ):
        seal = (final_file(trial.model(given=given), SEAL) or b"").decode()[:8] or "-"
        mine = (
            trial.on_top(lines, files={"false": "#!/bin/sh\n"}, given=given)
            if lines
            else trial.again(given=given)
        )
        found = ran(mine, None, engine=trial.engine)
        wanted = (f"{user} in /srv", seal, unit if lines else "mm")
        said, expected = contrast(ended(found), f"prints '{wanted[0]}: {wanted[1]} {wanted[2]}'")
        if found.exit_code or not re.search(r"\b.*".join(wanted) + r"\b", found.output):
            return Found(False, said, expected)
    return Found(True, said, expected)


@rule
def _fetches_little(trial: Trial) -> Found:
    base = trial.engine.build(
        f"FROM {BASE}\n", tag="dockerlab/check-09-base:latest", builder=trial.attempt.builder
    )
    fetched = sum(layer.size_unpacked for layer in missing_layers(trial.attempt, [base]))
    return Found(fetched <= BUDGET, f"{human_bytes(fetched)} unpacked", f"at most {human_bytes(BUDGET)}")
