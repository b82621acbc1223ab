"""Sizes, durations and shares read the same wherever they are shown."""

from __future__ import annotations

import pytest

from dockerlab.units import count, human_bytes, human_seconds, human_share


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (20_000_000, "20.0 MB"),
        (20_971_520, "21.0 MB"),
        (9_994, "9.99 kB"),
        (9_996, "10.0 kB"),
        (99_960, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (1_234_567_890, "1.23 GB"),
        (5 * 10**18, "5000 PB"),
        (-3_000_000, "-3.00 MB"),
    ],
)
def test_bytes_have_three_digits_and_a_decimal_unit(size: int, text: str) -> None:
    """Units step by 1000, and rounding never shows four digits or '1000 kB'."""
    assert human_bytes(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.0001, "0 ms"),
        (0.0042, "4 ms"),
        (0.35, "0.35 s"),
        (0.9951, "1.0 s"),
        (2.34, "2.3 s"),
        (9.96, "10.0 s"),
        (59.96, "1 min"),
        (75, "1 min 15 s"),
        (3599.6, "1 h"),
        (7500, "2 h 5 min"),
        (-2, "-2.0 s"),
    ],
)
def test_seconds_take_the_unit_that_fits(seconds: float, text: str) -> None:
    """From milliseconds to hours, without '60.0 s' or '60 min' at the borders."""
    assert human_seconds(seconds) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 5, "0 %"),
        (5, 5, "100 %"),
        (1, 1000, "<1 %"),
        (999, 1000, ">99 %"),
        (42, 100, "42 %"),
        (0, 0, "0 %"),
        (99, 100, "99 %"),
    ],
)
def test_shares_do_not_round_to_none_or_all(part: int, whole: int, text: str) -> None:
    """Only nothing is 0 %, and only everything is 100 %."""
    assert human_share(part, whole) == text


def test_count_takes_the_plural_given() -> None:
    """One is singular, others plural, irregular ones as told."""
    assert (count(1, "layer"), count(0, "layer"), count(1200, "entry", "entries")) == (
        "1 layer",
        "0 layers",
        "1,200 entries",
    )
