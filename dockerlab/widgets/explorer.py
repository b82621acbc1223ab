"""The explorer's controls: all of them native ones that Tab reaches, arrows move and Enter presses."""

from __future__ import annotations

from typing import Any

from dockerlab.printable import escape
from dockerlab.units import human_bytes
from dockerlab.widgets.controls import box, labelled, row, spoken, view
from dockerlab.widgets.explorer_model import ExplorerLine, ExplorerModel
from dockerlab.widgets.markup import fitted, lines_of
from dockerlab.widgets.prediction import buttons_wanted

ROWS = 14  # lines of the list that are seen at once
_HEAD = "Changed paths: bytes stored, bytes removed, path"
_SIDE = "1 1 20em"  # two controls side by side, below each other where it is narrow
_NBSP = "\u00a0"


class Explorer(ExplorerModel):
    """An image's layers to look into, with controls where there is a front end: the last line of a cell."""

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        bundle = super()._repr_mimebundle_()
        if buttons_wanted():
            bundle["application/vnd.jupyter.widget-view+json"] = view(_Card(self).widget)
        return bundle


class _Card:
    def __init__(self, explorer: ExplorerModel) -> None:
        import ipywidgets

        self.explorer = explorer
        state = explorer.state
        wide = ipywidgets.Layout(width="auto")
        layers = [
            (f"{one.layer}  {human_bytes(one.size_unpacked)}  {_where(one)}{one.text}"[:110], one.layer)
            for one in explorer.rows
        ]
        self.layer = ipywidgets.Dropdown(options=layers, value=state.layer, layout=wide)
        known = explorer.comparisons()
        self.against = ipywidgets.Dropdown(options=known, value=state.against, layout=wide)
        self.find = ipywidgets.Text(
            value=state.pattern, placeholder="part of a path, or *.glob; Enter", layout=wide
        )
        self.find.continuous_update = False
        self.order = ipywidgets.Dropdown(
            options=[("most bytes first", "size"), ("name", "name")], value=state.order, layout=wide
        )
        self.list = ipywidgets.Select(rows=ROWS, layout=ipywidgets.Layout(width="auto", height="auto"))
        self.list.add_class("dockerlab-list")
        self.button = ipywidgets.Button(
            description="Open",
            tooltip="Open or close the chosen folder",
            layout=ipywidgets.Layout(width="6em"),
        )
        self.button.add_class("dockerlab-open")
        self.said = spoken()
        self.pane = ipywidgets.HTML(layout=wide)
        hint = ipywidgets.HTML(
            "<small>+ added, ~ changed, - removed. Arrows choose, Enter opens and closes.</small>",
            layout=wide,
        )
        half = ipywidgets.Layout(flex="1 1 32em", min_width="0", overflow="visible")
        left = ipywidgets.VBox([labelled(_HEAD, self.list), row(self.button, hint)], layout=half)
        right = ipywidgets.VBox([self.pane], layout=half)
        self.widget = box(
            row(
                labelled("Layer", self.layer, flex=_SIDE), labelled("Compared with", self.against, flex=_SIDE)
            ),
            row(labelled("Find", self.find, flex=_SIDE), labelled("Order", self.order, flex=_SIDE)),
            self.said,
            row(left, right),
        )
        self._lines: list[ExplorerLine] = []
        self._filling = False
        self.refresh()
        self.layer.observe(self._chose, "value")
        self.against.observe(self._chose, "value")
        self.find.observe(self._chose, "value")
        self.order.observe(self._chose, "value")
        self.list.observe(self._selected, "index")
        self.button.on_click(self._opened)

    def refresh(self) -> None:
        """Show the state."""
        state = self.explorer.state
        self._lines = self.explorer.lines()
        keys = [line.key for line in self._lines]
        self._filling = True
        try:
            with self.list.hold_sync():
                # The index is the value: two paths that read alike are still two lines.
                self.list.options = [
                    (line.label.replace(" ", _NBSP), i) for i, line in enumerate(self._lines)
                ]
                self.list.index = (
                    keys.index(state.selected) if state.selected in keys else (0 if keys else None)
                )
        finally:
            self._filling = False
        pattern = f' "{escape(state.pattern)}": {len(self._lines)} lines.' if state.pattern else ""
        self.said.value = f"{escape(self.explorer.said())}{pattern}"
        self._show()

    def _chose(self, _: object) -> None:
        state = self.explorer.state
        if (state.layer, state.against) != (self.layer.value, self.against.value):
            state.pages.clear()
        if state.pattern != self.find.value:
            state.pages.pop("\0", None)
        state.layer, state.against = self.layer.value, self.against.value
        state.pattern, state.order = self.find.value, self.order.value
        self.refresh()

    def _selected(self, _: object) -> None:
        if not self._filling:
            self._show()

    def _opened(self, _: object) -> None:
        line = self._line()
        if line is None or not line.opens:
            return
        at = self.list.index
        self.explorer.open(line.key)
        self.refresh()
        if line.key not in {one.key for one in self._lines}:  # a "more" line gave way to what it stood for
            self.list.index = min(at, len(self._lines) - 1)
        self.list.focus()

    def _line(self) -> ExplorerLine | None:
        index = self.list.index
        return self._lines[index] if index is not None and index < len(self._lines) else None

    def _show(self) -> None:
        """Show what the chosen line stands for."""
        line = self._line()
        self.button.disabled = line is None
        if line is None:
            nothing = "Nothing changed." if not self.explorer.state.pattern else "Nothing found."
            self.pane.value = nothing
            return
        opened = line.key in self.explorer.state.opened
        self.button.description = "More" if line.key.startswith("\0") else "Close" if opened else "Open"
        self.explorer.state.selected = line.key
        said, text = ("", None) if line.key.startswith("\0") else self.explorer.look(line.key)
        shown = fitted(lines_of(text)) if text is not None else ""
        self.pane.value = f"<div><b>{escape(said)}</b>{shown or self._inside(line)}</div>"

    def _inside(self, line: ExplorerLine) -> str:
        """Return the largest things in a folder, as HTML."""
        if not line.opens:
            return ""
        inside = self.explorer.changes().children(line.key)[:10]
        rows = "".join(
            f"<tr><td style='text-align:left'>{escape(item.change or '')}</td>"
            f"<td style='text-align:left'><code>{escape(item.name)}{'/' if item.is_dir else ''}</code></td>"
            f"<td>{human_bytes(item.removed if item.change == 'removed' else item.stored)}</td></tr>"
            for item in inside
        )
        return fitted(f"<table><tbody>{rows}</tbody></table>") if rows else ""


def _where(one: Any) -> str:
    return "base  " if one.base else f"line {one.line}  " if one.line else ""
