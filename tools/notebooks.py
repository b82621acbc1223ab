"""Keep the course's notebooks in one form; with --execute, run notebooks and solutions again, in place.

The form: kernelspec and language by name only, no timings, no widget state, no name of a package mirror,
execution counts from 1 up, consecutive lines of one stream as one output. Outputs are otherwise kept as
they were measured. Exercises hold none.
"""

from __future__ import annotations

import argparse
import copy
import re
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat

from tools.course import ROOT

EXECUTED = ("notebooks", "solutions")
UNEXECUTED = ("exercises", "tests/browser")
KERNEL = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
KEPT_CELL_METADATA = ("tags", "jupyter")
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

MIRROR = re.compile(
    r"(?<=/lists/)[a-z0-9-]+(?:\.[a-z0-9-]*)+|\b[a-z0-9-]+(?:\.[a-z0-9-]+)+(?=_(?:debian|ubuntu))"
)

Notebook = dict[str, Any]  # nbformat's NotebookNode is a dict


def normalise(notebook: Notebook, *, keep_outputs: bool) -> Notebook:
    """Return `notebook` in the course's form, without touching the one given."""
    result = copy.deepcopy(notebook)
    result["metadata"] = nbformat.from_dict(copy.deepcopy(KERNEL))
    result["nbformat"], result["nbformat_minor"] = 4, 5
    count = 0
    for number, cell in enumerate(result["cells"]):
        cell.setdefault("id", f"cell-{number}")
        kept = {key: cell["metadata"][key] for key in KEPT_CELL_METADATA if cell["metadata"].get(key)}
        cell["metadata"] = nbformat.from_dict(kept)
        if cell["cell_type"] != "code":
            continue
        if not keep_outputs or cell["execution_count"] is None:
            cell["execution_count"], cell["outputs"] = None, []
            continue
        count += 1
        cell["execution_count"] = count
        cell["outputs"] = [tidy(output, count) for output in joined(cell["outputs"])]
    return result


def joined(outputs: Iterable[Notebook]) -> list[Notebook]:
    """Join consecutive outputs of the same stream: how a kernel cuts them is chance."""
    result: list[Notebook] = []
    for output in outputs:
        last = result[-1] if result else None
        if (
            last
            and output["output_type"] == last["output_type"] == "stream"
            and output["name"] == last["name"]
        ):
            last["text"] += output["text"]
        else:
            result.append(output)
    return result


def tidy(output: Notebook, count: int) -> Notebook:
    """Give a result its cell's number, and drop a widget's view: its random id means nothing once saved."""
    if output["output_type"] == "execute_result":
        output["execution_count"] = count
    data = output.get("data", {})
    if WIDGET_VIEW in data and len(data) > 1:
        del data[WIDGET_VIEW]
    tidied: Notebook = without_mirror(output)
    return tidied


def without_mirror(value: Any) -> Any:
    """Put "mirror" for the host in the names of apt's package lists: it is this machine's own business."""
    if isinstance(value, str):
        return MIRROR.sub("mirror", value)
    if isinstance(value, list):
        return [without_mirror(item) for item in value]
    if isinstance(value, dict):
        return type(value)({key: without_mirror(item) for key, item in value.items()})
    return value


def text_of(notebook: Notebook) -> str:
    """Write a notebook as its file holds it."""
    return str(nbformat.writes(nbformat.from_dict(notebook), version=4)) + "\n"


def execute(notebook: Notebook, folder: Path) -> Notebook:
    """Run all cells in a new kernel of this environment, in `folder`; CellExecutionError when one fails."""
    from nbclient import NotebookClient

    node = nbformat.from_dict(copy.deepcopy(notebook))
    # The kernel named python3 of the environment that runs this, whatever kernel the file was saved with.
    client = NotebookClient(
        node, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    done: Notebook = client.execute()
    return done


def course_notebooks() -> list[Path]:
    """List every notebook of the checkout."""
    return sorted(path for name in (*EXECUTED, *UNEXECUTED) for path in (ROOT / name).glob("*.ipynb"))


def main() -> int:
    """Normalise the notebooks named (default: all), tell which changed; 1 on an error or a failed --check."""
    parser = argparse.ArgumentParser(prog="python -m tools.notebooks", description=__doc__)
    parser.add_argument("notebooks", nargs="*", type=Path)
    parser.add_argument("--execute", action="store_true", help="run notebooks and solutions first")
    parser.add_argument("--check", action="store_true", help="change nothing, only tell")
    options = parser.parse_args()
    failed = False
    for given in options.notebooks or course_notebooks():
        path = given.resolve()
        folder = path.parent.relative_to(ROOT).as_posix()
        old = path.read_text(encoding="utf-8")
        notebook: Notebook = nbformat.reads(old, as_version=4)
        if options.execute and folder in EXECUTED:
            began = time.monotonic()
            print(f"{path.relative_to(ROOT)} ...", end=" ", flush=True)
            try:
                notebook = execute(notebook, path.parent)
            except Exception as error:  # noqa: BLE001 - whatever a cell raises: told, and the next notebook is tried
                print(f"failed:\n{error}")
                failed = True
                continue
            print(f"{time.monotonic() - began:.1f} s")
        new = text_of(normalise(notebook, keep_outputs=folder in EXECUTED))
        if new == old:
            continue
        print(f"{path.relative_to(ROOT)}: {'not in form' if options.check else 'written'}")
        if options.check:
            failed = True
        else:
            path.write_text(new, encoding="utf-8")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
