"""Listings: what a history table shows of a build and of an image alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dockerlab.dockerfile.parser import parse
from dockerlab.engines.results import Build, Step
from dockerlab.widgets.listings import history_table
from tests.tiny_images import stack

HISTORY = [
    "# debian.sh",
    "RUN /bin/sh -c install # buildkit",
    '-CMD ["python3"]',
    "RUN /bin/sh -c mine # buildkit",
]


def build_on_a_base(folder: Path) -> Build:
    """Return a build of one RUN on a base of three rows and two layers."""
    image = stack(folder, [{"a": 1000}, {"b": 2000}, {"c": 5}], history=HISTORY, base=2)
    steps = (
        Step(1, "0", "FROM", "FROM python:3.13", 1, cached=None, seconds=0.0),
        Step(2, "0", "RUN", "RUN mine", 2, cached=False, seconds=1.0, diff_id=image.layers[2].diff_id),
    )
    dockerfile = parse("FROM python:3.13\nRUN mine\n")
    return Build("mine", image, steps, "embedded", "embedded", 1.0, dockerfile, 0, base="python:3.13")


def test_the_rows_of_a_base_are_one(tmp_path: Path) -> None:
    """A build's table says how many rows and layers the base has, and shows its own rows one by one."""
    built = build_on_a_base(tmp_path)
    table = history_table(built)
    assert [(row[0], row[1], row[3]) for row in table.rows] == [
        ("base", "# python:3.13: 3 rows", "3.00 kB"),
        ("2", "RUN mine", "5 B"),
    ]
    assert table.rows[0][2] == "2 layers"
    assert table.caption == "mine: 4 history rows, 3 layers (2 from the base), 3.00 kB unpacked"
    stand_in = replace(built, stand_in="python:3.13")
    assert history_table(stand_in).rows[0][1] == "# python:3.13 (stand-in): 3 rows"


def test_all_rows_of_a_base_can_be_seen(tmp_path: Path) -> None:
    """`full`, and an image that is looked at alone, have a row for each record."""
    built = build_on_a_base(tmp_path)
    assert [row[1] for row in history_table(built, full=True).rows] == [
        record.removeprefix("-") for record in HISTORY
    ]
    assert len(history_table(built.image).rows) == 4
