"""Why a build's steps ran, how builders differ, and what another order costs: as tables and charts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dockerlab.analysis.cache import BUILDERS, DERIVED, Comparison, Why, shared_steps
from dockerlab.analysis.reorder import COMPUTED, Reordering
from dockerlab.engines.results import Build, Builder
from dockerlab.units import count, human_bytes, human_seconds
from dockerlab.widgets.table import Table

if TYPE_CHECKING:
    from dockerlab.charts import Picture

_MOST_COLUMNS = 8


def why_table(found: Why) -> Table:
    """Return the verdict on each step as a table: hit, miss or nothing to cache, and why."""
    notes = [
        *([DERIVED] if found.derived else []),
        *([f"The base is a stand-in for {found.stand_in}."] if found.stand_in else []),
    ]
    return Table(
        f"{found.finding} ({found.engine})",
        ("line", "instruction", "cache", "why", "time"),
        tuple(
            (
                str(verdict.step.line),
                verdict.step.text,
                verdict.verdict,
                verdict.why,
                human_seconds(verdict.step.seconds) if verdict.verdict == "miss" else "",
            )
            for verdict in found.verdicts
        ),
        right=("line", "time"),
        code=("instruction",),
        note=" ".join(notes),
        data=found,
    )


@dataclass(frozen=True)
class BuilderComparison:
    """What each builder ran again after each edit: `.table`, and `.pictures` of the same builds."""

    data: Comparison

    @property
    def table(self) -> Table:
        """Return a row per edit and step, a column per builder."""
        found = self.data
        heads = tuple(BUILDERS[builder] for builder in found.builders)
        engines = {
            BUILDERS[builder]: build.engine
            for column in found.builds.values()
            for builder, build in column.items()
            if isinstance(build, Build)
        }
        built = [one for column in found.builds.values() for one in column.values() if isinstance(one, Build)]
        stand_ins = dict.fromkeys(one.stand_in for one in built if one.stand_in)
        notes = [f"{BUILDERS[one]} is not here: {why}" for one, why in found.missing.items()]
        notes += [f"The base is a stand-in for {name}." for name in stand_ins]
        return Table(
            f"What ran again after {count(len(found.builds), 'edit')}, every cell from a real build "
            f"({'; '.join(engines.values())})",
            ("edit", "line", "instruction", *heads),
            tuple(
                (edit, str(line) if line else "", text, *words) for edit, line, text, words in found.rows()
            ),
            right=("line",),
            code=("instruction",),
            note=" ".join(notes),
        )

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """Return grids of cached and run steps: one for each builder, a column per edit."""
        from dockerlab import charts

        found = []
        for builder in self.data.builders:
            columns = self._column(builder)
            names = list(columns)
            for start in range(0, len(names), _MOST_COLUMNS):
                part = {name: columns[name] for name in names[start : start + _MOST_COLUMNS]}
                if shared_steps(list(part.values())):
                    found.append(charts.cache_grid(part))
        return tuple(found)

    def _column(self, builder: Builder) -> Mapping[str, Build]:
        pairs = ((edit, column.get(builder)) for edit, column in self.data.builds.items())
        return {edit: build for edit, build in pairs if isinstance(build, Build)}

    def __repr__(self) -> str:
        return self.table.text()

    def _ipython_display_(self) -> None:
        from dockerlab.widgets.display import show

        show(self.table, *self.pictures)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return {"text/plain": self.table.text(), "text/html": self.table.html()}


@dataclass(frozen=True)
class WhatIf:
    """What other orders cost: `.picture` of the orders, `.table` of them, `.lines` with the assumptions."""

    data: Reordering

    @property
    def picture(self) -> Picture:
        """Return the chart of rebuilding per week by order."""
        from dockerlab import charts

        found = self.data
        names = {line.line: f"line {line.line} changes" for line in found.lines}
        return charts.rebuild_cost(
            {
                cost.name: {names[line]: seconds for line, seconds in cost.seconds.items()}
                for cost in found.distinct
            },
            engine=found.build.engine,
        )

    @property
    def table(self) -> Table:
        """Return a row per order: its lines, the time and the bytes it costs a week."""
        found = self.data
        given, best = found.given, found.best
        saved = given.total - best.total
        title = (
            f"{found.build.name}: the best order saves {human_seconds(saved)} of "
            f"{human_seconds(given.total)} of rebuilding a week"
            if saved > 1e-9
            else f"{found.build.name}: no order costs less than the one it has, "
            f"{human_seconds(given.total)} of rebuilding a week"
        )
        return Table(
            f"{title} (computed from a build measured on {found.build.engine})",
            ("order", "lines", "rebuilding per week", "new layers per week", "keeps the needs"),
            tuple(
                (
                    cost.name,
                    " ".join(map(str, cost.lines)),
                    human_seconds(cost.total),
                    human_bytes(cost.size_tar),
                    "; ".join(f"no: {line} needs {need}" for line, need in cost.broken) or "yes",
                )
                for cost in found.distinct
            ),
            right=("rebuilding per week", "new layers per week"),
            note=f"{COMPUTED} {found.how}",
        )

    @property
    def lines(self) -> Table:
        """Return the lines in the best order, with what was measured and what is assumed of each."""
        found = self.data
        by_line = {line.line: line for line in found.lines}
        rows = [by_line[number] for number in found.best.lines]
        return Table(
            "The best order, with what was measured and what is assumed of each line",
            ("line", "instruction", "measured", "layer", "changes per week", "stays below"),
            tuple(
                (
                    str(one.line),
                    one.instruction.text,
                    human_seconds(one.seconds) if one.seconds else "",
                    human_bytes(one.size_tar) if one.size_tar else "",
                    f"{one.changes_per_week:g}{' (assumed)' if one.assumed else ''}",
                    " ".join(map(str, one.needs)),
                )
                for one in rows
            ),
            right=("line", "measured", "layer", "changes per week"),
            code=("instruction",),
            note="Assumed changes per week go by what a line reads; give your own with changes_per_week. "
            "What a line must stay below is read from its text; correct it with needs.",
        )

    def __repr__(self) -> str:
        return f"{self.table.text()}\n\n{self.lines.text()}"

    def _ipython_display_(self) -> None:
        from dockerlab.widgets.display import show

        show(self.picture, self.table, self.lines)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        html = self.table.html() + self.lines.html()
        return {"text/plain": repr(self), "text/html": html}
