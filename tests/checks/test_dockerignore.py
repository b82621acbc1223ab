from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import nbformat
import pytest

from dockerlab import engines
from dockerlab.checks import dockerignore
from dockerlab.checks.exercise import judge
from dockerlab.context import Context
from dockerlab.engines import Build
from dockerlab.errors import DockerlabError
from tools.course import ROOT

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


def context(ignore: str | None) -> Context:
    """Give the project, with a .dockerignore if there is one."""
    return Context.files(PROJECT if ignore is None else {**PROJECT, ".dockerignore": ignore})


@pytest.fixture(scope="module", autouse=True)
def starter() -> None:
    """Build the starter: offline nothing here can be measured (tests/test_exercises.py fails then)."""
    try:
        engine, _ = engines.choose()
        engine.build(
            dockerignore.STARTER, context=context(None), tag="dockerlab/starter-07-dockerignore:latest"
        )
    except DockerlabError as error:
        pytest.skip(f"the starter cannot be built here: {error}")


@contextmanager
def built(dockerfile: str, ignore: str | None) -> Iterator[Build]:
    """Build an answer on the engine at hand, and forget its name afterwards."""
    engine, _ = engines.choose()
    tag = "dockerlab/test-07-dockerignore:answer"
    try:
        yield engine.build(dockerfile, context=context(ignore), tag=tag)
    finally:
        engine.remove(tag)


@pytest.mark.parametrize("name", RIGHT)
def test_every_way_that_works_is_right(name: str) -> None:
    """An answer that lets in what the report needs and no more passes all rules."""
    with built(*RIGHT[name]) as attempt:
        report = judge(dockerignore, attempt, name="07-dockerignore", on_wait=lambda said: None)
    assert report.passed, str(report)


@pytest.mark.parametrize("name", WRONG)
def test_what_only_looks_right_is_wrong(name: str) -> None:
    """A trick fails, and it fails the rules it breaks and no other."""
    dockerfile, ignore, broken = WRONG[name]
    with built(dockerfile, ignore) as attempt:
        report = judge(dockerignore, attempt, name="07-dockerignore", on_wait=lambda said: None)
    assert {number for number, verdict in enumerate(report.verdicts) if not verdict.passed} == broken, str(
        report
    )


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
