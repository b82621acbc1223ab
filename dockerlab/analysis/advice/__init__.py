"""Advice that is measured: what an image carries for nothing, which line did it, what to change.

Each byte is counted by one finding at most. Only what lines of this Dockerfile did is judged: a base's own
waste is its maker's. The codes stay as they are, so that scripts can name them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dockerlab.analysis.advice import base, context_leftovers, order, package_caches, secrets, tools, waste
from dockerlab.analysis.advice.case import Case, FindImage, examine
from dockerlab.analysis.advice.finding import Evidence, Finding, Pool
from dockerlab.analysis.advice.hadolint import join, lint, program
from dockerlab.analysis.history import Subject
from dockerlab.analysis.ledger import Ledger
from dockerlab.dockerfile.parser import Dockerfile

__all__ = ["Advice", "Evidence", "Finding", "advise", "join", "lint", "program"]


@dataclass(frozen=True)
class Advice:
    """The findings about one image: secrets first, then by the share of bytes or seconds they cost."""

    book: Ledger
    findings: tuple[Finding, ...]
    with_dockerfile: bool  # False: no lines, and nothing said about the order of instructions or the context
    seconds: float | None = None  # of the build, when it was measured
    engine: str | None = None

    @property
    def saves_bytes(self) -> int:
        """Bytes that all the changes together should save, as far as that is measured."""
        return sum(finding.saves_bytes or 0 for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return the advice as a dict that JSON takes."""
        return {
            "name": self.book.name,
            "engine": self.engine,
            "stand_in": self.book.stand_in,
            "with_dockerfile": self.with_dockerfile,
            "content": self.book.total,
            "wasted": self.book.wasted,
            "seconds": self.seconds,
            "saves_bytes": self.saves_bytes,
            "findings": [finding.to_dict() for finding in self.findings],
        }


def advise(
    subject: Subject,
    *,
    dockerfile: Dockerfile | None = None,
    find_image: FindImage | None = None,
    hadolint: bool = False,
    engine: str | None = None,
) -> Advice:
    """Look for what could be better in an image or a build.

    A Build brings its Dockerfile and its seconds; for an Image give the `dockerfile` if there is one.
    `find_image` returns an image that is at hand by its reference, so that a slimmer base can be measured.
    `hadolint` joins its findings where it is installed. Raises ImageError when the image was not made from
    that Dockerfile.
    """
    case = examine(subject, dockerfile, find_image)
    pool = Pool(case.book)
    found = [
        *secrets.find(case),
        *context_leftovers.find(case, pool),
        *package_caches.find(case, pool),
        *tools.find(case, pool),
        *waste.find(case, pool),
        *base.find(case),
        *order.find(case),
    ]
    ranked = tuple(sorted(found, key=lambda finding: _rank(case, finding)))
    if hadolint and case.stages is not None:
        ranked = join(ranked, lint(case.stages.dockerfile.text))
    return Advice(
        book=case.book,
        findings=ranked,
        with_dockerfile=case.stages is not None,
        seconds=case.seconds,
        engine=case.book.engine or engine,
    )


def _rank(case: Case, finding: Finding) -> tuple[bool, float, str, tuple[int, ...]]:
    """Secrets first, then by what would be saved: its share of the image's bytes or the build's seconds."""
    of_bytes = (finding.saves_bytes or 0) / case.book.total if case.book.total else 0.0
    of_seconds = (finding.saves_seconds or 0) / case.seconds if case.seconds else 0.0
    return (not finding.secret, -max(of_bytes, of_seconds), finding.code, finding.lines)
