"""What another order costs: by hand on small cases, as properties on generated ones, on a real build."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dockerlab.analysis import order_search
from dockerlab.analysis.built_stages import BuiltStages
from dockerlab.analysis.dependencies import predecessors, reads
from dockerlab.analysis.reorder import COMPUTED, MANIFEST, RARE, SOURCE, Reordering, what_if_orders
from dockerlab.context.context import Context
from dockerlab.dockerfile.parser import Instruction, parse
from dockerlab.engines.results import Build, Builder, Step
from dockerlab.errors import BuildError
from dockerlab.image.image import Image
from dockerlab.widgets.explanations import WhatIf

IMAGE = Image(None, "sha256:0", {}, (), ())


def measured(text: str, seconds: dict[int, float] | None = None, *, builder: Builder = "buildkit") -> Build:
    """Return a build of `text` in which each line took the seconds given (1 where none are)."""
    dockerfile = parse(text)
    steps: list[Step] = []
    for stage in dockerfile.stages:
        name = stage.name or str(stage.index)
        for one in (stage.from_, *stage.instructions):
            layer = one.keyword in ("RUN", "COPY", "ADD", "WORKDIR")
            took = (seconds or {}).get(one.line, 1.0) if layer else 0.0
            cached = False if layer or builder == "legacy" else None
            steps.append(Step(len(steps) + 1, name, one.keyword, one.text, one.line, cached, took))
    return Build("x", IMAGE, tuple(steps), "Docker", builder, 1.0, dockerfile, 0)


def needs_of(text: str) -> dict[int, set[int]]:
    """Return which lines each line of the last stage must stay below."""
    stages = BuiltStages.of(measured(text))
    lines = stages.final.instructions
    needs = predecessors(stages.lines(stages.final))
    return {lines[at].line: {lines[i].line for i in above} for at, above in needs.items()}


CODE_FIRST = """FROM debian
WORKDIR /app
COPY . .
RUN apt-get update && apt-get install -y python3 && rm -rf /var/lib/apt/lists/*
CMD ["python3", "app.py"]
"""


def test_the_install_goes_above_the_code() -> None:
    """COPY . above an apt-get install: the best order has it below, and costs what the sum by hand says."""
    found = what_if_orders(measured(CODE_FIRST, {2: 0.5, 3: 1, 4: 30}))
    assert found.given.total == SOURCE * 31 + RARE * 30
    assert found.best.lines in ((2, 4, 3, 5), (4, 2, 3, 5))
    assert found.best.total == SOURCE * 1 + RARE * 31
    assert found.exhaustive


def test_an_order_of_the_learner_s_is_costed_and_its_breaks_are_named() -> None:
    """An order by lines is costed beside the others; one that breaks a need says which."""
    text = "FROM debian\nWORKDIR /app\nCOPY . .\nRUN make\n"
    found = what_if_orders(measured(text), orders={"mine": (4, 3)}, changes_per_week={3: 2, 4: 1})
    given, mine, best = found.costs
    assert (given.total, mine.total) == (2 * 2 + 1 * 1, 2 * 1 + 1 * 2)
    assert mine.lines == (2, 4, 3)
    assert mine.broken == ((4, 3),)
    assert best.lines == given.lines


def test_needs_given_replace_those_read() -> None:
    """`needs` frees a line that the text ties, and ties one that it frees."""
    text = "FROM debian\nWORKDIR /app\nCOPY . .\nRUN make\n"
    freed = what_if_orders(measured(text), needs={4: [2]})
    assert freed.best.lines == (2, 4, 3)
    tied = what_if_orders(measured(CODE_FIRST), needs={4: [3]})
    assert tied.best.lines == tied.given.lines


def test_needs_that_cannot_be_kept() -> None:
    """Lines that wait for each other are an error, and so is a line that is none."""
    with pytest.raises(BuildError, match="wait for each other"):
        what_if_orders(measured(CODE_FIRST), needs={3: [4], 4: [3]})
    with pytest.raises(BuildError, match="line 99 begins no instruction"):
        what_if_orders(measured(CODE_FIRST), needs={3: [99]})
    with pytest.raises(BuildError, match="no order of this stage's lines"):
        what_if_orders(measured(CODE_FIRST), orders={"x": (3, 99)})


def test_a_cached_step_was_not_measured() -> None:
    """A build in which a RUN came from the cache is refused, with the line and what to do."""
    build = measured(CODE_FIRST)
    steps = [
        Step(one.number, one.stage, one.keyword, one.text, one.line, one.line == 4 or one.cached, one.seconds)
        for one in build.steps
    ]
    cached = Build("x", IMAGE, tuple(steps), "Docker", "buildkit", 1.0, build.dockerfile, 0)
    with pytest.raises(BuildError, match="line 4: RUN came from the cache") as caught:
        what_if_orders(cached)
    assert "no_cache" in caught.value.hint


def test_metadata_costs_nothing_but_under_the_legacy_builder() -> None:
    """A LABEL that changes above a RUN runs nothing again on BuildKit; the legacy builder moves it down."""
    text = "FROM debian\nLABEL build=1\nRUN sleep 10\n"
    modern = what_if_orders(measured(text), changes_per_week={2: 50})
    assert modern.given.seconds[2] == 0
    legacy = what_if_orders(measured(text, builder="legacy"), changes_per_week={2: 50})
    assert legacy.given.seconds[2] == 50
    assert legacy.best.lines == (3, 2)


def test_env_runs_a_run_again_but_no_copy() -> None:
    """A changed ENV costs from the first RUN below it on; a COPY between them is reused."""
    text = "FROM debian\nENV V=1\nCOPY a /srv/a\nRUN true\nCOPY b /srv/b\n"
    found = what_if_orders(measured(text, {3: 100, 4: 2, 5: 3}), changes_per_week={2: 1, 3: 0, 4: 0, 5: 0})
    assert found.given.seconds[2] == 5


def test_env_runs_again_what_names_it(tmp_path: Path) -> None:
    """A changed ENV costs the COPY and WORKDIR that name it, linked or not, and what stands on them."""
    embedded = pytest.importorskip("dockerlab.engines.embedded", exc_type=ImportError)
    engine = embedded.EmbeddedEngine(tmp_path)
    text = (
        "FROM scratch\nENV V=1\nCOPY a /a\nCOPY --link b /$V\nCOPY --link b /b\nWORKDIR /${V}w\nCOPY a /c\n"
    )
    files = Context.files({"a": "1", "b": "2"})
    engine.build(text, context=files, tag="t")
    again = engine.build(text.replace("V=1", "V=2"), context=files, tag="t")
    ran = {step.line for step in again.steps if step.cached is False}
    assert ran == {4, 6, 7}
    seconds = {3: 1.0, 4: 2.0, 5: 4.0, 6: 8.0, 7: 16.0}
    found = what_if_orders(measured(text, seconds), changes_per_week={2: 1, 3: 0, 4: 0, 5: 0, 6: 0, 7: 0})
    assert found.given.seconds[2] == sum(seconds[line] for line in ran)


def test_rates_by_what_a_line_reads() -> None:
    """Source changes often, a list of dependencies seldom; a stage as often as what it reads."""
    text = (
        "FROM debian AS build\nCOPY requirements.txt /r\nCOPY src /src\n"
        "FROM debian\nCOPY package*.json /p/\nCOPY --from=build /src /app\nRUN true\n"
    )
    rates = {one.line: one.changes_per_week for one in what_if_orders(measured(text)).lines}
    assert rates == {5: MANIFEST, 6: MANIFEST + SOURCE, 7: RARE}


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("COPY requirements.txt .\nRUN pip install -r requirements.txt", {3: {2}}),
        ("COPY requirements.txt .\nCOPY . .\nRUN pip install -r requirements.txt", {4: {2}}),
        ("COPY . .\nRUN pip install flask", {3: set()}),
        ("COPY . .\nRUN pip install .", {3: {2}}),
        ("COPY package*.json ./\nCOPY . .\nRUN npm ci", {4: {2}}),
        ("COPY . .\nRUN npm ci", {3: {2}}),
        ("COPY . .\nRUN npm run build", {3: {2}}),
        ("COPY my.list /etc/apt/sources.list.d/\nRUN apt-get update", {3: {2}}),
        ("COPY tool /opt/tool\nRUN apt-get update", {3: set()}),
        ("COPY tool /opt/tool\nRUN chmod 755 /opt/tool/run", {3: {2}}),
        ("RUN useradd app\nCOPY --chown=app . .", {3: {2}}),
        ("RUN apt-get update\nRUN apt-get install x", {3: {2}}),
        ("ARG VERSION\nRUN apt-get update", {3: set()}),
        ("ARG VERSION\nRUN echo $VERSION", {3: {2}}),
        ("ARG VERSION\nRUN make", {3: {2}}),
        ("ENV PIP_NO_CACHE_DIR=1\nRUN pip install flask", {3: {2}}),
        ("ENV APP=/app\nCOPY . $APP", {3: {2}}),
        ("USER app\nRUN apt-get update", {3: {2}}),
        ("USER app\nCOPY . .", {3: set()}),
        ("WORKDIR /x\nCOPY a b", {3: {2}}),
        ("WORKDIR /x\nCOPY a /y/b", {3: set()}),
        ("RUN --mount=type=cache,target=/root/.cache/pip pip install flask\nCOPY . .", {3: set()}),
        ("COPY a /a\nRUN <<EOF\ntrue\nEOF", {3: {2}}),
    ],
)
def test_what_a_line_must_stay_below(text: str, needs: dict[int, set[int]]) -> None:
    """Lines keep their order unless it is known that neither sees what the other does."""
    below = needs_of(f"FROM debian\nWORKDIR /app\n{text}\n")
    found = {line - 1: {above - 1 for above in below[line] if above > 2} for line in below if line > 2}
    assert {line: found[line] for line in needs} == needs


def test_a_run_of_unknown_commands_reads_anything() -> None:
    """Only commands that are known are trusted to read nothing else."""

    def run(text: str) -> Instruction:
        return parse(f"FROM debian\n{text}\n").stages[0].instructions[0]

    assert reads(run("RUN apt-get update && apt-get install -y git")) == ()
    assert reads(run("RUN DEBIAN_FRONTEND=noninteractive apt-get update > /dev/null 2>&1")) == ()
    assert reads(run("RUN pip install --no-cache-dir -r requirements.txt")) == ("requirements.txt",)
    for form in ("-rreqs/a.txt", "--requirement=a.txt", "-r a.txt flask", "--no-cache-dir -c a.txt flask"):
        assert reads(run(f"RUN sudo pip3 install {form}")) == ("a.txt",), form
    assert reads(run("RUN sh -c 'apt-get update' && pip install /w/x.whl")) is None
    assert reads(run("RUN --mount=type=CACHE,target=/c true")) == ()
    assert reads(run("RUN --mount=target=/type=cache true")) is None
    for unknown in ("make", "./setup.sh", "echo x > y", "pip install -e .", "cd /x && true", "sh -c make"):
        assert reads(run(f"RUN {unknown}")) is None, unknown


POOL = [
    "WORKDIR /app",
    "WORKDIR /srv",
    "ENV V=1",
    "ARG W=1",
    "USER app",
    "COPY . .",
    "COPY requirements.txt .",
    "COPY conf /etc/conf",
    "COPY a b /data/",
    "RUN apt-get update",
    "RUN pip install -r requirements.txt",
    "RUN make",
    "RUN echo $W",
    "LABEL x=y",
    'CMD ["x"]',
]
Case = tuple[list[str], list[float], list[float]]
CASES = st.lists(st.sampled_from(POOL), min_size=1, max_size=6).flatmap(
    lambda lines: st.tuples(
        st.just(lines),
        st.lists(st.floats(0, 100), min_size=len(lines), max_size=len(lines)),
        st.lists(st.floats(0, 50), min_size=len(lines), max_size=len(lines)),
    )
)


def asked(case: Case, builder: Builder) -> Reordering:
    """Ask what other orders of a generated stage would cost."""
    lines, seconds, rates = case
    build = measured("\n".join(["FROM debian", *lines]) + "\n", dict(enumerate(seconds, 2)), builder=builder)
    return what_if_orders(build, changes_per_week=dict(enumerate(rates, 2)))


def keeps(found: Reordering, order: tuple[int, ...]) -> bool:
    """Tell whether an order has every line below what it needs."""
    return all(order.index(need) < order.index(one.line) for one in found.lines for need in one.needs)


@pytest.mark.parametrize("builder", ["buildkit", "legacy"])
@settings(max_examples=60, deadline=None)
@given(case=CASES)
def test_the_best_order_is_never_worse_and_keeps_the_needs(builder: Builder, case: Case) -> None:
    """The best order has all the lines, keeps what each needs, and costs no more than the given one."""
    found = asked(case, builder)
    assert sorted(found.best.lines) == [one.line for one in found.lines]
    assert keeps(found, found.best.lines)
    assert found.best.broken == ()
    assert found.best.total <= found.given.total * (1 + 1e-9)


@settings(max_examples=12, deadline=None)
@given(case=CASES)
def test_an_exhaustive_search_misses_nothing(case: Case) -> None:
    """Where the search was exhaustive, no order of all of them is cheaper and keeps the needs."""
    found = asked(case, "buildkit")
    assert found.exhaustive
    orders = {str(at): order for at, order in enumerate(permutations(one.line for one in found.lines))}
    every = what_if_orders(
        found.build, orders=orders, changes_per_week={one.line: one.changes_per_week for one in found.lines}
    )
    cheapest = min(cost.total for cost in every.costs if not cost.broken)
    assert found.best.total <= cheapest * (1 + 1e-9) + 1e-9


def test_too_many_orders_are_searched_by_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """With more orders than are tried, the answer says so, keeps the needs and is no worse than the given."""
    monkeypatch.setattr(order_search, "_MOST_TRIES", 50)
    lines = [f"COPY f{n} /srv/{n}" for n in range(12)]
    build = measured("FROM debian\n" + "\n".join(lines) + "\n", dict.fromkeys(range(2, 14), 1.0))
    found = what_if_orders(build, changes_per_week={line: 20.0 - line for line in range(2, 14)})
    assert not found.exhaustive
    assert "too many orders" in found.how
    assert found.best.lines == tuple(range(13, 1, -1))
    assert found.best.total < found.given.total


def test_what_is_shown_says_that_it_is_computed() -> None:
    """The table and the chart both say that they are computed from a build, and name its engine."""
    shown = WhatIf(what_if_orders(measured(CODE_FIRST, {3: 1, 4: 30})))
    assert COMPUTED in shown.table.text()
    assert "computed from" in shown.picture.summary
    assert "Docker" in shown.picture.summary
    assert "changes per week" in shown.lines.text()


def test_what_nobody_said_is_marked_as_assumed() -> None:
    """How often a line changes is the learner's to say: what they did not say is called assumed."""
    build = measured(CODE_FIRST, {3: 1, 4: 30})
    asked = WhatIf(what_if_orders(build, changes_per_week={2: 40}))
    said = {row[0]: row[4] for row in asked.lines.rows}
    assert said.pop("2") == "40"
    assert said
    assert all(rate.endswith(" (assumed)") for rate in said.values())


def test_a_real_build_of_the_best_order_is_as_cached_as_computed(tmp_path: Path) -> None:
    """After an edit, a real build in the best order runs again just the lines that the model says."""
    embedded = pytest.importorskip("dockerlab.engines.embedded", exc_type=ImportError)
    engine = embedded.EmbeddedEngine(tmp_path)
    text = "FROM scratch\nCOPY src /srv/src\nCOPY big /data/big\nCOPY requirements.txt /deps/\n"
    files = {"src/a": "1", "big/b": "2", "requirements.txt": "3"}
    first = engine.build(text, context=Context.files(files), tag="t", no_cache=True)
    found = what_if_orders(first, changes_per_week={2: 5000, 3: 50, 4: 0.5})  # whatever the machine does
    assert found.best.lines == (4, 3, 2)
    lines = text.splitlines()
    better = "\n".join([lines[0], *(lines[line - 1] for line in found.best.lines)]) + "\n"
    engine.build(better, context=Context.files(files), tag="t")
    again = engine.build(better, context=Context.files({**files, "src/a": "9"}), tag="t")
    assert [step.cached for step in again.steps] == [None, True, True, False]
