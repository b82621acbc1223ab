"""Bytes, seconds and counts as people read them. Every number shown goes through here, so that they agree."""

from __future__ import annotations

_STEPS = ("B", "kB", "MB", "GB", "TB", "PB")


def human_bytes(size: float) -> str:
    """Return bytes with three digits and a decimal unit, as Docker counts: 20000000 -> '20.0 MB'."""
    if size < 0:
        return f"-{human_bytes(-size)}"
    if size < 1000:
        return f"{round(size)} B"
    value = float(size)
    for unit in _STEPS[1:]:
        value /= 1000
        # 999.5 would round up to four digits: it belongs to the next unit.
        if value < 999.5 or unit == _STEPS[-1]:
            digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
            return f"{value:.{digits}f} {unit}"
    raise AssertionError("unreachable: the last unit takes every value")


def human_seconds(seconds: float) -> str:
    """Return a duration in seconds as '4 ms', '0.35 s', '12.3 s', '1 min 15 s' or '2 h 5 min'."""
    if seconds < 0:
        return f"-{human_seconds(-seconds)}"
    if not seconds:
        return "0 s"
    if seconds < 0.0995:
        return f"{round(seconds * 1000)} ms"
    if seconds < 9.95:
        return f"{seconds:.2f} s" if seconds < 0.995 else f"{seconds:.1f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def human_share(part: float, whole: float) -> str:
    """Return part/whole in percent: '0 %', '<1 %', '42 %', '>99 %', '100 %'; never rounded onto 0 or 100."""
    if whole <= 0 or part <= 0:
        return "0 %"
    share = 100 * part / whole
    if share >= 100:
        return "100 %"
    if share < 1:
        return "<1 %"
    return ">99 %" if share > 99 else f"{round(share)} %"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Return '1 layer', '2 layers'; `plural` where it is not the noun plus 's'."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
