"""--squash: one layer over the base that shows what the build's layers show."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from dockerlab.analysis.history import rows
from dockerlab.context.context import Context, File
from dockerlab.engines.cache.copy_sources import Text
from dockerlab.engines.embedded import EmbeddedEngine
from dockerlab.engines.embedded.layer_draft import LayerDraft
from dockerlab.engines.embedded.squash import net_change
from dockerlab.engines.embedded.store.store import Store
from dockerlab.image.filesystem import Entry, Tree
from dockerlab.image.image import Layer

STACKS = 60


@pytest.fixture
def engine(tmp_path: Path) -> EmbeddedEngine:
    """An engine with a base image in an empty store of its own."""
    engine = EmbeddedEngine(tmp_path / "home")
    files = Context.files({"kept": "1", "changed": "old", "gone": "3", "folder/a": "4", "folder/b": "5"})
    engine.build("FROM scratch\nENV BASE=1\nCOPY . /\n", context=files, tag="base")
    return engine


def test_one_layer_over_the_base(engine: EmbeddedEngine) -> None:
    """The base's layers stay, one comes over them, and what a later step overwrote is in no layer."""
    files = Context.files({"big": "x" * 5000, "small": File("y", 0o600), "changed": "new"})
    text = 'FROM base\nCOPY big /tmp/f\nWORKDIR /srv\nCOPY small /tmp/f\nCOPY changed /\nCMD ["x"]\n'
    plain = engine.build(text, context=files)
    built = engine.build(text, context=files, tag="squashed", squash=True)
    base = engine.image("base")
    assert [layer.diff_id for layer in built.image.layers[:-1]] == [layer.diff_id for layer in base.layers]
    assert [(entry.path, entry.size) for entry in built.image.layers[-1].entries] == [
        ("changed", 3),
        ("srv", 0),
        ("tmp", 0),
        ("tmp/f", 1),
    ]
    assert shown(built.image.tree()) == shown(plain.image.tree())
    assert built.image.config["config"] == plain.image.config["config"]
    assert built.image.base_layers == len(base.layers)
    assert engine.store.validate() == []


def test_history_says_what_was_merged(engine: EmbeddedEngine) -> None:
    """The rows of the build stay and count as empty; the last one names the merged image and the base."""
    text = 'FROM base\nCOPY changed /x/\nCMD ["x"]\n'
    files = Context.files({"changed": "new"})
    plain, built = engine.build(text, context=files), engine.build(text, context=files, squash=True)
    base = engine.image("base")
    written = built.image.config["history"]
    assert written[: len(base.history)] == base.config["history"]
    assert [row.get("created_by") for row in written] == [
        *(row.created_by for row in plain.image.history),
        None,
    ]
    assert [bool(row.get("empty_layer")) for row in written[len(base.history) :]] == [True, True, False]
    assert written[-1]["comment"] == f"merge {plain.image.id} to {base.id}"
    assert built.image.history[-1].layer == built.image.layers[-1]
    assert [(row.line, row.layer, row.text) for row in rows(built)[len(base.history) :]] == [
        (2, None, "COPY changed /x/"),
        (3, None, 'CMD ["x"]'),
        (None, 2, f"merge {plain.image.id[7:19]} to {base.id[7:19]}"),
    ]


def test_from_scratch_the_row_says_so(engine: EmbeddedEngine) -> None:
    """Without a base all layers become one."""
    built = engine.build("FROM scratch\nWORKDIR /a\nWORKDIR /b\n", squash=True).image
    assert [entry.path for layer in built.layers for entry in layer.entries] == ["a", "b"]
    assert str(built.config["history"][-1]["comment"]).startswith("create new from sha256:")


def test_a_squashed_build_is_cached_and_the_same_image(engine: EmbeddedEngine) -> None:
    """The steps of a squashed build are in the cache like any others, and the image comes out the same."""
    text = "FROM base\nWORKDIR /a\nWORKDIR /b\n"
    first, second = engine.build(text, squash=True), engine.build(text, squash=True)
    assert [step.cached for step in second.steps] == [None, True, True]
    assert first.image.id == second.image.id


@pytest.mark.parametrize("seed", range(STACKS))
def test_the_net_change_of_any_layers_shows_the_same(tmp_path: Path, seed: int) -> None:
    """Over the base the one layer gives the same tree: removals, other types, links and modes included."""
    chance = random.Random(seed)
    store = Store(tmp_path)
    layers = [layer_of(store, draft) for draft in random_drafts(chance, count=5)]
    below, above = layers[:2], layers[2:]
    squashed = layer_of(store, net_change(below, above))
    assert shown(tree_of([*below, squashed])) == shown(tree_of(layers))
    unchanged = layer_of(store, net_change([*below, squashed], []))
    assert unchanged.entries == ()


def random_drafts(chance: random.Random, *, count: int) -> Iterator[LayerDraft]:
    """Yield drafts over each other, each with some random changes."""
    tree = Tree()
    for number in range(count):
        draft = LayerDraft(tree.copy(), now=number)
        for _ in range(chance.randint(1, 8)):
            change(draft, chance)
        yield draft
        tree = draft.tree


def change(draft: LayerDraft, chance: random.Random) -> None:
    """Write, link or remove something at a random path of few names."""
    path = "/".join(chance.choice("abc") for _ in range(chance.randint(1, 3)))
    what = chance.choice(["file", "file", "dir", "symlink", "link", "remove", "remove", "mode"])
    old = draft.get(path)
    files = [name for name in draft.tree if (node := draft.tree.get(name)) and node.entry.kind == "file"]
    if what == "remove":
        if old is not None:
            draft.remove(path)
        return
    if what == "mode":
        node = draft.tree.get(path)
        if node is not None:
            draft.put(replace(node.entry, path=path, mode=chance.choice([0o700, 0o644])), node.origin)
        return
    try:
        draft.make_folders(path.rpartition("/")[0], owner=None)
    except NotADirectoryError:
        return
    if old is not None and (old.kind == "dir") != (what == "dir"):
        draft.remove(path)
    if what == "link" and files:
        target = chance.choice(files)
        if target != path and draft.get(target) is not None:
            draft.link(path, target)
    elif what == "symlink":
        draft.put(Entry(path, "symlink", 0o777, link="x"), Text(b""))
    elif what == "dir":
        draft.put(Entry(path, "dir", chance.choice([0o755, 0o700])), Text(b""))
    else:
        content = bytes(chance.choice(b"xyz") for _ in range(chance.randint(0, 3)))
        draft.put(Entry(path, "file", size=len(content), mtime=chance.randint(1, 2)), Text(content))


def layer_of(store: Store, draft: LayerDraft) -> Layer:
    """Return the draft as a layer of the store."""
    with store.new_layer() as out:
        draft.write(out)
        return out.commit()


def tree_of(layers: Sequence[Layer]) -> Tree:
    """Return what a container sees."""
    return Tree.stacked((layer.entries, layer) for layer in layers)


def shown(tree: Tree) -> dict[str, tuple[object, ...]]:
    """Return each path with its metadata, its content, and the first of the names that the file has."""
    found: dict[str, tuple[object, ...]] = {}
    first: dict[int, str] = {}
    for path in tree.walk(""):
        node = tree.get(path)
        assert node is not None
        content = b""
        if node.entry.kind == "file":
            with node.origin.open(node.entry) as stream:
                content = stream.read()
        time = 0 if node.entry.kind == "dir" else node.entry.mtime
        found[path] = (replace(node.entry, path="", mtime=time), content, first.setdefault(id(node), path))
    return found
