"""The explorer: what each layer added, changed and removed, down to the text of a file."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dockerlab.analysis.changes import Changes, Item, Order, between, each_layer, of_layer, read_text
from dockerlab.analysis.history import Row, Subject, image_of, layer_rows, name_of, stand_in_of
from dockerlab.engines.results import Build
from dockerlab.errors import ImageError
from dockerlab.image.filesystem import Tree
from dockerlab.printable import printable
from dockerlab.units import count, human_bytes
from dockerlab.widgets.table import Table

PAGE = 100  # rows of one folder that are listed at once
BELOW, NOTHING = "the layer below", "nothing"  # what a layer is compared with; else a number, or "image 1"
_MARKS = {"added": "+", "changed": "~", "removed": "-", None: " "}
_MORE = "\0"  # stands before the folder in the key of a "more" row: no path holds it
_KEPT_TREES = 3
_KEPT_STATES = 50
_LARGEST = 12


@dataclass
class ExplorerState:
    """What is chosen in an explorer, kept as long as the kernel lives: re-running the cell finds it again."""

    layer: int
    against: str = BELOW
    order: Order = "size"
    pattern: str = ""
    selected: str = ""
    opened: set[str] = field(default_factory=set)
    pages: dict[str, int] = field(default_factory=dict)  # folder (or "\0" for what was found) -> pages listed


@dataclass(frozen=True, slots=True)
class ExplorerLine:
    """One line of the list. `key` is a path, or names a folder that has more than is listed."""

    key: str
    label: str
    opens: bool


_states: OrderedDict[tuple[str, ...], ExplorerState] = OrderedDict()


class ExplorerModel:
    """An image's layers to look into. Show it as the last line of a cell.

    `others` are images to compare with. Without a notebook front end it is a table of the layers.
    """

    def __init__(self, subject: Subject, *others: Subject, engine: str | None = None) -> None:
        self.subject = subject
        self.others = others
        self.image = image_of(subject)
        if not self.image.layers:
            raise ImageError(f"{name_of(subject)} has no layers to explore.")
        self.rows: tuple[Row, ...] = layer_rows(subject)
        self.engine = subject.engine if isinstance(subject, Build) else engine
        key = (self.image.id, *(image_of(other).id for other in others))
        known = key in _states
        self.state = _states.setdefault(key, ExplorerState(self._first()))
        _states.move_to_end(key)
        while len(_states) > _KEPT_STATES:
            _states.popitem(last=False)
        self._trees: OrderedDict[tuple[int, int], Tree] = OrderedDict()
        self._changes: tuple[tuple[int, str], Changes] | None = None
        self._table: Table | None = None
        if not known:
            self._open_largest()

    def _first(self) -> int:
        own = [row for row in self.rows if not row.base] or list(self.rows)
        return max(own, key=lambda row: row.size_unpacked).layer or 1

    def _open_largest(self) -> None:
        """Open the folders on the way to the largest change: that is where to look first."""
        top = self.changes().largest
        if top is not None:
            parts = top.path.split("/")
            self.state.opened.update("/".join(parts[:end]) for end in range(1, len(parts)))
            self.state.selected = top.path

    def changes(self) -> Changes:
        """Return what the chosen layer did, or how it differs from what it is compared with."""
        wanted = (self.state.layer, self.state.against)
        if self._changes is None or self._changes[0] != wanted:
            if self.state.against == BELOW:
                found = of_layer(self.image.layers, self.state.layer)
            else:
                found = between(self.before(), self.tree())
            self._changes = (wanted, found)
        return self._changes[1]

    def tree(self) -> Tree:
        """Return the file system as of the chosen layer."""
        return self._tree(0, self.state.layer)

    def before(self) -> Tree:
        """Return the file system that the chosen layer is compared with."""
        against = self.state.against
        if against == BELOW:
            return self._tree(0, self.state.layer - 1)
        if against == NOTHING:
            return Tree()
        if against.startswith("image "):
            number = int(against.removeprefix("image "))
            return self._tree(number, len(image_of(self.others[number - 1]).layers))
        return self._tree(0, int(against))

    def _tree(self, image: int, layers: int) -> Tree:
        key = (image, layers)
        if key not in self._trees:
            chosen = image_of((self.subject, *self.others)[image]).layers[:layers]
            self._trees[key] = Tree.stacked((layer.entries, layer) for layer in chosen)
            while len(self._trees) > _KEPT_TREES:
                self._trees.popitem(last=False)
        return self._trees[key]

    def comparisons(self) -> list[tuple[str, str]]:
        """Return what a layer can be compared with: (label, value of State.against)."""
        found = [("the layer below it", BELOW), ("nothing (all files as of this layer)", NOTHING)]
        found += [(f"image {name_of(other)}", f"image {i}") for i, other in enumerate(self.others, 1)]
        found += [(f"layer {row.layer}, {_clip(row.text, 40)}", str(row.layer)) for row in self.rows]
        return found

    def lines(self) -> list[ExplorerLine]:
        """Return the lines of the list now: opened folders with their content, or what was found."""
        state, changes = self.state, self.changes()
        lines: list[ExplorerLine] = []
        if state.pattern.strip():
            found = changes.find(state.pattern, by=state.order)
            self._list(lines, found, _MORE, depth=0, flat=True)
        else:
            self._list(lines, changes.children("", by=state.order), "", depth=0)
        return lines

    def _list(
        self, lines: list[ExplorerLine], items: Sequence[Item], folder: str, *, depth: int, flat: bool = False
    ) -> None:
        shown = PAGE * self.state.pages.get(folder, 1)
        for item in items[:shown]:
            opened = not flat and item.path in self.state.opened
            lines.append(ExplorerLine(item.path, _label(item, depth, opened, flat), item.is_dir and not flat))
            if opened:
                inside = self.changes().children(item.path, by=self.state.order)
                self._list(lines, inside, item.path, depth=depth + 1)
        if len(items) > shown:
            rest = f"{len(items) - shown:,} more: open this line"
            lines.append(ExplorerLine(_MORE + folder, f"{' ' * 24}{'  ' * depth}… {rest}", True))

    def open(self, key: str) -> None:
        """Open or close the folder of a line, or list the next page of one."""
        state = self.state
        if key.startswith(_MORE):
            folder = key.removeprefix(_MORE)
            state.pages[folder] = state.pages.get(folder, 1) + 1
        elif key in state.opened:
            state.opened.discard(key)
            state.pages.pop(key, None)
        else:
            state.opened.add(key)

    def look(self, path: str) -> tuple[str, str | None]:
        """Return a sentence about a path as of the chosen layer, and its text where it is a small file.

        What the layer removed is shown as it was before.
        """
        item = self.changes().get(path)
        if item is None:
            return "", None
        if item.change == "removed":
            text, said = read_text(self.before(), path)
            return f"/{path}, removed; as it was before. {said}", text
        text, said = read_text(self.tree(), path)
        what = f", {item.change}" if item.change else ""
        note = f" ({item.note})" if item.note else ""
        return f"/{path}{what}{note}, as of layer {self.state.layer}. {said}", text

    def said(self) -> str:
        """Return the sums of what is listed, in one sentence."""
        sums = self.changes().sums
        parts = [
            f"{kind} {count(total.paths, 'path')} ({human_bytes(total.bytes)})"
            for kind, total in sums.items()
            if total.paths
        ]
        where = f"Layer {self.state.layer}"
        if self.state.against != BELOW:
            against = {value: label for label, value in self.comparisons()}[self.state.against]
            where = f"As of layer {self.state.layer}, compared with {against}"
        return f"{where}: {', '.join(parts) or 'no change'}."

    def table(self) -> Table:
        """Return each layer with what it added, changed and removed, as a table."""
        if self._table is None:
            rows = []
            for row, changes in zip(self.rows, each_layer(self.image.layers), strict=True):
                top = changes.largest
                rows.append(
                    (
                        str(row.layer),
                        "base" if row.base else f"line {row.line}" if row.line else "",
                        row.text,
                        *(_sum(total.paths, total.bytes) for total in changes.sums.values()),
                        f"/{top.path}" if top else "",
                    )
                )
            made = f", {self.engine}" if self.engine else ""
            stand_in = stand_in_of(self.subject)
            base = f", base {stand_in} (stand-in)" if stand_in else ""
            size = human_bytes(self.image.size_unpacked)
            self._table = Table(
                f"{name_of(self.subject)}: {count(len(rows), 'layer')}, {size} unpacked{made}{base}",
                ("layer", "from", "instruction", "added", "changed", "removed", "largest"),
                tuple(rows),
                right=("layer", "added", "changed", "removed"),
                code=("instruction", "largest"),
                note="Run this cell in JupyterLab to open the layers.",
            )
        return self._table

    def differences(self) -> tuple[Table, ...]:
        """Return, for each other image, the paths that differ most, as a table."""
        top = len(self.image.layers)
        tables = []
        for i, other in enumerate(self.others, 1):
            changes = between(self._tree(i, len(image_of(other).layers)), self._tree(0, top))
            sums = ", ".join(f"{kind} {_sum(one.paths, one.bytes)}" for kind, one in changes.sums.items())
            items = sorted(changes.changes, key=lambda one: (-(one.stored + one.removed), one.path))[
                :_LARGEST
            ]
            tables.append(
                Table(
                    f"{name_of(self.subject)} compared with {name_of(other)}: {sums}",
                    ("change", "path", "bytes", "before"),
                    tuple(
                        (
                            one.change or "",
                            f"/{one.path}",
                            "" if one.change == "removed" else human_bytes(one.stored),
                            "" if one.change == "added" else human_bytes(one.removed),
                        )
                        for one in items
                    ),
                    right=("bytes", "before"),
                    code=("path",),
                    note="" if len(changes) <= _LARGEST else f"The largest {_LARGEST} of {len(changes):,}.",
                )
            )
        return tuple(tables)

    def __repr__(self) -> str:
        return "\n\n".join(table.text() for table in (self.table(), *self.differences()))

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return {
            "text/plain": repr(self),
            "text/html": "".join(table.html() for table in (self.table(), *self.differences())),
        }


def _sum(paths: int, size: int) -> str:
    return f"{paths:,} ({human_bytes(size)})" if paths else ""


def _label(item: Item, depth: int, opened: bool, flat: bool) -> str:
    stored = human_bytes(item.stored) if item.stored else ""
    removed = f"-{human_bytes(item.removed)}" if item.removed else ""
    sign = ("▾ " if opened else "▸ ") if item.is_dir and not flat else "  "
    name = printable(item.path if flat else item.name)
    note = f"  ({item.note})" if item.note else ""
    mark = _MARKS[item.change]
    return f"{stored:>9} {removed:>10}  {mark} {'  ' * depth}{sign}{name}{'/' if item.is_dir else ''}{note}"


def _clip(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
