"""Exercise 09: an image as clean as a squashed one, that still shares its base.

Right is whatever adds only the result to the base: a stage to pick from, or steps that clean up after
themselves.
"""

from __future__ import annotations

from collections.abc import Mapping

from dockerlab.analysis.sizes import missing_layers
from dockerlab.checks.rules import final_file, path_in_no_layer
from dockerlab.checks.verdict import Verdict
from dockerlab.context.context import File
from dockerlab.engines.results import Build, Engine
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
CONTEXT: Mapping[str, str | bytes | File] | None = None

READINGS, SEAL = "tmp/readings.txt", "srv/seal.txt"
BUDGET = 100_000  # bytes (unpacked) above the base: room for what programs log, not for the readings

GONE, CHANGE, WHY = "What else is gone", "Change one thing", "Why"  # headings of lesson 09


def rules(attempt: Build, starter: Build, engine: Engine) -> list[Verdict]:
    """Measure what the image says, and what a machine that holds the base would have to fetch."""
    seal = (final_file(starter, SEAL) or b"").decode()
    wanted = f"nobody in /srv: {seal[:8]} mm"
    said = engine.run(attempt.image.id).output.strip()
    config = attempt.image.config.get("config") or {}
    settings = (
        "UNIT=mm" in (config.get("Env") or ()),
        config.get("WorkingDir") == "/srv",
        str(config.get("User") or "").partition(":")[0] in ("nobody", "65534"),
    )
    base = engine.build(f"FROM {BASE}\n", tag="dockerlab/check-09-base:latest", builder=attempt.builder)
    fetched = sum(layer.size_unpacked for layer in missing_layers(attempt, [base]))
    return [
        Verdict(
            "A container says who and where it is, and the seal", said == wanted, said[-80:], wanted, GONE
        ),
        Verdict(
            "Unit, folder and user are settings of the image",
            all(settings),
            f"{sum(settings)} of {len(settings)} are in its configuration",
            f"all {len(settings)}",
            GONE,
        ),
        path_in_no_layer(attempt, path=READINGS, rule="The readings are in no layer", look=CHANGE),
        Verdict(
            "A machine that has the base fetches next to nothing",
            fetched <= BUDGET,
            f"{human_bytes(fetched)} unpacked",
            f"at most {human_bytes(BUDGET)}",
            WHY,
        ),
    ]
