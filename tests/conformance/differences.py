"""Where the embedded builder knowingly differs from BuildKit; docs/differences.md holds the same table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """One known difference. `words` is a pattern that every difference found in its cases must match."""

    what: str
    buildkit: str
    ours: str
    why: str
    words: str
    sandboxes: tuple[str, ...] = ("namespaces", "proot")

    def unexplained(self, found: Sequence[str]) -> list[str]:
        """Return what this difference does not account for."""
        return [words for words in found if not re.search(self.words, words)]


KNOWN: Mapping[str, Difference] = {
    "no-layer": Difference(
        what="An image without any layer (`FROM scratch` and metadata only)",
        buildkit='refused by a Docker daemon without the containerd store: "empty export"',
        ours="built",
        why="the limit is the daemon's image store, not BuildKit; the OCI image spec allows it",
        words="ours builds it, BuildKit refuses: .*empty export",
    ),
}


def table() -> str:
    """Return the table of docs/differences.md."""
    rows = ["| What | BuildKit | Embedded builder | Why |", "|---|---|---|---|"]
    rows += [f"| {one.what} | {one.buildkit} | {one.ours} | {one.why} |" for one in KNOWN.values()]
    return "\n".join(rows) + "\n"
