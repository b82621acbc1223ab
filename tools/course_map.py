"""Write README's course map, and its links to where the course can be opened, from course.toml.

With --check, only tell whether they are as they should be.
"""

from __future__ import annotations

import sys
from pathlib import Path

from dockerlab.course.course_map import course_map
from tools.course import ROOT, Course, read_course

README = ROOT / "README.md"
BEGIN = "<!-- {}: made from course.toml by python -m tools.course_map -->"
END = "<!-- end of the {} -->"
NOWHERE = """Once this repository is on GitHub, name it in `course.toml` (`repository = "owner/name"`) and run
`python -m tools.course_map`: then the buttons and a link for each lesson stand here."""


def open_elsewhere(course: Course) -> str:
    """Return the buttons of Binder and Codespaces, and a link that opens each lesson on Binder."""
    if not course.repository:
        return NOWHERE
    binder = f"https://mybinder.org/v2/gh/{course.repository}/HEAD?urlpath=lab/tree/my-lab"
    links = " ".join(f"[{one.name[:2]}]({binder}/{one.notebook.as_posix()})" for one in course.lessons)
    return (
        f"[![Open on Binder](https://mybinder.org/badge_logo.svg)]({binder}/{course.start.as_posix()})\n"
        "[![Open in Codespaces](https://github.com/codespaces/badge.svg)]"
        f"(https://codespaces.new/{course.repository})\n\nA lesson on Binder: {links}"
    )


def renewed(text: str, course: Course) -> str:
    """Return README's text with what is between the marks renewed; ValueError where a mark is missing."""
    for name, made in (("course map", course_map()), ("buttons", open_elsewhere(course))):
        before, rest = text.split(BEGIN.format(name), 1)
        _, after = rest.split(END.format(name), 1)
        text = f"{before}{BEGIN.format(name)}\n{made}\n{END.format(name)}{after}"
    return text


def main(arguments: list[str]) -> int:
    """Write them, or check them."""
    path = Path(README)
    old = path.read_text(encoding="utf-8")
    new = renewed(old, read_course())
    if "--check" in arguments:
        if new != old:
            print("README is not what course.toml says: run python -m tools.course_map", file=sys.stderr)
        return int(new != old)
    path.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
