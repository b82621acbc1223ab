"""The ledger: every byte once, and the right line named for it."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dockerlab.analysis.budget import Budget, check
from dockerlab.analysis.ledger import Claim, Ledger, headline, ledger
from dockerlab.image.filesystem import Entry
from dockerlab.image.image import Image
from dockerlab.image.layer import ContentReader
from tests.tiny_images import Members, stack

MB = 1_000_000


def sums(book: Ledger) -> list[tuple[int, int, int, int]]:
    """Return live, overwritten, deleted, again of each layer; there is nothing twice in it."""
    assert not book.all.twice
    return [(row.live, row.overwritten, row.deleted, row.again) for row in book.rows]


def test_copy_chmod_mv_rm(tmp_path: Path) -> None:
    """A 3 MB COPY, chmod, mv and rm store 9 MB for nothing: chmod and mv stored again, rm deleted."""
    blob = b"x" * 3 * MB
    image = stack(tmp_path, [{"a": blob}, {"a": blob}, {"a": None, "b": blob}, {"b": None}])
    book = ledger(image)
    assert book.total == book.wasted == 9 * MB
    assert sums(book) == [(0, 0, 3 * MB, 0), (0, 0, 0, 3 * MB), (0, 0, 0, 3 * MB), (0, 0, 0, 0)]
    assert [claim.wasted_by and claim.wasted_by.layer for claim in book.claims] == [4, 2, 3]
    assert [row.wastes for row in book.rows] == [0, 3 * MB, 3 * MB, 3 * MB]


def test_chmod_keeps_the_first_copy_live(tmp_path: Path) -> None:
    """After a chmod the COPY's bytes are live and the chmod's are the waste, with both rows named."""
    book = ledger(stack(tmp_path, [{"a": b"x" * MB}, {"a": b"x" * MB}]))
    assert sums(book) == [(MB, 0, 0, 0), (0, 0, 0, MB)]
    claim = book.claims[1]
    assert (claim.kind, claim.wasted_by, claim.first_stored_by) == (
        "again",
        book.rows[1].row,
        book.rows[0].row,
    )


def test_mv_and_cp(tmp_path: Path) -> None:
    """Files that mv or cp puts at another path are stored again; the first copy stays live through them."""
    moved = ledger(stack(tmp_path, [{"a": b"x" * 100}, {"a": None, "b": b"x" * 100}]))
    assert sums(moved) == [(100, 0, 0, 0), (0, 0, 0, 100)]
    copied = ledger(stack(tmp_path, [{"a": b"x" * 100}, {"b": b"x" * 100}, {"a": None}]))
    assert sums(copied) == [(100, 0, 0, 0), (0, 0, 0, 100), (0, 0, 0, 0)]


X = b"x" * 100
# Layers, and how much of their content was stored again.
TWICE: dict[str, tuple[list[Members], int]] = {
    "cp": ([{"a": X}, {"b": X}], 0),
    "cp, and something else": ([{"a": X}, {"b": X}, {"other": b"y"}], 0),
    "chmod, then cp": ([{"a": X}, {"a": X}, {"b": X}], 100),
    "cp, then chmod": ([{"a": X}, {"b": X}, {"a": X}], 100),
    "cp, then chmod of the copy": ([{"a": X}, {"b": X}, {"b": X}], 100),
    "cp, then mv": ([{"a": X}, {"b": X}, {"a": None, "c": X}], 100),
    "mv to one place and cp to another": ([{"a": X}, {"a": None, "b": X, "c": X}], 100),
    "cp, then rm of a third": ([{"a": X}, {"b": X}, {"c": X}, {"c": None}], 100),
}


@pytest.mark.parametrize("name", TWICE)
def test_two_live_paths_are_no_waste(tmp_path: Path, name: str) -> None:
    """Two paths of one content in the end are it twice, which nobody wasted; a chmod or mv stays waste."""
    layers, again = TWICE[name]
    book = ledger(stack(tmp_path, layers))
    assert (book.all.twice, book.all.again, book.wasted) == (100, again, again)
    assert book.efficiency == (book.total - again) / book.total
    (claim,) = (claim for claim in book.claims if claim.kind == "twice")
    assert claim.path in ("b", "c")
    assert (claim.wasted_by, claim.first_stored_by) == (None, book.rows[0].row)


def test_the_same_content_twice_is_within_any_budget(tmp_path: Path) -> None:
    """Neither waste nor efficiency of a budget counts it."""
    book = ledger(stack(tmp_path, [{"a": X}, {"b": X}]))
    assert [one.ok for one in check(Budget(max_waste=0, min_efficiency=1.0), book)] == [True, True]


@pytest.mark.parametrize(
    ("layers", "base", "said"),
    [
        ([{"base": 900}, {"a": 90}, {"a": None}], 1, "stack:latest carries 90 B (100 % of its own content)"),
        ([{"base": 900}, {"a": 100, "base": None}], 1, "carries 900 B (100 % of its base's content)"),
        ([{"base": 900}, {"base": None}], 1, "carries 900 B (100 % of its base's content)"),
        (
            [{"base": 10, "more": 90}, {"a": 30, "b": 20}, {"a": None, "base": None}],
            1,
            "carries 40 B (60 % of its own content, 10 % of its base's)",
        ),
        ([{"a": 30, "b": 90}, {"a": None}], 0, "carries 30 B (25 % of its content)"),
        ([{"a": 25, "b": 75}, {"a": None}, {"c": 9}], 2, "carries 25 B (25 % of its base's content)"),
    ],
)
def test_the_headline_says_whose_share_it_is(
    tmp_path: Path, layers: list[Members], base: int, said: str
) -> None:
    """Where the base is known, the share is of what own lines store, or of the base, and says so."""
    assert said in headline(ledger(stack(tmp_path, layers, base=base)))


def test_overwritten_by_other_content(tmp_path: Path) -> None:
    """A file whose path gets other content of the same size is overwritten, not stored again."""
    book = ledger(stack(tmp_path, [{"a": b"x" * 100}, {"a": b"y" * 100}]))
    assert sums(book) == [(0, 100, 0, 0), (100, 0, 0, 0)]
    assert book.claims[0].wasted_by == book.rows[1].row


def test_chmod_then_overwritten(tmp_path: Path) -> None:
    """The first copy shares the fate of the copies that repeat it: the last line to hide them wasted it."""
    book = ledger(stack(tmp_path, [{"a": b"x" * 100}, {"a": b"x" * 100}, {"a": b"new"}]))
    assert sums(book) == [(0, 100, 0, 0), (0, 0, 0, 100), (3, 0, 0, 0)]
    assert [row.wastes for row in book.rows] == [0, 100, 100]


def test_content_that_comes_back_is_new(tmp_path: Path) -> None:
    """A file removed and then stored once more was deleted by the one line, and is live in the other."""
    book = ledger(stack(tmp_path, [{"a": b"x" * 100}, {"a": None}, {"a": b"x" * 100}]))
    assert sums(book) == [(0, 0, 100, 0), (0, 0, 0, 0), (100, 0, 0, 0)]


def test_equal_files_of_one_layer_are_both_live(tmp_path: Path) -> None:
    """Two equal files in one layer are no waste of layers, also when another layer then moves both."""
    both = {"a": b"x" * 100, "b": b"x" * 100}
    assert sums(ledger(stack(tmp_path, [both]))) == [(200, 0, 0, 0)]
    moved = {"a": None, "b": None, "c": b"x" * 100, "d": b"x" * 100}
    assert sums(ledger(stack(tmp_path, [both, moved]))) == [(200, 0, 0, 0), (0, 0, 0, 200)]


def test_hard_links_count_once(tmp_path: Path) -> None:
    """A hard link stores nothing, and keeps its content live when the other name is removed."""
    book = ledger(stack(tmp_path, [{"a": b"x" * 100, "b": ("hardlink", "a")}, {"a": None}]))
    assert sums(book) == [(100, 0, 0, 0), (0, 0, 0, 0)]
    gone = ledger(stack(tmp_path, [{"a": b"x" * 100, "b": ("hardlink", "a")}, {"a": None}, {"b": None}]))
    assert sums(gone)[0] == (0, 0, 100, 0)
    assert gone.claims[0].wasted_by == gone.rows[2].row


@pytest.mark.parametrize(
    ("second", "kind"),
    [
        ({"d": None}, "deleted"),
        ({"d": "opaque"}, "deleted"),
        ({"d": ("symlink", "elsewhere")}, "deleted"),
        ({"d/e": b""}, "overwritten"),
        ({"d/e": ("symlink", "elsewhere")}, "overwritten"),
        ({"d": "dir", "d/e": "dir"}, "overwritten"),
    ],
)
def test_ways_to_hide_a_file(tmp_path: Path, second: dict[str, object], kind: str) -> None:
    """Whiteouts, opaque folders, and other things at its path or above it all hide a file's bytes."""
    book = ledger(stack(tmp_path, [{"d": "dir", "d/e": b"x" * 100}, second]))  # type: ignore[list-item]
    claim = book.claims[0]
    assert (claim.kind, claim.wasted_by) == (kind, book.rows[1].row)


