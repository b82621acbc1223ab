from __future__ import annotations

import re

import nbformat
import pytest

from dockerlab.checks import dockerignore
from dockerlab.context import File
from tests.checks.answers import failed, judged
from tools.course import ROOT

EXERCISE = "07-dockerignore"
assert dockerignore.CONTEXT is not None
PROJECT = dockerignore.CONTEXT
BASE = "FROM debian:trixie-slim\n"
ALL = f"{BASE}COPY . /app/\n"
OUT = ".git\nnode_modules\n**/*.log\n**/.env\ndocs/*\n!docs/help.md\n"

RIGHT: dict[str, tuple[str, str | None]] = {
    "what-stays-out": (ALL, OUT),
    "what-may-come-in": (ALL, "*\n!report.sh\n!data/table.csv\n!docs/help.md\n"),
    "whole-folders-out": (ALL, ".git\nnode_modules\n*.log\ndata/old\n.env\ndeploy\ndocs/plan.md\n"),
    "named-in-the-dockerfile": (
        f"""\
{BASE}\
COPY report.sh /app/
COPY data/table.csv /app/data/
COPY docs/help.md /app/docs/
""",
        None,
    ),
    "both": (f"{BASE}COPY report.sh /app/\nCOPY data /app/data/\nCOPY docs /app/docs/\n", OUT),
}

WORKS, PASSWORD, GIT, MODULES, LOGS, PLAN, READ = range(7)  # the rules, in order

WRONG: dict[str, tuple[str, str | None, set[int]]] = {
    "the-starter": (dockerignore.STARTER, None, {PASSWORD, GIT, MODULES, LOGS, PLAN, READ}),
    "rm-in-a-later-run": (
        f"{ALL}RUN find /app -name '*.log' -delete && rm -r /app/.env /app/deploy /app/docs/plan.md\n",
        ".git\nnode_modules\n",
        {PASSWORD, LOGS, PLAN},
    ),
    "the-seeds-three-lines": (ALL, "node_modules\n.git\n*.log\n", {PASSWORD, LOGS, PLAN}),
    "a-pattern-that-is-for-the-top-only": (ALL, OUT.replace("**/", ""), {PASSWORD, LOGS}),
    "the-exception-too-early": (ALL, f"!docs/help.md\n{OUT.replace('!docs/help.md', '')}", {WORKS}),
    "the-help-left-out": (ALL, OUT.replace("!docs/help.md\n", ""), {WORKS}),
    "all-left-out-but-the-script": (ALL, "*\n!report.sh\n", {WORKS}),
    "a-stage-that-reads-it-all": (
        f"""\
{BASE}COPY . /app/
{BASE}\
COPY --from=0 /app/report.sh /app/
COPY --from=0 /app/data/table.csv /app/data/
COPY --from=0 /app/docs/help.md /app/docs/
""",
        None,
        {READ},
    ),
}


def project(ignore: str | None) -> dict[str, str | bytes | File]:
    """Give the project's files, with a .dockerignore if there is one."""
    return {**PROJECT} if ignore is None else {**PROJECT, ".dockerignore": ignore}


@pytest.mark.parametrize("name", RIGHT)
def test_every_way_that_works_is_right(name: str) -> None:
    """An answer that lets in what the report needs and no more passes all rules."""
    dockerfile, ignore = RIGHT[name]
    report = judged(EXERCISE, dockerfile, files=project(ignore))
    assert report.passed, str(report)


@pytest.mark.parametrize("name", WRONG)
def test_what_only_looks_right_is_wrong(name: str) -> None:
    """A trick fails, and it fails the rules it breaks and no other."""
    dockerfile, ignore, broken = WRONG[name]
    report = judged(EXERCISE, dockerfile, files=project(ignore))
    assert failed(report) == broken, str(report)


def test_the_solution_is_the_one_that_is_tested() -> None:
    """The .dockerignore of the solution's notebook is SOLVED's, with which its Dockerfiles are checked."""
    book = nbformat.read(ROOT / "solutions" / "07-dockerignore.ipynb", as_version=4)
    shown = [
        found[1]
        for cell in book["cells"]
        if cell["cell_type"] == "code"
        and (found := re.search(r'files\["\.dockerignore"\] = """\\\n(.*?)"""', cell["source"], re.DOTALL))
    ]
    assert shown[:1] == [dockerignore.SOLVED[".dockerignore"]]
