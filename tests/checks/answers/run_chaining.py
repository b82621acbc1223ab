"""Answers to exercise 02.

Right: readings and lists in no layer, however it is written.
"""

from __future__ import annotations

from dockerlab.checks.exercises import run_chaining

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
    "cleaned-up-by-apt": (
        "FROM debian:trixie-slim\nRUN apt-get update && apt-get install -y jq && apt-get distclean\n"
        "RUN seq 2000000 | jq -s add > /srv/total.txt\n"
    ),
    "an-entry-point-and-a-folder": (
        f"{TOOLS}WORKDIR /srv/\nRUN seq 2000000 > /tmp/r && {ADD_UP} /tmp/r > total.txt && rm /tmp/r\n"
        'ENTRYPOINT ["jq"]\nCMD ["--version"]\nLABEL a=b\n'
    ),
    "one-more-package": f"{TOOLS.replace(' jq ', ' jq less ')}{WORK}",
    "numbers-spelled-otherwise": (
        f"{TOOLS}ARG N=2000000\nUSER 65534\nRUN seq 1 $N > /tmp/r && {ADD_UP} /tmp/r > /tmp/t && rm /tmp/r\n"
        "USER root\nRUN mv /tmp/t /srv/total.txt\n"
    ),
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

JQ, RESULT, READINGS, LISTS = range(4)  # the rules, in order

WRONG = {
    "a-tenth-of-the-readings": (
        f"{TOOLS}{WORK[:-1]} && seq 2000000 | awk 'NR % 20 == 0' | gzip > /srv/sample\n",
        {READINGS},
    ),
    "the-number-of-readings": (
        f"{TOOLS}RUN n=$(seq 2000000 | wc -l) && echo $((n * (n + 1) / 2)) > /srv/total.txt\n",
        {RESULT},
    ),
    "the-total-typed-in": (f"{TOOLS}RUN echo 2000001000000 > /srv/total.txt\n", {RESULT}),
    "the-total-by-a-formula": (
        f"{TOOLS}RUN jq -n '2000000 as $n | $n * ($n + 1) / 2' > /srv/total.txt\n",
        {RESULT},
    ),
    "computed-at-each-start": (
        f"{TOOLS}CMD seq 2000000 | {ADD_UP} > /srv/total.txt\n",
        {RESULT},
    ),
    "the-readings-in-base64": (
        f"{TOOLS}{WORK[:-1]} && seq 2000000 | gzip | base64 > /usr/share/notes\n",
        {READINGS},
    ),
    "the-lists-in-an-archive": (
        f"""\
FROM debian:trixie-slim
RUN apt-get update && apt-get install -y --no-install-recommends jq \\
 && tar -cf /srv/kept.bin -C /var/lib/apt lists && rm -rf /var/lib/apt/lists/*
{WORK}""",
        {LISTS},
    ),
    "a-script-that-knows-squares": (
        """\
FROM debian:trixie-slim
RUN printf '#!/bin/sh\\necho $(($4 * $4))\\n' > /usr/bin/jq && chmod +x /usr/bin/jq && seq 2000000 \\
 | awk '{ s += $1 } END { printf "%.0f\\n", s }' > /srv/total.txt
""",
        {JQ},
    ),
    "the-starter": (run_chaining.STARTER, {READINGS, LISTS}),
    "rm-in-a-later-run": (
        f"""\
{TOOLS}RUN seq 2000000 > /tmp/readings.txt
RUN {ADD_UP} /tmp/readings.txt > /srv/total.txt && rm /tmp/readings.txt
""",
        {READINGS},
    ),
    "lists-removed-in-a-later-run": (
        f"""\
FROM debian:trixie-slim
RUN apt-get update && apt-get install -y --no-install-recommends jq
RUN rm -rf /var/lib/apt/lists/*
{WORK}""",
        {LISTS},
    ),
    "only-apt-get-clean": (
        f"""\
FROM debian:trixie-slim
RUN apt-get update && apt-get install -y --no-install-recommends jq && apt-get clean
{WORK}""",
        {LISTS},
    ),
    "the-package-removed-at-the-end": (
        f"{TOOLS}{WORK}RUN apt-get purge -y --auto-remove jq\n",
        {JQ},
    ),
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
    "the-readings-kept-under-another-name": (
        f"{TOOLS}RUN seq 2000000 > /opt/kept && {ADD_UP} /opt/kept > /srv/total.txt\n",
        {READINGS},
    ),
    "a-heredoc-that-goes-on-after-a-failure": (
        f"{TOOLS}RUN <<EOF\nseq 2000000 > /temp/r\n{ADD_UP} /temp/r > /srv/total.txt\ntrue\nEOF\n",
        {RESULT},
    ),
}
