"""Answers to exercise 10.

Right: few layers, and nothing lost, however it is written.
"""

from __future__ import annotations

from dockerlab.checks.exercises import layer_limits
from tests.checks.judging import Answer

BASE = "FROM debian:trixie-slim\n"
CHAPTERS = "COPY chapters/chapter-*.txt /book/chapters/\n"
BIND = "COPY bind.sh /book/\nRUN sh /book/bind.sh\n"
START = 'CMD ["cat", "/book/cover.txt", "/book/book.txt"]\n'
COVER = f"COPY cover.txt /book/\n{START}"

RIGHT: dict[str, str | Answer] = {
    "an-ignore-file": Answer(
        f"{BASE}COPY chapters /book/chapters\n{BIND}{COVER}",
        {**layer_limits.CONTEXT, ".dockerignore": "chapters/draft-*\n"},
    ),
    "a-folder-with-a-slash": f"""\
{BASE}WORKDIR /book/
COPY chapters/chapter-* chapters/
RUN --mount=source=bind.sh,target=/mnt/bind.sh sh /mnt/bind.sh
{COVER}""",
    "an-entry-point": (BASE + CHAPTERS + BIND + COVER).replace("CMD", "ENTRYPOINT"),
    "a-wildcard": BASE + CHAPTERS + BIND + COVER,
    "script-first": f"{BASE}COPY bind.sh /book/\n{CHAPTERS}RUN sh /book/bind.sh\n{COVER}",
    "a-stage-for-the-pile": f"""\
FROM debian:trixie-slim AS pile
{CHAPTERS}{BIND}FROM debian:trixie-slim
COPY --from=pile /book /book
{COVER}""",
    "a-bind-mount": f"""\
{BASE}{CHAPTERS}RUN --mount=type=bind,source=bind.sh,target=/mnt/bind.sh sh /mnt/bind.sh
{COVER}""",
    "copied-in-a-run": f"""\
{BASE}RUN --mount=type=bind,source=chapters,target=/mnt/chapters \\
    --mount=type=bind,source=bind.sh,target=/mnt/bind.sh \\
    mkdir -p /book/chapters && cp /mnt/chapters/chapter-* /book/chapters/ && sh /mnt/bind.sh
{COVER}""",
}

SHOWS, FILES, DRAFTS, LAYERS, SHARED, EDIT = range(6)  # the rules, in order

WRONG: dict[str, tuple[str | Answer, set[int]]] = {
    "the-starter-squashed": (Answer(layer_limits.STARTER, squash=True), {LAYERS}),
    "one-chapter-unread": (
        f"{BASE}COPY chapters/chapter-0[1-9].txt chapters/chapter-[1-5]?.txt /book/chapters/\n{BIND}{COVER}",
        {FILES},
    ),
    "the-cover-typed-in": (
        f"{BASE}{CHAPTERS}{BIND}RUN echo 'The book of layers' > /book/cover.txt\n{START}",
        {SHOWS, FILES},
    ),
    "the-binding-typed-in": (
        f"{BASE}{CHAPTERS}RUN cat /book/chapters/*.txt > /book/book.txt\n{COVER}",
        {SHOWS, FILES},
    ),
    "bound-when-it-starts": (
        f"{BASE}{CHAPTERS}COPY bind.sh cover.txt /book/\n"
        "CMD sh /book/bind.sh && cat /book/cover.txt /book/book.txt\n",
        {FILES},
    ),
    "the-command-lost": (f"{BASE}{CHAPTERS}{BIND}COPY cover.txt /book/\n", {SHOWS}),
    "the-drafts-under-another-name": (
        f"{BASE}{CHAPTERS}RUN --mount=target=/i cat /i/chapters/draft-* | gzip > /book/notes"
        f" && sh /i/bind.sh\n{COVER}",
        {DRAFTS},
    ),
    "modes-lost": (f"{BASE}{CHAPTERS}{BIND}{COVER}".replace("COPY cover", "COPY --chmod=600 cover"), {FILES}),
    "the-starter": (layer_limits.STARTER, {LAYERS}),
    "the-whole-folder": (f"{BASE}COPY chapters /book/chapters/\n{BIND}{COVER}", {FILES, DRAFTS}),
    "the-drafts-removed-later": (
        f"{BASE}COPY chapters /book/chapters/\nRUN rm /book/chapters/draft-*\n{BIND}{COVER}",
        {DRAFTS, LAYERS},
    ),
    "squashed": (
        f"FROM debian:trixie-slim AS all\n{CHAPTERS}{BIND}{COVER}FROM scratch\nCOPY --from=all / /\n{START}",
        {SHARED},
    ),
    "the-cover-too-early": (f"{BASE}{COVER}{CHAPTERS}{BIND}", {EDIT}),
    "all-in-one-copy": (
        f"{BASE}COPY bind.sh cover.txt chapters/chapter-*.txt /book/chapters/\n"
        f"RUN mv /book/chapters/cover.txt /book/chapters/bind.sh /book/ && sh /book/bind.sh\n{START}",
        {EDIT},
    ),
    "chapters-lost": (
        f"{BASE}COPY chapters/chapter-0*.txt /book/chapters/\n{BIND}{COVER}",
        {FILES},
    ),
    "only-the-book": (
        f"FROM debian:trixie-slim AS pile\n{CHAPTERS}{BIND}{BASE}"
        f"COPY --from=pile /book/book.txt /book/\n{START}",
        {FILES},
    ),
}
