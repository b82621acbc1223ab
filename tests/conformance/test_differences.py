"""The list of known differences: short, used, and the same in the docs."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockerlab.engines.results import Step

from .cases import CASES
from .compare import missed_only
from .differences import KNOWN, table

DOCS = Path(__file__).resolve().parents[2] / "docs" / "differences.md"


def test_docs_list_the_known_differences() -> None:
    """docs/differences.md holds the table that the suite goes by, row for row."""
    assert table() in DOCS.read_text("utf-8"), "put into docs/differences.md:\n" + table()


def test_every_known_difference_has_a_case() -> None:
    """No difference is on the list without a case that shows it, and no case names one that is not listed."""
    named = {name for case in CASES for name in (case.differs, case.differs_unprivileged) if name}
    assert named == {name for name, known in KNOWN.items() if not known.anywhere}


def test_there_are_enough_cases() -> None:
    """The suite has at least 150 cases."""
    assert len(CASES) >= 150


@pytest.mark.parametrize(
    ("buildkit", "ours", "accident"),
    [
        ("cached done", "cached cached", True),
        ("done done", "cached done", True),
        ("cached done", "cached done", False),
        ("cached cached", "cached done", False),
        ("done cached", "cached done", False),
        ("done", "cached cached", False),
    ],
)
def test_only_a_miss_can_be_an_accident(buildkit: str, ours: str, *, accident: bool) -> None:
    """BuildKit is asked again where it missed and we did not; a hit of it that we missed counts at once."""
    assert missed_only(_steps(buildkit), _steps(ours)) is accident


def _steps(words: str) -> list[Step]:
    return [
        Step(number, "0", "RUN", "RUN true", number, word == "cached", 0.0)
        for number, word in enumerate(words.split(), 1)
    ]
