"""Exercise 02: the same software and the same result, without the bytes that later lines delete.

Right is whatever leaves the download and the package lists in no layer: one RUN, a heredoc, cache mounts, a
stage of its own, a squash.
"""

from __future__ import annotations

from random import Random

from dockerlab.checks.contents import Picks, below, holding
from dockerlab.checks.random_readings import keeps_no_readings, other_readings
from dockerlab.checks.rules import Questions, answers, nothing_in_layers, same_files
from dockerlab.checks.trial import Files, Trial
from dockerlab.checks.verdict import Verdict

STARTER = """\
FROM debian:trixie-slim
RUN apt-get update
RUN apt-get install -y --no-install-recommends jq
RUN seq 2000000 > /tmp/readings.txt
RUN jq -n 'reduce inputs as $reading (0; . + $reading)' /tmp/readings.txt > /srv/total.txt
RUN rm /tmp/readings.txt
RUN apt-get clean
"""
CONTEXT: Files | None = None

READINGS = "tmp/readings.txt"
RESULT = "srv/total.txt"
# A package list where apt keeps it, but for the seals that `apt-get distclean` leaves; elsewhere as apt packs
# it, and unpacked.
LISTS: tuple[Picks, ...] = (
    below("var/lib/apt/lists", but=r"_(?:In)?Release(?:\.gpg)?"),
    holding(rb'\x04"M\x18.{3,20}Package: ', rb"\nFilename: pool/", least=100_000),
)

WHY, APT, CHANGE = "Why", "The real thing: apt-get", "Change one thing"  # headings of lesson 02


def rules(trial: Trial) -> list[Verdict]:
    """Measure that nothing broke, and that what nobody needs is in no layer."""
    readings = other_readings(trial.draw)
    return [
        answers("jq still works", APT, trial, jq_questions(trial.draw)),
        same_files(
            f"/{RESULT} is computed from the readings, other readings too",
            CHANGE,
            trial,
            [RESULT],
            given=readings[0],
        ),
        keeps_no_readings("The readings are in no layer, in no form", WHY, trial, readings, READINGS, RESULT),
        nothing_in_layers("The package lists are in no layer", APT, trial, LISTS),
    ]


def jq_questions(draw: Random) -> Questions:
    """Ask jq for arithmetic, for an object and for text, with numbers and words that nobody knows before."""
    one, two, word = draw.randrange(1000, 9999), draw.randrange(100, 999), f"{draw.getrandbits(40):x}"
    return [
        ["jq", "-n", "--argjson", "n", str(one), "$n * $n"],
        ["jq", "-cn", "--arg", "word", word, f"{{($word): ($word | length), list: [range(3) | . * {two}]}}"],
        ["jq", "-rn", f'[{two}, {one}, 7] | sort | map(tostring) | join("-") | ascii_upcase + "{word}"'],
    ]
