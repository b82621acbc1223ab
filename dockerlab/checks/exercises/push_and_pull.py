"""Exercise 15: an edit of one small file is pushed as one small layer.

Right is whatever keeps what changes away from what is large and stores nothing twice. The layers are pushed
to a registry of the check's own, which says what came in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random

from dockerlab.checks.rules import Found, answers, rule, runs_again_at_most
from dockerlab.checks.trial import Files, Trial
from dockerlab.checks.verdict import Verdict
from dockerlab.context.context import File
from dockerlab.engines.results import Build
from dockerlab.image.image import Image
from dockerlab.registries.push import push
from dockerlab.registries.server import Registry
from dockerlab.units import human_bytes

STARTER = """\
FROM debian:trixie-slim
WORKDIR /srv
COPY . .
RUN sort -u words.txt > index.txt
RUN chmod -R 755 /srv
CMD ["sh", "find.sh"]
"""


def words(draw: Random, lines: int) -> str:
    """Return words that compress to little more than half."""
    return "".join(f"{draw.getrandbits(64):016x}\n" for _ in range(lines))


CONTEXT: Mapping[str, str | bytes | File] | None = {
    "words.txt": words(Random(15), 60_000),
    "find.sh": "# Says how many words begin with an a, and which release this is.\n"
    'echo "$(grep -c ^a /srv/index.txt) words, release $(cat /srv/release.txt)"\n',
    "release.txt": "1\n",
}
FIRST = 1_400_000  # bytes, compressed: words and index once each, and room to spare
UPDATE = 10_000  # bytes, compressed: a small layer, the configuration and the manifest

LOOK, SECOND = "Look", "The second time"  # headings of lesson 15


def rules(trial: Trial) -> list[Verdict]:
    """Push the attempt, then what an edit makes of it, and count what the registry took in."""
    draw = trial.draw
    assert CONTEXT is not None
    edits: Files = {
        "words.txt": words(draw, 500),
        "release.txt": f"{draw.getrandbits(32)}\n",
        "find.sh": str(CONTEXT["find.sh"]).replace("words,", f"words of {draw.getrandbits(32)},"),
    }
    path = "release.txt"
    return [
        answers("A container finds words and release as it does now", LOOK, trial, [None], edits=edits),
        _first("A first push sends at most 1.4 MB on top of the base", LOOK, trial),
        _update("After an edit of release.txt a push sends at most 10 kB", SECOND, trial, path),
        runs_again_at_most("An edit of release.txt runs no RUN again", SECOND, trial, path, 0),
    ]


@rule
def _first(trial: Trial) -> Found:
    size = _sent(trial, trial.attempt)
    return Found(size <= FIRST, f"{human_bytes(size)} sent", f"at most {human_bytes(FIRST)}")


@rule
def _update(trial: Trial, path: str) -> Found:
    before = trial.before(path)
    edited, _ = trial.ran_again(path, "{}\n")
    size = _sent(trial, before, edited)
    return Found(size <= UPDATE, f"{human_bytes(size)} sent", f"at most {human_bytes(UPDATE)}")


def _sent(trial: Trial, *builds: Build) -> int:
    """Push builds, one after the other, without their base; return the bytes that the last one sent."""
    registry = Registry()
    try:
        pushed = [
            push(_own(trial, build), f"{registry.address}/mine:{number}")
            for number, build in enumerate(builds)
        ]
    finally:
        registry.close()
    return pushed[-1].bytes_sent


def _own(trial: Trial, build: Build) -> Image:
    return replace(build.image, layers=tuple(layer for _, layer in trial.own(build)))