def test_folder_recreated_with_the_same_files(tmp_path: Path) -> None:
    """rm -rf and a fresh install of the same files stores them again, whatever the opaque mark says."""
    files = {"d/e": b"x" * 100, "d/f": b"y" * 100}
    book = ledger(stack(tmp_path, [{"d": "dir", **files}, [("d", "dir"), ("d", "opaque"), *files.items()]]))
    assert sums(book) == [(200, 0, 0, 0), (0, 0, 0, 200)]


def test_same_path_twice_in_one_tar(tmp_path: Path) -> None:
    """A tar that names a path twice shows the last one; the first is overwritten by its own layer."""
    book = ledger(stack(tmp_path, [[("a", b"x" * 100), ("a", b"yy")]]))
    assert sums(book) == [(2, 100, 0, 0)]
    assert book.claims[0].wasted_by == book.rows[0].row


def test_base_and_own_are_apart(tmp_path: Path) -> None:
    """Waste an own line makes of base bytes counts in the base's layer and is blamed on the own line."""
    image = stack(
        tmp_path,
        [{"a": b"x" * 100, "b": b"base"}, {"a": None, "c": b"own"}],
        history=[
            "/bin/sh -c #(nop) ADD file:1 in / ",
            '-/bin/sh -c #(nop)  CMD ["bash"]',
            "RUN /bin/sh -c rm a",
        ],
        base=1,
    )
    book = ledger(image)
    assert (book.base.content, book.base.wasted, book.own.content, book.own.wasted) == (104, 100, 3, 0)
    flow = book.flows()[0]
    assert (flow.stored_by.base, flow.wasted_by.base, flow.wasted_by.text, flow.largest) == (
        True,
        False,
        "RUN rm a",
        "a",
    )
    assert "layer 2 deletes what base layer 1 stored" in headline(book)


