"""Rows of horizontal bars with their labels beside them: what several charts are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dockerlab.charts.picture import NARROW, OUTLINE, axis, byte_ticks, clip, ink, pixels

ROW_HEIGHT = 27
MOST_LABELLED = 32  # with more rows the bars get thin, and only the largest are labelled
THIN_HEIGHT = 720  # pixels that many thin rows share
LABEL_CHARACTERS = 44
_LABEL_GAP = 17  # pixels between labels in thin rows
_MOST_TIMES = 8  # a base this many times the largest layer on it is drawn cut short
_LEGEND_LINE = 22  # pixels
_GLYPHS = {"": "■", "/": "▨", "\\": "▧", "x": "▩", "+": "▦", "-": "▤"}  # look like the patterns
_VISIBLE = 0.006  # a bar below this share of the axis gets a mark, so that it can be seen and pointed at


@dataclass(frozen=True)
class Segment:
    """One piece of a bar. `size` is in the axis' unit: bytes or seconds."""

    size: float
    colour: str
    pattern: str = ""  # plotly's marker.pattern.shape


@dataclass(frozen=True)
class Bar:
    """One row: a name on the left, segments from `start` on, a label at their end."""

    name: str
    label: str
    hover: str
    segments: tuple[Segment, ...]
    lead: str = ""  # bold start of the name: "line 3"
    heading: bool = False  # a row that names the rows below it, and has no bar
    keep: bool = False  # keep its label even among many rows
    start: float = 0

    @property
    def size(self) -> float:
        """The length of all segments."""
        return sum(segment.size for segment in self.segments)

    @property
    def end(self) -> float:
        """Where the last segment ends."""
        return self.start + self.size


@dataclass
class Rows:
    """Bars, top row first, as plotly traces and axes."""

    bars: Sequence[Bar]
    axis_title: str
    ticks: Callable[[float], tuple[list[float], list[str]]] = byte_ticks
    left: int = field(init=False)
    height: int = field(init=False)
    many: bool = field(init=False)

    def __post_init__(self) -> None:
        self.many = len(self.bars) > MOST_LABELLED
        self.height = THIN_HEIGHT if self.many else max(ROW_HEIGHT * len(self.bars), 54)
        names = [
            pixels(bar.lead + "  " * bool(bar.lead) + _shown(bar)) for bar in self.bars if not bar.heading
        ]
        self.left = int(max(names, default=0)) + 22

    def traces(self) -> list[dict[str, Any]]:
        """Return one bar trace per kind of segment, the marks on bars too small to see, and the labels."""
        limit = self._limit()
        shown = self._labelled()
        kinds = dict.fromkeys((seg.colour, seg.pattern) for bar in self.bars for seg in bar.segments)
        traces = [self._bar_trace(colour, pattern) for colour, pattern in kinds]
        tiny = [i for i, bar in enumerate(self.bars) if not bar.heading and bar.size < limit * _VISIBLE]
        if tiny:
            traces.append(self._marks(tiny))
        traces.append(
            {
                "type": "scatter",
                "mode": "text",
                "x": [self.bars[i].end for i in shown],
                "y": [self._y(i) for i in shown],
                "text": [f"&nbsp;&nbsp;{ink(self.bars[i].label)}" for i in shown],
                "textposition": "middle right",
                "hoverinfo": "skip",
                "cliponaxis": False,
            }
        )
        return traces

    def axes(self) -> dict[str, Any]:
        """Return both axes."""
        limit = self._limit()
        places, labels = self.ticks(limit)
        named = [i for i in range(len(self.bars)) if self.bars[i].heading or i in set(self._labelled())]
        return {
            "barmode": "stack",
            "bargap": self._gap,
            "xaxis": {
                **axis(),
                "range": [0, limit],
                "tickmode": "array",
                "tickvals": places,
                "ticktext": labels,
                "title": {"text": ink(self.axis_title, "quiet"), "standoff": 10, "font": {"size": 12}},
            },
            "yaxis": {
                **axis(),
                "showgrid": False,
                "range": [-len(self.bars) + 0.5, 0.5],
                "tickmode": "array",
                "tickvals": [self._y(i) for i in named if not self.bars[i].heading],
                "ticktext": [self._tick(self.bars[i]) for i in named if not self.bars[i].heading],
            },
            "annotations": [self._heading(i) for i, bar in enumerate(self.bars) if bar.heading],
        }

    @property
    def _gap(self) -> float:
        """Return the part of a row's height that is left free between bars."""
        return 0.12 if self.many else 0.34

    def _y(self, index: int) -> int:
        return -index

    def _bar_trace(self, colour: str, pattern: str) -> dict[str, Any]:
        sizes = [
            sum(seg.size for seg in bar.segments if (seg.colour, seg.pattern) == (colour, pattern))
            for bar in self.bars
        ]
        rows = [i for i, size in enumerate(sizes) if size]
        shifted = {"base": [self.bars[i].start for i in rows]} if any(bar.start for bar in self.bars) else {}
        return {
            "type": "bar",
            "orientation": "h",
            **shifted,
            "x": [sizes[i] for i in rows],
            "y": [self._y(i) for i in rows],
            # Given, since plotly would make bars with empty rows between them thicker than the others.
            "width": 1 - self._gap,
            "marker": marker(colour, pattern, outline=0.4 if self.many else 1),
            "hovertext": [self.bars[i].hover for i in rows],
            "hoverinfo": "text",
        }

    def _marks(self, rows: Sequence[int]) -> dict[str, Any]:
        return {
            "type": "scatter",
            "mode": "markers",
            "x": [self.bars[i].end for i in rows],
            "y": [self._y(i) for i in rows],
            "marker": {
                "symbol": "line-ns",
                "size": 5 if self.many else 15,
                "line": {"width": 3, "color": [self._mark_colour(self.bars[i]) for i in rows]},
            },
            "hovertext": [self.bars[i].hover for i in rows],
            "hoverinfo": "text",
            "cliponaxis": False,
        }

    def _mark_colour(self, bar: Bar) -> str:
        return bar.segments[0].colour if bar.segments else OUTLINE

    def _tick(self, bar: Bar) -> str:
        lead = f"{ink(bar.lead, 'quiet')}&nbsp; " if bar.lead else ""
        return f"{lead}{ink(_shown(bar))}&nbsp;&nbsp;"

    def _heading(self, index: int) -> dict[str, Any]:
        bar = self.bars[index]
        return {
            "text": f"{ink(bar.name, 'strong', bold=True)}&nbsp; {ink(bar.label)}",
            "x": 0,
            "xref": "paper",
            "xanchor": "left",
            "xshift": 8 - self.left,
            "y": self._y(index),
            "yanchor": "middle",
            "showarrow": False,
            "align": "left",
        }

    def _labelled(self) -> list[int]:
        """Return the rows that get labels: all, or the largest that keep out of each other's way."""
        rows = [i for i, bar in enumerate(self.bars) if not bar.heading]
        if not self.many:
            return rows
        apart = _LABEL_GAP * len(self.bars) / self.height
        chosen: list[int] = []
        for i in sorted(rows, key=lambda i: (not self.bars[i].keep, -self.bars[i].size, i)):
            if all(abs(i - other) >= apart for other in chosen):
                chosen.append(i)
        return sorted(chosen)

    def _limit(self) -> float:
        """Return where the axis ends, so that each bar and the label behind it fit at the narrowest width."""
        room = NARROW - self.left - 26.0
        needed = [
            bar.end * room / max(room - pixels(bar.label) - 14, 60) for bar in self.bars if not bar.heading
        ]
        return max(needed, default=0) or 1.0


