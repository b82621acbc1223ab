"""What package managers leave behind in a layer: lists, downloaded packages, caches."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from dockerlab.analysis.advice.case import Case
from dockerlab.analysis.advice.finding import (
    LEAST_BYTES,
    Finding,
    Pool,
    measured,
    own_live,
    places,
    total,
    verb,
)
from dockerlab.analysis.history import Row
from dockerlab.analysis.ledger import Claim
from dockerlab.analysis.packages import CACHES
from dockerlab.dockerfile.instruction import COPIES
from dockerlab.units import human_bytes

_PATHS = tuple((cache, re.compile(cache.paths)) for cache in CACHES)


def find(case: Case, pool: Pool) -> Iterator[Finding]:
    """Find caches that the image still shows; those deleted later are another finding.

    conda, pnpm and uv link what they install to their cache: such a file is the program's, not the cache's.
    """
    links = [
        (entry.link, entry.path)
        for layer in case.image.layers
        for entry in layer.entries
        if entry.kind == "hardlink"
    ]
    for cache, paths in _PATHS:
        used = {target for target, path in links if paths.match(target) and not paths.match(path)}
        claims = pool.take(partial(_left_in, paths, used))
        size = total(claims)
        if size < LEAST_BYTES:
            continue
        rows = [claim.stored_by for claim in claims]
        where = places(rows)
        yield measured(
            cache.code,
            f"{where} {verb(rows, 'leaves', 'leave')} {human_bytes(size)} of {cache.what}",
            "Leave it out of the COPY." if _copied(rows) else cache.change,
            rows,
            claims,
            where=where,
            saves=size,
            note=cache.note,
        )


def _copied(rows: list[Row]) -> bool:
    return all(row.keyword in COPIES for row in rows)


def _left_in(paths: re.Pattern[str], used: set[str], claim: Claim) -> bool:
    return own_live(claim) and bool(paths.match(claim.path)) and claim.path not in used
