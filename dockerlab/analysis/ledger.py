"""The byte ledger: what became of every byte that the layers store, and which line decided it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dockerlab.analysis.history import Row, Subject, image_of, layer_rows, name_of, stand_in_of
from dockerlab.analysis.wasted_bytes import KINDS, Copy, Kind, account_of_copies
from dockerlab.engines.results import Build
from dockerlab.image.collection import uncollected
from dockerlab.units import human_bytes, human_share


@dataclass(frozen=True, slots=True)
class Claim:
    """The content of one file as one layer stores it, what became of it, and whose doing that is."""

    path: str
    bytes: int
    kind: Kind
    stored_by: Row
    wasted_by: Row | None = None  # None when live
    first_stored_by: Row | None = None  # for "again" and "twice": who had stored the same bytes before


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Bytes of one layer or several: all content is one of KINDS, and with overhead it is the whole tar."""

    live: int
    twice: int  # live too, at another path than the same content of a lower layer
    overwritten: int
    deleted: int
    again: int
    overhead: (
        int  # tar headers, padding, end mark: all that is no content (below 0 if files are stored sparse)
    )

    @property
    def content(self) -> int:
        """Bytes of file content."""
        return self.live + self.twice + self.wasted

    @property
    def wasted(self) -> int:
        """Bytes of file content carried for nothing."""
        return self.overwritten + self.deleted + self.again

    @property
    def tar(self) -> int:
        """Bytes of the uncompressed tar."""
        return self.content + self.overhead

    @property
    def efficiency(self) -> float:
        """The share of content bytes that is no waste, 0 to 1; 1 for no bytes at all."""
        return (self.content - self.wasted) / self.content if self.content else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerAccount(Sums):
    """What became of one layer."""

    row: Row
    wastes: int  # content bytes, in any layer, that this layer's instruction turned into waste


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals(Sums):
    """Sums over some layers."""

    layers: int


@dataclass(frozen=True, slots=True)
class Flow:
    """Waste with one cause: what `stored_by` stored and `wasted_by` made useless."""

    stored_by: Row
    wasted_by: Row
    kind: Kind
    bytes: int
    files: int
    largest: str  # path of the largest of these files
    first_stored_by: Row | None = None  # only for "again": the row that had stored the same bytes before


@dataclass(frozen=True)
class Ledger:
    """The account of a whole image, lowest layer first."""

    name: str
    rows: tuple[LayerAccount, ...]
    claims: tuple[Claim, ...]  # one per stored file with content, in layer and tar order
    engine: str | None = None  # what built the image, when that is known
    stand_in: str | None = None  # reference the base stands in for

    @property
    def all(self) -> Totals:
        """Sums over all layers."""
        return totals(self.rows)

    @property
    def base(self) -> Totals:
        """Sums over the layers that came with the FROM image."""
        return totals(account for account in self.rows if account.row.base)

    @property
    def own(self) -> Totals:
        """Sums over the layers this Dockerfile added."""
        return totals(account for account in self.rows if not account.row.base)

    @property
    def total(self) -> int:
        """Bytes of file content in all layers (unpacked)."""
        return self.all.content

    @property
    def wasted(self) -> int:
        """Bytes of file content, in all layers, that the image carries for nothing."""
        return self.all.wasted

    @property
    def efficiency(self) -> float:
        """The share of all content bytes that is no waste, 0 to 1."""
        return self.all.efficiency

    def flows(self) -> tuple[Flow, ...]:
        """Return the waste grouped by who stored it and who wasted it, most bytes first."""
        groups: dict[tuple[int, int, Kind, int], list[Claim]] = {}
        for claim in self.claims:
            if claim.wasted_by is not None:
                before = claim.first_stored_by.number if claim.first_stored_by else 0
                key = (claim.stored_by.number, claim.wasted_by.number, claim.kind, before)
                groups.setdefault(key, []).append(claim)
        found = []
        for claims in groups.values():
            first = claims[0]
            assert first.wasted_by is not None
            found.append(
                Flow(
                    stored_by=first.stored_by,
                    wasted_by=first.wasted_by,
                    kind=first.kind,
                    bytes=sum(claim.bytes for claim in claims),
                    files=len(claims),
                    largest=max(claims, key=lambda claim: claim.bytes).path,
                    first_stored_by=first.first_stored_by,
                )
            )
        return tuple(sorted(found, key=lambda flow: -flow.bytes))

    def to_dict(self, *, claims: bool = False) -> dict[str, Any]:
        """Return the account as a dict that JSON takes; with `claims`, every wasted file too."""
        data: dict[str, Any] = {
            "name": self.name,
            "engine": self.engine,
            "stand_in": self.stand_in,
            "unit": "bytes",
            "efficiency": self.efficiency,
            "all": _totals_dict(self.all),
            "base": _totals_dict(self.base),
            "own": _totals_dict(self.own),
            "layers": [_account_dict(account) for account in self.rows],
            "waste": [
                {
                    "stored_by": flow.stored_by.number,
                    "wasted_by": flow.wasted_by.number,
                    "kind": flow.kind,
                    "bytes": flow.bytes,
                    "files": flow.files,
                    "largest": flow.largest,
                    "first_stored_by": flow.first_stored_by.number if flow.first_stored_by else None,
                }
                for flow in self.flows()
            ],
        }
        if claims:
            data["claims"] = [
                {
                    "path": claim.path,
                    "bytes": claim.bytes,
                    "kind": claim.kind,
                    "stored_by": claim.stored_by.number,
                    "wasted_by": claim.wasted_by.number,
                }
                for claim in self.claims
                if claim.wasted_by is not None
            ]
        return data


