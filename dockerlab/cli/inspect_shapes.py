"""What `--json` prints for the commands that look into an image; docs/json.md describes every key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from dockerlab.analysis.changes import Changes, Item, Order, ordered
from dockerlab.analysis.history import image_of, name_of, stand_in_of
from dockerlab.analysis.ledger import Ledger
from dockerlab.cli.answer import Shape
from dockerlab.cli.subjects import NamedImage


def compare_shape(
    sides: tuple[NamedImage, NamedImage], books: Sequence[Ledger], files: Changes, *, most: int
) -> Shape:
    """`compare`: `a`, `b`, what both have, and what of the files parts them."""
    one, other = (image_of(side.what).layers for side in sides)
    held = {layer.diff_id: layer.size_tar for layer in one}
    shared = {layer.diff_id for layer in other} & set(held)
    return {
        **{key: _side(side, book) for key, side, book in zip("ab", sides, books, strict=True)},
        "shared": {"layers": len(shared), "tar": sum(held[diff_id] for diff_id in shared)},
        "files": {kind: asdict(sums) for kind, sums in files.sums.items()},
        "largest": [_item(item) for item in top(files, most)],
    }


def explore_shape(
    subject: NamedImage, layer: int | None, folder: str, tree: Changes, items: Sequence[tuple[int, Item]]
) -> Shape:
    """`explore`: the sums, and the items that were listed, each with its depth below `folder`."""
    return {
        "name": name_of(subject.what),
        "engine": subject.engine,
        "stand_in": stand_in_of(subject.what),
        "layer": layer,
        "folder": f"/{folder}",
        "sums": {kind: asdict(sums) for kind, sums in tree.sums.items()},
        "items": [{"depth": depth, **_item(item)} for depth, item in items],
    }


def top(files: Changes, most: int) -> list[Item]:
    """Return the changed paths that moved most bytes."""
    return [item for item in ordered(files.changes, by="size") if item.stored or item.removed][:most]


def walk(tree: Changes, folder: str, *, depth: int, by: Order) -> Iterator[tuple[int, Item]]:
    """Yield what is in a folder, and what is in that, `depth` levels deep."""
    todo = [(0, item) for item in reversed(tree.children(folder, by=by))]
    while todo:
        level, item = todo.pop()
        yield level, item
        if item.is_dir and level + 1 < depth:
            todo += [(level + 1, child) for child in reversed(tree.children(item.path, by=by))]


def _side(subject: NamedImage, book: Ledger) -> Shape:
    image = image_of(subject.what)
    return {
        "name": name_of(subject.what),
        "reference": image.reference,
        "id": image.id,
        "engine": book.engine,
        "stand_in": book.stand_in,
        "layers": len(image.layers),
        "content": book.total,
        "wasted": book.wasted,
        "efficiency": book.efficiency,
        "tar": book.all.tar,
    }


def _item(item: Item) -> Shape:
    return {
        "path": f"/{item.path}",
        "change": item.change,
        "is_dir": item.is_dir,
        "stored": item.stored,
        "removed": item.removed,
        "paths": item.paths,
        "note": item.note,
    }
