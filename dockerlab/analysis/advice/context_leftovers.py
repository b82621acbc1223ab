"""Files of the build context that .dockerignore should have kept out of the image."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from dockerlab.analysis.advice.case import Case
from dockerlab.analysis.advice.finding import LEAST_BYTES, Finding, Pool, measured, places, total, verb
from dockerlab.analysis.ledger import Claim
from dockerlab.units import human_bytes


@dataclass(frozen=True)
class _Leftover:
    code: str
    what: str
    paths: re.Pattern[str]
    ignore: str  # the line for .dockerignore


_LEFTOVERS = (
    _Leftover("context-git", "the .git folder", re.compile(r"(.*/)?\.git/"), "**/.git"),
    _Leftover("context-node-modules", "node_modules", re.compile(r"(.*/)?node_modules/"), "**/node_modules"),
    _Leftover(
        "context-pycache",
        "Python's bytecode",
        re.compile(r"(.*/)?__pycache__/|.*\.py[co]$"),
        "**/__pycache__",
    ),
    _Leftover(
        "context-caches",
        "test, editor and type checker folders",
        re.compile(r"(.*/)?\.(pytest_cache|mypy_cache|ruff_cache|tox|nox|idea|vscode|hypothesis)/"),
        "**/.*_cache",
    ),
    _Leftover("context-logs", "log files", re.compile(r".*\.log$"), "**/*.log"),
)
_VENV = re.compile(r"((?:.*/)?)pyvenv\.cfg$")


def find(case: Case, pool: Pool) -> Iterator[Finding]:
    """Find them among what COPY and ADD took from the context, also when a later line deletes them.

    Needs the Dockerfile: `COPY --from` of the same folders is no mistake, and the history does not tell the
    two apart.
    """

    for venv in _virtual_environments(case):
        name = venv.rstrip("/").rpartition("/")[2]
        asked = re.compile(rf"(.*/)?({re.escape(name)}|\.?v?env)/")
        claims = pool.take(partial(_copied, case, re.compile(re.escape(venv)), asked))
        yield from _finding("context-venv", f"a virtual environment ({name})", f"**/{name}", claims)
    for leftover in _LEFTOVERS:
        claims = pool.take(partial(_copied, case, leftover.paths, leftover.paths))
        yield from _finding(leftover.code, leftover.what, leftover.ignore, claims)


def _copied(case: Case, paths: re.Pattern[str], asked: re.Pattern[str], claim: Claim) -> bool:
    """Tell whether a COPY brought a file without naming it or its folder (`asked`) itself."""
    by = claim.stored_by
    if by.base or not case.copied_from_context(by) or not paths.match(claim.path):
        return False
    instruction = case.instruction(by)
    return instruction is None or not any(_asks_for(asked, source) for source in instruction.args[:-1])


def _asks_for(paths: re.Pattern[str], source: str) -> bool:
    """Tell whether a COPY names such a file or folder itself, so that it is wanted."""
    named = source.strip("./").replace("*", "x")
    return bool(named) and any(paths.match(word) for word in (named, f".{named}", f"{named}/", f".{named}/"))


def _finding(code: str, what: str, ignore: str, claims: list[Claim]) -> Iterator[Finding]:
    size = total(claims)
    if size < LEAST_BYTES:
        return
    rows = [claim.stored_by for claim in claims]
    note = ""
    if any(claim.kind != "live" for claim in claims):
        note = "A later line takes them away, but the layer that holds them stays in the image."
    where = places(rows)
    yield measured(
        code,
        f"{where} {verb(rows, 'copies', 'copy')} {what} into the image: {human_bytes(size)}",
        f"Add the line `{ignore}` to .dockerignore.",
        rows,
        claims,
        where=where,
        saves=size,
        note=note,
    )


def _virtual_environments(case: Case) -> list[str]:
    """Return the folders, with their slash, that COPY brought and that hold a pyvenv.cfg."""
    found = [
        _VENV.match(claim.path) for claim in case.book.claims if case.copied_from_context(claim.stored_by)
    ]
    return sorted({match.group(1) for match in found if match and match.group(1)})
