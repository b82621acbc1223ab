"""Answers to exercise 15.

Right: what changes is in a small layer of its own, above what is large, and nothing large is stored twice.
"""

from __future__ import annotations

from dockerlab.checks.exercises import push_and_pull
from tests.checks.judging import Answer

BASE = "FROM debian:trixie-slim\nWORKDIR /srv\n"
INDEX = "COPY words.txt .\nRUN sort -u words.txt > index.txt\n"
CMD = 'CMD ["sh", "find.sh"]\n'
GOOD = f"{BASE}{INDEX}COPY find.sh release.txt ./\n{CMD}"

RIGHT = {
    "release-last": GOOD,
    "a-line-for-each": f"{BASE}{INDEX}COPY find.sh .\nCOPY release.txt .\n{CMD}",
    "words-lent": (
        f"{BASE}RUN --mount=type=bind,source=words.txt,target=/w sort -u /w > index.txt\n"
        f"COPY find.sh release.txt ./\n{CMD}"
    ),
    "a-stage-for-the-index": (
        f"{BASE.replace('slim', 'slim AS work')}{INDEX}{BASE}"
        f"COPY --from=work /srv/index.txt .\nCOPY find.sh release.txt ./\n{CMD}"
    ),
    "modes-while-copying": (
        f"{BASE}COPY --chmod=755 words.txt .\nRUN sort -u words.txt > index.txt && chmod 755 index.txt\n"
        f"COPY --chmod=755 find.sh release.txt ./\n{CMD}"
    ),
    "the-index-made-when-it-starts": (
        f"{BASE}COPY words.txt .\nCOPY find.sh release.txt ./\n"
        'CMD ["sh", "-c", "sort -u words.txt > index.txt && sh find.sh"]\n'
    ),
}

SAYS, FIRST, UPDATE, RUNS = range(4)  # the rules, in order

WRONG: dict[str, tuple[str | Answer, set[int]]] = {
    "the-starter": (push_and_pull.STARTER, {FIRST, UPDATE, RUNS}),
    "without-the-modes": (f"{BASE}COPY . .\nRUN sort -u words.txt > index.txt\n{CMD}", {UPDATE, RUNS}),
    "release-first": (f"{BASE}COPY find.sh release.txt ./\n{INDEX}{CMD}", {UPDATE, RUNS}),
    "modes-at-the-end": (f"{GOOD}RUN chmod -R 755 /srv\n", {FIRST, UPDATE, RUNS}),
    "a-run-at-the-end": (f"{GOOD}RUN true\n", {RUNS}),
    "all-copied-after-the-index": (f"{BASE}{INDEX}COPY . .\n{CMD}", {UPDATE}),
    "release-typed-in": (
        f"{BASE}{INDEX}COPY find.sh .\nRUN echo 1 > release.txt\n{CMD}",
        {SAYS},
    ),
    "all-in-one-layer": (
        f"{BASE.replace('slim', 'slim AS work')}{INDEX}COPY find.sh release.txt ./\n"
        f"FROM debian:trixie-slim\nWORKDIR /srv\nCOPY --from=work /srv /srv\n{CMD}",
        {UPDATE},
    ),
    "the-base-stored-again": (
        f"{BASE.replace('slim', 'slim AS work')}{INDEX}COPY find.sh release.txt ./\n"
        f"FROM scratch\nWORKDIR /srv\nCOPY --from=work / /\n{CMD}",
        {FIRST, UPDATE},
    ),
    "owned-again": (f"{BASE}{INDEX}RUN chown -R 1000 /srv\nCOPY find.sh release.txt ./\n{CMD}", {FIRST}),
    "squashed": (Answer(GOOD, squash=True), {UPDATE}),
}
