"""What a run of a notebook must not pass over: rules for its cells, and a plugin that puts them to nbval.

nbval passes what it does not look at. IPython answers an unknown magic with a line on stderr and no error; a
cell is compared only where it is tagged and was run before; what tests/nbval.cfg replaces is not compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from nbval.plugin import IPyNbCell

COMPARED, RAISES = "nbval-check-output", "raises-exception"
LEAST_LEFT = 0.5  # of the letters and digits of a compared output: the rest may be times and digests
MARKED = f"only the tags {COMPARED} and {RAISES} may say how a cell is tested"
_OTHER_TAG = re.compile(r"nbval|raises|skip")
_MARK = re.compile(r"^\s*#\s*(NBVAL_|PYTEST_VALIDATE)", re.MULTILINE)
_PLAIN = re.compile(r"(?s)<style>.*?</style>|<[^>]*>|[\W_]")

# What a failed build leaves in a notebook, and what is said of it later; neither is an error of the cell.
_NOT_BUILT = re.compile(r'role="alert"|\bwas not built: ')

Outputs = Sequence[Mapping[str, Any]]


def faults(cell: Mapping[str, Any], outputs: Outputs, replaced: Mapping[str, str]) -> Iterator[str]:
    """Say what nbval would pass over in a stored code cell, and in the outputs that its run gave now.

    `replaced` is by regular expression, as tests/nbval.cfg has it.
    """
    tags = set(cell["metadata"].get("tags", ()))
    if _MARK.search(cell["source"]) or any(map(_OTHER_TAG.match, tags - {COMPARED, RAISES})):
        yield MARKED
    for output in outputs:
        if output["output_type"] == "stream" and output["name"] == "stderr":
            yield f"it writes to stderr: {output['text'].strip()[-300:]}"
    if RAISES in tags and not any(output["output_type"] == "error" for output in outputs):
        yield "it is to raise an exception, and does not"
    if any(map(_NOT_BUILT.search, _texts(outputs))) and not any(
        map(_NOT_BUILT.search, _texts(cell["outputs"]))
    ):
        yield "a build failed, or its image was asked for"
    if COMPARED not in tags:
        return
    if cell["execution_count"] is None or not cell["outputs"]:
        yield "its output is to be compared, and none is stored"
        return
    text = left = "\n".join(_texts(cell["outputs"]))
    for pattern in replaced:
        left = re.sub(pattern, "", left)
    if len(_PLAIN.sub("", left)) < LEAST_LEFT * len(_PLAIN.sub("", text)):
        yield "its output is to be compared, and hardly any is left: tests/nbval.cfg replaces the rest"


def unwatched(cells: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether no output of a notebook is compared, though it has code."""
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    return bool(code) and not any(COMPARED in cell["metadata"].get("tags", ()) for cell in code)


def _texts(outputs: Outputs) -> Iterator[str]:
    for output in outputs:
        yield from output.get("text", "").splitlines()
        yield from (str(text) for kind, text in output.get("data", {}).items() if "widget-view" not in kind)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail a cell that nbval skips, or passed over a fault of."""
    if isinstance(item, IPyNbCell) and item.options["skip"]:
        item.raise_cell_error(MARKED)
    yield
    if isinstance(item, IPyNbCell):
        found = list(faults(item.cell, item.test_outputs or (), item.parent.sanitize_patterns))
        if item.cell_num == 0 and unwatched(item.parent.nb.cells):
            found.append("no output of this notebook is compared")
        if found:
            item.raise_cell_error("\n".join(found))
