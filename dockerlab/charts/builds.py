"""Builds in time: what each step took, which edits miss the cache, what an order of steps costs."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from dockerlab.charts.bars import (
    LABEL_CHARACTERS,
    ROW_HEIGHT,
    Bar,
    Legend,
    Rows,
    Segment,
)
from dockerlab.charts.layers import made_by
from dockerlab.charts.picture import (
    BLUE,
    CHARACTER,
    GREY,
    NARROW,
    ORANGE,
    OUTLINE,
    SERIES,
    Picture,
    axis,
    clip,
    hover,
    ink,
    layout,
    second_ticks,
    sentence,
    spec,
)
from dockerlab.engines.results import Build, Step
from dockerlab.units import count, human_seconds

_PATTERNS = ("", "/", "-", "x", "\\", "+")
_CELL_INK = "#111111"
_MOST_EDITS = 8


def build_timeline(build: Build) -> Picture:
    """Draw how long each step of a build took, in Dockerfile order, cached ones hatched. Seconds.

    The steps are laid end to end; where a builder ran stages side by side, the sum is more than the build
    took.
    """
    timed = [step for step in build.steps if step.cached is not None]
    bars: list[Bar] = []
    at = 0.0
    for step in timed:
        look = (GREY, "/") if step.cached else (BLUE, "")
        label = "cached" if step.cached else human_seconds(step.seconds)
        pieces = (Segment(step.seconds, *look),)
        pieces = (Segment(step.seconds, *look),)
        bars.append(Bar(step.text, label, _step_hover(step), pieces, lead=f"line {step.line}", start=at))
        at += step.seconds
    rows = Rows(bars, "seconds, steps end to end", ticks=second_ticks)
    title = _time_title(build, timed)
    built = made_by(build)
    rest = len(build.steps) - len(timed)
    note = f"{built} · {count(rest, 'other instruction')} only set metadata" if rest else built
    return Picture(
        title=title,
        summary=sentence(f"{title} (built by {built})"),
        columns=("step", "from", "instruction", "cache", "time"),
        rows=tuple(
            (str(step.number), f"line {step.line}", step.text, _cache_word(step), human_seconds(step.seconds))
            for step in build.steps
        ),
        right=("step", "time"),
        data=build.steps,
        spec=spec(rows.traces(), layout(title, note, plot_height=rows.height, left=rows.left) | rows.axes()),
    )


def cache_grid(builds: Mapping[str, Build]) -> Picture:
    """Draw which steps ran again after each edit: a column per edit (name -> its build), a row per step.

    Rows are the steps of the first build that can be cached; a step of another build is the one of the same
    number. Raises ValueError without builds, or with more than 8.
    """
    if not 0 < len(builds) <= _MOST_EDITS:
        raise ValueError(f"a cache grid takes 1 to {_MOST_EDITS} builds, not {len(builds)}")
    edits = list(builds)
    first = builds[edits[0]]
    steps = [step for step in first.steps if step.cached is not None]
    cells = [[_same_step(builds[edit], step) for edit in edits] for step in steps]
    again = [
        sum(cell is not None and not cell.cached for cell in column) for column in zip(*cells, strict=True)
    ]
    title = _grid_title(edits, again or [0] * len(edits), len(steps))
    built = made_by(*builds.values())
    left = int(min(LABEL_CHARACTERS, max((len(step.text) + 9 for step in steps), default=0)) * CHARACTER) + 22
    room = int((NARROW - left - 26) / len(edits) / CHARACTER)
    heads = [_heads(edit, room) for edit in edits]
    above = 16 * max(map(len, heads)) + 10
    frame = layout(
        title, built, plot_height=ROW_HEIGHT * max(len(steps), 2), left=left, above=above, bottom=16
    )
    frame |= {
        "barmode": "stack",
        "bargap": 0.08,
        "xaxis": {
            **axis(),
            "side": "top",
            "showgrid": False,
            "range": [0, len(edits)],
            "tickmode": "array",
            "tickvals": [i + 0.5 for i in range(len(edits))],
            "ticktext": ["<br>".join(map(ink, lines)) for lines in heads],
            "tickangle": 0,
        },
        "yaxis": {
            **axis(),
            "showgrid": False,
            "range": [-len(steps) + 0.5, 0.5],
            "tickmode": "array",
            "tickvals": [-i for i in range(len(steps))],
            "ticktext": [_step_tick(step) for step in steps],
        },
    }
    return Picture(
        title=title,
        summary=sentence(f"{title} (built by {built})"),
        columns=("step", "from", "instruction", *edits),
        rows=tuple(
            (str(step.number), f"line {step.line}", step.text, *(_cell_word(cell) for cell in row))
            for step, row in zip(steps, cells, strict=True)
        ),
        right=("step",),
        data=dict(builds),
        spec=spec(_cell_traces(edits, cells), frame),
    )


def rebuild_cost(orders: Mapping[str, Mapping[str, float]], *, engine: str) -> Picture:
    """Draw what orders of the same steps cost: order -> edit -> seconds of rebuilding a week.

    The seconds are computed from measured builds; `engine` names what measured them. Raises ValueError
    without orders.
    """
    if not orders:
        raise ValueError("a cost chart takes at least one order of steps")
    edits = list(dict.fromkeys(edit for costs in orders.values() for edit in costs))
    looks = {edit: (SERIES[i % len(SERIES)], _PATTERNS[i % len(_PATTERNS)]) for i, edit in enumerate(edits)}
    totals = {order: sum(costs.values()) for order, costs in orders.items()}
    bars = [
        Bar(
            order,
            f"{human_seconds(totals[order])} a week",
            hover(order, *(f"{edit}: {human_seconds(seconds)} a week" for edit, seconds in costs.items())),
            tuple(Segment(costs[edit], *looks[edit]) for edit in edits if costs.get(edit)),
        )
        for order, costs in orders.items()
    ]
    rows = Rows(bars, "rebuilding per week", ticks=second_ticks)
    legend = Legend([(edit, *looks[edit]) for edit in edits])
    title = _cost_title(totals)
    note = f"computed from builds measured on {engine}"
    frame = layout(title, note, plot_height=rows.height, left=rows.left, above=legend.height) | rows.axes()
    frame["annotations"] += legend.annotations(left=rows.left)
    return Picture(
        title=title,
        summary=sentence(f"{title} ({note})"),
        columns=("order", *edits, "sum per week"),
        rows=tuple(
            (order, *(human_seconds(costs.get(edit, 0)) for edit in edits), human_seconds(totals[order]))
            for order, costs in orders.items()
        ),
        right=(*edits, "sum per week"),
        data=orders,
        spec=spec(rows.traces(), frame),
    )


def _cost_title(totals: Mapping[str, float]) -> str:
    best = min(totals, key=lambda order: totals[order])
    worst = max(totals, key=lambda order: totals[order])
    cheap = f'"{best}" costs {human_seconds(totals[best])} of rebuilding a week'
    if totals[best] == totals[worst]:
        return cheap
    return f'{cheap}, "{worst}" {human_seconds(totals[worst])}'


def _step_hover(step: Step) -> str:
    reason = [f"ran because: {step.reason}"] if step.reason else []
    return hover(
        step.text, f"line {step.line} · {_cache_word(step)} · {human_seconds(step.seconds)}", *reason
    )


def _cache_word(step: Step) -> str:
    return {True: "cached", False: "ran", None: "metadata"}[step.cached]


def _time_title(build: Build, timed: Sequence[Step]) -> str:
    cached = sum(bool(step.cached) for step in timed)
    spent = [step for step in timed if not step.cached]
    title = f"{build.name} took {human_seconds(build.seconds)}"
    if timed and not spent:
        return f"{title}: {'all steps' if cached > 1 else 'its step'} came from the cache"
    inside = sum(step.seconds for step in timed)
    if inside < build.seconds / 2:  # the rest went into the base, the context, or waiting
        title += f", {human_seconds(inside)} of it in its steps"
    if len(spent) > 1:
        slowest = max(spent, key=lambda step: step.seconds)
        title += f", {human_seconds(slowest.seconds)} of it in line {slowest.line}"
    if cached:
        title += f"; {cached} of {count(len(timed), 'step')} came from the cache"
    return title


def _same_step(build: Build, step: Step) -> Step | None:
    """Return the step of another build at the same place, or None when something else is there."""
    found = next((other for other in build.steps if other.number == step.number), None)
    return found if found is not None and found.keyword == step.keyword else None


def _heads(edit: str, room: int) -> list[str]:
    """Return a column's head in at most three lines of `room` characters."""
    lines = textwrap.wrap(edit, max(room, 5), break_on_hyphens=False)
    return lines if len(lines) <= 3 else [*lines[:2], clip(" ".join(lines[2:]), max(room, 5))]


