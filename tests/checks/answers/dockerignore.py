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
