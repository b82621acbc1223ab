"""Write README's course map from course.toml; with --check, only tell whether it is as it should be."""

from __future__ import annotations

import sys
from pathlib import Path

from dockerlab.course.course_map import course_map
from tools.course import ROOT

README = ROOT / "README.md"
BEGIN = "<!-- course map: made from course.toml by python -m tools.course_map -->"
END = "<!-- end of the course map -->"


def with_map(text: str) -> str:
    """Return README's text with the map between its two marks renewed; ValueError where a mark is missing."""
    before, rest = text.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    return f"{before}{BEGIN}\n{course_map()}\n{END}{after}"


def main(arguments: list[str]) -> int:
    """Write the map, or check it."""
    path = Path(README)
    old = path.read_text(encoding="utf-8")
    new = with_map(old)
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
