"""HTML that fits any width: a style sheet, tables that turn into lists where it is narrow, and folds."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from dockerlab.printable import LINES, escape

MOST_LINES = 24  # of a text; more are folded away
_FIRST_LINES = 12  # of a folded text, that stay in sight
_LAST_LINES = 1000  # what is folded away ends here: a notebook is no place for all files of an image
_SCREENFUL = 600  # characters that are seen without scrolling, however narrow it is
_MANY_COLUMNS = 6  # with as many a table turns into a list on half a screen
_UNIT_SPACE = re.compile(r"(?<=\d) (?=(?:B|kB|MB|GB|TB|ms|s|min|h|%)(?:\b|(?<=%)))")
_BACKTICKS = re.compile("`([^`]+)`")

# The ink is that of the page around: JupyterLab's variables, or VS Code's, or what its letters inherit. Each
# edge that carries a meaning is at least 3:1 on white and on the dark themes' #111 to #212121 (WCAG 1.4.11).
EDGE = "#7a7a7a"


def _as_list(selector: str) -> str:
    """Return the rules that show a table as a list: a block for each row, a line for each cell."""
    table = f".dl-out {selector}"
    return f"""
  {table}, {table} :is(tbody, tr, td) {{ display: block; }}
  {table} thead {{ position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }}
  {table} tr {{ border-top: 1px solid {EDGE}; padding: 3px 4px; }}
  {table} td {{ padding: 0; text-align: left !important; white-space: normal !important; min-width: 0; }}
  {table} td:empty {{ display: none; }}
  {table} td[data-name]:not([data-name=""])::before {{ content: attr(data-name) ": "; opacity: .8; }}
"""


STYLE = f"""<style>
.dl-out {{ container-type: inline-size; line-height: 1.4; margin: 0; overflow-wrap: break-word; }}
.dl-out table {{ table-layout: auto; width: auto; max-width: 100%; margin: 2px 0 4px; font-size: 12px;
  border-collapse: collapse; }}
.dl-out :is(td, th) {{ padding: 2px 8px; vertical-align: top; line-height: 1.4; }}
.dl-out :is(code, pre) {{ font-size: 12px; overflow-wrap: anywhere; white-space: pre-wrap;
  word-break: normal; }}
.dl-out pre {{ margin: 2px 0; max-height: 26em; overflow: hidden auto; }}
.dl-out summary {{ cursor: pointer; padding: 1px 0; }}
.dl-out summary:focus-visible {{ outline: 2px solid var(--jp-brand-color1, #0072b2); outline-offset: 1px; }}
@container (max-width: 619px) {{{_as_list("table.dl-many")}}}
@container (max-width: 439px) {{{_as_list("table")}}}
</style>"""


def text_of(sentence: str) -> str:
    """Return a sentence as HTML in which no line ends between a number and its unit."""
    return _UNIT_SPACE.sub("\u00a0", escape(sentence))


def fitted(*parts: str, tag: str = "div", classes: Sequence[str] = ()) -> str:
    """Return an output of these parts of HTML, with the style sheet they need."""
    shown = " ".join(("dl-out", *classes))
    return f'<{tag} class="{shown}">{STYLE}{"".join(parts)}</{tag}>'


def folded(summary: str, content: str, *, opened: bool = False) -> str:
    """Return HTML folded away below a line of text.

    JupyterLab takes Enter and the arrows for itself wherever the focus is, but in what says that it may not.
    """
    state = " open" if opened else ""
    return (
        f'<details{state} data-lm-suppress-shortcuts="true"><summary>{escape(summary)}</summary>'
        f"{content}</details>"
    )


def lines_of(text: str) -> str:
    """Return a text of several lines; of a long one the first lines, and more of it folded away."""
    lines = text.rstrip("\n").split("\n")
    if len(lines) <= MOST_LINES:
        return _pre(lines)
    rest = lines[_FIRST_LINES:]
    cut = f"<p>{len(rest) - _LAST_LINES:,} more lines are not shown.</p>" if len(rest) > _LAST_LINES else ""
    return _pre(lines[:_FIRST_LINES]) + folded(f"{len(rest):,} more lines", _pre(rest[:_LAST_LINES]) + cut)


def _pre(lines: Sequence[str]) -> str:
    text = "\n".join(lines)
    scrolls = ' tabindex="0"' if len(text) > _SCREENFUL else ""  # then the keys must reach it
    return f"<pre{scrolls}>{escape(text, keep=LINES)}</pre>"


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Collection[str] = (),
    code: Collection[str] = (),
    paths: Collection[str] = (),
    prose: Collection[str] = (),
) -> str:
    """Return rows of text as an HTML table; "" without rows. What the names of columns mean: `Table`."""

    def cell(tag: str, name: str, text: str) -> str:
        style = "text-align:right;white-space:nowrap" if name in right and tag == "td" else "text-align:left"
        style = "text-align:right" if name in right and tag == "th" else style
        shown = escape(text)
        if name in paths:
            style += ";overflow-wrap:anywhere"
            shown = shown.replace("/", "/<wbr>")
        if name in code and tag == "td" and text:
            shown = f"<code>{shown}</code>"
        if name in prose:
            shown = _BACKTICKS.sub(r"<code>\1</code>", shown)
        named = ' scope="col"' if tag == "th" else f' data-name="{escape(name)}"'
        return f'<{tag}{named} style="{style}">{shown}</{tag}>'

    return table_of(
        [cell("th", name, name) for name in columns],
        [[cell("td", *pair) for pair in zip(columns, row, strict=True)] for row in rows],
    )


def table_of(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of cells that are HTML already; a `td` tells its column in `data-name`."""
    if not rows:
        return ""
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    many = ' class="dl-many"' if len(head) >= _MANY_COLUMNS else ""
    return f"<table{many}><thead><tr>{''.join(head)}</tr></thead><tbody>{body}</tbody></table>"
