"""Answers to exercise 05.

Right: each edit makes again only what reads it, however it is written.
Wrong: makes too much again, or too little.
"""

from __future__ import annotations

from dockerlab.checks.exercises import build_cache

INDEX = """\
FROM debian:trixie-slim
COPY index.sh words.txt /src/
RUN sh /src/index.sh /src/words.txt > /srv/index.txt
"""
PAGE = """\
COPY page.sh page.txt /src/
RUN sh /src/page.sh /src/page.txt /srv/index.txt > /srv/page.txt
"""
RELEASE = 'ARG RELEASE=dev\nENV RELEASE=$RELEASE\nCMD ["cat", "/srv/page.txt"]\n'

RIGHT = {
    "elsewhere": """\
FROM debian:trixie-slim AS index
WORKDIR /w/
COPY index.sh words.txt ./
RUN sh index.sh words.txt > i
FROM debian:trixie-slim
WORKDIR /srv/pages
RUN --mount=from=index,source=/w/i,target=/i --mount=target=/in sh /in/page.sh /in/page.txt /i > p
ARG RELEASE
ENV RELEASE=$RELEASE
USER nobody
ENTRYPOINT ["cat"]
CMD ["p"]
""",
    "the-page-shown-by-a-shell": INDEX
    + PAGE
    + RELEASE.replace('["cat", "/srv/page.txt"]', "cat /srv/page.txt"),
    "copied-when-needed": INDEX + PAGE + RELEASE,
    "bind-mounts": f"""\
FROM debian:trixie-slim
RUN --mount=source=index.sh,target=/src/index.sh --mount=source=words.txt,target=/src/words.txt \\
    sh /src/index.sh /src/words.txt > /srv/index.txt
RUN --mount=target=/src sh /src/page.sh /src/page.txt /srv/index.txt > /srv/page.txt
{RELEASE}""",
    "stages": f"""\
{INDEX}
FROM debian:trixie-slim AS page
COPY --from=0 /srv/index.txt /srv/
{PAGE}
FROM debian:trixie-slim
COPY --from=page /srv/ /srv/
{RELEASE}""",
    "all-of-it-copied-after-the-index": f"{INDEX}COPY . /src/\n{PAGE}{RELEASE}",
    "a-heredoc-and-the-release-in-one-line": f"""\
{INDEX}COPY page.sh page.txt /src/
RUN <<EOF
set -e
sh /src/page.sh /src/page.txt /srv/index.txt > /srv/page.txt
EOF
{RELEASE}""",
}

PRINTED, INDEX_KEPT, WORDS, ENVIRONMENT, RELEASE_KEPT = range(5)  # the rules, in order

WRONG = {
    "a-script-typed-in": (
        "FROM debian:trixie-slim\nCOPY words.txt /src/\n"
        'RUN (echo "index made at $(date +%s%N)"; sort /src/words.txt) > /srv/index.txt\n' + PAGE + RELEASE,
        {PRINTED, WORDS},
    ),
    "all-made-when-it-starts": (
        "FROM debian:trixie-slim\nCOPY . /src/\nARG RELEASE=dev\nENV RELEASE=$RELEASE\n"
        "CMD sh /src/index.sh /src/words.txt > /tmp/i && sh /src/page.sh /src/page.txt /tmp/i\n",
        {INDEX_KEPT, RELEASE_KEPT},
    ),
    "the-index-kept-in-a-cache": (
        """\
FROM debian:trixie-slim
COPY . /src/
RUN --mount=type=cache,target=/c test -s /c/i || sh /src/index.sh /src/words.txt > /c/i; \\
    cp /c/i /srv/index.txt
RUN sh /src/page.sh /src/page.txt /srv/index.txt > /srv/page.txt
"""
        + RELEASE,
        {WORDS},
    ),
    "a-copy-of-the-script": (
        INDEX.replace("index.sh words.txt", "words.txt").replace(
            "RUN sh /src/index.sh /src/words.txt", "RUN sort /src/words.txt"
        )
        + PAGE
        + RELEASE,
        {PRINTED},
    ),
    "the-release-in-a-file": (
        INDEX
        + PAGE
        + 'ARG RELEASE\nRUN echo "RELEASE=$RELEASE" >> /etc/environment\nCMD ["cat", "/srv/page.txt"]\n',
        {ENVIRONMENT},
    ),
    "the-starter": (build_cache.STARTER, {INDEX_KEPT, RELEASE_KEPT}),
    "the-release-last-but-all-copied-first": (
        f"FROM debian:trixie-slim\nCOPY . /src/\n{INDEX.split(chr(10), 2)[2]}{PAGE}{RELEASE}",
        {INDEX_KEPT},
    ),
    "copied-when-needed-below-the-release": (
        INDEX.replace("\n", "\nARG RELEASE=dev\nENV RELEASE=$RELEASE\n", 1)
        + PAGE
        + 'CMD ["cat", "/srv/page.txt"]\n',
        {RELEASE_KEPT},
    ),
    "only-the-argument-on-top": (
        INDEX.replace("\n", "\nARG RELEASE=dev\n", 1)
        + PAGE
        + 'ENV RELEASE=$RELEASE\nCMD ["cat", "/srv/page.txt"]\n',
        {RELEASE_KEPT},
    ),
    "both-in-one-run": (
        f"""\
FROM debian:trixie-slim
COPY . /src/
RUN sh /src/index.sh /src/words.txt > /srv/index.txt \\
 && sh /src/page.sh /src/page.txt /srv/index.txt > /srv/page.txt
{RELEASE}""",
        {INDEX_KEPT},
    ),
    "the-release-left-out": (INDEX + PAGE + 'CMD ["cat", "/srv/page.txt"]\n', {ENVIRONMENT}),
    "the-release-written-down": (
        INDEX + PAGE + 'ENV RELEASE=dev\nCMD ["cat", "/srv/page.txt"]\n',
        {ENVIRONMENT},
    ),
    "a-page-of-its-own": (
        f'{INDEX}RUN echo "page made at 0, 4 words: A page about fruit." > /srv/page.txt\n{RELEASE}',
        {PRINTED},
    ),
    "an-index-of-its-own": (
        "FROM debian:trixie-slim\n"
        'RUN printf "index made at 1700000000000000000\\napple\\npear\\nplum\\n" > /srv/index.txt\n'
        f"{PAGE}{RELEASE}",
        {WORDS},
    ),
    "no-index": (
        f"FROM debian:trixie-slim\nCOPY page.txt /srv/\n{RELEASE}",
        {INDEX_KEPT, WORDS, RELEASE_KEPT},
    ),
}
