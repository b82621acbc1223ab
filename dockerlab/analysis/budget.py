"""A budget for an image: the most it may hold and waste. What a CI job checks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from dockerlab.analysis.ledger import Ledger
from dockerlab.analysis.toml import tomllib
from dockerlab.errors import BudgetError
from dockerlab.units import human_bytes

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)?)", re.IGNORECASE)
_UNITS = {"": 1, "b": 1}
_UNITS |= {f"{letter}b": 1000**power for power, letter in enumerate("kmgt", 1)}
_UNITS |= {f"{letter}ib": 1024**power for power, letter in enumerate("kmgt", 1)}

Key = Literal["max-size", "max-waste", "max-layers", "min-efficiency"]


@dataclass(frozen=True)
class Budget:
    """The limits of one image; None: no limit. Sizes are unpacked bytes."""

    max_size: int | None = None
    max_waste: int | None = None
    max_layers: int | None = None
    min_efficiency: float | None = None  # 0 to 1

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) is not None for field in fields(self))

    def over(self, other: Budget) -> Budget:
        """Return these limits, and `other`'s where there are none."""
        mine = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(other, **{name: value for name, value in mine.items() if value is not None})


@dataclass(frozen=True)
class Check:
    """One limit beside what was measured; bytes, layers, or a share from 0 to 1."""

    key: Key
    measured: float
    limit: float
    ok: bool
    message: str


# The rule. Size is the file content of all layers, the base's too: that is what is stored and pulled. Waste
# is what lines of this Dockerfile overwrote, deleted or stored again, in whatever layer; what the base image
# wastes by itself is not counted, as no line here can change it. Efficiency is (size - waste) / size. Where
# it is not known which layers are the base's, all are taken for own.
def check(budget: Budget, book: Ledger) -> tuple[Check, ...]:
    """Compare an image's ledger with a budget; one Check for each limit that is set."""
    waste = sum(account.wastes for account in book.rows if not account.row.base)
    efficiency = 1 - waste / book.total if book.total else 1.0
    found: list[Check] = []

    def most(key: Key, measured: int, limit: int | None, shown: tuple[str, str]) -> None:
        if limit is not None:
            found.append(Check(key, measured, limit, measured <= limit, f"{shown[0]}, {shown[1]} at most"))

    def in_bytes(measured: int, limit: int | None, what: str) -> tuple[str, str]:
        return f"{human_bytes(measured)} {what}", _limit(measured, limit)

    most("max-size", book.total, budget.max_size, in_bytes(book.total, budget.max_size, "unpacked"))
    most("max-waste", waste, budget.max_waste, in_bytes(waste, budget.max_waste, "wasted"))
    most(
        "max-layers", len(book.rows), budget.max_layers, (f"{len(book.rows)} layers", str(budget.max_layers))
    )
    if budget.min_efficiency is not None:
        least = budget.min_efficiency
        ok = efficiency >= least
        found.append(
            Check("min-efficiency", efficiency, least, ok, f"efficiency {efficiency:.4f}, {least:g} at least")
        )
    return tuple(found)


def read_budget(text: str, *, source: str) -> Budget:
    """Read a budget from TOML: its keys at the top level or in the table [budget].

    Raises BudgetError, naming `source`, for what is no TOML, no key of a budget, or no limit.
    """
    try:
        data: Mapping[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BudgetError(
            f"{source} is not TOML: {error}.", hint='Write lines such as max-size = "300 MB".'
        ) from None
    table = data.get("budget", data)
    if not isinstance(table, Mapping):
        raise BudgetError(f"{source}: budget is no table.", hint="Write [budget] on a line of its own.")
    return make_budget(table, source=source)


def make_budget(values: Mapping[str, Any], *, source: str) -> Budget:
    """Make a budget of "max-size", "max-waste", "max-layers" and "min-efficiency"; None sets no limit."""
    known = {field.name.replace("_", "-") for field in fields(Budget)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise BudgetError(
            f"{source}: {unknown[0]} is no limit.", hint=f"The limits are {', '.join(sorted(known))}."
        )
    try:
        return Budget(
            max_size=_size(values.get("max-size")),
            max_waste=_size(values.get("max-waste")),
            max_layers=_whole(values.get("max-layers")),
            min_efficiency=_share(values.get("min-efficiency")),
        )
    except ValueError as error:
        raise BudgetError(
            f"{source}: {error}.",
            hint="A size is bytes or 300MB, layers are a number, efficiency is 0.95 or 95%.",
        ) from None


def parse_size(text: str) -> int:
    """Return the bytes that "300MB", "1.5 GB", "64MiB" or "5000" says; raises ValueError."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no size")
    return round(float(match.group(1)) * _UNITS[(match.group(2) or "").lower()])


def _limit(measured: int, limit: int | None) -> str:
    """Return a limit in bytes, to the byte where rounding would make it look like what was measured."""
    if limit is None:
        return ""
    rounded = human_bytes(limit)
    same = measured != limit and rounded == human_bytes(measured)
    return f"{rounded} ({measured - limit:+,} B)" if same else rounded


def _size(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, str):
        return parse_size(value)
    return _whole(value)


def _whole(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is no whole number of 0 or more")
    return value


def _share(value: object) -> float | None:
    if value is None:
        return None
    number: float
    if isinstance(value, str):
        percent = value.strip().endswith("%")
        number = float(value.strip().rstrip("%")) / (100 if percent else 1)
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is no share")
    else:
        number = float(value)
    if not 0 <= number <= 1:
        raise ValueError(f"{value!r} is not from 0 to 1 (or 0% to 100%)")
    return number
