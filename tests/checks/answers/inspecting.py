"""Answers to exercise 11.

Right: stores only what lookup needs, however it is written.
"""

from __future__ import annotations

from dockerlab.checks.exercises import inspecting

BASE = "FROM debian:trixie-slim\n"
ALL = "sh /setup/fetch.sh && sh /setup/index.sh && sh /setup/finish.sh"
START = 'CMD ["/opt/words/lookup", "123456"]\n'
CLEAN = "rm -r /var/cache/words"

RIGHT = {
    "an-entry-point-and-another-user": f"""\
{BASE}WORKDIR /opt/
RUN --mount=target=/setup {ALL} && {CLEAN}
USER 1000
ENTRYPOINT ["words/lookup"]
CMD ["123456"]
""",
    "each-file-of-the-stage": f"""\
{BASE}COPY . /setup
RUN {ALL}
{BASE}COPY --from=0 /opt/words/lookup /opt/words/lookup
COPY --from=0 /opt/words/index /opt/words/index
{START}""",
    "one-run": f"{BASE}COPY . /setup\nRUN {ALL} && {CLEAN}\n{START}",
    "heredoc": f"""\
{BASE}COPY . /setup
RUN <<EOF
set -e
sh /setup/fetch.sh
{CLEAN}
sh /setup/index.sh
sh /setup/finish.sh
EOF
{START}""",
    "a-stage-for-the-work": f"""\
{BASE}COPY . /setup
RUN sh /setup/fetch.sh
RUN sh /setup/index.sh
RUN sh /setup/finish.sh
{BASE}COPY --from=0 /opt/words /opt/words
{START}""",
    "a-bind-mount-and-a-tmpfs": f"""\
{BASE}RUN --mount=type=bind,target=/setup --mount=type=tmpfs,target=/var/cache {ALL}
{START}""",
    "squashed": f"""\
{BASE}COPY . /setup
RUN {ALL}
RUN {CLEAN}
FROM scratch
COPY --from=0 / /
{START}""",
}

ANSWERS, INDEX, PAGES, LIST, WASTE, BYTES = range(6)  # the rules, in order

WRONG = {
    "modes-of-everybody": (
        f"{BASE}COPY . /setup\nRUN {ALL}\n{BASE}COPY --from=0 --chmod=777 /opt/words /opt/words\n{START}",
        {INDEX},
    ),
    "the-command-lost": (f"{BASE}COPY . /setup\nRUN {ALL} && {CLEAN}\n", {ANSWERS}),
    "modes-lost": (
        f"{BASE}COPY . /setup\nRUN {ALL}\n{BASE}COPY --from=0 --chmod=400 /opt/words /opt/words\n{START}",
        {ANSWERS, INDEX},
    ),
    "computed-in-place-of-a-table": (
        f"{BASE}RUN mkdir /opt/words && cd /opt/words"
        " && printf '#!/bin/sh\\necho $((500001 - $1)):$1 words\\n' > lookup && chmod 555 lookup"
        f" && seq 500000 -1 100000 | sed 's/$/ words/' > index\n{START}",
        {ANSWERS, INDEX},
    ),
    "made-when-it-starts": (
        f"{BASE}COPY . /setup\nCMD {ALL} && /opt/words/lookup 123456\n",
        {INDEX},
    ),
    "the-pages-packed": (
        f"{BASE}COPY . /setup\nRUN {ALL} && gzip -c /var/cache/words/pages > /opt/p && {CLEAN}\n{START}",
        {BYTES},
    ),
    "the-starter": (inspecting.STARTER, {PAGES, LIST, WASTE, BYTES}),
    "one-run-and-the-pages-kept": (f"{BASE}COPY . /setup\nRUN {ALL}\n{START}", {PAGES, BYTES}),
    "the-pages-removed-in-a-later-run": (
        f"{BASE}COPY . /setup\nRUN {ALL}\nRUN {CLEAN}\n{START}",
        {PAGES, WASTE, BYTES},
    ),
    "without-the-last-script": (
        f"{BASE}COPY . /setup\nRUN sh /setup/fetch.sh && sh /setup/index.sh && {CLEAN}\n{START}",
        {ANSWERS, LIST, BYTES},
    ),
    "the-mode-in-a-layer-of-its-own": (
        f"""\
{BASE}COPY . /setup
RUN sh /setup/fetch.sh && sh /setup/index.sh && {CLEAN} && rm /opt/words/list /var/tmp/words
RUN chmod 444 /opt/words/index && chmod 555 /opt/words/lookup
{START}""",
        {WASTE, BYTES},
    ),
    "the-index-left-behind": (
        f"{BASE}COPY . /setup\nRUN {ALL}\n{BASE}COPY --from=0 /opt/words/lookup /opt/words/\n{START}",
        {ANSWERS, INDEX},
    ),
    "an-answer-made-up": (
        f"{BASE}RUN mkdir /opt/words && printf '#!/bin/sh\\necho 376545:123456 words\\n' > /opt/words/lookup"
        f" && chmod 555 /opt/words/lookup\n{START}",
        {ANSWERS, INDEX},
    ),
    "the-pages-under-another-name": (
        f"{BASE}COPY . /setup\nRUN {ALL} && mv /var/cache/words/pages /opt/kept\n{START}",
        {PAGES, BYTES},
    ),
}
