from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from dockerlab.engines.embedded.sandbox.proot import treepool, worktree
from dockerlab.engines.embedded.sandbox.proot.treescan import scan
from dockerlab.engines.embedded.sandbox.proot.worktree import WorkTree
from dockerlab.image.filesystem import Entry, Tree
from dockerlab.image.layer import BlobLayer
from tests.engines.embedded.host_root_image import layer_of

OLD = 1_600_000_000


def file(path: str, size: int, *, mode: int = 0o644) -> Entry:
    """A file of `size` bytes."""
    return Entry(path, "file", mode, mtime=OLD, size=size)


def folder(path: str, mode: int = 0o755) -> Entry:
    """A folder with an old time."""
    return Entry(path, "dir", mode, mtime=OLD)


@pytest.fixture
def base(tmp_path: Path) -> BlobLayer:
    """A layer with every kind of entry."""
    entries = [
        folder("d"),
        file("d/a", 1),
        Entry("d/again", "hardlink", link="d/a"),
        folder("d/closed", 0),
        file("d/closed/f", 2, mode=0),
        Entry("d/fifo", "fifo", 0o600, mtime=OLD),
        Entry("d/link", "symlink", link="a", mtime=OLD),
        Entry("d/null", "char", 0o666, mtime=OLD, device=(1, 3)),
        file("f", 3, mode=0o4755),
    ]
    return layer_of(entries, {"d/a": b"a", "d/closed/f": b"cc", "f": b"fff"}, tmp_path)


@pytest.fixture
def upper(tmp_path: Path) -> BlobLayer:
    """A layer that changes, replaces and removes entries of the base."""
    entries = [
        folder("d"),
        Entry("d/a", "whiteout"),
        folder("d/closed", 0),
        Entry("d/closed/f", "whiteout"),
        Entry("d/link", "dir", 0o711, mtime=OLD),
        file("d/link/new", 1),
        file("f", 4),
    ]
    return layer_of(entries, {"d/link/new": b"n", "f": b"FFFF"}, tmp_path)


def move(tree: WorkTree, *layers: BlobLayer) -> int:
    """Move a tree to a stack."""
    return tree.move(layers, Tree.stacked((layer.entries, layer) for layer in layers))


