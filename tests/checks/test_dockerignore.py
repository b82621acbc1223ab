from __future__ import annotations

import re

import nbformat

from dockerlab.checks.exercises import dockerignore
from tools.course import ROOT


def test_the_solution_is_the_one_that_is_tested() -> None:
    """The .dockerignore of the solution's notebook is SOLVED's, with which its Dockerfiles are checked."""
    book = nbformat.read(ROOT / "solutions" / "solution-07-dockerignore.ipynb", as_version=4)
    shown = [
        found[1]
        for cell in book["cells"]
        if cell["cell_type"] == "code"
        and (found := re.search(r'files\["\.dockerignore"\] = """\\\n(.*?)"""', cell["source"], re.DOTALL))
    ]
    assert shown[:1] == [dockerignore.SOLVED[".dockerignore"]]
