"""Exercise 02: the same software and the same result, without the bytes that later lines delete.

Right is whatever leaves the download and the package lists in no layer: one RUN, a heredoc, cache mounts, a
stage of its own, a squash.
"""

from __future__ import annotations

import secrets as randomness
from collections.abc import Mapping

from dockerlab.analysis.ledger import ledger
from dockerlab.checks.rules import (
    bytes_at_most,
    content_in_no_layer,
    path_in_no_layer,
    same_file,
    same_output,
)
from dockerlab.checks.verdict import Verdict
from dockerlab.context.context import File
from dockerlab.engines.results import Build, Engine

STARTER = """\
FROM debian:trixie-slim
RUN apt-get update
RUN apt-get install -y --no-install-recommends jq
RUN seq 2000000 > /tmp/readings.txt
RUN jq -n 'reduce inputs as $reading (0; . + $reading)' /tmp/readings.txt > /srv/total.txt
RUN rm /tmp/readings.txt
RUN apt-get clean
"""
CONTEXT: Mapping[str, str | bytes | File] | None = None

DOWNLOAD = "tmp/readings.txt"
RESULT = "srv/total.txt"
LISTS = "var/lib/apt/lists"

WHY, APT, CHANGE = "Why", "The real thing: apt-get", "Change one thing"  # headings of lesson 02


def rules(attempt: Build, starter: Build, engine: Engine) -> list[Verdict]:
    """Measure that nothing broke, and that what nobody needs is in no layer."""
    number = randomness.randbelow(9000) + 1000
    return [
        same_output(
            attempt,
            starter,
            engine=engine,
            argv=["jq", "-n", "--argjson", "n", str(number), "$n * $n"],
            rule="jq still works: it computes a square",
            look=APT,
        ),
        same_file(
            attempt,
            starter,
            path=RESULT,
            rule=f"/{RESULT} is there and says what it said",
            look=CHANGE,
        ),
        content_in_no_layer(
            attempt, starter, path=DOWNLOAD, rule="The readings are in no layer, under no name", look=WHY
        ),
        path_in_no_layer(attempt, path=LISTS, rule="The package lists are in no layer", look=APT),
        bytes_at_most(
            attempt,
            budget=budget(starter),
            rule="The image fits its budget: the starter's bytes less 95 % of what nobody needs",
            look=CHANGE,
        ),
    ]


def budget(starter: Build) -> int:
    """Return the bytes (unpacked, all layers) that an answer may have.

    What the starter stores, less what its own lines delete later and less its package lists; 5 % of that are
    left for what differs from run to run, as logs do, and for a second write of the package database.
    """
    book = ledger(starter)
    spare = sum(
        claim.bytes
        for claim in book.claims
        if not claim.stored_by.base and (claim.kind == "deleted" or claim.path.startswith(f"{LISTS}/"))
    )
    return book.total - spare + spare // 20
