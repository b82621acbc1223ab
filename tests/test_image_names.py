"""No two notebooks give their images the same name: on one engine each would take it from the other."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import nbformat

from dockerlab.inputs import default_tag
from dockerlab.notebook.magics import _parser, split
from tools.course import ROOT
from tools.notebooks import course_notebooks

MAGIC = "%%dockerfile "


def image_names(path: Path) -> Iterator[str]:
    """Yield the name of every image that a notebook's cells build, as the engine gets it."""
    for cell in nbformat.read(path, as_version=4)["cells"]:
        source = cell["source"]
        if cell["cell_type"] != "code":
            continue
        if source.startswith(MAGIC):
            given = _parser().parse_args(split(source.splitlines()[0].removeprefix(MAGIC)))
            yield full(given.tag) if given.tag else default_tag(given.name)
        elif not source.startswith("%%"):
            yield from built_by_calls(source)


def built_by_calls(source: str) -> Iterator[str]:
    """Yield what lab.build, rebuild and playground name their images; {} for what is known later."""
    lines = ["pass" if line.startswith(("%", "!")) else line for line in source.splitlines()]
    for node in ast.walk(ast.parse("\n".join(lines))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        of_lab = getattr(node.func.value, "id", "") == "lab"
        if not of_lab or node.func.attr not in {"build", "playground", "rebuild"}:
            continue
        words = {keyword.arg: text_of(keyword.value) for keyword in node.keywords}
        if tag := words.get("tag"):
            yield full(tag)
        elif node.func.attr == "rebuild" and "name" not in words:
            continue  # under the name it has
        elif words.get("name", "") is not None:  # a variable: its text stands elsewhere in the notebook
            yield default_tag(words.get("name") or ("image" if node.func.attr == "build" else "playground"))


def text_of(node: ast.expr) -> str | None:
    """Return a text as the source has it, {} for each value in it; None where it is something else."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(
            "{}" if isinstance(part, ast.FormattedValue) else text_of(part) or "" for part in node.values
        )
    return None


def full(tag: str) -> str:
    """Return a tag with the version Docker adds."""
    return tag if ":" in tag else f"{tag}:latest"


def test_the_reader_sees_what_notebooks_build() -> None:
    """Magic lines, names, tags, f-strings and what has no name of its own are read as the lab reads them."""
    calls = (
        'lab.build(a, name="x")\n%load_ext y\nlab.build(b, tag=f"dockerlab/{c}_edit:12")\n'
        "lab.playground(d)\nlab.build(e, name=f)\nlab.rebuild(g)\nlab.rebuild(g, name='h')"
    )
    assert list(built_by_calls(calls)) == [
        "dockerlab/x:latest",
        "dockerlab/{}_edit:12",
        "dockerlab/playground:latest",
        "dockerlab/h:latest",
    ]
    exercise = list(image_names(ROOT / "exercises" / "exercise-02-run-chaining.ipynb"))
    assert exercise == ["dockerlab/mine:02"]


def test_an_image_name_belongs_to_one_notebook() -> None:
    """Two lessons, exercises or solutions that are open at once do not take each other's images away."""
    users = defaultdict(set)
    for path in course_notebooks():
        folder = path.parent.relative_to(ROOT).as_posix()
        for name in image_names(path) if not folder.startswith("tests") else ():
            users[name].add(f"{folder}/{path.stem}")
    shared = {name: sorted(paths) for name, paths in users.items() if len(paths) > 1}
    assert len(users) > 100
    assert shared == {}
