"""Exercises: what each asks, what its check measures, and a progress file that the learner owns.

    task = lab.exercise("02-run-chaining")
    task.check(mine)    # `mine` is what %%dockerfile bound
    task.hint()

A check never judges by the Dockerfile's text: it builds attempt and starter again with the same random edits,
asks containers of both, and measures their layers, with the engine that built the attempt.
"""

from __future__ import annotations

from dockerlab.checks.exercise import Exercise, exercise
from dockerlab.checks.verdict import Report, Verdict

__all__ = ["Exercise", "Report", "Verdict", "exercise"]