def _grid_title(edits: Sequence[str], again: Sequence[int], steps: int) -> str:
    worst = max(range(len(edits)), key=lambda i: again[i])
    best = min(range(len(edits)), key=lambda i: again[i])
    first = f"{again[worst]} of {count(steps, 'step')} ran again after "
    if len(edits) == 1:
        return f'{first}"{edits[0]}"'
    if again[worst] == again[best]:
        return f"{first}each of {count(len(edits), 'edit')}"
    return f'{first}"{edits[worst]}", {again[best] or "none"} after "{edits[best]}"'


def _cell_word(step: Step | None) -> str:
    if step is None:
        return "no such step"
    return "cached" if step.cached else f"ran, {human_seconds(step.seconds)}"


def _step_tick(step: Step) -> str:
    lead = f"line {step.line}"
    return f"{ink(lead, 'quiet')}&nbsp; {ink(clip(step.text, LABEL_CHARACTERS - len(lead) - 2))}&nbsp;&nbsp;"


def _cell_traces(edits: Sequence[str], cells: Sequence[Sequence[Step | None]]) -> list[dict[str, Any]]:
    """Return cells as bars of length 1: grey for cached steps, orange for those that ran."""
    traces = []
    for i, edit in enumerate(edits):
        column = [row[i] for row in cells]
        traces.append(
            {
                "type": "bar",
                "orientation": "h",
                "base": [i + 0.03] * len(column),
                "x": [0.94] * len(column),
                "y": [-j for j in range(len(column))],
                "marker": {
                    "color": [_cell_colour(step) for step in column],
                    "line": {"color": OUTLINE, "width": 1},
                },
                "text": [_short_word(step) for step in column],
                "textposition": "inside",
                "insidetextanchor": "middle",
                "textangle": 0,
                "constraintext": "none",
                "textfont": {"color": _CELL_INK, "size": 12},
                "hovertext": [hover(f"after {edit}") + "<br>" + _cell_hover(step) for step in column],
                "hoverinfo": "text",
            }
        )
    return traces


def _cell_colour(step: Step | None) -> str:
    if step is None:
        return "rgba(0,0,0,0)"
    return "#D9D9D9" if step.cached else ORANGE


def _short_word(step: Step | None) -> str:
    if step is None:
        return ""
    return "cached" if step.cached else f"<b>{human_seconds(step.seconds)}</b>"


def _cell_hover(step: Step | None) -> str:
    return "no such step" if step is None else _step_hover(step)
