"""`make bench`: who takes a turn, what a ratio is, and the table that is pasted."""

from __future__ import annotations

import json
from functools import partial

import pytest

from dockerlab.errors import EngineError
from tools.bench.memory import Peak
from tools.bench.report import as_json, table
from tools.bench.turns import Figure, Turn, take


def figure(contender: str, **more: float) -> Figure:
    """Make a figure of one piece of work."""
    ratio, goal = more.get("ratio"), more.get("goal")
    return Figure("COPY", contender, 3, 0.5, 0.4, 0.6, "BuildKit" if ratio else "", ratio, ratio, ratio, goal)


def test_all_take_turns_and_one_that_cannot_is_left_out_with_its_reason() -> None:
    """Each works once to warm up and once a round, who begins changes, and a failing one is named."""
    done: list[str] = []
    said: list[str] = []

    def fail() -> None:
        raise EngineError("no such program")

    turns = {name: Turn(partial(done.append, name)) for name in ("us", "them")}
    found: list[Figure] = []
    turns["gone"] = Turn(fail)
    take("work", turns, runs=2, beside="them", goals={"us": 0.5}, tell=said.append, found=found)
    assert done == ["us", "them", "us", "them", "them", "us"]
    assert [one.contender for one in found] == ["us", "them"]
    assert [line for line in said if "left out" in line] == ["work: gone is left out: no such program"]
    ours, theirs = found
    assert ours.beside == "them"
    assert ours.lowest is not None
    assert ours.highest is not None
    assert ours.lowest <= (ours.ratio or 0) <= ours.highest
    assert (theirs.ratio, theirs.met) == (None, None)


def test_what_is_prepared_is_prepared_before_each_turn() -> None:
    """`prepare` is called before the work, every time."""
    done: list[str] = []
    turn = Turn(lambda: done.append("work"), lambda: done.append("prepare"))
    take("work", {"us": turn}, runs=1, beside="them", goals={}, tell=lambda text: None, found=[])
    assert done == ["prepare", "work", "prepare", "work"]


def test_an_interrupt_keeps_the_rounds_that_were_complete() -> None:
    """Ctrl-C in the third round: the figures of two rounds are there, and the interrupt goes on."""
    left = iter([1, 1, 1])

    def work() -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    found: list[Figure] = []
    turns = {"us": Turn(lambda: None), "them": Turn(work)}
    with pytest.raises(KeyboardInterrupt):
        take("work", turns, runs=9, beside="them", goals={}, tell=lambda text: None, found=found)
    assert [(one.contender, one.runs) for one in found] == [("us", 2), ("them", 2)]


@pytest.mark.parametrize(("ratio", "word"), [(0.2, "0.2, met"), (0.21, "0.2, missed")])
def test_the_table_says_whether_a_goal_is_met(ratio: float, word: str) -> None:
    """A ratio at the goal meets it, one above misses it, and every row has all columns."""
    text = table([figure("us", ratio=ratio, goal=0.2), figure("BuildKit")], [], title="a machine")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert word in rows[2]
    assert len({row.count("|") for row in rows}) == 1
    assert text.startswith("a machine")


def test_json_has_what_the_table_has() -> None:
    """Figures with their verdict, and memory with what the large image takes more, as JSON."""
    data = json.loads(as_json([figure("us", ratio=0.3, goal=0.2)], [Peak("save", 1, 10, 26, 27)], title="t"))
    assert data["figures"][0]["met"] is False
    assert data["memory"][0]["more"] == 1
    assert data["machine"] == "t"
