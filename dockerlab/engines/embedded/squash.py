"""--squash: the layers of a build as one, the net change over its base.

What Docker's legacy builder does with it where experimental features are on (moby, daemon/images,
SquashImage): the base's layers stay, so they are still shared; the build's history rows stay and count as
empty; one more row, without a command, says which image was merged to which.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from dockerlab.engines.embedded.layer_draft import LayerDraft, written
from dockerlab.engines.embedded.state import StageState
from dockerlab.engines.embedded.store.store import Store
from dockerlab.image.filesystem import CHUNK, Entry, Node, Tree
from dockerlab.image.image import Layer


def net_change(below: Sequence[Layer], above: Sequence[Layer]) -> LayerDraft:
    """Return what the layers `above` change, all in all, as the draft of one layer over those `below`.

    A folder's time does not count; a file with another time is another file.
    """
    base = Tree.stacked((layer.entries, layer) for layer in below)
    final = base.copy()
    for layer in above:
        final.apply(layer.entries, layer)
    changed = [path for path in final if not _same(base.get(path), final.get(path))]
    names = _names(final)
    written = {name for path in changed for name in names.get(id(final.get(path)), [path])}
    gone = [path for path in base if path not in final and _parent_stays(final, path)]
    folders = {above for path in [*written, *gone] for above in _above(path)}
    draft = LayerDraft(base, now=0)
    first: dict[int, str] = {}
    for path in final.walk(""):
        node = final.get(path)
        if node is None or path not in written | folders:
            continue
        name = first.setdefault(id(node), path) if path in written else path
        if name != path:
            draft.link(path, name)
        else:
            draft.put(replace(node.entry, path=path), node.origin)
    for path in gone:
        if path in base:  # a folder that gave way to a file took its content with it
            draft.remove(path)
    return draft


def squashed(state: StageState, image: str, store: Store) -> StageState:
    """Return what a build came to with one layer over its base; `image` is the ID of what it was without."""
    base, base_rows = state.layers[: state.base_layers], state.history[: state.base_rows]
    draft = net_change(base, state.layers[state.base_layers :])
    own = [{**row, "empty_layer": True} for row in state.history[state.base_rows :]]
    said = f"merge {image} to {state.base_id}" if state.base_id else f"create new from {image}"
    row = {"created": state.created, "comment": said}
    return replace(state, layers=[*base, written(draft, store)], history=[*base_rows, *own, row])


def _names(tree: Tree) -> dict[int, list[str]]:
    """Return all names of each file that has several: hard links share their node."""
    found: dict[int, list[str]] = {}
    for path in tree:
        found.setdefault(id(tree.get(path)), []).append(path)
    return {node: names for node, names in found.items() if len(names) > 1}


def _same(one: Node | None, other: Node | None) -> bool:
    if one is None or other is None:
        return one is other
    if one is other:
        return True
    if _comparable(one.entry) != _comparable(other.entry):
        return False
    return one.entry.kind != "file" or not one.entry.size or _same_content(one, other)


def _comparable(entry: Entry) -> Entry:
    return replace(entry, path="", mtime=0, size=0) if entry.kind == "dir" else replace(entry, path="")


def _same_content(one: Node, other: Node) -> bool:
    with one.origin.open(one.entry) as first, other.origin.open(other.entry) as second:
        left = one.entry.size
        while left > 0:
            part = first.read(CHUNK)
            if part != second.read(CHUNK):
                return False
            left -= len(part) or left
    return True


def _parent_stays(final: Tree, path: str) -> bool:
    """Tell whether `path` needs a whiteout: what is in a folder that is gone itself needs none."""
    return final.is_dir(path.rpartition("/")[0])


def _above(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
