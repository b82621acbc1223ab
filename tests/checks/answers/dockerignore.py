"""Answers to exercise 07.

Right: lets in what the report needs, and no more, however it is written.
"""

from __future__ import annotations

from dockerlab.checks.exercises import dockerignore
from tests.checks.judging import Answer

assert dockerignore.CONTEXT is not None
PROJECT = dockerignore.CONTEXT
BASE = "FROM debian:trixie-slim\n"
START = 'CMD ["sh", "/app/report.sh"]\n'
ALL = f"{BASE}{START}COPY . /app/\n"
OUT = ".git\nnode_modules\n**/*.log\n**/.env\ndocs/*\n!docs/help.md\n"


def _ignoring(dockerfile: str, ignore: str) -> Answer:
    return Answer(dockerfile, {**PROJECT, ".dockerignore": ignore})


RIGHT: dict[str, str | Answer] = {
    "little-read-and-left-in-a-stage": (
        Answer(
            "FROM debian:trixie-slim AS all\nCOPY . /all\nFROM debian:trixie-slim\nWORKDIR /app\n"
            "COPY --from=all /all/report.sh ./\nCOPY --from=all /all/data/table.csv data/\n"
            'COPY --from=all /all/docs/help.md docs/\nCMD ["sh", "/app/report.sh"]\n',
            files={**PROJECT, ".dockerignore": ".git\nnode_modules\n*.log\n**/.env\n"},
        )
    ),
    "a-stage-and-an-entry-point": _ignoring(
        f"{BASE.strip()} AS files\nCOPY . /app/\n{BASE}COPY --from=files /app /app\n"
        'WORKDIR /app/\nUSER nobody\nENTRYPOINT ["sh"]\nCMD ["/app/report.sh"]\n',
        OUT,
    ),
    "bind-mounts-of-what-it-needs": f"""\
{BASE}{START}\
RUN --mount=source=report.sh,target=/i/report.sh --mount=source=data/table.csv,target=/i/data/table.csv \\
    --mount=source=docs/help.md,target=/i/docs/help.md cp -r /i /app
""",
    "what-stays-out": _ignoring(ALL, OUT),
    "what-may-come-in": _ignoring(ALL, "*\n!report.sh\n!data/table.csv\n!docs/help.md\n"),
    "whole-folders-out": _ignoring(ALL, ".git\nnode_modules\n*.log\ndata/old\n.env\ndeploy\ndocs/plan.md\n"),
    "named-in-the-dockerfile": f"""\
{BASE}{START}\
COPY report.sh /app/
COPY data/table.csv /app/data/
COPY docs/help.md /app/docs/
""",
    "both": _ignoring(
        f"{BASE}{START}COPY report.sh /app/\nCOPY data /app/data/\nCOPY docs /app/docs/\n", OUT
    ),
}

WORKS, PASSWORD, GIT, MODULES, LOGS, PLAN, READ = range(7)  # the rules, in order

WRONG: dict[str, tuple[str | Answer, set[int]]] = {
    "renamed": (
        _ignoring(
            f"{BASE}{START}COPY . /app/\nCOPY .env /app/settings\n", OUT.replace("**/.env", "deploy/.env")
        ),
        {PASSWORD},
    ),
    "packed": (
        f"{BASE}{START}COPY report.sh /app/\nCOPY data/table.csv /app/data/\nCOPY docs/help.md /app/docs/\n"
        "RUN --mount=target=/i tar -czf /app/all.tgz -C /i .\n",
        {PASSWORD, GIT, MODULES, LOGS, PLAN, READ},
    ),
    "in-base64": (
        f"{BASE}{START}COPY report.sh /app/\nCOPY data/table.csv /app/data/\nCOPY docs/help.md /app/docs/\n"
        "RUN --mount=source=.env,target=/i base64 /i > /app/env\n",
        {PASSWORD},
    ),
    "the-history-in-another-folder": (
        f"{BASE}{START}COPY report.sh /app/\nCOPY data/table.csv /app/data/\nCOPY docs/help.md /app/docs/\n"
        "COPY .git /srv/history\nCOPY debug.log /srv/debug.txt\n",
        {GIT, LOGS},
    ),
    "copies-typed-in": (
        f"{BASE}{START}COPY data/table.csv /app/data/\nCOPY docs/help.md /app/docs/\n"
        "COPY <<'EOF' /app/report.sh\ncat /app/docs/help.md\nwc -l < /app/data/table.csv\necho \"$1\"\nEOF\n",
        {WORKS},
    ),
    "all-of-it-in-a-mount": (
        f"{BASE}{START}RUN --mount=target=/i mkdir -p /app/data /app/docs && cd /i"
        " && cp report.sh /app && cp data/table.csv /app/data && cp docs/help.md /app/docs\n",
        {READ},
    ),
    "the-command-lost": (_ignoring(f"{BASE}COPY . /app/\n", OUT), {WORKS}),
    "a-target-that-reads-it-all": (
        Answer(f"{BASE.strip()} AS all\nCOPY . /app/\n{START}FROM all\nRUN rm -r /app\n", target="all"),
        {PASSWORD, READ},
    ),
    "the-starter": (dockerignore.STARTER, {PASSWORD, GIT, MODULES, LOGS, PLAN, READ}),
    "rm-in-a-later-run": (
        _ignoring(
            f"{ALL}RUN find /app -name '*.log' -delete && rm -r /app/.env /app/deploy /app/docs/plan.md\n",
            ".git\nnode_modules\n",
        ),
        {PASSWORD, LOGS, PLAN},
    ),
    "the-seeds-three-lines": (_ignoring(ALL, "node_modules\n.git\n*.log\n"), {PASSWORD, LOGS, PLAN}),
    "a-pattern-that-is-for-the-top-only": (_ignoring(ALL, OUT.replace("**/", "")), {PASSWORD, LOGS}),
    "the-exception-too-early": (
        _ignoring(ALL, f"!docs/help.md\n{OUT.replace('!docs/help.md', '')}"),
        {WORKS},
    ),
    "the-help-left-out": (_ignoring(ALL, OUT.replace("!docs/help.md\n", "")), {WORKS}),
    "all-left-out-but-the-script": (_ignoring(ALL, "*\n!report.sh\n"), {WORKS}),
    "a-stage-that-reads-it-all": (
        f"""\
{BASE}COPY . /app/
{BASE}{START}\
COPY --from=0 /app/report.sh /app/
COPY --from=0 /app/data/table.csv /app/data/
COPY --from=0 /app/docs/help.md /app/docs/
""",
        {READ},
    ),
}
