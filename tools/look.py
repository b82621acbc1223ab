"""Run notebooks in JupyterLab in Chromium and save screenshots, light and dark, for a person to look at."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tools.browser import Theme, chromium, missing, open_lab, visit
from tools.course import ROOT
from tools.jupyterlab import serve


def main() -> int:
    """Say per notebook what happened and where its screenshots are; return 1 when anything went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tools.look", description=__doc__)
    parser.add_argument("notebooks", nargs="+", type=Path, help="notebooks in this checkout")
    parser.add_argument("--to", type=Path, default=ROOT / ".lab" / "look", help="folder for the screenshots")
    parser.add_argument("--theme", choices=["light", "dark", "both"], default="both")
    options = parser.parse_args()
    if reason := missing():
        print(reason, file=sys.stderr)
        return 1
    themes: tuple[Theme, ...] = ("light", "dark") if options.theme == "both" else (options.theme,)
    wrong = False
    with tempfile.TemporaryDirectory(prefix="look-") as folder:
        course = Path(folder) / "course"
        for name in ("notebooks", "exercises", "solutions"):
            shutil.copytree(ROOT / name, course / name)
        shutil.copy(ROOT / "course.toml", course)
        with (
            serve(course, home=Path(folder) / "jupyter") as address,
            chromium() as browser,
            open_lab(browser, address) as lab,
        ):
            for given in options.notebooks:
                path = given.resolve().relative_to(ROOT)
                (course / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(given, course / path)
                seen = visit(lab, path.as_posix(), themes=themes, shots=options.to.resolve())
                print(f"{path}: {seen.cells} cells in {seen.seconds:.1f} s, {seen.charts} charts")
                for kind in ("errors", "console", "left"):
                    for line in getattr(seen, kind):
                        wrong = True
                        print(f"  {kind}: {line}")
                for saved in seen.screenshots:
                    print(f"  {saved}")
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