def picture(tree: WorkTree) -> dict[str, tuple[str, int, str]]:
    """Return path -> (mode, mtime, content) of what is on disk."""
    seen = scan(str(tree.root))
    result = {}
    for path, item in seen.found.items():
        place = tree.root / path
        content = str(place.readlink()) if place.is_symlink() else ""
        if stat.S_ISREG(item.mode):
            place.chmod(0o600)
            content = place.read_text()
            place.chmod(stat.S_IMODE(item.mode))
        result[path] = (stat.filemode(item.mode), item.key[0] // 1_000_000_000, content)
    for path, mode in reversed(seen.opened):
        (tree.root / path).chmod(mode)
    return result


def test_a_tree_shows_its_layers(tmp_path: Path, base: BlobLayer) -> None:
    """Modes, times, links and content on disk are the layers'; a device is an empty placeholder."""
    with treepool.borrow(tmp_path / "trees", []) as tree:
        move(tree, base)
        assert picture(tree) == {
            "d": ("drwxr-xr-x", OLD, ""),
            "d/a": ("-rw-r--r--", OLD, "a"),
            "d/again": ("-rw-r--r--", OLD, "a"),
            "d/closed": ("d---------", OLD, ""),
            "d/closed/f": ("----------", OLD, "cc"),
            "d/fifo": ("prw-------", OLD, ""),
            "d/link": ("lrwxrwxrwx", OLD, "a"),
            "d/null": ("-rw-rw-rw-", OLD, ""),
            "f": ("-rwsr-xr-x", OLD, "fff"),
        }


def test_moving_there_and_back_is_the_same_as_anew(tmp_path: Path, base: BlobLayer, upper: BlobLayer) -> None:
    """Only what differs is rewritten, and the result is what an empty tree would have got."""
    with treepool.borrow(tmp_path / "trees", []) as tree:
        assert move(tree, base) == 9
        before = picture(tree)
        assert move(tree, base) == 0
        assert move(tree, base, upper) == 5  # d/a, d/closed/f, d/link, d/link/new, f
        there = picture(tree)
        assert move(tree, base) == 5
        assert picture(tree) == before
    with treepool.borrow(tmp_path / "fresh", []) as fresh:
        move(fresh, base, upper)
        assert picture(fresh) == there


def test_what_nobody_changed_is_unchanged(tmp_path: Path, base: BlobLayer, upper: BlobLayer) -> None:
    """Right after a move, and in the next process, a scan finds no change."""
    with treepool.borrow(tmp_path / "trees", []) as tree:
        move(tree, base, upper)
    with treepool.borrow(tmp_path / "trees", []) as tree:
        seen = scan(str(tree.root))
        assert tree.changed(seen.found) == set()
        tree.adopt(seen, set(), diff_id=None, entries=())
        assert tree.changed(scan(str(tree.root)).found) == set()


def test_a_rewrite_of_the_same_size_and_time_is_a_change(tmp_path: Path, base: BlobLayer) -> None:
    """The change key sees a rewrite that puts size and mtime back: ctime cannot be set."""
    with treepool.borrow(tmp_path / "trees", []) as tree:
        move(tree, base)
        (tree.root / "d/a").write_text("b")
        os.utime(tree.root / "d/a", (OLD, OLD))
        assert tree.changed(scan(str(tree.root)).found) == {"d/a"}


def test_many_names_of_a_big_file_stay_links(
    tmp_path: Path, base: BlobLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past the limit, names of one file share it; removing one is no change of the others."""
    monkeypatch.setattr(worktree, "LINK_COPY_BYTES", 0)
    with treepool.borrow(tmp_path / "trees", []) as tree:
        move(tree, base)
        assert (tree.root / "d/a").samefile(tree.root / "d/again")
        (tree.root / "d/again").unlink()
        assert tree.changed(scan(str(tree.root)).found) == {"d"}


def test_a_tree_left_half_changed_is_made_anew(tmp_path: Path, base: BlobLayer) -> None:
    """A holder that dies in the middle leaves a mark; the next one starts from nothing, elsewhere."""
    with treepool.borrow(tmp_path / "trees", []) as tree:
        move(tree, base)
        tree.begin()
        old = tree.root
        (old / "f").write_text("half")
    with treepool.borrow(tmp_path / "trees", []) as tree:
        assert tree.root != old
        assert not old.exists()
        assert list(tree.root.iterdir()) == []
        move(tree, base)
        assert (tree.root / "f").read_text() == "fff"


@pytest.mark.parametrize("damage", ["{", '{"version": 0}', None])
def test_a_lost_state_file_means_a_new_tree(tmp_path: Path, base: BlobLayer, damage: str | None) -> None:
    """Without a readable state, nothing is believed about the files."""
    with treepool.borrow(tmp_path / "trees", []) as tree:
        move(tree, base)
        state = tree.home / "state.json"
    if damage is None:
        state.unlink()
    else:
        state.write_text(damage)
    with treepool.borrow(tmp_path / "trees", []) as tree:
        assert move(tree, base) == 9


def test_the_nearest_free_tree_is_taken(tmp_path: Path, base: BlobLayer, upper: BlobLayer) -> None:
    """A held tree is left alone; of the free ones, that with the most shared layers is given."""
    pool = tmp_path / "trees"
    with treepool.borrow(pool, []) as one, treepool.borrow(pool, []) as two:
        assert one.home != two.home
        move(one, base)
        move(two, base, upper)
        homes = one.home, two.home
    both = [base.diff_id, upper.diff_id]
    with treepool.borrow(pool, both) as near:
        assert near.home == homes[1]
        with treepool.borrow(pool, both) as other:
            assert other.home == homes[0]
