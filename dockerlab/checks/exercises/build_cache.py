"""Exercise 05: an edit makes again what depends on it, and nothing else.

Right is whatever keeps the slow step's inputs to those it reads: files copied when they are needed, bind
mounts, stages, the release set last. Both scripts write down when they ran, so a step that ran again shows in
its result.
"""

from __future__ import annotations

import re
import secrets as randomness
from collections.abc import Mapping
from dataclasses import dataclass

from dockerlab.checks.rules import final_file
from dockerlab.checks.verdict import Verdict
from dockerlab.context.context import Context, File
from dockerlab.engines.results import Build, Engine

STARTER = """\
FROM debian:trixie-slim
ARG RELEASE=dev
ENV RELEASE=$RELEASE
COPY . /src/
RUN sh /src/index.sh /src/words.txt > /srv/index.txt
RUN sh /src/page.sh /src/page.txt /srv/index.txt > /srv/page.txt
CMD ["cat", "/srv/page.txt"]
"""
CONTEXT: Mapping[str, str | bytes | File] | None = {
    "index.sh": """\
# The slow part: one second stands for an hour.
sleep 1
echo "index made at $(date +%s%N)"
sort "$1"
""",
    "page.sh": """\
echo "page made at $(date +%s%N), $(($(wc -l < "$2") - 1)) words in the index"
cat "$1"
""",
    "words.txt": "pear\napple\nplum\n",
    "page.txt": "A page about fruit.\n",
}

INDEX, PAGE = "srv/index.txt", "srv/page.txt"
_MADE = re.compile(rb"index made at (\d{19})\n")  # nanoseconds since 1970

CHANGE, ORDER, WHY = "Change one thing", "The order that costs least", "Why"  # headings of lesson 05


@dataclass(frozen=True)
class _Result:
    """What one build of the attempt made."""

    build: Build
    index: bytes
    page: bytes

    @property
    def made(self) -> int:
        """When the index was made, in nanoseconds; 0 when it does not say."""
        found = _MADE.match(self.index)
        return int(found[1]) if found else 0


def rules(attempt: Build, starter: Build, engine: Engine) -> list[Verdict]:  # noqa: ARG001 - the protocol's
    """Edit each input in turn, build again, and see what was made again."""
    assert CONTEXT is not None
    word = f"word{randomness.token_hex(6)}"
    one, two = (f"release-{randomness.token_hex(4)}" for _ in range(2))
    before = _built(attempt, engine, CONTEXT, one)
    page = _built(attempt, engine, {**CONTEXT, "page.txt": f"A page with {word}.\n"}, one)
    words = _built(attempt, engine, {**CONTEXT, "words.txt": f"pear\napple\nplum\n{word}\n"}, one)
    release = _built(attempt, engine, CONTEXT, two)
    said = engine.run(page.build.image.id).output
    return [
        Verdict(
            "An edit of page.txt is in what the image prints",
            word in said and said.encode() == page.page,
            _yes(word in said),
            "the new text",
            WHY,
        ),
        _kept(
            "An edit of page.txt does not make the index again", page.index == before.index, before, CHANGE
        ),
        Verdict(
            "An edit of words.txt makes the index and the page again",
            word.encode() in words.index and words.made > before.made and b", 4 words" in words.page,
            _yes(word.encode() in words.index, b", 4 words" in words.page),
            "the new word is in the index, and counted on the page",
            WHY,
        ),
        Verdict(
            "RELEASE is in the image's environment, as it was given to the build",
            f"RELEASE={two}" in _env(release.build),
            next((one for one in _env(release.build) if one.startswith("RELEASE=")), "it is not set"),
            f"RELEASE={two}",
            ORDER,
        ),
        _kept(
            "Another RELEASE makes neither the index nor the page again",
            (release.index, release.page) == (before.index, before.page),
            before,
            ORDER,
        ),
    ]


def _built(attempt: Build, engine: Engine, files: Mapping[str, str | bytes | File], release: str) -> _Result:
    build = engine.build(
        attempt.dockerfile,
        context=Context.files(files),
        build_args={"RELEASE": release},
        builder=attempt.builder,
    )
    return _Result(build, final_file(build, INDEX) or b"", final_file(build, PAGE) or b"")


def _kept(rule: str, same: bool, before: _Result, look: str) -> Verdict:
    # A file that is not there, or does not say when it was made, cannot show that it was kept.
    measured = "the same as before" if same else "made again"
    return Verdict(
        rule, same and before.made > 0, measured if before.made else "no index", "the same as before", look
    )


def _env(build: Build) -> list[str]:
    return list((build.image.config.get("config") or {}).get("Env") or ())


def _yes(*found: bool) -> str:
    return "it is there" if all(found) else "it is not there"
