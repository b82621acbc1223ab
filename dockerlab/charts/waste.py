"""The byte ledger as a picture: what became of each layer's bytes."""

from __future__ import annotations

from collections.abc import Sequence

from dockerlab.analysis.ledger import Flow, LayerAccount, Ledger, headline, totals
from dockerlab.analysis.wasted_bytes import KINDS, Kind
from dockerlab.charts.bars import Bar, Legend, Rows, Segment, cut_short
from dockerlab.charts.picture import (
    BLUE,
    GREY,
    ORANGE,
    PURPLE,
    VERMILLION,
    Picture,
    hover,
    layout,
    sentence,
    spec,
)
from dockerlab.units import count, human_bytes

LOOK: dict[Kind, tuple[str, str]] = {
    "live": (BLUE, ""),
    "twice": (BLUE, "+"),
    "overwritten": (ORANGE, "-"),
    "deleted": (VERMILLION, "x"),
    "again": (PURPLE, "/"),
}
WORDS: dict[Kind, str] = {
    "live": "live",
    "twice": "the same content twice",
    "overwritten": "overwritten later",
    "deleted": "deleted later",
    "again": "stored again",
}
_SHORT: dict[Kind, str] = {
    "live": "live",
    "twice": "the same twice",
    "overwritten": "overwritten",
    "deleted": "deleted",
    "again": "stored again",
}
_BASE_LIVE = (GREY, "")


def ledger_by_layer(book: Ledger) -> Picture:
    """Draw what became of each layer's content: live, overwritten, deleted, stored again. Unpacked bytes."""
    flows = book.flows()
    own = [account for account in book.rows if not account.row.base]
    base = [account for account in book.rows if account.row.base]
    bars = [_bar(account, flows) for account in reversed(own)]
    if base:
        bars.append(cut_short(_base_bar(base, flows), max((bar.size for bar in bars), default=0)))
    rows = Rows(bars, "file content, unpacked bytes")
    title = headline(book)
    kinds = [kind for kind in KINDS if kind != "twice" or book.all.twice]
    marked = f"on a stand-in for {book.stand_in}" if book.stand_in else ""
    built = ", ".join(part for part in (book.engine, marked) if part)
    note = " · ".join(part for part in (built, "lowest layer at the bottom") if part)
    legend = Legend(_legend(own, base))
    frame = layout(title, note, plot_height=rows.height, left=rows.left, above=legend.height) | rows.axes()
    frame["annotations"] += legend.annotations(left=rows.left)
    return Picture(
        title=title,
        summary=sentence(f"{title} ({_sums(book)}{f'; built by {built}' if built else ''})"),
        columns=(
            "layer",
            "from",
            "instruction",
            *(WORDS[kind] for kind in kinds),
            "tar headers",
            "whole tar",
        ),
        rows=tuple(_table_row(account, kinds) for account in book.rows),
        right=("layer", *(WORDS[kind] for kind in kinds), "tar headers", "whole tar"),
        data=book,
        spec=spec(rows.traces(), frame),
    )


def fate(flow: Flow) -> str:
    """Say what became of wasted bytes and by whom: 'deleted by line 3'."""
    if flow.kind == "again":
        return "stored again"
    return f"{flow.kind} by {flow.wasted_by.where}"


def _bar(account: LayerAccount, flows: Sequence[Flow]) -> Bar:
    mine = [flow for flow in flows if flow.stored_by == account.row]
    shown = hover(
        account.row.text,
        f"{account.row.where} · layer {account.row.layer} · {account.content:,} bytes of content",
        f"live: {account.live:,} bytes",
        *([f"the same content twice: {account.twice:,} bytes"] if account.twice else []),
        *(f"{fate(flow)}: {flow.bytes:,} bytes, {_files(flow)}" for flow in mine[:5]),
        *([f"and {count(len(mine) - 5, 'smaller cause')}"] if len(mine) > 5 else []),
        *([f"this line wastes {account.wastes:,} bytes in all"] if account.wastes else []),
    )
    return Bar(
        account.row.text,
        _label(account.content, mine, account.wastes),
        shown,
        _segments([account]),
        lead=account.row.where,
    )


def _base_bar(base: Sequence[LayerAccount], flows: Sequence[Flow]) -> Bar:
    mine = [flow for flow in flows if flow.stored_by.base]
    content = sum(account.content for account in base)
    shown = hover(
        f"base: {count(len(base), 'layer')}",
        f"{content:,} bytes of content",
        f"live: {sum(account.live for account in base):,} bytes",
        *(f"{flow.stored_by.where}, {fate(flow)}: {flow.bytes:,} bytes, {_files(flow)}" for flow in mine[:5]),
    )
    return Bar(
        f"{count(len(base), 'layer')} of the base image",
        _label(content, mine),
        shown,
        _segments(base),
        lead="base",
        keep=True,
    )


def _label(content: int, mine: Sequence[Flow], wastes: int = 0) -> str:
    """Return what to write behind a bar: its waste and the largest cause, or its bytes and what it hides."""
    if mine:
        rest = sum(flow.bytes for flow in mine[1:])
        more = f", {human_bytes(rest)} more wasted" if rest else ""
        return f"{human_bytes(mine[0].bytes)} {fate(mine[0])}{more}"
    return human_bytes(content) + (f", hides {human_bytes(wastes)} below" if wastes else "")


def _segments(accounts: Sequence[LayerAccount]) -> tuple[Segment, ...]:
    base = accounts[0].row.base
    found = []
    for kind in KINDS:
        size = sum(getattr(account, kind) for account in accounts)
        if size:
            found.append(Segment(size, *(_BASE_LIVE if base and kind == "live" else LOOK[kind])))
    return tuple(found)


def _legend(own: Sequence[LayerAccount], base: Sequence[LayerAccount]) -> list[tuple[str, str, str]]:
    """Return text, colour and pattern of the kinds that occur, the base's live bytes apart."""
    everything = totals([*own, *base])
    live = totals(own).live
    in_base = totals(base).live
    found = [(f"live {human_bytes(live)}", *LOOK["live"])] if live else []
    found += [(f"base, live {human_bytes(in_base)}", *_BASE_LIVE)] if in_base else []
    return found + [
        (f"{_SHORT[kind]} {human_bytes(size)}", *LOOK[kind])
        for kind in KINDS
        if kind != "live" and (size := getattr(everything, kind))
    ]


def _sums(book: Ledger) -> str:
    sums = book.all
    sizes = ((kind, getattr(sums, kind)) for kind in KINDS)
    return ", ".join(f"{human_bytes(size)} {WORDS[kind]}" for kind, size in sizes if size or kind == "live")


def _files(flow: Flow) -> str:
    return flow.largest if flow.files == 1 else f"{count(flow.files, 'file')}, the largest {flow.largest}"


def _table_row(account: LayerAccount, shown: Sequence[Kind]) -> tuple[str, ...]:
    row = account.row
    kinds = tuple(human_bytes(getattr(account, kind)) for kind in shown)
    return (
        str(row.layer),
        "base" if row.base else row.where,
        row.text,
        *kinds,
        human_bytes(account.overhead),
        human_bytes(account.tar),
    )
