"""A chart that also reads as a sentence and a table, and the look all charts share."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dockerlab.printable import escape, printable
from dockerlab.units import human_bytes, human_seconds

if TYPE_CHECKING:
    import plotly.graph_objects as go

PLOTLY = "application/vnd.plotly.v1+json"

# Okabe and Ito's colours, told apart with any colour vision. Orange, sky and yellow are under 3:1 on white,
# so every mark has an outline, and no meaning hangs on colour alone: there is a label or a pattern beside
# it.
BLUE, GREEN, VERMILLION = "#0072B2", "#009E73", "#D55E00"
ORANGE, PURPLE, SKY = "#E69F00", "#CC79A7", "#56B4E9"
GREY = "#9A9A9A"
SERIES = (ORANGE, BLUE, GREEN, PURPLE, SKY, VERMILLION)

OUTLINE = "#6E6E6E"
GRID = "rgba(128,128,128,0.28)"
NEUTRAL = "#757575"  # readable on white and on JupyterLab's dark background, where a theme gives no colour
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif"
CHARACTER = 6.7  # pixels an average character of the 12 px labels takes, rounded up
NARROW = 700  # the narrowest width, in pixels, that nothing may be cut off at
_MOST_TICKS = 5
_CLOCK = (30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10800, 21600)  # steps in seconds that clocks know
_UNIT_SPACE = re.compile(r"(?<=\d) (?=(?:B|kB|MB|GB|TB|ms|s|min|h|%)(?:\b|(?<=%)))")
_DOT = " · "  # between the parts of a note
TITLE_WIDTH = 78  # characters of a title line at that width

_TONES = {
    "strong": "--jp-content-font-color0, var(--vscode-editor-foreground, #6b6b6b)",
    "plain": "--jp-content-font-color1, var(--vscode-editor-foreground, #757575)",
    "quiet": "--jp-content-font-color2, var(--vscode-descriptionForeground, #7d7d7d)",
}


@dataclass(frozen=True)
class Picture:
    """A chart, the finding in it as a sentence, and its numbers as a table.

    Notebooks show the chart where plotly can be drawn, and else the sentence and the table. `spec` is the
    plotly figure as plain lists and dicts; the same input gives the same JSON. `data` is what was drawn.
    """

    title: str
    summary: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    spec: Mapping[str, Any] = field(repr=False)
    right: Collection[str] = ()  # the columns that hold numbers
    data: Any = field(default=None, repr=False)

    @property
    def figure(self) -> go.Figure:
        """Return a plotly figure to change or to save. Needs plotly (part of dockerlab[course])."""
        import plotly.graph_objects as go

        return go.Figure(dict(self.spec, layout={**self.spec["layout"], "template": "none"}))

    def html(self) -> str:
        """Return the sentence and the table, in HTML that needs neither scripts nor style sheets."""
        head = "".join(self._cell("th", name, name) for name in self.columns)
        body = "".join(
            f"<tr>{''.join(self._cell('td', *pair) for pair in zip(self.columns, row, strict=True))}</tr>"
            for row in self.rows
        )
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if self.rows else ""
        return f"<div><p>{escape(self.summary)}</p>{table}</div>"

    def text(self) -> str:
        """Return the sentence and the table as plain text."""
        lines = [printable(self.summary)]
        if self.rows:
            table = [tuple(map(printable, line)) for line in (self.columns, *self.rows)]
            widths = [max(len(line[i]) for line in table) for i in range(len(self.columns))]
            for line in table:
                cells = zip(self.columns, line, widths, strict=True)
                shown = (t.rjust(w) if name in self.right else t.ljust(w) for name, t, w in cells)
                lines.append("  ".join(shown).rstrip())
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text()

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return {"text/plain": self.text(), "text/html": self.html(), PLOTLY: dict(self.spec)}

    def _cell(self, tag: str, column: str, text: str) -> str:
        side = "right" if column in self.right else "left"
        scope = ' scope="col"' if tag == "th" else ""
        return f'<{tag}{scope} style="text-align:{side}">{escape(text)}</{tag}>'


def ink(text: str, tone: str = "plain", *, size: int | None = None, bold: bool = False) -> str:
    """Return escaped text for plotly in the theme's own ink.

    Plotly takes no CSS variable as a colour, but it hands a span's style to the browser as it is: so the
    letters follow the light or dark theme of JupyterLab and VS Code, also when it changes while the chart
    is shown.
    """
    style = f"color:var({_TONES[tone]})"
    if size:
        style += f";font-size:{size}px"
    shown = "<br>".join(plain(line) for line in text.split("\n"))
    return f'<span style="{style}">{f"<b>{shown}</b>" if bold else shown}</span>'


def plain(text: str) -> str:
    """Return text so that plotly shows its `<`, `>` and `&` instead of reading them as markup."""
    return printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def clip(text: str, width: int) -> str:
    """Cut text to `width` characters, out of its middle: an instruction's end tells as much as its start."""
    text = printable(text)
    if len(text) <= width:
        return text
    head = (width - 1) * 3 // 5
    return f"{text[:head].rstrip()}…{text[len(text) - (width - 1 - head) :].lstrip()}"


