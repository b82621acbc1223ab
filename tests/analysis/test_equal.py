"""Equal contents are found, and only those, whatever the files' size, number and storage."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dockerlab.analysis.equal import same_contents
from dockerlab.image.image import Image
from dockerlab.image.layer import BlobLayer, ContentReader
from tests.tiny_images import Members, stack


def classes(image: Image) -> set[frozenset[tuple[int, str]]]:
    """Return the sets of (layer, path) that same_contents() says are the same, those of several layers."""
    numbers = same_contents(image.layers)
    found: dict[int, set[tuple[int, str]]] = {}
    for index, layer in enumerate(image.layers):
        for entry in layer.entries:
            if id(entry) in numbers:
                found.setdefault(numbers[id(entry)], set()).add((index, entry.path))
    return {frozenset(some) for some in found.values() if len({index for index, _ in some}) > 1}


def truth(image: Image) -> set[frozenset[tuple[int, str]]]:
    """Return the same, by the digest of every content."""
    found: dict[str, set[tuple[int, str]]] = {}
    for index, layer in enumerate(image.layers):
        for entry in layer.entries:
            if entry.kind == "file" and entry.size:
                digest = hashlib.sha256(layer.open(entry).read()).hexdigest()
                found.setdefault(digest, set()).add((index, entry.path))
    return {frozenset(some) for some in found.values() if len({index for index, _ in some}) > 1}


def changed(size: int, at: int) -> bytes:
    """Return zeros with one byte that differs."""
    return bytes(at) + b"\1" + bytes(size - at - 1)


CONTENTS = st.one_of(
    st.sampled_from([b"", b"x", b"xy", bytes(128), bytes(129), bytes(1000), b"\1" + bytes(999)]),
    st.integers(0, 999).map(lambda at: changed(1000, at)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(layers=st.lists(st.dictionaries(st.sampled_from("abcdef"), CONTENTS), min_size=1, max_size=4))
def test_same_as_by_digest(tmp_path: Path, layers: list[Members]) -> None:
    """The files found equal are those whose SHA-256 digests are equal."""
    image = stack(tmp_path, layers)
    assert classes(image) == truth(image)


def test_many_files_of_one_size(tmp_path: Path) -> None:
    """Forty files that differ in one byte outside the sample are told apart."""
    image = stack(
        tmp_path, [{f"f{at}": changed(3000, 70 + at) for at in range(40)}, {"again": changed(3000, 75)}]
    )
    assert classes(image) == truth(image) == {frozenset({(0, "f5"), (1, "again")})}


def test_sparse_files_are_compared_by_content(tmp_path: Path) -> None:
    """A file stored sparse equals the same content stored whole."""
    tar = shutil.which("tar")
    if tar is None:
        pytest.skip("no GNU tar here")
    content = b"a" * 4096 + bytes(100_000) + b"z" * 4096
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.write(content[:4096])
        file.seek(104_096)
        file.write(content[-4096:])
    subprocess.run([tar, "-C", tmp_path, "--sparse", "-cf", tmp_path / "s.tar", "sparse"], check=True)
    layer = BlobLayer(tmp_path / "s.tar", "sha256:0")
    with ContentReader(layer) as reader:
        assert reader.read(layer.entries[0], 0, 200_000) == content
        assert reader.read(layer.entries[0], 4000, 200) == content[4000:4200]
        assert reader.read(layer.entries[0], 108_190, 50) == b"zz"
