"""The stack of an image's layers, and two stacks side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from dockerlab.analysis.history import Row, Subject, base_name_of, image_of, layer_rows, name_of, stand_in_of
from dockerlab.charts.bars import MOST_LABELLED, Bar, Rows, Segment, cut_short
from dockerlab.charts.picture import BLUE, GREY, SERIES, Picture, hover, layout, sentence, spec
from dockerlab.engines.results import Build
from dockerlab.image.image import Layer
from dockerlab.units import count, human_bytes

UNPACKED = "file content, unpacked bytes"
_COLUMNS = ("layer", "from", "instruction", "unpacked", "tar")
_BIG = 0.6  # a layer with this share of the bytes is the finding


def layer_stack(subject: Subject, *, engine: str | None = None) -> Picture:
    """Draw the layers of an image or a build, its base as one grey bar at the bottom. Unpacked bytes.

    `engine` names what built an Image that comes without its Build.
    """
    made = layer_rows(subject)
    image = image_of(subject)
    own = [row for row in made if not row.base]
    base = [row for row in made if row.base]
    bars = [_layer_bar(row, image.layers, BLUE) for row in reversed(own)]
    if base:
        bars.append(cut_short(_base_bar(subject, base), max((bar.size for bar in bars), default=0)))
    rows = Rows(bars, UNPACKED)
    finding = _finding(own, image.layers)
    title = _stack_title(subject, own, base) + (f"; {finding}" if finding else "")
    built = made_by(subject, engine=engine)
    note = " · ".join(part for part in (built, "lowest layer at the bottom") if part)
    summary = title + _base_clause(subject, base) + (f" (built by {built})" if built else "")
    return Picture(
        title=title,
        summary=sentence(summary),
        columns=_COLUMNS,
        rows=tuple(_table_row(row, image.layers) for row in made),
        right=("layer", "unpacked", "tar"),
        data=made,
        spec=spec(
            rows.traces(),
            layout(title, note, plot_height=rows.height, left=rows.left) | rows.axes(),
        ),
    )


def compare(a: Subject, b: Subject, *more: Subject, engine: str | None = None) -> Picture:
    """Draw the layers that each of several builds or images adds, on one scale. Sizes: unpacked bytes.

    Bases are left out when all have the same; otherwise each is drawn, and counts. `engine` names what
    built Images that come without their Build.
    """
    subjects = (a, b, *more)
    names = _names(subjects)
    same_base = (
        len({tuple(row.diff_id for row in layer_rows(subject) if row.base) for subject in subjects}) == 1
    )
    bars: list[Bar] = []
    table: list[tuple[str, ...]] = []
    counted: list[tuple[int, int]] = []
    for number, (subject, name) in enumerate(zip(subjects, names, strict=True)):
        image = image_of(subject)
        made = layer_rows(subject)
        own = [row for row in made if not row.base]
        shown = own if same_base else list(made)
        size = sum(row.size_unpacked for row in shown)
        counted.append((size, len(shown)))
        bars.append(Bar(name, f"{human_bytes(size)} in {count(len(shown), 'layer')}", "", (), heading=True))
        bars += _stacked(
            own, image.layers, SERIES[number % len(SERIES)], most=MOST_LABELLED // len(subjects) - 2
        )
        if not same_base and len(own) < len(made):
            bars.append(_base_bar(subject, [row for row in made if row.base]))
        table += [(name, *_table_row(row, image.layers)) for row in shown]
    rows = Rows(bars, UNPACKED)
    title = _difference(names, counted)
    built = made_by(*subjects, engine=engine)
    scope = "base left out" if same_base and _has_base(a) else "all layers"
    note = " · ".join(part for part in (built, scope, "lowest layer last") if part)
    sums = "; ".join(
        f"{name}: {human_bytes(size)} in {count(layers, 'layer')}"
        for name, (size, layers) in zip(names, counted, strict=True)
    )
    return Picture(
        title=title,
        summary=sentence(f"{title} ({sums}; {scope}{f'; built by {built}' if built else ''})"),
        columns=("image", *_COLUMNS),
        rows=tuple(table),
        right=("layer", "unpacked", "tar"),
        data=tuple(layer_rows(subject) for subject in subjects),
        spec=spec(
            rows.traces(),
            layout(title, note, plot_height=rows.height, left=rows.left) | rows.axes(),
        ),
    )


def made_by(*subjects: Subject, engine: str | None = None) -> str:
    """Return what built these, each engine once, and what their bases stand in for: every picture says it."""
    stand_ins: dict[str | None, list[str]] = {}
    for subject in subjects:
        known = stand_ins.setdefault(subject.engine if isinstance(subject, Build) else engine, [])
        if (base := stand_in_of(subject)) and base not in known:
            known.append(base)
    parts: list[str] = []
    for name, bases in stand_ins.items():
        marked = "on stand-ins for " if bases[1:] else "on a stand-in for " if bases else ""
        parts += filter(None, (name, marked + " and ".join(bases)))
    return ", ".join(parts)


def layer_hover(row: Row, layers: Sequence[Layer]) -> str:
    """Return what pointing at a layer shows: its instruction, where it is from, its bytes."""
    assert row.layer is not None
    layer = layers[row.layer - 1]
    return hover(
        row.text,
        f"{where(row)} · layer {row.layer} · {layer.diff_id.removeprefix('sha256:')[:12]}",
        f"{row.size_unpacked:,} bytes unpacked · {row.size_tar:,} bytes as a tar",
        _entries(layer),
    )


def where(row: Row) -> str:
    """Return where a row is from: 'base', 'line 3', or 'layer 2' when the Dockerfile is not at hand."""
    return "base" if row.base else row.where


def _layer_bar(row: Row, layers: Sequence[Layer], colour: str) -> Bar:
    assert row.layer is not None
    layer = layers[row.layer - 1]
    label = human_bytes(row.size_unpacked)
    if not row.size_unpacked:
        label += f", {_emptiness(layer)}"
    return Bar(
        row.text, label, layer_hover(row, layers), (Segment(row.size_unpacked, colour),), lead=where(row)
    )


def _stacked(own: Sequence[Row], layers: Sequence[Layer], colour: str, *, most: int) -> list[Bar]:
    """Return the bars of some layers, highest first; past `most` the smallest share one bar at the bottom."""
    if len(own) <= most:
        return [_layer_bar(row, layers, colour) for row in reversed(own)]
    largest = sorted(own, key=lambda row: -row.size_unpacked)[: most - 1]
    kept = {row.number for row in largest}
    rest = [row for row in own if row.number not in kept]
    size = sum(row.size_unpacked for row in rest)
    name = count(len(rest), "smaller layer")
    shown = hover(name, f"{size:,} bytes unpacked, {max(row.size_unpacked for row in rest):,} in the largest")
    bars = [_layer_bar(row, layers, colour) for row in reversed(own) if row.number in kept]
    return [*bars, Bar(name, human_bytes(size), shown, (Segment(size, colour, "."),), lead="rest")]


def _base_bar(subject: Subject, base: Sequence[Row]) -> Bar:
    size = sum(row.size_unpacked for row in base)
    name = base_name_of(subject)
    layers = count(len(base), "layer")
    shown = hover(
        f"base {name}, {layers}",
        f"{size:,} bytes unpacked · {sum(row.size_tar for row in base):,} bytes as tars",
        *(f"layer {row.layer}: {row.size_unpacked:,} bytes, {row.text}" for row in base[:6]),
        *([f"and {len(base) - 6} more"] if len(base) > 6 else []),
    )
    return Bar(
        name, f"{human_bytes(size)} in {layers}", shown, (Segment(size, GREY, "/"),), lead="base", keep=True
    )


def _emptiness(layer: Layer) -> str:
    """Say what a layer without file content holds instead."""
    if removed := _removed(layer):
        return f"removes {count(removed, 'path')}"
    kinds = Counter("folder" if entry.kind == "dir" else "entry" for entry in layer.entries)
    if not kinds:
        return "an empty layer"
    return " and ".join(
        count(number, kind, "entries" if kind == "entry" else None) for kind, number in sorted(kinds.items())
    )


def _entries(layer: Layer) -> str:
    kinds = Counter(entry.kind for entry in layer.entries)
    if not kinds:
        return "no entries"
    removed = kinds["whiteout"] + kinds["opaque"]
    parts = [count(kinds["file"], "file"), count(kinds["dir"], "folder")]
    links = kinds["symlink"] + kinds["hardlink"]
    parts += [count(links, "link")] if links else []
    return ", ".join(parts) + (f", removes {count(removed, 'path')}" if removed else "")


def _finding(own: Sequence[Row], layers: Sequence[Layer]) -> str:
    """Return the one thing to see in a stack, or ""."""
    if len(own) < 2:
        return ""
    empty = [row for row in own if not row.size_unpacked]
    removed = {row.number: _removed(layers[row.layer - 1]) for row in empty if row.layer}
    removers = [row for row in empty if removed.get(row.number)]
    if removers:
        last = max(removers, key=lambda row: removed[row.number])
        return f"{where(last)} removes {count(removed[last.number], 'path')} and frees nothing"
    total = sum(row.size_unpacked for row in own)
    largest = max(own, key=lambda row: row.size_unpacked)
    if _BIG * total <= largest.size_unpacked < total:
        return f"{where(largest)} stores {human_bytes(largest.size_unpacked)} of that"
    if empty:
        return f"{len(empty)} of them {'holds' if len(empty) == 1 else 'hold'} no file content"
    return ""


def _removed(layer: Layer) -> int:
    return sum(entry.kind in ("whiteout", "opaque") for entry in layer.entries)


def _stack_title(subject: Subject, own: Sequence[Row], base: Sequence[Row]) -> str:
    name = name_of(subject)
    if not own:
        return f"{name} adds no layer to its base" if base else f"{name} has no layers"
    size = human_bytes(sum(row.size_unpacked for row in own))
    verb = "adds" if base else "has"
    return f"{name} {verb} {count(len(own), 'layer')} with {size}"


def _base_clause(subject: Subject, base: Sequence[Row]) -> str:
    if not base:
        return ""
    size = human_bytes(sum(row.size_unpacked for row in base))
    return f"; below is the base {base_name_of(subject)} with {count(len(base), 'layer')} and {size}"


def _has_base(subject: Subject) -> bool:
    return any(row.base for row in layer_rows(subject))


def _names(subjects: Sequence[Subject]) -> list[str]:
    """Return a name for each; numbered where two are called the same."""
    names = [name_of(subject) for subject in subjects]
    repeated = {name for name, times in Counter(names).items() if times > 1}
    return [f"{name} ({i})" if name in repeated else name for i, name in enumerate(names, 1)]


def _difference(names: Sequence[str], counted: Sequence[tuple[int, int]]) -> str:
    """Say which of the builds stores least, by how much, and in how many layers more or fewer."""
    order = sorted(range(len(names)), key=lambda i: counted[i])
    low, high = order[0], order[-1]
    bytes_ = counted[high][0] - counted[low][0]
    layers = counted[high][1] - counted[low][1]
    if not bytes_:
        title = f"{_listed(names)} store the same {human_bytes(counted[0][0])}"
        return f"{title}; {names[low]} in {count(layers, 'layer')} fewer" if layers else title
    if len(names) > 2:
        return f"{names[low]} stores least: {human_bytes(bytes_)} less than {names[high]}"
    many = (
        f"{count(abs(layers), 'layer')} {'fewer' if layers > 0 else 'more'}" if layers else "as many layers"
    )
    return f"{names[low]} stores {human_bytes(bytes_)} less than {names[high]}, in {many}"


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _table_row(row: Row, layers: Sequence[Layer]) -> tuple[str, ...]:
    assert row.layer is not None
    size = human_bytes(row.size_unpacked)
    if not row.size_unpacked:
        size += f" ({_emptiness(layers[row.layer - 1])})"
    return (str(row.layer), where(row), row.text, size, human_bytes(row.size_tar))
