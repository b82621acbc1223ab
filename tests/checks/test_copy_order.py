from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dockerlab import engines
from dockerlab.checks import copy_order
from dockerlab.checks.exercise import judge
from dockerlab.context import Context
from dockerlab.engines import Build
from dockerlab.errors import DockerlabError

assert copy_order.CONTEXT is not None
CONTEXT = Context.files(copy_order.CONTEXT)
BASE = "FROM python:3.13-slim\n"
INSTALL = "RUN pip install --no-cache-dir --no-index --find-links=/app/wheels -r /app/requirements.txt\n"
FIRST = f"{BASE}COPY requirements.txt /app/\nCOPY wheels /app/wheels/\n{INSTALL}"
LENT = """\
RUN --mount=type=bind,source=requirements.txt,target=/tmp/r.txt \\
    --mount=type=bind,source=wheels,target=/tmp/wheels \\
    pip install --no-cache-dir --no-index --find-links=/tmp/wheels -r /tmp/r.txt
"""
APP = "COPY --chown=1000:1000 app.py words.txt /app/\n"

RIGHT = {
    "needed-first": f"{FIRST}{APP}",
    "needed-first-then-all": f"{FIRST}COPY --chown=1000:1000 . /app/\nUSER 1000\n",
    "one-copy-of-both": f"""\
{BASE}COPY requirements.txt wheels/*.whl /tmp/wheels/
RUN pip install --no-cache-dir --no-index --find-links=/tmp/wheels -r /tmp/wheels/requirements.txt
{APP}""",
    "bind-mounts": f"{BASE}{LENT}{APP}",
    "a-stage-for-the-packages": f"""\
{BASE}COPY requirements.txt /app/
COPY wheels /app/wheels
RUN pip install --no-index --find-links=/app/wheels --target /opt/lib -r /app/requirements.txt
{BASE}ENV PYTHONPATH=/opt/lib
COPY --from=0 /opt/lib /opt/lib
{APP}""",
    "add": f"{BASE}ADD requirements.txt /app/\nADD wheels /app/wheels/\n{INSTALL}ADD --chown=1000 . /app/\n",
}

WORKS, OWNER, EDIT, INSTALLS, BYTES = range(5)  # the rules, in order

WRONG = {
    "the-starter": (copy_order.STARTER, {EDIT, BYTES}),
    "chown-flag-only": (f"{BASE}COPY --chown=1000 . /app/\n{INSTALL}", {EDIT}),
    "link-before-the-install": (f"{BASE}COPY --link --chown=1000 . /app/\n{INSTALL}", {EDIT}),
    "chown-in-a-run-above-the-app": (
        f"{FIRST}COPY words.txt /app/\nRUN chown -R 1000 /app\nCOPY --chown=1000 app.py /app/\n",
        {BYTES},
    ),
    "no-owner": (f"{FIRST}COPY app.py words.txt /app/\n", {OWNER}),
    "a-name-in-the-run": (
        f"{BASE}COPY wheels /w/\nRUN pip install --no-cache-dir --no-index --find-links=/w louder\n{APP}",
        {INSTALLS},
    ),
    "the-app-left-out": (FIRST, {WORKS, OWNER}),
    "the-app-written-by-a-run": (
        f"""\
{FIRST}COPY --chown=1000 words.txt /app/
RUN echo "print('WORD000007')" > /app/app.py && chown 1000 /app/app.py
""",
        {WORKS},
    ),
    "nothing-installed": (f"{BASE}{APP}", {WORKS, INSTALLS}),
    "the-same-in-a-comment": (f"# COPY requirements.txt /app/\n{copy_order.STARTER}", {EDIT, BYTES}),
}


@pytest.fixture(scope="module", autouse=True)
def starter() -> None:
    """Build the starter: offline nothing here can be measured (tests/test_exercises.py fails then)."""
    try:
        engine, _ = engines.choose()
        engine.build(copy_order.STARTER, context=CONTEXT, tag="dockerlab/starter-04-copy-and-add:latest")
    except DockerlabError as error:
        pytest.skip(f"the starter cannot be built here: {error}")


@contextmanager
def built(dockerfile: str) -> Iterator[Build]:
    """Build an answer on the engine at hand, and forget its name afterwards."""
    engine, _ = engines.choose()
    tag = "dockerlab/test-04-copy-and-add:answer"
    try:
        yield engine.build(dockerfile, context=CONTEXT, tag=tag)
    finally:
        engine.remove(tag)


@pytest.mark.parametrize("name", RIGHT)
def test_every_way_that_works_is_right(name: str) -> None:
    """An answer that installs only what changed and stores nothing twice passes all rules."""
    with built(RIGHT[name]) as attempt:
        report = judge(copy_order, attempt, name="04-copy-and-add", on_wait=lambda said: None)
    assert report.passed, str(report)


@pytest.mark.parametrize("name", WRONG)
def test_what_only_looks_right_is_wrong(name: str) -> None:
    """A trick fails, and it fails the rules it breaks and no other."""
    dockerfile, broken = WRONG[name]
    with built(dockerfile) as attempt:
        report = judge(copy_order, attempt, name="04-copy-and-add", on_wait=lambda said: None)
    assert {number for number, verdict in enumerate(report.verdicts) if not verdict.passed} == broken, str(
        report
    )
