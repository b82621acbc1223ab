"""What builds store, side by side: on real builds, of files alone."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import dockerlab as lab
from dockerlab import engines
from dockerlab.engines.embedded.engine import EmbeddedEngine
from dockerlab.engines.results import Build
from dockerlab.image.filesystem import Entry
from dockerlab.notebook.stored import _said

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the embedded engine runs on Linux")
FILES = {"a/one.txt": "one\n", "a/b.deb": "0" * 2000, "two.txt": "two\n"}


@pytest.fixture
def builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Build, Build]:
    """Return a base, and an image built on it that stores a file of it again."""
    engine = EmbeddedEngine(tmp_path)
    monkeypatch.setattr(engines, "choose", lambda name=None: (engine, "the test's own"))
    below = lab.build("FROM scratch\nCOPY a /srv/a\n", name="below", context=FILES, quiet=True)
    text = f"FROM {below.image.reference}\nWORKDIR /srv\nCOPY two.txt .\nLABEL a=b\nCOPY a/b.deb a/\n"
    return below, lab.build(text, name="above", context=FILES, quiet=True)


def test_files_are_listed_by_the_line_that_stored_them(builds: tuple[Build, Build]) -> None:
    """A row an entry, a line without a file says so, and what the base brought is not there."""
    found = lab.files(builds[1])
    assert found.rows == (
        ("2", "WORKDIR /srv", "no file", ""),
        ("3", "COPY two.txt .", "srv/two.txt", "4"),
        ("5", "COPY a/b.deb a/", "srv/a/b.deb", "2,000"),
    )
    assert found.caption == "above stores 2 entries, 2.00 kB"
    assert [entry.path for entry in found.data] == ["srv/two.txt", "srv/a/b.deb"]


def test_files_can_be_asked_for_by_folder_and_by_pattern(builds: tuple[Build, Build]) -> None:
    """Only what lies there or matches is listed; folders are entries of their own when asked for."""
    below, above = builds
    assert [entry.path for entry in lab.files(above, "*.deb").data] == ["srv/a/b.deb"]
    assert [entry.path for entry in lab.files(above, "/srv/a").data] == ["srv/a/b.deb"]
    assert lab.files(above, "srv/nothing").caption == "above stores nothing at srv/nothing"
    rows = lab.files(below, folders=True).rows
    assert [row[0] for row in rows] == ["2", *[""] * (len(rows) - 1)]
    shown = [row[2] for row in rows]
    assert {"srv/a/", "srv/a/one.txt"} <= set(shown)


def test_a_removed_file_is_listed_as_what_it_is() -> None:
    """A whiteout stands for a file that a layer below holds; it has no bytes."""
    assert _said(Entry("tmp/download", "whiteout")) == ("whiteout: tmp/download is gone", "0")


def test_sizes_stand_side_by_side(builds: tuple[Build, Build]) -> None:
    """Each is compared with the first, in all or on top of the base; the caption says what became of it."""
    below, above = builds
    whole, own = lab.sizes(below, above), lab.sizes(below, above, own=True)
    assert whole.data == {"below": 2004, "above": 4008}
    assert whole.caption == "below to above: 2.00 kB became 4.01 kB in all, 100 % more"
    assert own.rows == (("below", "1", "2.00 kB", ""), ("above", "3", "2.00 kB", "the same"))
    assert (above.layers_added, above.size_added) == (3, 2004)


def test_a_pull_leaves_out_what_is_there(builds: tuple[Build, Build]) -> None:
    """The base is never counted, nor a layer of a build that the machine holds."""
    below, above = builds
    first = lab.pulls(above).data["above"]
    assert (first.layers, first.files, first.unpacked) == (3, 2, 2004)
    edited = lab.rebuild(above, {**FILES, "a/b.deb": "1" * 2000}, name="edited")
    delta = lab.pulls(edited, below, held=[above])
    assert delta.data["edited"].files == 1
    assert (delta.data["below"].layers, delta.data["below"].compressed) == (0, 0)
    assert "has the base and above: the smallest pull is below, 0 B" in delta.caption
