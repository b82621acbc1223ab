"""The three sizes of an image, what a pull would send, and dive's score."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dockerlab.analysis.history import Subject, image_of
from dockerlab.image.filesystem import Tree
from dockerlab.image.image import Layer


@dataclass(frozen=True, slots=True)
class Sizes:
    """One image in bytes: file content, uncompressed layer tars, and gzip'd as a push sends them."""

    unpacked: int
    tar: int
    compressed: int | None  # None: not asked for


def sizes(subject: Subject, *, compressed: bool = False) -> Sizes:
    """Return the sizes of all layers together, in bytes.

    `compressed` also measures what gzip makes of each layer, which takes about 3 seconds per 100 MB the
    first time.
    """
    layers = image_of(subject).layers
    return Sizes(
        unpacked=sum(layer.size_unpacked for layer in layers),
        tar=sum(layer.size_tar for layer in layers),
        compressed=sum(layer.size_compressed() for layer in layers) if compressed else None,
    )


def missing_layers(subject: Subject, held: Iterable[Subject] = ()) -> tuple[Layer, ...]:
    """Return the layers that a machine holding the images `held` lacks, each once, lowest first.

    A layer is held when any of those images has it, whatever is below it there: the containerd image
    store's rule (the older overlay2 store also asks for the same layers below).
    """
    have = {layer.diff_id for other in held for layer in image_of(other).layers}
    lacking = {layer.diff_id: layer for layer in image_of(subject).layers if layer.diff_id not in have}
    return tuple(lacking.values())


def pull_size(subject: Subject, held: Iterable[Subject] = ()) -> int:
    """Return the compressed bytes a pull would send to a machine that holds the images `held` already."""
    return sum(layer.size_compressed() for layer in missing_layers(subject, held))


# The rule, as dive 0.13.1 computes its "image efficiency score". In each layer only leaves count: everything
# but folders that have something in them. A leaf weighs its size in the tar; a whiteout of a file weighs 0,
# a whiteout of a folder weighs all that was below it. Per path the weights are put side by side over the
# layers: the score is the sum of each path's smallest weight over the sum of all weights.
#
# So an overwritten file counts by what its smallest version leaves out, a removed file counts in full, and a
# removed folder counts as if nothing were wrong: its one whiteout is the only weight at its path. The
# ledger's efficiency differs there, and on moved files, which dive sees as another path.
def dive_efficiency(subject: Subject) -> float:
    """Return dive's efficiency score of an image, 0 to 1; 1 when no file has content."""
    smallest: dict[str, int] = {}
    everything = 0
    tree = Tree()
    for layer in image_of(subject).layers:
        parents = {entry.path.rpartition("/")[0] for entry in layer.entries if entry.kind != "opaque"}
        last = {
            entry.path: entry for entry in layer.entries if entry.kind != "opaque"
        }  # a tar may repeat a path
        for entry in last.values():
            if (entry.kind == "dir" and entry.path in parents) or not entry.path:
                continue
            if entry.kind == "whiteout":
                weight = _below(tree, entry.path) if tree.is_dir(entry.path) else 0
            else:
                weight = entry.size if entry.kind == "file" else 0
            smallest[entry.path] = min(weight, smallest.get(entry.path, weight))
            everything += weight
        tree.apply(layer.entries, layer)
    return sum(smallest.values()) / everything if everything else 1.0


def _below(tree: Tree, folder: str) -> int:
    """Return the bytes stored below a folder; a hard link is not stored under its own path."""
    nodes = ((path, tree.get(path)) for path in tree.walk(folder))
    return sum(
        node.entry.size
        for path, node in nodes
        if node is not None and node.entry.kind == "file" and node.entry.path == path
    )
