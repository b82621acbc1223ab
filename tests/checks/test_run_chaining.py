from __future__ import annotations

import pytest

from dockerlab import engines
from dockerlab.checks import run_chaining
from tests.checks.answers import failed, judged

EXERCISE = "02-run-chaining"
ADD_UP = "jq -n 'reduce inputs as $reading (0; . + $reading)'"
INSTALL = """\
RUN apt-get update \\
 && apt-get install -y --no-install-recommends jq \\
 && rm -rf /var/lib/apt/lists/*
"""
WORK = f"""\
RUN seq 2000000 > /tmp/readings.txt \\
 && {ADD_UP} /tmp/readings.txt > /srv/total.txt \\
 && rm /tmp/readings.txt
"""
TOOLS = f"FROM debian:trixie-slim\n{INSTALL}"

RIGHT = {
    "two-chained-runs": TOOLS + WORK,
    "one-run": f"""\
FROM debian:trixie-slim
RUN apt-get update && apt-get install -y jq && seq 2000000 > /tmp/r && {ADD_UP} /tmp/r > /srv/total.txt \\
 && rm -rf /tmp/r /var/lib/apt/lists/* && apt-get clean
""",
    "heredoc": f"""\
FROM debian:trixie-slim
RUN <<EOF
set -e
apt-get update
apt-get install -y --no-install-recommends jq
rm -rf /var/lib/apt/lists/*
EOF
RUN <<EOF
set -e
seq 2000000 > /tmp/readings.txt
{ADD_UP} /tmp/readings.txt > /srv/total.txt
rm /tmp/readings.txt
EOF
""",
    "a-stage-for-the-work": f"""\
FROM debian:trixie-slim AS tools
{INSTALL}
FROM tools AS work
RUN seq 2000000 > /tmp/readings.txt
RUN {ADD_UP} /tmp/readings.txt > /srv/total.txt
FROM tools
COPY --from=work /srv/total.txt /srv/
""",
    "cache-mounts": f"""\
FROM debian:trixie-slim
RUN --mount=type=cache,target=/var/lib/apt/lists,sharing=locked \\
    apt-get update && apt-get install -y --no-install-recommends jq
{WORK}""",
    "squashed": f"""\
FROM debian:trixie-slim AS all
RUN apt-get update && apt-get install -y --no-install-recommends jq
RUN seq 2000000 > /tmp/readings.txt
RUN {ADD_UP} /tmp/readings.txt > /srv/total.txt
RUN rm -rf /tmp/readings.txt /var/lib/apt/lists/*
FROM scratch
COPY --from=all / /
""",
    "a-pipe": f"{TOOLS}RUN seq 2000000 | {ADD_UP} > /srv/total.txt\n",
    "a-tmpfs": f"""\
{TOOLS}RUN --mount=type=tmpfs,target=/tmp seq 2000000 > /tmp/r && {ADD_UP} /tmp/r > /srv/total.txt
""",
    "the-lists-read-from-another-folder": f"""\
FROM debian:trixie-slim
RUN mkdir -p /tmp/l/partial && apt-get -o Dir::State::lists=/tmp/l update \\
 && apt-get -o Dir::State::lists=/tmp/l install -y --no-install-recommends jq && rm -r /tmp/l
{WORK}""",
}

JQ, RESULT, READINGS, LISTS, BYTES = range(5)  # the rules, in order

WRONG = {
    "the-starter": (run_chaining.STARTER, {READINGS, LISTS, BYTES}),
    "rm-in-a-later-run": (
        f"""\
{TOOLS}RUN seq 2000000 > /tmp/readings.txt
RUN {ADD_UP} /tmp/readings.txt > /srv/total.txt && rm /tmp/readings.txt
""",
        {READINGS, BYTES},
    ),
    "lists-removed-in-a-later-run": (
        f"""\
FROM debian:trixie-slim
RUN apt-get update && apt-get install -y --no-install-recommends jq
RUN rm -rf /var/lib/apt/lists/*
{WORK}""",
        {LISTS, BYTES},
    ),
    "only-apt-get-clean": (
        f"""\
FROM debian:trixie-slim
RUN apt-get update && apt-get install -y --no-install-recommends jq && apt-get clean
{WORK}""",
        {LISTS, BYTES},
    ),
    "the-package-removed-at-the-end": (
        f"{TOOLS}{WORK}RUN apt-get purge -y --auto-remove jq\n",
        {JQ},
    ),
    "the-result-made-up": (f"{TOOLS}RUN echo 42 > /srv/total.txt\n", {RESULT}),
    "the-result-left-out": (TOOLS, {RESULT}),
    "all-of-it-commented-out": (
        "FROM debian:trixie-slim\n# RUN apt-get update && apt-get install -y jq\n",
        {JQ, RESULT},
    ),
    "a-base-without-the-package": (
        f"{TOOLS}{WORK}FROM debian:trixie-slim\nCOPY --from=0 /srv/total.txt /srv/\n",
        {JQ},
    ),
    "only-the-result": (f"{TOOLS}{WORK}FROM scratch\nCOPY --from=0 /srv/total.txt /srv/\n", {JQ}),
    "a-script-in-place-of-the-program": (
        """\
FROM debian:trixie-slim
RUN echo 2000001000000 > /srv/total.txt \\
 && printf '#!/bin/sh\\necho 4\\n' > /usr/bin/jq && chmod +x /usr/bin/jq
""",
        {JQ},
    ),
    "the-readings-kept-under-another-name": (
        f"{TOOLS}RUN seq 2000000 > /opt/kept && {ADD_UP} /opt/kept > /srv/total.txt\n",
        {READINGS, BYTES},
    ),
    "the-readings-kept-packed": (
        f"{TOOLS}{WORK[:-1]} && seq 2000000 | gzip > /opt/kept.gz\n",
        {BYTES},
    ),
    "the-lists-moved-away": (
        f"""\
FROM debian:trixie-slim
RUN apt-get update && apt-get install -y --no-install-recommends jq && mv /var/lib/apt/lists /opt/
{WORK}""",
        {BYTES},
    ),
    "a-heredoc-that-goes-on-after-a-failure": (
        f"{TOOLS}RUN <<EOF\nseq 2000000 > /temp/r\n{ADD_UP} /temp/r > /srv/total.txt\ntrue\nEOF\n",
        {RESULT},
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_every_way_that_works_is_right(name: str) -> None:
    """An answer that leaves readings and lists in no layer passes all rules, however it is written."""
    report = judged(EXERCISE, RIGHT[name])
    assert report.passed, str(report)


@pytest.mark.parametrize("name", WRONG)
def test_what_only_looks_right_is_wrong(name: str) -> None:
    """A trick fails, and it fails the rules it breaks and no other."""
    dockerfile, broken = WRONG[name]
    report = judged(EXERCISE, dockerfile)
    assert failed(report) == broken, str(report)


def test_a_fat_base_of_ones_own_does_not_help() -> None:
    """Bytes hidden in an image that then becomes the base count all the same."""
    engine, _ = engines.choose()
    fat = "dockerlab/test-02-run-chaining:fat"
    engine.build(run_chaining.STARTER, tag=fat)
    try:
        report = judged(EXERCISE, f"FROM {fat}\nRUN true\n")
    finally:
        engine.remove(fat)
    assert [verdict.passed for verdict in report.verdicts] == [True, True, False, False, False]
