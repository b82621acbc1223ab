"""What is inside: the files of a layer as a map, and the layers that images share."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dockerlab.analysis.history import Row, Subject, image_of, layer_rows, name_of
from dockerlab.charts.bars import Bar, Legend, Rows, Segment
from dockerlab.charts.layers import UNPACKED, made_by, where
from dockerlab.charts.picture import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    OUTLINE,
    PURPLE,
    SKY,
    VERMILLION,
    Picture,
    clip,
    hover,
    layout,
    plain,
    sentence,
    spec,
)
from dockerlab.image.filesystem import Entry
from dockerlab.printable import printable
from dockerlab.units import count, human_bytes, human_share

MOST_TILES = 300
_TILES = (SKY, ORANGE, GREEN, PURPLE, "#F0E442", VERMILLION, "#BFBFBF")
_TILE_INK = "#111111"
_TABLE_ROWS = 20
_MOST_OF = 0.7  # a folder with this share of its parent is looked into for the colours
_ROOT = "#C9C9C9"


@dataclass
class _Folder:
    """A folder or file, and the bytes below it."""

    path: str
    size: int = 0
    files: int = 0
    inside: dict[str, _Folder] = field(default_factory=dict)


def layer_map(subject: Subject, layer: int | None = None, *, engine: str | None = None) -> Picture:
    """Draw the files of a layer as tiles, nested by folder, each as large as its bytes; a click goes in.

    `layer` is its number, 1 for the lowest; without it the largest layer that is not the base's. Only the
    largest 300 files and folders get a tile of their own. Raises ValueError when there is no such layer.
    """
    made = layer_rows(subject)
    row = _pick(made, layer)
    assert row.layer is not None
    root = _folders(image_of(subject).layers[row.layer - 1].entries)
    tiles = _tiles(root)
    title = f"{name_of(subject)}, {where(row)}: {_largest(root)}"
    built = made_by(subject, engine=engine)
    note = " · ".join(part for part in (row.text, built, f"{UNPACKED}; click a folder to go in") if part)
    frame = layout(title, note, plot_height=380, left=8, bottom=8)
    frame |= {"uniformtext": {"minsize": 9, "mode": "hide"}}
    top = sorted(root.inside.values(), key=lambda tile: (-tile.size, tile.path))
    table = _deepest(root)
    return Picture(
        title=title,
        summary=sentence(f"{title}{f' (built by {built})' if built else ''}"),
        columns=("folder or file", "files", "unpacked", "share"),
        rows=tuple(
            (f"/{tile.path}", f"{tile.files:,}", human_bytes(tile.size), human_share(tile.size, root.size))
            for tile in (table or top)[:_TABLE_ROWS]
        ),
        right=("files", "unpacked", "share"),
        data=image_of(subject).layers[row.layer - 1].entries,
        spec=spec([_treemap(tiles, root)], frame),
    )


def layer_sharing(*subjects: Subject, engine: str | None = None) -> Picture:
    """Draw what each image has to itself and what it shares with another of them: a layer is on disk once.

    Sizes are unpacked bytes. Raises ValueError for fewer than two images.
    """
    if len(subjects) < 2:
        raise ValueError("sharing takes two images or more")
    stacks = [{row.diff_id: row for row in layer_rows(subject)} for subject in subjects]
    holders = Counter(diff_id for stack in stacks for diff_id in stack)
    names = [name_of(subject) for subject in subjects]
    bars = []
    table = []
    for name, stack in zip(names, stacks, strict=True):
        shared = [row for diff_id, row in stack.items() if holders[diff_id] > 1]
        alone = [row for diff_id, row in stack.items() if holders[diff_id] == 1]
        both, own = (sum(row.size_unpacked for row in rows) for rows in (shared, alone))
        shown = hover(
            name,
            f"shared: {count(len(shared), 'layer')}, {both:,} bytes",
            f"its own: {count(len(alone), 'layer')}, {own:,} bytes",
        )
        segments = tuple(s for s in (Segment(both, GREY, "/"), Segment(own, BLUE)) if s.size)
        bars.append(Bar(name, f"{human_bytes(own)} its own", shown, segments))
        table.append((name, str(len(shared)), human_bytes(both), str(len(alone)), human_bytes(own)))
    rows = Rows(bars, UNPACKED)
    everything = sum(bar.size for bar in bars)
    on_disk = sum({diff_id: row.size_unpacked for stack in stacks for diff_id, row in stack.items()}.values())
    common = sum(times > 1 for times in holders.values())
    title = (
        f"{len(subjects)} images of {human_bytes(everything)} take {human_bytes(on_disk)}:"
        f" they share {count(common, 'layer')}"
        if common
        else f"{len(subjects)} images share no layer and take all of their {human_bytes(everything)}"
    )
    built = made_by(*subjects, engine=engine)
    legend = Legend([("shared with another image", GREY, "/"), ("its own", BLUE, "")])
    frame = layout(title, built, plot_height=rows.height, left=rows.left, above=legend.height) | rows.axes()
    frame["annotations"] += legend.annotations(left=rows.left)
    return Picture(
        title=title,
        summary=sentence(f"{title}{f' (built by {built})' if built else ''}"),
        columns=("image", "layers shared", "bytes shared", "layers its own", "bytes its own"),
        rows=tuple(table),
        right=("layers shared", "bytes shared", "layers its own", "bytes its own"),
        data=tuple(tuple(stack.values()) for stack in stacks),
        spec=spec(rows.traces(), frame),
    )


def _pick(made: Sequence[Row], layer: int | None) -> Row:
    if layer is None:
        own = [row for row in made if not row.base] or list(made)
        if not own:
            raise ValueError("the image has no layers")
        return max(own, key=lambda row: row.size_unpacked)
    for row in made:
        if row.layer == layer:
            return row
    raise ValueError(f"there is no layer {layer}: the image has {len(made)}")


def _folders(entries: Sequence[Entry]) -> _Folder:
    """Sum files into the folders above them; a folder that only holds a folder merges with it."""
    root = _Folder("")
    for entry in entries:
        if entry.kind != "file" or not entry.size:
            continue
        here = root
        here.size += entry.size
        here.files += 1
        parts = entry.path.split("/")
        for depth, part in enumerate(parts, 1):
            here = here.inside.setdefault(part, _Folder("/".join(parts[:depth])))
            here.size += entry.size
            here.files += 1
    waiting = [root]
    while waiting:
        here = waiting.pop()
        for name, child in here.inside.items():
            while len(child.inside) == 1 and (only := next(iter(child.inside.values()))).inside:
                child = only
            here.inside[name] = child
            waiting.append(child)
    return root


@dataclass(frozen=True)
class _Tile:
    """One tile to draw."""

    what: _Folder
    parent: _Folder
    colour: str


def _tiles(root: _Folder) -> list[_Tile]:
    """Return the largest folders and files, at most 300, each inside a folder that is drawn as well."""
    colours = _colours(root)
    drawn: list[_Tile] = []
    outer = [_Tile(one, root, colours.get(one.path, _ROOT)) for one in root.inside.values()]
    waiting = [(-tile.what.size, tile.what.path, tile) for tile in outer]
    heapq.heapify(waiting)
    while waiting and len(drawn) < MOST_TILES:
        _, _, tile = heapq.heappop(waiting)
        drawn.append(tile)
        for child in tile.what.inside.values():
            colour = colours.get(child.path, tile.colour)
            heapq.heappush(waiting, (-child.size, child.path, _Tile(child, tile.what, colour)))
    return drawn


def _colours(root: _Folder) -> dict[str, str]:
    """Return a colour per part of the folder where the bytes first split up; what is below inherits it."""
    split = root
    while split.inside:
        top = max(split.inside.values(), key=lambda one: one.size)
        folders = sum(bool(child.inside) for child in top.inside.values())
        if top.size < _MOST_OF * split.size or folders < 2:
            break
        split = top
    order = sorted(split.inside.values(), key=lambda one: (-one.size, one.path))
    return {one.path: _TILES[min(i, len(_TILES) - 1)] for i, one in enumerate(order)}


def _id(folder: _Folder) -> str:
    """Return what plotly knows a tile by; a notebook is UTF-8, which a path need not be."""
    return f"/{printable(folder.path)}"


def _treemap(tiles: Sequence[_Tile], root: _Folder) -> dict[str, Any]:
    drawn: Counter[str] = Counter()
    for tile in tiles:
        drawn[tile.parent.path] += tile.what.size
    nodes = [("/", "/", "", root.size, _ROOT, hover("the whole layer", f"{root.size:,} bytes"))]
    for tile in tiles:
        one = tile.what
        name = plain(clip(one.path[len(tile.parent.path) :].lstrip("/"), 24 if one.inside else 16))
        label = f"{name}{'&nbsp; ' if drawn[one.path] else '<br>'}{human_bytes(one.size)}"
        shown = _tile_hover(one, root)
        nodes.append((_id(one), label, _id(tile.parent), one.size, tile.colour, shown))
    for folder, colour in [(root, _ROOT), *((tile.what, tile.colour) for tile in tiles)]:
        rest = folder.size - drawn[folder.path]
        if rest and drawn[folder.path]:
            label = f"smaller<br>{human_bytes(rest)}"
            shown = hover(f"smaller files and folders in /{folder.path}", f"{rest:,} bytes")
            nodes.append((f"{_id(folder)}//rest", label, _id(folder), rest, colour, shown))
    ids, labels, parents, values, fills, boxes = (list(column) for column in zip(*nodes, strict=True))
    return {
        "type": "treemap",
        "ids": ids,
        "labels": labels,
        "parents": parents,
        "values": values,
        "branchvalues": "total",
        "maxdepth": 6,
        "hovertext": boxes,
        "hoverinfo": "text",
        "textposition": "top left",
        "textfont": {"color": _TILE_INK, "size": 12},
        "marker": {
            "colors": fills,
            "line": {"color": OUTLINE, "width": 1},
            "pad": {"t": 20, "l": 3, "r": 3, "b": 3},
        },
        "tiling": {"pad": 1},
        "pathbar": {"visible": True, "thickness": 20, "textfont": {"size": 12, "color": _TILE_INK}},
        "root": {"color": _ROOT},
    }


def _tile_hover(one: _Folder, root: _Folder) -> str:
    files = f" in {count(one.files, 'file')}" if one.inside else ""
    return hover(
        f"/{one.path}", f"{one.size:,} bytes{files}, {human_share(one.size, root.size)} of the layer"
    )


def _largest(root: _Folder) -> str:
    """Say where most of the bytes are: down into folders as long as one holds more than half."""
    if not root.size:
        return "the layer stores no file content"
    here = root
    while here.inside:
        top = max(here.inside.values(), key=lambda one: one.size)
        if top.size * 2 < root.size:
            break
        here = top
    if root.files == 1:
        return f"its {human_bytes(root.size)} are one file, /{here.path}"
    whole = f"{human_bytes(root.size)} in {count(root.files, 'file')}"
    if here is root:
        return f"{whole}, no folder with more than half"
    share = "all" if here.size == root.size else human_share(here.size, root.size)
    return f"{share} of its {whole} {'is below' if here.inside else 'is'} /{here.path}"


def _deepest(root: _Folder) -> list[_Folder]:
    """Return the folders and files to list: each folder opened up while one thing in it has most of it."""
    found: list[_Folder] = []
    waiting = list(root.inside.values())
    while waiting:
        one = waiting.pop()
        if (
            one.inside
            and max(child.size for child in one.inside.values()) * 2 > one.size
            and len(found) < 200
        ):
            waiting += one.inside.values()
        else:
            found.append(one)
    return sorted(found, key=lambda one: (-one.size, one.path))
