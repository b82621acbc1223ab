"""A heat map as a page of its own: one HTML file without scripts, that needs no network and prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dockerlab.charts.picture import BLUE, ORANGE, VERMILLION, sentence
from dockerlab.printable import escape

# Blue against orange is told apart with any colour vision, and each cell has a mark besides. The letters on
# each are at least 4.5:1 (WCAG 1.4.3).
_STYLE = f"""
:root {{ color-scheme: light dark; --paper: #fff; --ink: #1f1f1f; --quiet: #5c5c5c; --line: #c8c8c8; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --paper: #161616; --ink: #e8e8e8; --quiet: #a8a8a8; --line: #4a4a4a; }}
}}
body {{ background: var(--paper); color: var(--ink); margin: 1.5rem; max-width: 75rem;
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", Arial, sans-serif; }}
h1 {{ font-size: 1.35rem; margin: 0 0 .25rem; }} h2 {{ font-size: 1.05rem; margin: 1.75rem 0 .25rem; }}
p {{ margin: 0 0 .75rem; }} .quiet {{ color: var(--quiet); }} li {{ overflow-wrap: anywhere; }}
.map {{ overflow-x: auto; position: relative; }}
table {{ border-collapse: separate; border-spacing: 2px; }}
th {{ font-weight: normal; text-align: left; padding: 2px 6px; vertical-align: bottom; }}
tbody th {{ min-width: 7rem; max-width: 18rem; overflow-wrap: anywhere; vertical-align: middle; }}
thead th.turned span {{ writing-mode: vertical-rl; transform: rotate(180deg); white-space: nowrap; }}
th.most {{ font-weight: bold; }}
td {{ min-width: 2.9rem; height: 1.9rem; padding: 0 4px; text-align: center; white-space: nowrap;
  font-variant-numeric: tabular-nums; box-sizing: border-box; }}
td, .key {{ print-color-adjust: exact; -webkit-print-color-adjust: exact; }}
tbody td, .key {{ border: 1px solid var(--line); border-radius: 3px; }}
tfoot td {{ color: var(--quiet); height: 1.5rem; }} tfoot th {{ color: var(--quiet); }}
td.side {{ border: 0; text-align: right; color: var(--quiet); padding: 0 8px; }}
.done {{ background: {BLUE}; color: #fff; }}
.few {{ background: #FBE3B4; color: #111; }}
.some {{ background: {ORANGE}; color: #111; }}
.many {{ background: {VERMILLION}; color: #000; }}
tbody td.many, .key.many {{ border: 2px dashed #000; }}
.none {{ color: var(--quiet); }}
.key {{ display: inline-block; min-width: 2.4rem; text-align: center; margin-right: .35rem; }}
.legend span.pair {{ margin-right: 1.25rem; white-space: nowrap; }}
.said {{ position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }}
"""
LOOKS = ("done", "few", "some", "many", "none")


@dataclass(frozen=True)
class Cell:
    """A cell: how it looks (one of LOOKS), the mark in it, and what it says in words."""

    look: str
    mark: str
    said: str


@dataclass(frozen=True)
class HeatPage:
    """What the page shows. `title` states the finding; `feet` are rows of sums below the map."""

    title: str
    note: str
    corner: str  # what the rows are
    columns: Sequence[str]
    most: Sequence[str]  # the columns that the title is about
    rows: Sequence[tuple[str, Sequence[Cell]]]
    sides: tuple[str, Sequence[str]]  # a last column of text: its head, and a text for each row
    feet: Sequence[tuple[str, Sequence[str]]]
    legend: Sequence[tuple[Cell, str]]
    remarks: tuple[str, Sequence[str]]  # a heading and sentences; nothing is shown where there are none

    def html(self) -> str:
        """Return the page."""
        heads = "".join(
            f'<th scope="col" class="turned{" most" if name in self.most else ""}">'
            f"<span>{escape(name)}</span></th>"
            for name in self.columns
        )
        side, texts = self.sides
        body = "".join(
            f'<tr><th scope="row">{escape(name)}</th>{"".join(map(_cell, cells))}'
            f'<td class="side">{escape(text)}</td></tr>'
            for (name, cells), text in zip(self.rows, texts, strict=True)
        )
        feet = "".join(
            f'<tr><th scope="row">{escape(name)}</th>'
            f"{''.join(f'<td>{escape(text)}</td>' for text in sums)}<td></td></tr>"
            for name, sums in self.feet
        )
        legend = "".join(
            f'<span class="pair"><span class="key {key.look}" aria-hidden="true">{escape(key.mark)}</span>'
            f"{escape(text)}</span>"
            for key, text in self.legend
        )
        heading, sentences = self.remarks
        listed = "".join(f"<li>{escape(text)}</li>" for text in sentences)
        remarks = f"<h2>{escape(heading)}</h2><ul>{listed}</ul>" if sentences else ""
        title = escape(sentence(self.title))
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src '
            "'unsafe-inline'\">"
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{title}</title><style>{_STYLE}</style></head>\n<body><main><h1>{title}</h1>"
            f'<p class="quiet">{escape(self.note)}</p><p class="legend">{legend}</p>\n'
            f'<div class="map" role="region" aria-label="Heat map" tabindex="0"><table><thead><tr>'
            f'<th scope="col">{escape(self.corner)}</th>{heads}<th scope="col">{escape(side)}</th></tr>'
            f"</thead>\n<tbody>{body}</tbody>\n<tfoot>{feet}</tfoot></table></div>\n{remarks}</main></body></html>\n"
        )


def _cell(cell: Cell) -> str:
    said = escape(cell.said)
    return (
        f'<td class="{cell.look}" title="{said}"><span aria-hidden="true">{escape(cell.mark)}</span>'
        f'<span class="said">{said}</span></td>'
    )
