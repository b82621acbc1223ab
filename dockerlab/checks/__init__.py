"""Exercises: what each asks, what its check measures, and a progress file that the learner owns.

    task = lab.exercise("02-run-chaining")
    task.check(mine)    # `mine` is what %%dockerfile bound
    task.hint()

A check never reads the Dockerfile's text: it measures the image, with the engine that built it.
"""

from __future__ import annotations

from dockerlab.checks.exercise import Exercise, exercise
from dockerlab.checks.verdict import Report, Verdict

__all__ = ["Exercise", "Report", "Verdict", "exercise"]