def ledger(subject: Subject, *, engine: str | None = None) -> Ledger:
    """Account for every byte of every layer of an image or a build.

    `engine` names what built an Image that comes without its Build. Reads the content only of files whose
    size occurs in more than one layer.
    """
    image = image_of(subject)
    made = layer_rows(subject)
    with uncollected():
        copies = account_of_copies(image.layers)
        claims = tuple(_claim(copy, made) for copy in copies)
    sums: list[dict[Kind, int]] = [dict.fromkeys(KINDS, 0) for _ in made]
    wastes = [0] * len(made)
    for copy in copies:
        sums[copy.layer][copy.kind] += copy.entry.size
        if copy.wasted_by is not None:
            wastes[copy.wasted_by] += copy.entry.size
    accounts = []
    for row, layer, kinds, caused in zip(made, image.layers, sums, wastes, strict=True):
        overhead = layer.size_tar - sum(kinds.values())
        accounts.append(LayerAccount(row=row, overhead=overhead, wastes=caused, **kinds))
    return Ledger(
        name=name_of(subject),
        rows=tuple(accounts),
        claims=claims,
        engine=(subject.engine if isinstance(subject, Build) else "") or engine,
        stand_in=stand_in_of(subject),
    )


def _claim(copy: Copy, made: Sequence[Row]) -> Claim:
    return Claim(
        copy.entry.path,
        copy.entry.size,
        copy.kind,
        made[copy.layer],
        None if copy.wasted_by is None else made[copy.wasted_by],
        made[copy.root.layer] if copy.kind in ("again", "twice") else None,
    )


def totals(accounts: Iterable[LayerAccount]) -> Totals:
    """Sum the accounts of some layers."""
    accounts = list(accounts)
    sums = {name: sum(getattr(account, name) for account in accounts) for name in (*KINDS, "overhead")}
    return Totals(layers=len(accounts), **sums)


def headline(book: Ledger) -> str:
    """Say in one sentence how much the image carries for nothing, and which line is most to blame."""
    if not book.total:
        return f"{book.name} stores no file content"
    if not book.wasted:
        return f"{book.name} stores {human_bytes(book.total)} and wastes none of it"
    flows = book.flows()
    mine = [flow for flow in flows if not flow.wasted_by.base]
    lost = f"{human_bytes(book.wasted)} ({_shares(book)}) for nothing"
    if not mine:
        return f"{book.name} carries {lost}, all of it inside its base image"
    return f"{book.name} carries {lost}: {blame(mine[0], whole=mine[0].bytes == book.wasted)}"


def _shares(book: Ledger) -> str:
    """Say which share of whose content is wasted: "100 % of its own content, 1 % of its base's"."""
    if not book.base.layers:
        return f"{human_share(book.wasted, book.total)} of its content"
    own = [f"{human_share(book.own.wasted, book.own.content)} of its own content"] if book.own.wasted else []
    whose = "its base's" if own else "its base's content"
    of_base = human_share(book.base.wasted, book.base.content)
    return ", ".join([*own, *([f"{of_base} of {whose}"] if book.base.wasted else [])])


def blame(flow: Flow, *, whole: bool = False) -> str:
    """Say what one line did to the bytes of another; `whole` leaves the number out."""
    size = "what" if whole else f"{human_bytes(flow.bytes)} that"
    if flow.kind == "again":
        assert flow.first_stored_by is not None
        return f"{flow.wasted_by.where} stores again {size} {flow.first_stored_by.where} stored"
    done = "deletes" if flow.kind == "deleted" else "replaces"
    return f"{flow.wasted_by.where} {done} {size} {flow.stored_by.where} stored"


def _sums_dict(sums: Sums) -> dict[str, int]:
    return {name: getattr(sums, name) for name in ("content", *KINDS, "wasted", "overhead", "tar")}


def _totals_dict(sums: Totals) -> dict[str, int]:
    return {"layers": sums.layers, **_sums_dict(sums)}


def _account_dict(account: LayerAccount) -> dict[str, Any]:
    return {
        "row": account.row.number,
        "layer": account.row.layer,
        "line": account.row.line,
        "text": account.row.text,
        "base": account.row.base,
        "diff_id": account.row.diff_id,
        **_sums_dict(account),
        "wastes": account.wastes,
    }
