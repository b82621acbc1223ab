from __future__ import annotations

from pathlib import Path

import pytest

from dockerlab.analysis.changes import Changes, Item, between, each_layer, of_layer, read_text
from dockerlab.image.image import Image
from tests.tiny_images import stack


@pytest.fixture
def image(tmp_path: Path) -> Image:
    """Three layers: a base, one that adds and replaces, one that removes."""
    return stack(
        tmp_path,
        [
            {
                **dict.fromkeys(["etc", "usr", "usr/lib", "old"], "dir"),
                "etc/motd": b"hello",
                "usr/lib/a.so": 3000,
                "usr/lib/b.so": 2000,
                "old/x": 10,
            },
            {
                "etc": "dir",
                "etc/motd": b"hello, world",
                "srv/data": 5000,
                "srv/link": ("symlink", "data"),
                "srv/hard": ("hardlink", "srv/data"),
            },
            {"usr/lib": None, "old": "opaque", "old/y": 7, "srv/data": 6000},
        ],
    )


def kinds(changes: Changes) -> dict[str, str]:
    """Return path -> what happened to it."""
    return {one.path: one.change or "" for one in changes.changes}


def test_a_layer_adds_changes_and_removes(image: Image) -> None:
    """Whiteouts and opaque folders remove all that was below; a folder that is as before is no change."""
    assert kinds(of_layer(image.layers, 2)) == {
        "etc/motd": "changed",
        "srv/data": "added",
        "srv/link": "added",
        "srv/hard": "added",
    }
    assert kinds(of_layer(image.layers, 3)) == {
        "usr/lib": "removed",
        "usr/lib/a.so": "removed",
        "usr/lib/b.so": "removed",
        "old/x": "removed",
        "old/y": "added",
        "srv/data": "changed",
    }


def test_bytes_add_up_to_the_layer(image: Image) -> None:
    """What was added and changed is what the layer stores; a hard link stores nothing."""
    for layer, changes in zip(image.layers, each_layer(image.layers), strict=True):
        sums = changes.sums
        assert sums["added"].bytes + sums["changed"].bytes == layer.size_unpacked
        root = changes.get("")
        assert root is not None
        assert root.stored == layer.size_unpacked
        assert root.paths == len(changes)


def test_folders_sum_up_what_is_below(image: Image) -> None:
    """A folder on the way holds the bytes of its content, and lists it by bytes or by name."""
    changes = of_layer(image.layers, 3)
    assert changes.get("usr") == Item("usr", None, True, 0, 5000, 3)
    assert changes.get("usr/lib") == Item("usr/lib", "removed", True, 0, 5000, 3)
    assert [one.name for one in changes.children("")] == ["srv", "usr", "old"]
    assert [one.name for one in changes.children("", by="name")] == ["old", "srv", "usr"]
    assert [one.name for one in changes.children("usr/lib")] == ["a.so", "b.so"]
    assert changes.largest == changes.get("srv/data")


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("LIB", ["usr/lib/a.so", "usr/lib/b.so", "usr/lib"]),
        ("a.so", ["usr/lib/a.so"]),
        ("*.so", ["usr/lib/a.so", "usr/lib/b.so"]),
        ("/usr/*/b*", ["usr/lib/b.so"]),
        ("usr*", []),
        ("  ", []),
    ],
)
def test_find(image: Image, pattern: str, found: list[str]) -> None:
    """Text is looked for in the path, a glob matches the name, a glob with a slash the whole path."""
    assert [one.path for one in of_layer(image.layers, 3).find(pattern)] == found


def test_notes_say_what_size_does_not(tmp_path: Path) -> None:
    """A link names its target, and a file that became a folder says so."""
    image = stack(tmp_path, [{"a": b"x", "b": b"y"}, {"a": "dir", "a/c": b"z", "b": ("symlink", "a/c")}])
    changes = of_layer(image.layers, 2)
    notes = {one.path: one.note for one in changes.changes}
    assert notes == {"a": "file → dir", "a/c": "", "b": "file → symlink"}
    hard = of_layer(stack(tmp_path, [{"a": b"x", "b": ("hardlink", "a")}]).layers, 1).get("b")
    assert hard is not None
    assert (hard.note, hard.stored) == ("hard link to a", 0)


def test_two_images_differ_by_content_not_by_layers(tmp_path: Path) -> None:
    """The same files in other layers are no difference; equally long content that differs is one."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one = stack(tmp_path / "one", [{"a": b"same", "b": b"left"}, {"c": 100}])
    two = stack(tmp_path / "two", [{"a": b"same"}, {"b": b"diff", "d": 50}])
    assert kinds(between(one.tree(), two.tree())) == {"b": "changed", "c": "removed", "d": "added"}
    assert len(between(one.tree(), one.tree())) == 0


def test_text_is_shown_and_the_rest_described(image: Image, tmp_path: Path) -> None:
    """Text comes back as text; binary content, folders, links and what is not there come as a sentence."""
    tree = image.tree()
    assert read_text(tree, "etc/motd") == ("hello, world", "12 B, mode 644, owner 0:0.")
    assert read_text(tree, "srv/data")[0] is None
    assert read_text(tree, "srv/link") == (None, "A symbolic link to data.")
    assert read_text(tree, "etc")[1].startswith("A folder: 1 entry")
    assert read_text(tree, "nowhere") == (None, "There is no such path.")
    long = stack(tmp_path, [{"log": b"line\n" * 20_000}]).tree()
    text, said = read_text(long, "log")
    assert text is not None
    assert len(text) == 64_000
    assert said.startswith("The first 64.0 kB of 100 kB")


def test_a_hundred_thousand_files_are_listed_whole() -> None:
    """Of 100,000 changes, folders list all they hold and a search finds all that fit."""
    changes = Changes(Item(f"data/{i % 100}/folder/f{i}", "added", False, i, 0, 1) for i in range(100_000))
    assert len(changes.children("data")) == 100
    assert len(changes.children("data/7/folder")) == 1000
    assert len(changes.find("f9999*")) == 11
