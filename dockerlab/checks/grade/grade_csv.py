"""Grades as a CSV: a row a learner, which spreadsheets open without running anything that stands in it."""

from __future__ import annotations

import csv
import io

from dockerlab.checks.grade.grade import Grades, last_time, measured, state

# What spreadsheets take for a formula when a cell begins with it (OWASP, "CSV Injection"); also full width.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - full width is meant
PER_EXERCISE = ("tries", "hints", "last", "measured")


def csv_text(grades: Grades) -> str:
    """Return the CSV: UTF-8 with a byte order mark, so that Excel reads names right; times are ISO 8601, UTC.

    For each exercise: passed, attempted or not; tries and hints up to the first pass; when it was last
    checked, and what that check measured (the progress file holds no other).
    """
    file = io.StringIO()
    rows = csv.writer(file)
    head = ["learner", "passed", "last", "files"]
    for exercise in grades.exercises:
        head += [exercise, *(f"{exercise} {what}" for what in PER_EXERCISE)]
    rows.writerow(map(harmless, head))
    for learner in grades.learners:
        row = [learner.name, str(learner.passed), learner.last or "", "; ".join(learner.files)]
        for exercise in grades.exercises:
            record = learner.of(exercise)
            row += [state(record), str(record.tries), str(record.hints)]
            row += [last_time(record) or "", measured(record)]
        rows.writerow(map(harmless, row))
    return "\ufeff" + file.getvalue()


def harmless(text: str) -> str:
    """Return a cell's text with an apostrophe before what a spreadsheet would take for a formula."""
    return f"'{text}" if text.lstrip(" \u00a0").startswith(_FORMULA) else text
