import errno
from dataclasses import FrozenInstanceError, replace
from io import BytesIO
from typing import BinaryIO

import pytest

from dockerlab.image.filesystem import Entry, Tree, join, quick_entry


class Origin:
    """Contents that are the entry's own path."""

    def open(self, entry: Entry) -> BinaryIO:
        """Return the path as content."""
        return BytesIO(entry.path.encode())


ORIGIN = Origin()


def _tree(*layers: list[Entry]) -> Tree:
    return Tree.stacked((layer, ORIGIN) for layer in layers)


def test_a_whiteout_hides_a_folder_and_all_below_it() -> None:
    """A whiteout removes its path with everything under it, and its parent no longer lists it."""
    tree = _tree([Entry("a", "dir"), Entry("a/b", "dir"), Entry("a/b/c", "file")], [Entry("a/b", "whiteout")])
    assert list(tree) == ["a"]
    assert tree.children("a") == []


def test_markers_hide_only_what_is_below_their_layer() -> None:
    """A layer that empties or removes a path may bring it back itself, in whatever order its tar has them."""
    lower = [Entry("a", "dir"), Entry("a/old", "file"), Entry("x", "file", mode=0o600)]
    upper = [
        Entry("a", "dir"),
        Entry("a/new", "file"),
        Entry("a", "opaque"),
        Entry("x", "file"),
        Entry("x", "whiteout"),
    ]
    tree = _tree(lower, upper)
    assert sorted(tree) == ["a", "a/new", "x"]
    node = tree.get("x")
    assert node is not None
    assert node.entry.mode == 0o644


def test_an_opaque_root_hides_everything_below() -> None:
    """An opaque marker at the root empties the image."""
    assert list(_tree([Entry("a", "file")], [Entry("", "opaque"), Entry("b", "file")])) == ["b"]


def test_a_file_over_a_folder_hides_the_folder_s_content() -> None:
    """A path that turns from folder to file or symlink takes what was below it away."""
    tree = _tree([Entry("a", "dir"), Entry("a/b", "file")], [Entry("a", "symlink", link="c")])
    assert list(tree) == ["a"]


def test_a_folder_over_a_folder_keeps_the_content() -> None:
    """A folder's own entry in a higher layer changes its mode, not what it holds."""
    tree = _tree([Entry("a", "dir"), Entry("a/b", "file")], [Entry("a", "dir", mode=0o700)])
    node = tree.get("a")
    assert node is not None
    assert node.entry.mode == 0o700
    assert tree.children("a") == ["b"]


def test_hard_links_are_the_file_they_point_to() -> None:
    """A hard link, and a link to a link, show the target's entry; one to a lower layer's file does too."""
    tree = _tree(
        [Entry("a", "file"), Entry("b", "hardlink", link="a"), Entry("c", "hardlink", link="b")],
        [Entry("d", "hardlink", link="a")],
    )
    assert {path: tree.read(path) for path in tree} == {"a": b"a", "b": b"a", "c": b"a", "d": b"a"}


def test_children_are_sorted_by_bytes() -> None:
    """Names that are no UTF-8 sort by their bytes as all others do."""
    names = ["z", "\udcff", "é", "A"]
    assert _tree([Entry(name, "file") for name in names]).children("") == ["A", "z", "é", "\udcff"]


def test_walk_goes_parents_first() -> None:
    """walk() lists a folder before its content, siblings sorted."""
    tree = _tree([Entry(path, "dir") for path in ("b", "a", "a/d", "a/c", "a/c/x")])
    assert list(tree.walk("")) == ["a", "a/c", "a/c/x", "a/d", "b"]


def test_symlinks_resolve_as_in_a_chroot() -> None:
    """Absolute targets start at the root, ".." stops there, missing parts stay, the last link may be kept."""
    tree = _tree(
        [
            Entry("bin", "symlink", link="usr/bin"),
            Entry("usr", "dir"),
            Entry("usr/bin", "dir"),
            Entry("usr/bin/sh", "symlink", link="/etc/../../bin/dash"),
            Entry("usr/bin/dash", "file"),
        ]
    )
    assert tree.resolve("/bin/sh") == "usr/bin/dash"
    assert tree.resolve("/bin/sh", follow_last=False) == "usr/bin/sh"
    assert tree.resolve("bin/../nosuch/./x") == "usr/nosuch/x"
    assert tree.resolve("../../..") == ""
    assert tree.read("bin/sh") == b"usr/bin/dash"
    assert tree.read("bin") is None


def test_a_symlink_loop_is_an_error() -> None:
    """Two links to each other raise ELOOP, as the kernel does."""
    tree = _tree([Entry("a", "symlink", link="b"), Entry("b", "symlink", link="a")])
    with pytest.raises(OSError, match="too many levels") as caught:
        tree.resolve("a")
    assert caught.value.errno == errno.ELOOP


def test_a_copy_is_independent() -> None:
    """Changing a copy leaves the tree it was made from alone."""
    tree = _tree([Entry("a", "dir"), Entry("a/b", "file")])
    twin = tree.copy()
    twin.apply([Entry("a", "whiteout"), Entry("c", "file")], ORIGIN)
    assert sorted(tree) == ["a", "a/b"]
    assert sorted(twin) == ["c"]
    assert tree.children("") == ["a"]


def test_join_at_the_root() -> None:
    """The root's name is empty, so joining to it adds no slash."""
    assert (join("", "a"), join("a", "b")) == ("a", "a/b")


def test_an_entry_made_quickly_is_an_entry() -> None:
    """quick_entry() gives what Entry() gives: equal, of the same hash, frozen, and fit for replace()."""
    values = ("a/b", "file", 0o755, 1, 2, 3, 4, "", (("user.x", b"y"),), (0, 0), 512)
    quick, slow = quick_entry(*values), Entry(*values)  # type: ignore[arg-type]
    assert (type(quick), quick, hash(quick), repr(quick)) == (Entry, slow, hash(slow), repr(slow))
    assert quick.offset == slow.offset
    assert replace(quick, uid=7) == replace(slow, uid=7)
    with pytest.raises(FrozenInstanceError):
        quick.uid = 9  # type: ignore[misc]
