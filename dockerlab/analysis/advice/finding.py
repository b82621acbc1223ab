"""What advice is made of: findings with their evidence, and the file contents they may still claim."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dockerlab.analysis.history import Row
from dockerlab.analysis.ledger import Claim, Ledger

LEAST_BYTES = 10_000  # less than this is not worth a line of anybody's Dockerfile
MOST_EVIDENCE = 5


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing seen: a path (with its bytes), a package, a name. Never the value of a secret."""

    what: str
    bytes: int | None = None
    where: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that could be better, what was seen of it, and what to change.

    `bytes` and `seconds` are measured: what the image carries, what the step took. `saves_bytes` and
    `saves_seconds` are what the change should save; None: not measured. `code` stays the same for ever.
    """

    code: str
    title: str
    change: str
    where: str = ""  # "line 3", "lines 2 and 4", "layer 2"
    lines: tuple[int, ...] = ()
    bytes: int | None = None
    seconds: float | None = None
    saves_bytes: int | None = None
    saves_seconds: float | None = None
    files: int | None = None
    evidence: tuple[Evidence, ...] = ()  # the largest few
    note: str = ""  # what is not measured
    secret: bool = False
    source: str = "dockerlab"  # or "hadolint"
    also: tuple[str, ...] = ()  # codes of hadolint that say the same

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dict that JSON takes."""
        data = asdict(self)
        return {**data, **{key: list(data[key]) for key in ("lines", "evidence", "also")}}


class Pool:
    """The file contents that no finding has claimed yet, so that no byte is counted by two findings."""

    def __init__(self, book: Ledger) -> None:
        self._left = list(book.claims)

    def take(self, wanted: Callable[[Claim], bool]) -> list[Claim]:
        """Remove and return the claims that are wanted."""
        taken: list[Claim] = []
        left: list[Claim] = []
        for claim in self._left:
            (taken if wanted(claim) else left).append(claim)
        self._left = left
        return taken


def own_live(claim: Claim) -> bool:
    """Tell whether a line of this Dockerfile stored the content and the image still shows it."""
    return claim.kind in ("live", "twice") and not claim.stored_by.base


def total(claims: Iterable[Claim]) -> int:
    """Return the bytes of some claims."""
    return sum(claim.bytes for claim in claims)


def largest(claims: Iterable[Claim]) -> tuple[Evidence, ...]:
    """Return the largest few files as evidence."""
    top = sorted(claims, key=lambda claim: (-claim.bytes, claim.path))[:MOST_EVIDENCE]
    return tuple(Evidence(f"/{claim.path}", claim.bytes, claim.stored_by.where) for claim in top)


def distinct(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Return each row once, in the order of the history."""
    return tuple(sorted({row.number: row for row in rows}.values(), key=lambda row: row.number))


def lines_of(rows: Iterable[Row]) -> tuple[int, ...]:
    """Return the Dockerfile lines of some rows, as far as they are known."""
    return tuple(sorted({row.line for row in rows if row.line is not None}))


def places(rows: Iterable[Row]) -> str:
    """Return where some rows are: "line 3", "lines 2 and 4", "layers 2, 3 and 5"."""
    names = [row.where for row in distinct(rows)]
    kinds = {name.rpartition(" ")[0] for name in names}
    if len(names) < 2 or len(kinds) > 1:
        return joined(names)
    numbers = [name.rpartition(" ")[2] for name in names]
    return f"{kinds.pop()}s {joined(numbers)}"


def joined(words: list[str]) -> str:
    """Return "a", "a and b", "a, b and c"."""
    return " and ".join([*([", ".join(words[:-1])] if words[:-1] else []), *words[-1:]])


def verb(rows: Iterable[Row], one: str, many: str) -> str:
    """Return the verb that goes with places()."""
    return one if len(distinct(rows)) == 1 else many


def measured(
    code: str,
    title: str,
    change: str,
    rows: Sequence[Row],
    claims: Sequence[Claim],
    *,
    where: str | None = None,
    saves: int | None = None,
    note: str = "",
) -> Finding:
    """Return a finding about what rows store; `where` is the last of them if nothing else is said."""
    return Finding(
        code=code,
        title=title,
        change=change,
        where=rows[-1].where if where is None else where,
        lines=lines_of(rows),
        bytes=total(claims),
        saves_bytes=saves,
        files=len(claims),
        evidence=largest(claims),
        note=note,
    )
