"""What the ledger calls waste, with the change that ends it: deleted, stored again, overwritten."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dockerlab.analysis.advice.case import Case
from dockerlab.analysis.advice.finding import LEAST_BYTES, Finding, Pool, measured, total
from dockerlab.analysis.history import Row
from dockerlab.analysis.ledger import Claim
from dockerlab.analysis.packages import BOOKS
from dockerlab.analysis.shell import commands
from dockerlab.dockerfile.instruction import COPIES
from dockerlab.units import human_bytes

LEAST_REPLACED = 1_000_000  # bytes: two installs rewrite each other's small files, which is no mistake
_BOOKS = re.compile(  # what every install writes anew
    rf"{BOOKS.pattern}|var/(cache/ldconfig|log)/|etc/(ld\.so\.cache|passwd|group|shadow|gshadow)"
)
_MODES = re.compile(r"\b(chmod|chown|chgrp|setfacl|setcap|touch)\b")
_DUPLICATORS = frozenset({"mv", "cp", "ln", "rsync", "install"})
_TEXTS = re.compile(r"usr/share/(doc|man|locale|info|lintian|licenses)/")  # packages bring equal ones
_UNPACKS = re.compile(r"\b(tar|unzip|7z|dpkg|gunzip)\b")


def find(case: Case, pool: Pool) -> Iterator[Finding]:
    """Find waste that lines of this Dockerfile made."""
    yield from _deleted(case, pool)
    yield from _again(case, pool)
    yield from _replaced(pool)


def _groups(claims: list[Claim]) -> Iterator[tuple[Row, Row, list[Claim]]]:
    """Group claims by the pair of rows behind them: who stored (or had stored) them, who wasted them."""
    found: dict[tuple[int, int], list[Claim]] = {}
    for claim in claims:
        before, after = claim.first_stored_by or claim.stored_by, claim.wasted_by
        assert after is not None
        found.setdefault((before.number, after.number), []).append(claim)
    for group in found.values():
        after = group[0].wasted_by
        assert after is not None
        yield group[0].first_stored_by or group[0].stored_by, after, group


def _deleted(case: Case, pool: Pool) -> Iterator[Finding]:
    claims = pool.take(lambda claim: claim.kind == "deleted" and _mine(claim))
    for before, after, group in _groups(claims):
        size = total(group)
        if size < (LEAST_REPLACED if before.base else LEAST_BYTES):
            continue
        if before.base:
            yield measured(
                "deleted-base-files",
                f"{after.where} deletes {human_bytes(size)} of the base image, which frees nothing",
                "No line of this Dockerfile can free them: take a base without these files, or copy what is "
                "needed into `FROM scratch`.",
                [after],
                group,
                saves=None,
                note="What a smaller base would save is not measured.",
            )
            continue
        yield measured(
            "deleted-later",
            f"{after.where} deletes {human_bytes(size)} that {before.where} stored, and the image keeps them",
            _deletion_change(case, before, after),
            [before, after],
            group,
            saves=size,
        )


def _deletion_change(case: Case, before: Row, after: Row) -> str:
    if before.keyword in COPIES:
        if case.copied_from_context(before) and _UNPACKS.search(after.text):
            return (
                "Let the files never enter a layer: `RUN --mount=type=bind,source=FILE,target=/mnt/FILE` "
                "where they are used, or ADD for a tar archive of the context, which it unpacks."
            )
        return "Copy less, or let the files never enter a layer: `RUN --mount=type=bind` where they are used."
    return f"Delete in the RUN that stored them: join {before.where} and {after.where} with && or a heredoc."


def _again(case: Case, pool: Pool) -> Iterator[Finding]:
    claims = pool.take(lambda claim: claim.kind == "again" and _mine(claim))
    for before, after, group in _groups(claims):
        held = _paths(case, before)
        same = [claim for claim in group if claim.path in held and not _BOOKS.match(claim.path)]
        # A package that brings a file some other package has too is nobody's mistake.
        other = [claim for claim in group if claim.path not in held and not _brought(claim.path)]
        size = total(same)
        if size >= LEAST_BYTES:
            yield measured(
                "stored-again",
                f"{after.where} stores {human_bytes(size)} again that {before.where} had stored",
                _again_change(before, after),
                [before, after],
                same,
                saves=size,
            )
        size = total(other)
        told = after.keyword in COPIES or any(words[0] in _DUPLICATORS for words in commands(after.text))
        if size >= LEAST_BYTES and told:
            yield measured(
                "moved-or-copied",
                f"{after.where} stores under other names {human_bytes(size)} that {before.where} had stored",
                f"Put the files where they belong in {before.where} already."
                if not before.base
                else "Use the base's files where they are, or link to them with `ln -s`.",
                [before, after],
                other,
                saves=size,
            )


def _again_change(before: Row, after: Row) -> str:
    if after.keyword in COPIES:
        return f"Copy each file once: {after.where} brings files that are there already, unchanged."
    if not _MODES.search(after.text):
        return (
            f"{after.where} writes files that are there already, unchanged: leave them out of one of the two."
        )
    if before.base:
        return "Give the command the files it needs, not whole folders of the base."
    if before.keyword in COPIES:
        pairs = (("chmod", "--chmod"), ("ch(own|grp)", "--chown"))
        flags = " ".join(f"{flag}=..." for word, flag in pairs if re.search(word, after.text))
        return f"Set it while copying: `{before.keyword} {flags or '--chmod=...'}`."
    return f"Do it in the RUN that stored them: join {before.where} and {after.where}."


def _replaced(pool: Pool) -> Iterator[Finding]:
    claims = pool.take(
        lambda claim: (
            claim.kind == "overwritten"
            and _mine(claim)
            and not claim.stored_by.base
            and not _BOOKS.match(claim.path)
        )
    )
    for before, after, group in _groups(claims):
        size = total(group)
        if size < LEAST_REPLACED:
            continue
        yield measured(
            "replaced-later",
            f"{after.where} replaces {human_bytes(size)} of {before.where}, and the image keeps both",
            f"Write the files once, in their last state: join {before.where} and {after.where}, or leave "
            "them out of the first.",
            [before, after],
            group,
            saves=size,
        )


def _brought(path: str) -> bool:
    return bool(_BOOKS.match(path) or _TEXTS.match(path))


def _mine(claim: Claim) -> bool:
    return claim.wasted_by is not None and not claim.wasted_by.base


def _paths(case: Case, row: Row) -> set[str]:
    """Return the files that a row's layer stores, or the whole base for a row of the base."""
    layers = case.image.layers
    some = layers[: row.layer] if row.base else layers[(row.layer or 1) - 1 : row.layer]
    return {entry.path for layer in some for entry in layer.entries if entry.kind in ("file", "hardlink")}
