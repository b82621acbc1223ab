"""What a check found: one verdict a rule, and the report that a notebook shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dockerlab.printable import escape
from dockerlab.units import count
from dockerlab.widgets.markup import fitted, table_of

PASSED, FAILED = "passed", "not yet"
_RED, _GREEN = "#E0524F", "#2E9E44"  # 3:1 and more on white and on JupyterLab's dark background
_COLUMNS = ("outcome", "rule", "measured", "target", "look again at")


@dataclass(frozen=True)
class Verdict:
    """How one rule went: what was measured, what was asked for, and the lesson's step to look at again."""

    rule: str  # a sentence that is true when the rule is met
    passed: bool
    measured: str
    target: str
    look: str  # a heading of the lesson

    def to_dict(self) -> dict[str, str | bool]:
        """Return what the progress file keeps of it."""
        return {"rule": self.rule, "passed": self.passed, "measured": self.measured, "target": self.target}


@dataclass(frozen=True)
class Report:
    """The verdicts of one check, and what to do next; shown, never raised."""

    exercise: str
    verdicts: tuple[Verdict, ...]
    engine: str
    stand_in: str | None = None
    notes: tuple[str, ...] = ()  # a sentence each
    lesson: str = ""  # the lesson's notebook, relative to the folder of the exercises

    @property
    def passed(self) -> bool:
        """Tell whether every rule is met."""
        return all(verdict.passed for verdict in self.verdicts)

    @property
    def headline(self) -> str:
        """Sum up in one sentence, with the engine that measured."""
        met = sum(verdict.passed for verdict in self.verdicts)
        base = f", on a stand-in for {self.stand_in}" if self.stand_in else ""
        rules = count(len(self.verdicts), "rule")
        outcome = f"passed, all {rules} met" if self.passed else f"not yet, {met} of {rules} met"
        return f"Exercise {self.exercise}: {outcome} ({self.engine}{base})."

    def __repr__(self) -> str:
        lines = [self.headline]
        for verdict in self.verdicts:
            lines += [f"  {PASSED if verdict.passed else FAILED:<8} {verdict.rule}"]
            lines += [f"           measured: {verdict.measured}", f"           target:   {verdict.target}"]
            if not verdict.passed:
                lines += [f'           look again at "{verdict.look}" in the lesson']
        return "\n".join([*lines, *self.notes])

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return {"text/plain": repr(self), "text/html": self.html()}

    def html(self) -> str:
        """Return the report as HTML without scripts or style sheets, so that any notebook viewer shows it."""
        head = [f'<th scope="col" style="text-align:left">{name}</th>' for name in _COLUMNS]
        notes = "".join(f"<div>{escape(note)}</div>" for note in self.notes)
        table = table_of(head, [self._row(verdict) for verdict in self.verdicts])
        return fitted(f'<div role="status"><b>{escape(self.headline)}</b>{table}{notes}</div>')

    def _row(self, verdict: Verdict) -> list[str]:
        colour, mark, word = (_GREEN, "✓", PASSED) if verdict.passed else (_RED, "✗", FAILED)
        # The word keeps the page's own colour: no red or green is easy to read on light and dark alike.
        outcome = f'<span style="white-space:nowrap"><b style="color:{colour}">{mark}</b> {word}</span>'
        again = "" if verdict.passed else self._link(verdict.look)
        found, wanted = (escape(text).replace("/", "/<wbr>") for text in (verdict.measured, verdict.target))
        cells = (outcome, escape(verdict.rule), found, wanted, again)
        # A long path breaks, after a slash if that is enough.
        wide = ("", "min-width:14em", "overflow-wrap:anywhere", "", "min-width:8em")
        return [
            f'<td data-name="{name}" style="text-align:left;vertical-align:top;{width}">{cell}</td>'
            for name, cell, width in zip(_COLUMNS, cells, wide, strict=True)
        ]

    def _link(self, heading: str) -> str:
        if not self.lesson:
            return escape(heading)
        # JupyterLab's anchors: a heading's text with dashes for spaces.
        target = f"{self.lesson}#{heading.replace(' ', '-')}"
        return f'<a href="{escape(target)}">{escape(heading)}</a>'


@dataclass(frozen=True)
class Hints:
    """The hints opened so far, the newest last."""

    exercise: str
    opened: tuple[str, ...]
    total: int
    notes: tuple[str, ...] = ()  # a sentence each

    def _lines(self) -> list[str]:
        return [f"Hint {number} of {self.total}: {hint}" for number, hint in enumerate(self.opened, 1)]

    def __repr__(self) -> str:
        return "\n".join([*self._lines(), *self.notes])

    def _repr_mimebundle_(self, **_: object) -> Mapping[str, str]:
        *before, newest = self._lines()
        html = "".join(f'<div style="opacity:.75">{escape(line)}</div>' for line in before)
        html += f'<div role="status"><b>{escape(newest)}</b></div>'
        html += "".join(f"<div>{escape(note)}</div>" for note in self.notes)
        return {"text/plain": repr(self), "text/html": html}
