"""Three sizes, what a pull sends, and dive's score."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockerlab.analysis.ledger import ledger
from dockerlab.analysis.sizes import dive_efficiency, missing_layers, pull_size, sizes
from dockerlab.image.image import Image
from tests.tiny_images import stack


@pytest.fixture
def image(tmp_path: Path) -> Image:
    """Return an image of two layers."""
    return stack(tmp_path, [{"a": 100_000}, {"b": 50_000}])


def test_three_sizes(image: Image) -> None:
    """Unpacked, tar and compressed are three numbers; compressed only on request."""
    plain = sizes(image)
    assert (plain.unpacked, plain.compressed) == (150_000, None)
    assert plain.tar == sum(layer.size_tar for layer in image.layers) > plain.unpacked
    compressed = sizes(image, compressed=True).compressed
    assert compressed is not None
    assert 0 < compressed < plain.unpacked / 10


def test_pull_counts_layers_not_held(tmp_path: Path, image: Image) -> None:
    """Layers of images already held are not sent again, wherever in those images they are."""
    (tmp_path / "other").mkdir()
    other = stack(tmp_path / "other", [{"x": 10}, {"a": 100_000}])
    assert [layer.diff_id for layer in missing_layers(image, [other])] == [image.layers[1].diff_id]
    assert pull_size(image, [other]) == image.layers[1].size_compressed()
    assert pull_size(image, [image]) == 0


def test_dive_counts_a_removed_file(tmp_path: Path) -> None:
    """A whiteout of a file weighs 0 and makes all of the file inefficient, as in the ledger."""
    gone = stack(tmp_path, [{"a": 100, "b": 100}, {"a": None}])
    assert dive_efficiency(gone) == ledger(gone).efficiency == 0.5


def test_dive_misses_a_removed_folder(tmp_path: Path) -> None:
    """A removed folder costs dive's score nothing: the ledger counts its bytes as deleted."""
    gone = stack(tmp_path, [{"d": "dir", "d/a": 100}, {"d": None}])
    assert dive_efficiency(gone) == 1.0
    assert ledger(gone).efficiency == 0.0


def test_dive_sees_paths_not_content(tmp_path: Path) -> None:
    """A moved file is another path to dive; the ledger knows that its content was stored again."""
    moved = stack(tmp_path, [{"a": 100}, {"a": None, "b": 100}])
    assert dive_efficiency(moved) == 0.5
    copied = stack(tmp_path, [{"a": 100}, {"b": 100}, {"a": None}])
    assert (dive_efficiency(copied), ledger(copied).efficiency) == (0.5, 0.5)