def test_to_dict_is_json(tmp_path: Path) -> None:
    """The account goes through JSON unchanged, odd file names included, and its parts add up there too."""
    book = ledger(stack(tmp_path, [{"\udcff": b"x" * 100}, {"\udcff": None}]), engine="by hand")
    data = json.loads(json.dumps(book.to_dict(claims=True)))
    assert (
        data["all"]["wasted"] == sum(layer["wasted"] for layer in data["layers"]) == data["waste"][0]["bytes"]
    )
    assert data["claims"][0]["path"] == "\udcff"
    assert data["engine"] == "by hand"


def test_unequal_files_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only files whose size occurs in another layer are read."""
    image = stack(tmp_path, [{"a": 10, "b": 20}, {"c": 10, "d": 30}])
    read: list[str] = []
    real = ContentReader.read

    def watched(self: ContentReader, entry: Entry, start: int, count: int) -> bytes:
        read.append(entry.path)
        return real(self, entry, start, count)

    monkeypatch.setattr(ContentReader, "read", watched)
    ledger(image)
    assert read == ["a", "c"]


NAMES = st.sampled_from(["a", "b", "d", "d/e", "d/f", "d/g", "d/g/h"])
CONTENTS = st.sampled_from([b"", b"x", b"y", b"xx", b"xy", b"x" * 600])
WHAT = st.one_of(
    CONTENTS,
    CONTENTS,
    st.none(),
    st.just("dir"),
    st.just("opaque"),
    st.tuples(st.just("hardlink"), NAMES),
    st.tuples(st.just("symlink"), NAMES),
)
LAYER = st.lists(st.tuples(NAMES, WHAT), max_size=6)


@given(st.lists(LAYER, min_size=1, max_size=5))
@settings(max_examples=150, deadline=None)
def test_every_byte_is_accounted_for_once(layers: list[list[tuple[str, object]]]) -> None:
    """On any stack the classes add up to each tar, and the live contents are the visible ones."""
    with tempfile.TemporaryDirectory() as folder:
        image = stack(Path(folder), layers)
        book = ledger(image)
        for account, layer in zip(book.rows, image.layers, strict=True):
            assert account.content == layer.size_unpacked
            assert account.tar == layer.size_tar
            assert account.overhead >= 1024
        assert sum(claim.bytes for claim in book.claims) == image.size_unpacked
        assert all((claim.wasted_by is None) == (claim.kind in ("live", "twice")) for claim in book.claims)
        assert sum(row.wastes for row in book.rows) == book.wasted
        assert all(
            claim.wasted_by.number >= claim.stored_by.number for claim in book.claims if claim.wasted_by
        )
        assert _live_contents(image, book.claims) == _visible_contents(image)


def _visible_contents(image: Image) -> set[bytes]:
    tree = image.tree()
    found = {tree.get(path).origin.open(tree.get(path).entry).read() for path in tree if _is_file(tree, path)}  # type: ignore[union-attr]
    return found - {b""}


def _is_file(tree: object, path: str) -> bool:
    return tree.get(path).entry.kind == "file"  # type: ignore[attr-defined, no-any-return]


def _live_contents(image: Image, claims: tuple[Claim, ...]) -> set[bytes]:
    """Read back what the claims say is live, from the layers themselves."""
    live = {(claim.stored_by.layer, claim.path) for claim in claims if claim.kind == "live"}
    found = set()
    for number, layer in enumerate(image.layers, 1):
        last = {entry.path: entry for entry in layer.entries if entry.kind == "file"}
        found |= {layer.open(entry).read() for path, entry in last.items() if (number, path) in live}
    return found


def test_digest_reads_in_chunks(tmp_path: Path) -> None:
    """Equal files larger than one read are recognised by their whole content."""
    big, other = b"x" * (3 << 20), b"x" * ((3 << 20) - 1) + b"y"
    assert hashlib.sha256(big).digest() != hashlib.sha256(other).digest()
    assert sums(ledger(stack(tmp_path, [{"a": big}, {"a": other}])))[0] == (0, len(big), 0, 0)
