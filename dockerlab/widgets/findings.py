"""Advice as a table in a notebook and as plain text in a terminal."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from dockerlab.analysis.advice import Advice, Finding
from dockerlab.printable import printable
from dockerlab.units import count, human_bytes, human_seconds
from dockerlab.widgets.table import Table


@dataclass(frozen=True, repr=False)
class AdviceTable(Table):
    """What could be better in an image, the most worthwhile first; `data` holds the findings."""

    def text(self, *, width: int = 110) -> str:
        """Return one block a finding: what was seen, what to change, what it saves, the evidence."""
        lines = [self.caption]
        for number, finding in enumerate(self.data, 1):
            lines += ["", *_block(number, finding, width=width)]
        if self.note:
            lines += ["", self.note]
        return "\n".join(map(printable, lines))


def advice_table(advice: Advice) -> AdviceTable:
    """Return advice as something to show."""
    findings = advice.findings
    return AdviceTable(
        caption=_caption(advice),
        columns=("where", "finding", "evidence", "change", "saves"),
        rows=tuple(
            (
                finding.where,
                f"{finding.title} [{finding.code}]",
                _first_evidence(finding),
                " ".join(part for part in (finding.change, finding.note) if part),
                saves(finding),
            )
            for finding in findings
        ),
        right=("saves",),
        paths=("evidence",),
        prose=("finding", "change"),
        note=_note(advice),
        data=findings,
    )


def saves(finding: Finding) -> str:
    """Return what a change should save, as far as it is measured."""
    parts = []
    if finding.saves_bytes is not None:
        parts.append(human_bytes(finding.saves_bytes))
    if finding.saves_seconds is not None:
        parts.append(f"{human_seconds(finding.saves_seconds)} a build")
    return ", ".join(parts)


def _block(number: int, finding: Finding, *, width: int) -> list[str]:
    also = f", also {', '.join(finding.also)}" if finding.also else ""
    source = "" if finding.source == "dockerlab" else f"{finding.source} "
    where = f"{finding.where}: " if finding.where and finding.where not in finding.title else ""
    lines = _wrapped(f"{number}. ", f"{where}{finding.title} [{source}{finding.code}{also}]", width=width)
    lines += _wrapped("   change: ", finding.change, width=width)
    if saves(finding):
        lines.append(f"   saves:  {saves(finding)}")
    lines += _wrapped("   note:   ", finding.note, width=width)
    return [*lines, *(f"           {line}" for line in _evidence(finding))]


def _wrapped(label: str, text: str, *, width: int) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=label,
        subsequent_indent=" " * len(label),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _evidence(finding: Finding) -> list[str]:
    lines = [
        f"{evidence.what} ({human_bytes(evidence.bytes)})" if evidence.bytes is not None else evidence.what
        for evidence in finding.evidence
    ]
    more = (finding.files or 0) - len(finding.evidence)
    paths = all(evidence.what.startswith("/") for evidence in finding.evidence)
    return [*lines, *([f"and {count(more, 'more file')}"] if more > 0 and paths else [])]


def _first_evidence(finding: Finding) -> str:
    """Return the largest file with the number of the others, or all that is no file: a table has no room."""
    lines = _evidence(finding)
    if not finding.evidence or not all(evidence.what.startswith("/") for evidence in finding.evidence):
        return "; ".join(lines)
    more = max(finding.files or 0, len(finding.evidence)) - 1
    return f"{lines[0]} and {count(more, 'more file')}" if more else lines[0]


def _caption(advice: Advice) -> str:
    measured = [finding for finding in advice.findings if finding.source == "dockerlab"]
    others = len(advice.findings) - len(measured)
    facts = [f"{human_bytes(advice.book.total)} unpacked"]
    if advice.saves_bytes:
        facts.append(f"{human_bytes(advice.saves_bytes)} to save")
    if advice.seconds is not None:
        facts.append(f"built in {human_seconds(advice.seconds)}")
    if others:
        facts.append(f"{count(others, 'finding')} of hadolint")
    if advice.engine:
        facts.append(advice.engine)
    if advice.book.stand_in:
        facts.append(f"base {advice.book.stand_in} (stand-in)")
    return f"{advice.book.name}: {count(len(measured), 'finding')} ({'; '.join(facts)})"


def _note(advice: Advice) -> str:
    if advice.with_dockerfile:
        return ""
    return "Without the Dockerfile nothing is said of the build context and of the order of instructions."
