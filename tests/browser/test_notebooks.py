"""Every lesson runs in JupyterLab in a browser, as a learner sees it."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode, from_dict
from nbval.plugin import IPyNbFile, coalesce_streams, get_sanitize_patterns

from tests.cells import faults
from tools.browser import Lab, Visit, visit
from tools.course import ROOT, read_course

SANITIZED = ROOT / "tests" / "nbval.cfg"
PNG = b"\x89PNG\r\n\x1a\n"
LESSONS = [lesson.notebook for lesson in read_course().lessons if (ROOT / lesson.notebook).exists()]


def assert_clean(seen: Visit) -> None:
    """Fail on an error in a cell, an error in the console, or a request to another host."""
    assert seen.errors == ()
    assert seen.console == ()
    assert seen.left == ()
    assert all(path.read_bytes().startswith(PNG) for path in seen.screenshots)


def is_claim(cell: NotebookNode) -> bool:
    """Say whether a cell's output is compared."""
    return "nbval-check-output" in cell["metadata"].get("tags", ())


def disagreements(session: pytest.Session, notebook: Path, seen: Visit) -> list[str]:
    """Compare the outputs with the committed ones as nbval does, of the cells tagged for it, sanitized.

    What no cell may do, as to write to stderr, is told too.
    """
    committed = IPyNbFile.from_parent(session, path=ROOT / notebook)
    committed.sanitize_patterns.update(get_sanitize_patterns(SANITIZED.read_text(encoding="utf-8")))
    told = []
    for cell in committed.collect():
        shown = outputs_of(seen, cell.cell_num)
        found = list(faults(cell.cell, shown, committed.sanitize_patterns))
        if is_claim(cell.cell) and not cell.compare_outputs(shown, coalesce_streams(cell.cell.outputs)):
            found += cell.comparison_traceback
        if found:
            told.append("\n".join([f"cell {cell.cell_num}", cell.cell.source, *found]))
    return told


def outputs_of(seen: Visit, number: int) -> list[NotebookNode]:
    """Give what code cell `number` printed and showed in the browser, as nbval has it."""
    shown: list[NotebookNode] = coalesce_streams([from_dict(output) for output in seen.outputs[number]])
    return shown


@pytest.mark.parametrize("notebook", LESSONS, ids=lambda path: path.stem)
def test_another_result_is_told(notebook: Path, request: pytest.FixtureRequest) -> None:
    """What a lesson shows as committed agrees; another result, or an unknown magic, is told with its cell."""
    committed = nbformat.read(ROOT / notebook, as_version=4)
    cells = [cell for cell in committed["cells"] if cell["cell_type"] == "code"]
    shown = tuple(cell["outputs"] for cell in cells)
    seen = Visit(notebook.as_posix(), len(cells), shown, (), (), (), 0, 0, ())
    assert disagreements(request.session, notebook, seen) == []
    claim = next(
        at for at, cell in enumerate(cells) if "nbval-check-output" in cell["metadata"].get("tags", ())
    )
    for name, text, said in (
        ("stdout", "otherwise", "stdout"),
        ("stderr", "UsageError: no magic", "no magic"),
    ):
        shown[claim].append(nbformat.v4.new_output("stream", name=name, text=text))
        (told,) = disagreements(request.session, notebook, seen)
        assert told.startswith(f"cell {claim}\n{cells[claim]['source']}")
        assert said in told
        shown[claim].pop()


def test_a_chart_is_drawn(lab: Lab, shots: Path) -> None:
    """A plotly chart made from its mimetype alone is drawn, and no request leaves the machine."""
    seen = visit(lab, "chart.ipynb", themes=("light", "dark"), shots=shots)
    assert_clean(seen)
    assert (seen.cells, seen.charts, len(seen.screenshots)) == (2, 1, 2)


@pytest.mark.parametrize("notebook", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_runs(lab: Lab, shots: Path, notebook: Path, request: pytest.FixtureRequest) -> None:
    """All cells of the lesson run: no error in a cell or the console, no request to another host.

    What the cells that carry a claim show is what the committed notebook shows.
    """
    seen = visit(lab, notebook.as_posix(), themes=("light", "dark"), shots=shots)
    assert_clean(seen)
    assert "\n\n".join(disagreements(request.session, notebook, seen)) == ""
