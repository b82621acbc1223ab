"""The list of known differences: short, used, and the same in the docs."""

from __future__ import annotations

from pathlib import Path

from .cases import CASES
from .differences import KNOWN, table

DOCS = Path(__file__).resolve().parents[2] / "docs" / "differences.md"


def test_docs_list_the_known_differences() -> None:
    """docs/differences.md holds the table that the suite goes by, row for row."""
    assert table() in DOCS.read_text("utf-8"), "put into docs/differences.md:\n" + table()


def test_every_known_difference_has_a_case() -> None:
    """No difference is on the list without a case that shows it, and no case names one that is not listed."""
    assert {case.differs for case in CASES if case.differs} == set(KNOWN)


def test_there_are_enough_cases() -> None:
    """The suite has at least 150 cases."""
    assert len(CASES) >= 150
