"""SOURCE_DATE_EPOCH: the same inputs give the same digests."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from dockerlab.context.context import Context
from dockerlab.engines.embedded import EmbeddedEngine
from dockerlab.engines.results import Build

EPOCH = {"SOURCE_DATE_EPOCH": "1000000000"}
TEXT = "FROM scratch\nWORKDIR /srv/new\nCOPY . /x/y/\nCOPY <<end /doc\nhi\nend\nLABEL a=1\n"


def built(folder: Path, *, mtime: int, build_args: Mapping[str, str], squash: bool = False) -> Build:
    """Build TEXT in a new store, the files of the context being of the time `mtime`."""
    source = folder / "source"
    source.mkdir(parents=True)
    (source / "a").write_text("a")
    (source / "sub").mkdir()
    for path in (source / "a", source / "sub", source):
        os.utime(path, (mtime, mtime))
    engine = EmbeddedEngine(folder / "home")
    return engine.build(TEXT, context=Context.folder(source), build_args=build_args, squash=squash)


@pytest.mark.parametrize("squash", [False, True])
def test_the_same_inputs_give_the_same_image(tmp_path: Path, *, squash: bool) -> None:
    """Another checkout, another store and another time make no other digest."""
    one = built(tmp_path / "1", mtime=1_400_000_000, build_args=EPOCH, squash=squash)
    other = built(tmp_path / "2", mtime=1_600_000_000, build_args=EPOCH, squash=squash)
    assert one.image.id == other.image.id
    assert {entry.mtime for layer in one.image.layers for entry in layer.entries} == {1_000_000_000}
    assert {row.created for row in one.image.history} == {"2001-09-09T01:46:40Z"}


def test_older_files_keep_their_times(tmp_path: Path) -> None:
    """What is older than the date stays as old as it is."""
    layer = built(tmp_path, mtime=900_000_000, build_args=EPOCH).image.layers[1]
    assert {entry.path: entry.mtime for entry in layer.entries if entry.kind == "file"} == {
        "x/y/a": 900_000_000
    }


def test_steps_name_the_layers_of_the_image(tmp_path: Path) -> None:
    """The steps of a dated build point at the layers that the image has, its rewritten ones."""
    build = built(tmp_path, mtime=1_400_000_000, build_args=EPOCH)
    assert [step.diff_id for step in build.steps if step.diff_id] == [
        layer.diff_id for layer in build.image.layers
    ]


def test_the_environment_counts_as_a_build_argument(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with buildx the variable is taken from the environment, and an argument goes before it."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1100000000")
    inherited = built(tmp_path / "1", mtime=1_400_000_000, build_args={})
    given = built(tmp_path / "2", mtime=1_400_000_000, build_args=EPOCH)
    assert inherited.image.config["created"] == "2004-11-09T11:33:20Z"
    assert given.image.config["created"] == "2001-09-09T01:46:40Z"


def test_the_cache_knows_nothing_of_the_date(tmp_path: Path) -> None:
    """Built with a date and then without, a COPY is cached and the files have their own times again."""
    engine = EmbeddedEngine(tmp_path)
    text, files = "FROM scratch\nCOPY a /\n", Context.files({"a": "1"})
    first = engine.build(text, context=files)
    dated = engine.build(text, context=files, build_args=EPOCH)
    again = engine.build(text, context=files)
    assert [step.cached for step in (*dated.steps[1:], *again.steps[1:])] == [True, True]
    assert first.image.layers == again.image.layers != dated.image.layers
