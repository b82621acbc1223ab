"""Answers to exercise 08.

Right: tools and source left behind, and the page kept, however it is written.
"""

from __future__ import annotations

from dockerlab.checks.exercises import multi_stage

WORK = """\
FROM debian:trixie-slim AS work
WORKDIR /build
COPY make-index.pl .
RUN perl make-index.pl
COPY . .
RUN perl make-page.pl
"""
START = 'CMD ["cat", "/srv/site/page.html"]\n'
TAKE = f"""\
COPY --from=work /build/page.html /build/style.css /srv/site/
{START}"""
BASE = "FROM debian:trixie-slim\n"

RIGHT = {
    "squashed": f"""\
{WORK[:-1]} && mkdir -p /srv/site && cp page.html style.css /srv/site/ && rm -r /build/*
FROM scratch
COPY --from=work / /
{START}""",
    "an-entry-point-another-user-and-a-folder": f"""\
{WORK}{BASE}WORKDIR /srv/site/
COPY --from=work /build/page.html /build/style.css ./
USER nobody
ENTRYPOINT ["cat", "page.html"]
CMD []
""",
    "a-stage": f"{WORK}{BASE}{TAKE}",
    "on-scratch": f"{WORK}FROM scratch\nCOPY --from=work /build/page.html /build/style.css /srv/site/\n",
    "style-from-the-context": (
        f"{WORK}{BASE}COPY --from=work /build/page.html /srv/site/\nCOPY style.css /srv/site/\n{START}"
    ),
    "two-stages-for-the-work": f"""\
FROM debian:trixie-slim AS index
WORKDIR /build
COPY make-index.pl .
RUN perl make-index.pl
FROM debian:trixie-slim AS work
WORKDIR /build
COPY --from=index /build/index.txt .
COPY make-page.pl pages.txt style.css ./
RUN perl make-page.pl
{BASE}{TAKE}""",
    "the-index-mounted": f"""\
FROM debian:trixie-slim AS index
WORKDIR /build
COPY make-index.pl .
RUN perl make-index.pl
{BASE}WORKDIR /srv/site
RUN --mount=type=bind,from=index,source=/build/index.txt,target=/w/index.txt \\
    --mount=type=bind,source=make-page.pl,target=/w/make-page.pl \\
    --mount=type=bind,source=pages.txt,target=/w/pages.txt \\
    cp /w/pages.txt . && ln -s /w/index.txt index.txt \\
    && perl /w/make-page.pl && rm pages.txt index.txt
COPY style.css .
{START}""",
    "numbered-not-named": (
        f"{WORK.replace(' AS work', '')}{BASE}"
        f"COPY --from=0 /build/page.html /build/style.css /srv/site/\n{START}"
    ),
}

PAGE, STYLE, SHOWN, INDEX, SOURCE, BYTES, EDIT = range(7)  # the rules, in order

WRONG = {
    "the-command-lost": (
        f"{WORK}{BASE}COPY --from=work /build/page.html /build/style.css /srv/site/\n",
        {SHOWN},
    ),
    "a-page-typed-in": (
        f"{BASE}COPY style.css /srv/site/\nCOPY <<EOF /srv/site/page.html\n"
        "<link rel=stylesheet href=style.css>\n"
        f"<p>word1: 7919\n<p>word20: 58377\n<p>word300: 75631\nEOF\n{START}",
        {PAGE},
    ),
    "the-programs-renamed": (f"{WORK}{BASE}{TAKE}COPY make-page.pl /opt/a\n", {SOURCE}),
    "the-programs-in-base64": (
        f"{WORK}RUN cat make-*.pl | base64 > b\n{BASE}{TAKE}COPY --from=work /build/b /opt/b\n",
        {SOURCE},
    ),
    "made-when-it-starts": (
        f"{BASE}WORKDIR /srv/site\nCOPY . .\nCMD perl make-index.pl && perl make-page.pl && cat page.html\n",
        {PAGE, SOURCE},
    ),
    "the-starter": (multi_stage.STARTER, {INDEX, SOURCE, BYTES, EDIT}),
    "removed-at-the-end": (f"{multi_stage.STARTER}RUN rm -rf /build\n", {INDEX, SOURCE, BYTES, EDIT}),
    "one-run-that-cleans-up": (
        f"""\
{BASE}WORKDIR /build
COPY . .
RUN perl make-index.pl && perl make-page.pl && mkdir -p /srv/site && mv page.html style.css /srv/site/ && rm *
{START}""",
        {SOURCE},  # one RUN runs again, with the index in it
    ),
    "all-copied-first-in-the-stage": (
        f"""\
FROM debian:trixie-slim AS work
WORKDIR /build
COPY . .
RUN perl make-index.pl
RUN perl make-page.pl
{BASE}{TAKE}""",
        {EDIT},
    ),
    "the-style-left-out": (f"{WORK}{BASE}COPY --from=work /build/page.html /srv/site/\n{START}", {STYLE}),
    "the-whole-folder-taken": (
        f"{WORK}{BASE}COPY --from=work /build /srv/site\n{START}",
        {INDEX, SOURCE, BYTES},
    ),
    "the-page-made-up": (
        f'{BASE}COPY style.css /srv/site/\nRUN echo "<p>word1: 1" > /srv/site/page.html\n{START}',
        {PAGE},
    ),
    "on-top-of-the-work": (f"{WORK}FROM work\n{TAKE}", {INDEX, SOURCE, BYTES}),
    "the-index-packed": (
        f"{WORK}RUN gzip -k index.txt\n{BASE}{TAKE}COPY --from=work /build/index.txt.gz /opt/\n",
        {BYTES, EDIT},
    ),
}
