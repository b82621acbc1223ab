"""What becomes of every file content that a stack of layers stores: the rule behind the byte ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from dockerlab.analysis.equal import same_contents
from dockerlab.image.filesystem import Entry, Node, Tree
from dockerlab.image.image import Layer

Kind = Literal["live", "twice", "overwritten", "deleted", "again"]
KINDS: tuple[Kind, ...] = ("live", "twice", "overwritten", "deleted", "again")


class Copy:
    """One file content stored in one layer, while the account is being made."""

    __slots__ = ("content", "entry", "kind", "layer", "root", "seen", "shown", "wasted_by")

    def __init__(self, entry: Entry, layer: int, content: int | None) -> None:
        self.entry = entry
        self.layer = layer
        self.content = content  # the same number for the same content; None: no other layer has it
        self.root = self  # the lower copy this one repeats, or itself
        self.seen = 0  # paths at which the tree shows this very copy
        self.shown = 0  # paths at which it shows this content; counted at the root
        self.kind: Kind = "live"
        self.wasted_by: int | None = None


class _Watched(Tree):
    """A merged tree that keeps count of where each stored content can be seen."""

    def __init__(self) -> None:
        super().__init__()
        self.copies: dict[int, Copy] = {}  # by id() of the entry, which the copy keeps alive
        self.lost: list[tuple[str, Copy]] = []
        self.came: set[str] = set()

    def put(self, path: str, node: Node) -> None:
        if path in self._nodes:
            self._gone(path)
        super().put(path, node)
        self.came.add(path)
        copy = self.copies.get(id(node.entry))
        if copy is not None:
            copy.seen += 1
            copy.root.shown += 1

    def remove(self, path: str) -> None:
        self._gone(path)
        super().remove(path)

    def _gone(self, path: str) -> None:
        node = self._nodes.get(path)
        copy = None if node is None else self.copies.get(id(node.entry))
        if copy is not None:
            copy.seen -= 1
            copy.root.shown -= 1
            self.lost.append((path, copy))


# The rule. Layers are taken lowest first; every file content a layer stores is one copy.
#
# 1. A copy is "again" when the tree below its layer already shows a file with the same content: at the same
#    path (chmod, chown, touch, the same file copied again), at a path this layer hides (mv), or at any other
#    (cp). The copy stored again is the waste, and its own layer wasted it: without it the image would have
#    the same content. It stands for the copy it repeats from then on. Equal files within one layer are not
#    "again": they are the software's choice, and no other order of layers would store them once.
# 2. Every other copy is the first of its content. It is "live" as long as the tree shows its content
#    somewhere: at its own path, through a hard link, or as a copy that repeats it. So after COPY and chmod
#    the COPY's bytes are live and the chmod's are "again", although the container reads the chmod's: one of
#    the two is needed, and it was there first.
# 3. When a layer takes away the last place that showed it, that layer wasted it: "overwritten" when the
#    layer has something else at the same path, "deleted" when it has not (a whiteout, an opaque folder, or a
#    folder that became a file).
# 4. A content that comes back after it was gone counts as new: the first copy stays deleted or overwritten.
# 5. Where the tree shows in the end more than one copy of a content, each at a path of its own, no line need
#    have done anything else: but for one of them they are no longer "again" but "twice", which nobody wasted.
#
# Hard links store nothing and count nothing. Files of 0 bytes have nothing to account for.
def account_of_copies(layers: Sequence[Layer]) -> list[Copy]:
    """Return all copies, in layer and tar order, with what became of them."""
    contents = same_contents(layers)
    tree = _Watched()
    alive: dict[int, dict[Copy, None]] = {}  # content -> first copies that the tree shows
    found: list[Copy] = []
    for index, layer in enumerate(layers):
        mine = [
            Copy(entry, index, contents.get(id(entry)))
            for entry in layer.entries
            if entry.kind == "file" and entry.size
        ]
        tree.copies.update((id(copy.entry), copy) for copy in mine)
        tree.lost, tree.came = [], set()
        tree.apply(layer.entries, layer)
        _match(mine, tree.lost, alive)
        _mark_hidden(index, tree, alive)
        for copy in mine:
            if copy.root is copy and copy.kind == "live" and copy.content is not None:
                alive.setdefault(copy.content, {})[copy] = None
        found += mine
    _mark_repeated(found)
    return found


def _match(
    mine: Sequence[Copy], lost: Sequence[tuple[str, Copy]], alive: dict[int, dict[Copy, None]]
) -> None:
    """Find the copies that are "again" and what they repeat: same path first, then moved, then any."""
    before: dict[str, Copy] = {}
    for path, copy in lost:
        before.setdefault(path, copy.root)
    rest = []
    for copy in mine:
        if copy.content not in alive:
            continue
        root = before.get(copy.entry.path)
        if root is not None and root.content == copy.content and root.layer < copy.layer:
            _repeat(copy, root)
        else:
            rest.append(copy)
    for copy in rest:
        assert copy.content is not None
        roots = alive[copy.content]
        _repeat(copy, next((root for root in roots if root.shown == 0), next(iter(roots))))


def _repeat(copy: Copy, root: Copy) -> None:
    root.shown += copy.shown
    copy.shown = 0
    copy.root = root
    copy.kind = "again"
    copy.wasted_by = copy.layer


def _mark_repeated(copies: Sequence[Copy]) -> None:
    """Tell which copies are the same content twice: all but the one that stands for the first."""
    groups: dict[Copy, list[Copy]] = {}
    for copy in copies:
        if copy.kind == "again" and copy.seen:
            groups.setdefault(copy.root, []).append(copy)
    for root, repeats in groups.items():
        same = [copy for copy in repeats if copy.entry.path == root.entry.path]
        stands = root if root.seen else (*same, *repeats)[0]
        for copy in repeats:
            if copy is not stands:
                copy.kind, copy.wasted_by = "twice", None


def _mark_hidden(index: int, tree: _Watched, alive: dict[int, dict[Copy, None]]) -> None:
    """Settle the fate of the first copies that this layer took out of sight."""
    for path, copy in tree.lost:
        root = copy.root
        if root.shown == 0 and root.kind == "live":
            root.kind = "overwritten" if path in tree.came else "deleted"
            root.wasted_by = index
            if root.content in alive:
                alive[root.content].pop(root, None)
                if not alive[root.content]:
                    del alive[root.content]