def pixels(text: str) -> float:
    """Return about how wide a 12 px label is; some characters take more room than the others."""
    return (len(text) + 0.3 * sum(text.count(wide) for wide in "=@%…mwMW")) * CHARACTER


def hover(*lines: str) -> str:
    """Return the text of a hover box: long lines wrapped to at most eight, markup shown as it is."""
    shown: list[str] = []
    for line in lines:
        wrapped = textwrap.wrap(printable(line), 72, break_on_hyphens=False) or [""]
        shown += [*wrapped[:8], "…"] if len(wrapped) > 8 else wrapped
    return "<br>".join(plain(line) for line in shown)


def sentence(text: str) -> str:
    """Return text as a sentence: first letter as it is, one full stop at the end."""
    return text.rstrip(".") + "."


def byte_ticks(largest: float) -> tuple[list[float], list[str]]:
    """Return round positions from 0 to `largest` bytes, and their labels."""
    return _ticks(largest, max(_nice_step(largest / _MOST_TICKS), 1), human_bytes)


def second_ticks(largest: float) -> tuple[list[float], list[str]]:
    """Return round positions from 0 to `largest` seconds, and their labels."""
    raw = largest / _MOST_TICKS
    step = (
        _nice_step(raw)
        if raw <= 20
        else next((one for one in _CLOCK if one >= raw), _nice_step(raw / 3600) * 3600)
    )
    return _ticks(largest, max(step, 0.001), human_seconds)


def _ticks(largest: float, step: float, label: Callable[[float], str]) -> tuple[list[float], list[str]]:
    """Return the multiples of `step`, without one so near the end of the axis that its label would be cut."""
    places: list[float] = [round(step * i, 6) for i in range(int(largest / step) + 1)]
    if len(places) > 2 and places[-1] > 0.97 * largest:
        places.pop()
    return places, [ink(_round(label(place)), "quiet") for place in places]


def _nice_step(raw: float) -> float:
    """Return the smallest of 1, 2 and 5 times a power of ten that is not below `raw`."""
    power = 10.0 ** math.floor(math.log10(max(raw, 1e-9)))
    return next((power * factor for factor in (1, 2, 5) if power * factor >= raw * 0.999999), power * 10)


def _round(label: str) -> str:
    """Drop zeros after the point: '20.0 MB' is '20 MB'."""
    return re.sub(r"\.?0+(?= )", "", label) if "." in label else label


def heading(title: str, note: str) -> tuple[str, int]:
    """Return the finding in bold with the note small below it, and the height they take in pixels."""
    finding = textwrap.wrap(_UNIT_SPACE.sub("\u00a0", title), TITLE_WIDTH, break_on_hyphens=False)
    below = _note_lines(note, TITLE_WIDTH + 20)
    parts = [ink(line, "strong", size=15, bold=True) for line in finding]
    parts += [ink(line, "quiet", size=12) for line in below]
    return "<br>".join(parts), 20 + 20 * (len(finding) + len(below))


def _note_lines(note: str, width: int) -> list[str]:
    """Wrap a note whose parts have a dot between them: between two parts, if that is enough."""
    lines: list[str] = []
    for part in note.split(_DOT):
        if lines and len(lines[-1]) + len(_DOT) + len(part) <= width:
            lines[-1] += f"{_DOT}{part}"
        else:
            lines.append(part)
    return [piece for line in lines for piece in textwrap.wrap(line, width, break_on_hyphens=False)]


def layout(
    title: str, note: str, *, plot_height: int, left: int, bottom: int = 56, above: int = 0
) -> dict[str, Any]:
    """Return the layout all charts start from: transparent, in the theme's ink.

    Pixels: `plot_height` for the drawing itself, `above` it for a legend, `left` and `bottom` for axis
    labels.
    """
    text, top = heading(title, note)
    top += above
    height = top + plot_height + bottom
    return {
        "title": {
            "text": text,
            "x": 0,
            "xref": "container",
            "xanchor": "left",
            "y": 1 - 21 / height,
            "yref": "container",
            "yanchor": "top",
            "pad": {"l": 8},
            "font": {"size": 15, "color": NEUTRAL},
        },
        "height": height,
        "autosize": True,
        "margin": {"l": left, "r": 26, "t": top, "b": bottom, "pad": 0},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 12, "color": NEUTRAL},
        "hoverlabel": {
            "bgcolor": "#262626",
            "bordercolor": "#8C8C8C",
            "font": {"color": "#F5F5F5", "family": FONT, "size": 12},
            "align": "left",
        },
        "hovermode": "closest",
        "dragmode": False,
        "showlegend": False,
    }


def spec(data: list[dict[str, Any]], layout_: dict[str, Any]) -> dict[str, Any]:
    """Put traces and layout together as the plotly mime type wants them.

    Not `responsive`: in JupyterLab that gives the chart its cell's height, which is next to none.
    """
    return {
        "data": data,
        "layout": layout_,
        "config": {"displaylogo": False, "displayModeBar": False},
    }


def axis() -> dict[str, Any]:
    """Return an axis with quiet lines that does not zoom."""
    return {
        "fixedrange": True,
        "showline": False,
        "zeroline": False,
        "gridcolor": GRID,
        "ticks": "",
        "automargin": False,
    }
