"""A budget: what may be written in one, and what is compared with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockerlab.analysis.budget import Budget, check, make_budget, parse_size, read_budget
from dockerlab.analysis.ledger import ledger
from dockerlab.errors import BudgetError
from tests.tiny_images import stack


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("300MB", 300_000_000),
        ("1.5 GB", 1_500_000_000),
        ("64MiB", 67_108_864),
        ("5000", 5000),
        ("7 kb", 7000),
    ],
)
def test_sizes(text: str, size: int) -> None:
    """Sizes are written as people write them; MB is decimal, MiB is not."""
    assert parse_size(text) == size


def test_toml_at_the_top_or_in_a_table() -> None:
    """The keys stand at the top of the file or in [budget]."""
    budget = Budget(max_size=300_000_000, max_waste=0, max_layers=10, min_efficiency=0.95)
    text = 'max-size = "300MB"\nmax-waste = 0\nmax-layers = 10\nmin-efficiency = 0.95\n'
    assert read_budget(text, source="b.toml") == budget
    assert read_budget(f"[budget]\n{text}[other]\nx = 1\n", source="b.toml") == budget


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("max-size = ", "not TOML"),
        ("max-bytes = 1", "max-bytes is no limit"),
        ('max-size = "large"', "'large' is no size"),
        ("max-layers = 1.5", "no whole number"),
        ("max-layers = true", "no whole number"),
        ("min-efficiency = 2", "not from 0 to 1"),
        ('min-efficiency = "high"', "high"),
        ("budget = 1", "no table"),
    ],
)
def test_what_is_no_budget(text: str, says: str) -> None:
    """A wrong key or value is refused, by name."""
    with pytest.raises(BudgetError, match=says) as error:
        read_budget(text, source="b.toml")
    assert "b.toml" in error.value.message
    assert error.value.hint


def test_options_come_before_the_file() -> None:
    """A limit given twice is the option's; others are the file's."""
    file = read_budget('max-size = "1MB"\nmax-layers = 3\n', source="b.toml")
    option = make_budget({"max-size": "2MB", "max-layers": None}, source="options")
    assert option.over(file) == Budget(max_size=2_000_000, max_layers=3)
    assert not Budget()


def test_each_limit_to_the_byte(tmp_path: Path) -> None:
    """What is measured may equal its limit, and no byte more; only limits that are set are checked."""
    book = ledger(stack(tmp_path, [{"a": 600, "b": 400}, {"b": None}]))
    exact = Budget(max_size=1000, max_waste=400, max_layers=2, min_efficiency=0.6)
    assert [one.ok for one in check(exact, book)] == [True] * 4
    less = Budget(max_size=999, max_waste=399, max_layers=1, min_efficiency=0.601)
    assert [(one.key, one.measured, one.ok) for one in check(less, book)] == [
        ("max-size", 1000, False),
        ("max-waste", 400, False),
        ("max-layers", 2, False),
        ("min-efficiency", 0.6, False),
    ]
    assert [one.key for one in check(Budget(max_layers=9), book)] == ["max-layers"]


def test_a_limit_missed_by_a_byte_says_so(tmp_path: Path) -> None:
    """The message tells measured and limit apart even where rounding makes them look the same."""
    (only,) = check(Budget(max_size=299_999), ledger(stack(tmp_path, [{"a": 300_000}])))
    assert only.message == "300 kB unpacked, 300 kB (+1 B) at most"


def test_the_base_s_own_waste_is_not_counted(tmp_path: Path) -> None:
    """Waste inside the base is its maker's; what a line of ours deletes of the base counts."""
    layers = [{"a": 600, "b": 400}, {"a": None}, {"b": None}]
    book = ledger(stack(tmp_path, layers, base=2))  # type: ignore[arg-type]
    assert check(Budget(max_waste=0), book)[0].measured == 400
