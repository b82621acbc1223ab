"""Write README's course map from course.toml; with --check, only tell whether it is as it should be."""

from __future__ import annotations

import sys
from pathlib import Path

from tools.course import ROOT, Course, read_course

README = ROOT / "README.md"
BEGIN = "<!-- course map: made from course.toml by python -m tools.course_map -->"
END = "<!-- end of the course map -->"


def table(course: Course) -> str:
    """Draw the lessons as a Markdown table: number, linked title, question, minutes, exercise."""
    rows = ["| | lesson | the question | minutes | exercise |", "|---|---|---|---|---|"]
    for lesson in course.lessons:
        number = lesson.name.split("-", 1)[0]
        names = list(lesson.tasks)
        exercise = " ".join(
            f"[{'do it' if len(names) == 1 else count}](exercises/{name}.ipynb)"
            for count, name in enumerate(names, 1)
        )
        rows.append(
            f"| {number} | [{lesson.title}]({lesson.notebook.as_posix()}) | {lesson.question} "
            f"| {lesson.minutes} | {exercise} |"
        )
    return "\n".join(rows)


def with_map(text: str, course: Course) -> str:
    """Return README's text with the map between its two marks renewed; ValueError where a mark is missing."""
    before, rest = text.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    return f"{before}{BEGIN}\n{table(course)}\n{END}{after}"


def main(arguments: list[str]) -> int:
    """Write the map, or check it."""
    path = Path(README)
    old = path.read_text(encoding="utf-8")
    new = with_map(old, read_course())
    if "--check" in arguments:
        if new != old:
            print(
                "README's course map is not what course.toml says: run python -m tools.course_map",
                file=sys.stderr,
            )
        return int(new != old)
    path.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
