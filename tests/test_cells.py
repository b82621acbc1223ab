"""Notebooks that nbval would pass, and that fail as the course runs it."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import v4
from nbval.plugin import get_sanitize_patterns

from tests.cells import COMPARED, RAISES, faults, unwatched
from tools.course import ROOT
from tools.notebooks import EXECUTED, course_notebooks
from tools.sections import NBVAL

SANITIZED = "tests/nbval.cfg"
LESSONS = [path for path in course_notebooks() if path.relative_to(ROOT).parts[0] in EXECUTED]


def cell(source: str, *tags: str, printed: str | None = None, run: bool = True) -> Any:
    """Make a code cell as it is stored."""
    outputs = [] if printed is None else [v4.new_output("stream", name="stdout", text=printed)]
    made = v4.new_code_cell(source, outputs=outputs, execution_count=1 if run else None)
    made["metadata"]["tags"] = list(tags)
    return made


FINE = cell("print('compared')", COMPARED, printed="compared\n")
# A notebook's cells, and what the run says of it; None: it passes.
NOTEBOOKS: dict[str, tuple[list[Any], str | None]] = {
    "all_is_well": ([FINE, cell("1 / 0", RAISES), cell("6 * 7")], None),
    "unknown_cell_magic": ([FINE, cell("%%dokcerfile app\nFROM scratch\n")], "UsageError: Cell magic"),
    "unknown_line_magic": ([FINE, cell("%dokcerlab app")], "UsageError: Line magic"),
    "unknown_option": ([FINE, cell("%%time --nope\n1")], "stderr|exception"),
    "error_of_a_thread": (
        [FINE, cell("import threading\nt = threading.Thread(target=lambda: 1 / 0)\nt.start()\nt.join()")],
        "ZeroDivisionError",
    ),
    "does_not_raise": ([FINE, cell("1 + 1", RAISES)], "does not"),
    "never_run": ([FINE, cell("print(1)", COMPARED, run=False)], "none is stored"),
    "nothing_stored": ([FINE, cell("x = 1", COMPARED)], "none is stored"),
    "other_output": ([cell("print(2)", COMPARED, printed="1\n")], "outputs differ"),
    "all_replaced": (
        [FINE, cell("print('1 s, 2 ms')", COMPARED, printed="4 s, 6 ms\n")],
        "hardly any",
    ),
    "skipped_by_tag": ([FINE, cell("1 / 0", "nbval-skip")], "only the tags"),
    "skipped_by_comment": ([FINE, cell("# NBVAL_SKIP\n1 / 0")], "only the tags"),
    "ignored_by_comment": (
        [FINE, cell("# NBVAL_IGNORE_OUTPUT\nprint(1)", COMPARED, printed="2\n")],
        "only the tags",
    ),
    "a_build_failed": (
        [
            FINE,
            cell("%load_ext dockerlab"),
            cell("%%dockerfile x --engine embedded\nFROM scratch\nCOPY no /"),
        ],
        "a build failed",
    ),
    "nothing_compared": ([cell("print(1)"), cell("print(2)")], "no output of this notebook is compared"),
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Run the notebooks in one go, as the course's are run; what was said of each that failed."""
    folder = tmp_path_factory.mktemp("notebooks")
    for name, (cells, _) in NOTEBOOKS.items():
        nbformat.write(v4.new_notebook(cells=cells), folder / f"{name}.ipynb")
    done = subprocess.run(
        [*NBVAL, "--tb=short", str(folder)],
        cwd=ROOT,
        env={**os.environ, "JUPYTER_PLATFORM_DIRS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    parts = re.split(r"^_{3,} .*?(\w+)\.ipynb.* _{3,}$", done.stdout, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True)) | {"": done.stdout + done.stderr}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_that_proves_nothing_fails(ran: Mapping[str, str], name: str) -> None:
    """Each way to pass without being looked at fails, and says why; a right notebook passes."""
    said = NOTEBOOKS[name][1]
    if said is None:
        assert name not in ran, ran[name]
    else:
        assert re.search(said, ran.get(name, "")), ran[""]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_no_stored_cell_is_passed_over(path: Path) -> None:
    """What is stored of each lesson and solution shows none of the faults, and something is compared."""
    cells = nbformat.read(path, as_version=4)["cells"]
    replaced = dict(get_sanitize_patterns((ROOT / SANITIZED).read_text(encoding="utf-8")))
    code = [one for one in cells if one["cell_type"] == "code"]
    assert not unwatched(cells)
    assert [fault for one in code for fault in faults(one, one["outputs"], replaced)] == []
