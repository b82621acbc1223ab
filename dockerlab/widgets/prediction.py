"""Prediction cards: commit to a guess before the build, see it beside the measurement after it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from dockerlab.errors import DockerlabError
from dockerlab.printable import escape
from dockerlab.widgets.controls import row, style_sheet, view
from dockerlab.widgets.display import in_kernel

Option = int | float | str


@dataclass
class _Memory:
    """What is known of one key for as long as the kernel lives; re-running the card's cell finds it again."""

    guess: Option | None = None
    measured: Option | None = None
    cards: list[Callable[[], None]] = field(default_factory=list)


_memories: dict[str, _Memory] = {}


class Prediction:
    """A question with options. Show it as the last line of a cell; `reveal()` it after the measurement.

    `unit` ("MB", "layers") is written behind each option. A guess can be changed until the measurement is
    revealed. Nothing waits for a guess: without one the lesson goes on.
    """

    def __init__(self, question: str, options: Sequence[Option], *, key: str, unit: str = "") -> None:
        if not options:
            raise DockerlabError(f"The prediction {key!r} has no options to choose from.")
        self.question = question
        self.options = tuple(options)
        self.key = key
        self.unit = unit
        self._memory = _memories.setdefault(key, _Memory())
        if self._memory.guess not in self.options:
            self._memory.guess = None

    @property
    def guess(self) -> Option | None:
        """The option chosen so far, or None."""
        return self._memory.guess

    def choose(self, option: Option) -> None:
        """Commit to `option`, as a click on its button does; DockerlabError when it was not offered."""
        if option not in self.options:
            offered = ", ".join(map(str, self.options))
            raise DockerlabError(f"{option!r} is not one of the options.", hint=f"Choose one of: {offered}.")
        if not self._locked:
            self._memory.guess = option
        self._refresh()

    def take_back(self) -> None:
        """Take the guess back, as a click on the chosen button does; not after the measurement."""
        if not self._locked:
            self._memory.guess = None
        self._refresh()

    def reveal(self, measured: Option) -> Revealed:
        """Put the guess beside what was measured; of numbers, the option nearest to it is the right one."""
        self._memory.measured = measured
        self._refresh()
        return Revealed(self.guess, measured, right=self.guess == self._nearest(measured), unit=self.unit)

    @property
    def _locked(self) -> bool:
        return self.guess is not None and self._memory.measured is not None

    def _nearest(self, measured: Option) -> Option | None:
        if isinstance(measured, str):
            return measured if measured in self.options else None
        numbers = [option for option in self.options if not isinstance(option, str)]
        return min(numbers, key=lambda option: abs(option - measured), default=None)

    def _refresh(self) -> None:
        for card in self._memory.cards:
            card()

    def _said(self) -> str:
        if self.guess is None:
            return "No guess yet."
        revealed = f" Measured: {_with_unit(self._memory.measured, self.unit)}." if self._locked else ""
        return f"Your guess: {_with_unit(self.guess, self.unit)}.{revealed}"

    def __repr__(self) -> str:
        offered = " · ".join(map(str, self.options))
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.question}\n    {offered}{unit}\n{self._said()}"

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        unit = f" {escape(self.unit)}" if self.unit else ""
        offered = " · ".join(f"<b>{escape(str(option))}</b>" for option in self.options)
        bundle: dict[str, Any] = {
            "text/plain": repr(self),
            "text/html": f"<p>{escape(self.question)}</p><p>{offered}{unit}</p><p>{escape(self._said())}</p>",
        }
        if buttons_wanted():
            bundle["application/vnd.jupyter.widget-view+json"] = self._card()
        return bundle

    def _card(self) -> dict[str, Any]:
        """Return the widget view of a card with one button an option (Tab moves, Enter or Space chooses)."""
        import ipywidgets

        said = ipywidgets.HTML()
        buttons = []
        for option in self.options:
            label = _with_unit(option, self.unit)
            wide = ipywidgets.Layout(width="auto", min_width="5em", max_width="100%")
            button = ipywidgets.Button(description=label, tooltip=f"Guess {label}", layout=wide)
            button.on_click(
                lambda _, chosen=option: self.take_back() if chosen == self.guess else self.choose(chosen)
            )
            buttons.append(button)

        def refresh() -> None:
            for option, button in zip(self.options, buttons, strict=True):
                chosen = option == self.guess
                button.icon = "check" if chosen else ""
                button.button_style = "primary" if chosen else ""
            hint = " Press it again to take it back." if self.guess is not None and not self._locked else ""
            said.value = f'<span role="status">{escape(self._said())}{hint}</span>'

        refresh()
        # Older cards went away when their cell ran again.
        self._memory.cards = [*self._memory.cards[-2:], refresh]
        question = ipywidgets.HTML(f"<b>{escape(self.question)}</b>")
        card = ipywidgets.VBox([question, row(*buttons), said, style_sheet()])
        card.add_class("dockerlab-card")
        return view(card)


@dataclass(frozen=True)
class Revealed:
    """A guess beside the measurement. `right` is meaningless while `guess` is None."""

    guess: Option | None
    measured: Option
    right: bool
    unit: str = ""

    def __repr__(self) -> str:
        measured = f"Measured: {_with_unit(self.measured, self.unit)}."
        if self.guess is None:
            return measured
        verdict = "as measured" if self.right else "not what was measured"
        return f"Your guess: {_with_unit(self.guess, self.unit)}, {verdict}. {measured}"

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return {"text/plain": repr(self), "text/html": f"<div>{escape(repr(self))}</div>"}


def forget(key: str) -> None:
    """Forget the guess and the measurement kept under `key`."""
    _memories.pop(key, None)


def buttons_wanted() -> bool:
    """Tell whether to show buttons: ipywidgets is there, a kernel runs us, and DOCKERLAB_STATIC is not set.

    DOCKERLAB_STATIC=1 is for executing notebooks that are then committed: a widget view in a saved file is a
    random id that points at nothing.
    """
    return in_kernel() and not os.environ.get("DOCKERLAB_STATIC") and find_spec("ipywidgets") is not None


def _with_unit(value: Option | None, unit: str) -> str:
    shown = f"{value:.1f}" if isinstance(value, float) else str(value)
    if value == 1:
        unit = unit.removesuffix("s")
    return f"{shown} {unit}" if unit else shown
