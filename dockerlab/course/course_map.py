"""The course map: every lesson with its question, its minutes and its exercises, as a Markdown table."""

from __future__ import annotations

from dockerlab.checks.manifest import course


def course_map() -> str:
    """Return the map that README.md holds, here and in a learner's copy; links are seen from beside it."""
    rows = ["| | lesson | the question | minutes | exercise |", "|---|---|---|---|---|"]
    for lesson in course():
        only = len(lesson.exercises) == 1
        exercises = " ".join(
            f"[{'do it' if only else number}](exercises/exercise-{name}.ipynb)"
            for number, name in enumerate(lesson.exercises, 1)
        )
        rows.append(
            f"| {lesson.number} | [{lesson.title}](notebooks/{lesson.name}.ipynb) | {lesson.question} "
            f"| {lesson.minutes} | {exercises} |"
        )
    return "\n".join(rows)
