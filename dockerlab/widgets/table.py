"""A listing that reads well as HTML and as plain text."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dockerlab.printable import LINES, escape, printable
from dockerlab.widgets.markup import fitted, folded, table

FEW_ROWS = 8  # what may stand above a chart
FOLD_ROWS = 24  # longer tables are folded away in a notebook, the caption stays


@dataclass(frozen=True)
class Table:
    """Rows of text under a one-sentence caption.

    `right` names the columns that hold numbers, `code` those that hold code, `paths` those whose long words
    may break (after a slash, if that is enough), `prose` those in which `words in backticks` are code; all
    only change how the table looks.
    `note` is a sentence below the rows, or "". `data` is what the rows were written from. With more than
    `fold` rows a notebook has them folded away. Without `title` the caption is the line that opens them.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: Collection[str] = ()
    code: Collection[str] = ()
    note: str = ""
    paths: Collection[str] = ()
    prose: Collection[str] = ()
    fold: int = FOLD_ROWS
    title: bool = True
    data: Any = field(default=None, kw_only=True)

    def newest_first(self) -> Table:
        """Return the same table with its rows the other way round."""
        return replace(self, rows=self.rows[::-1])

    def html(self) -> str:
        """Return the table as HTML without scripts, so that any notebook viewer shows it."""
        rows = table(
            self.columns, self.rows, right=self.right, code=self.code, paths=self.paths, prose=self.prose
        )
        note = f"<div>{escape(self.note, keep=LINES)}</div>" if self.note else ""
        if not rows:
            return f"<div><b>{escape(self.caption)}</b>{note}</div>"
        if not self.title:
            return fitted(folded(self.caption, rows, opened=len(self.rows) <= self.fold), note)
        if len(self.rows) > self.fold:
            rows = folded(f"{len(self.rows)} rows", rows)
        return fitted(f"<b>{escape(self.caption)}</b>", rows, note)

    def text(self, *, width: int = 110) -> str:
        """Return the table as plain text; `code` columns are cut so that a line fits `width` characters."""
        lines = [printable(self.caption)]
        if self.rows:
            lines += _aligned(self.columns, self.rows, right=self.right, shrink=self.code, width=width)
        if self.note:
            lines.append(printable(self.note, keep=LINES))
        return "\n".join(lines)

    def __repr__(self) -> str:
        return self.text()

    def __len__(self) -> int:
        return len(self.rows)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return {"text/plain": self.text(), "text/html": self.html()}


def _aligned(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Collection[str],
    shrink: Collection[str],
    width: int,
) -> list[str]:
    table = [tuple(map(printable, line)) for line in (columns, *rows)]
    widths = [max(len(line[i]) for line in table) for i in range(len(columns))]
    spare = width - sum(widths) - 2 * (len(columns) - 1)
    for i, name in enumerate(columns):
        if spare < 0 and name in shrink:
            cut = min(-spare, max(0, widths[i] - 20))
            widths[i] -= cut
            spare += cut
    lines = []
    for line in table:
        cells = []
        for i, (name, text) in enumerate(zip(columns, line, strict=True)):
            shown = text if len(text) <= widths[i] else text[: widths[i] - 1] + "…"
            cells.append(shown.rjust(widths[i]) if name in right else shown.ljust(widths[i]))
        lines.append("  ".join(cells).rstrip())
    return lines
