"""docs/architecture.md is true: who imports whom, and the path of a RUN, a COPY and a chart."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest

import dockerlab
from dockerlab.context.context import Context, File
from dockerlab.engines.results import Build
from tools.course import ROOT

PACKAGE = Path(dockerlab.__file__).parent
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([^`]+)` \| [^|]+ \| (.*) \|$", re.MULTILINE)
STOP = re.compile(r"^\d+\. `(dockerlab/[^`]+\.py)` `(\w+)`", re.MULTILINE)

MAY_IMPORT = {row: frozenset(re.findall(r"`([^`]+)`", beside)) for row, beside in ROW.findall(PAGE)}


def modules() -> dict[str, Path]:
    """Return every module of the package by its path without the ending: "engines/docker/engine"."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).with_suffix("").as_posix()
        if not (name.startswith("examples/") and name != "examples/__init__"):
            found[name.removesuffix("/__init__")] = path
    return found


MODULES = modules()


def row_of(module: str) -> str:
    """Return the row of the table that a module stands in."""
    fitting = [row for row in MAY_IMPORT if module == row or module.startswith(f"{row}/")]
    return max(fitting, key=len, default="")


def imported(path: Path, *, for_types: bool) -> Iterator[tuple[str, int]]:
    """Yield the modules of the package that a file imports, anywhere in it, with the line."""
    pending: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            pending += node.orelse
            if not for_types:
                continue
        pending += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if _module(name) in MODULES else str(node.module) for name in whole]
        else:
            continue
        yield from ((_module(name), node.lineno) for name in names if _module(name) in MODULES)


def _module(name: str) -> str:
    return "__init__" if name == "dockerlab" else name.removeprefix("dockerlab.").replace(".", "/")


def circle(edges: dict[str, set[str]]) -> list[str]:
    """Return the names along one circle of `edges`, or nothing when there is none."""
    done: set[str] = set()

    def look(at: str, way: list[str]) -> list[str]:
        if at in way:
            return [*way[way.index(at) :], at]
        if at in done:
            return []
        found = next((one for there in sorted(edges[at]) if (one := look(there, [*way, at]))), [])
        done.add(at)
        return found

    return next((one for at in sorted(edges) if (one := look(at, []))), [])


@pytest.mark.parametrize("module", sorted(MODULES))
def test_an_import_never_points_back_up(module: str) -> None:
    """A module imports its own row of the page's table and the rows named beside it, for types too."""
    here = row_of(module)
    assert here, f"{module} stands in no row of docs/architecture.md"
    for there, line in imported(MODULES[module], for_types=True):
        row = row_of(there)
        assert row == here or row in MAY_IMPORT[here], f"{module}:{line} ({here}) imports {there} ({row})"


def test_modules_import_in_no_circle() -> None:
    """No module needs itself by way of others, wherever in the file the import stands."""
    edges = {name: {there for there, _ in imported(path, for_types=False)} for name, path in MODULES.items()}
    assert circle({name: there - {name} for name, there in edges.items()}) == []


def test_the_table_has_no_circle_and_nothing_idle() -> None:
    """Rows depend on each other one way, each row holds a module, and each permission is used."""
    assert circle({row: set(beside) for row, beside in MAY_IMPORT.items()}) == []
    used = {
        (row_of(name), row_of(there))
        for name, path in MODULES.items()
        for there, _ in imported(path, for_types=True)
    }
    assert {row_of(name) for name in MODULES} == set(MAY_IMPORT)
    assert {(row, there) for row, beside in MAY_IMPORT.items() for there in beside} - used == set()


def test_the_top_of_the_package_is_small() -> None:
    """Eight modules at the most lie loose at the top; all else has a room."""
    assert len([name for name in MODULES if "/" not in name and MODULES[name].parent == PACKAGE]) <= 8


def test_no_two_modules_are_a_letter_apart() -> None:
    """No folder holds two modules whose names differ by one letter only, as step and steps do."""
    files = {name for name, path in MODULES.items() if path.name != "__init__.py"}
    assert [name for name in sorted(files) if f"{name}s" in files] == []


def stops(title: str) -> list[tuple[str, str]]:
    """Return the (file, function) pairs of a path on the page, in order."""
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    return STOP.findall(section)


def traced(work: Callable[[], object]) -> list[tuple[str, str]]:
    """Return the functions of the package that `work` calls, in order: (file, function)."""
    calls: list[tuple[str, str]] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        path = frame.f_code.co_filename
        if event == "call" and path.startswith(str(PACKAGE)):
            calls.append((f"dockerlab/{Path(path).relative_to(PACKAGE).as_posix()}", frame.f_code.co_name))

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


def assert_on_the_way(wanted: list[tuple[str, str]], calls: list[tuple[str, str]]) -> None:
    """Check that `wanted` are called in that order, whatever is called between them."""
    left = iter(calls)
    assert len(wanted) > 2
    for stop in wanted:
        assert stop in left, f"{stop} is not called after the stops before it"


BASE = "FROM scratch\nCOPY busybox /bin/sh\n"


@pytest.fixture
def build(tmp_path: Path) -> Callable[[str], object]:
    """Return what builds lines on a base with a shell, on an embedded engine of its own."""
    if sys.platform != "linux":
        pytest.skip("the embedded engine is for Linux")
    from dockerlab.engines.embedded import EmbeddedEngine
    from tests.conformance.bases import busybox

    program = busybox()
    if program is None:
        pytest.skip("needs a statically linked busybox (Debian: busybox-static)")
    engine = EmbeddedEngine(tmp_path / "store")
    context = Context.files({"busybox": File(program.read_bytes(), mode=0o755), "a.txt": "a\n"})
    engine.build(BASE, context=context)
    return lambda lines: engine.build(BASE + lines, context=context)


def test_the_path_of_a_run(build: Callable[[str], object], tmp_path: Path) -> None:
    """A RUN that is not cached passes the page's files and functions in their order."""
    from dockerlab.engines.embedded.sandbox.namespaces.namespaces import NamespaceSandbox

    if (why := NamespaceSandbox(tmp_path / "probe").probe()) is not None:
        pytest.skip(f"the page tells the path in namespaces: {why}")
    assert_on_the_way(stops("The path of one RUN"), traced(lambda: build("RUN echo a > /b.txt\n")))


def test_the_path_of_a_copy(build: Callable[[str], object]) -> None:
    """A COPY that is not cached passes the page's files and functions in their order."""
    assert_on_the_way(stops("The path of one COPY"), traced(lambda: build("COPY a.txt /b.txt\n")))


def test_the_path_of_a_chart(build: Callable[[str], object]) -> None:
    """A chart of a build passes the page's files and functions in their order."""
    built = build("COPY a.txt /b.txt\n")
    assert isinstance(built, Build)
    assert_on_the_way(
        stops("The path of one chart"), traced(lambda: dockerlab.layers(built)._repr_mimebundle_())
    )


def test_what_the_page_names_is_there() -> None:
    """Every file that the page's last table names is there, and each function named beside it."""
    table = PAGE.split("\n## Where to look\n")[1]
    named = re.findall(r"`([\w/]+\.(?:py|toml))`((?: `\w+`)*)", table)
    assert named
    assert [path for path, _ in named if not (PACKAGE / path).is_file()] == []
    for path, functions in named:
        text = (PACKAGE / path).read_text(encoding="utf-8")
        assert [name for name in re.findall(r"\w+", functions) if f"def {name}(" not in text] == [], path