def marker(colour: str, pattern: str = "", *, outline: float = 1) -> dict[str, Any]:
    """Return a bar's look: outlined, and patterned where a pattern is given."""
    look: dict[str, Any] = {"color": colour, "line": {"color": OUTLINE, "width": outline}}
    if pattern:
        look["pattern"] = {
            "shape": pattern,
            "fgcolor": "#1A1A1A",
            "fillmode": "overlay",
            "size": 7,
            "solidity": 0.22,
        }
    return look


def cut_short(bar: Bar, largest: float) -> Bar:
    """Return a bar not much longer than the `largest` other one; if that cuts it, its label says so.

    A base many times the size of all that is built on it would leave nothing to see of the rest.
    """
    if not largest or bar.size <= _MOST_TIMES * largest:
        return bar
    factor = 1.3 * largest / bar.size
    pieces = tuple(replace(segment, size=segment.size * factor) for segment in bar.segments)
    return replace(bar, segments=pieces, label=f"{bar.label} (bar cut short)")


@dataclass(frozen=True)
class Legend:
    """What colours and patterns mean, as lines of text above the drawing: text, colour, pattern."""

    entries: Sequence[tuple[str, str, str]]

    @property
    def height(self) -> int:
        """Pixels it takes."""
        return _LEGEND_LINE * len(self._lines())

    def annotations(self, *, left: int) -> list[dict[str, Any]]:
        """Return the lines, for a drawing whose left margin is `left` pixels."""
        lines = self._lines()
        return [
            {
                "text": "&nbsp;&nbsp;&nbsp; ".join(f"{_swatch(entry)} {ink(entry[0])}" for entry in line),
                "x": 0,
                "xref": "paper",
                "xanchor": "left",
                "xshift": 8 - left,
                "y": 1,
                "yref": "paper",
                "yanchor": "bottom",
                "yshift": 4 + _LEGEND_LINE * (len(lines) - 1 - i),
                "showarrow": False,
                "align": "left",
            }
            for i, line in enumerate(lines)
        ]

    def _lines(self) -> list[list[tuple[str, str, str]]]:
        lines: list[list[tuple[str, str, str]]] = []
        used = float(NARROW)
        for entry in self.entries:
            width = pixels(entry[0]) + 44
            if used + width > NARROW - 10:
                lines.append([])
                used = 0
            lines[-1].append(entry)
            used += width
        return lines


def _swatch(entry: tuple[str, str, str]) -> str:
    _, colour, pattern = entry
    return f'<span style="color:{colour};font-size:15px">{_GLYPHS[pattern]}</span>'


def _shown(bar: Bar) -> str:
    """Return the part of a row's name that there is room for."""
    return clip(bar.name, LABEL_CHARACTERS - len(bar.lead) - 2)
