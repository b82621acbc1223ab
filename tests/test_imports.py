"""What an import may cost, and where it may be done."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import dockerlab

PACKAGE = Path(dockerlab.__file__).parent

LINUX_ONLY = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "crypt", "spwd", "posix", "syslog"}


def modules() -> list[Path]:
    """Return every module of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def imports(path: Path, *, everywhere: bool = True) -> Iterator[tuple[str, int]]:
    """Yield (module, line) for every import in a file, in functions and for type checkers too.

    Not `everywhere`: without those that a question for sys.platform guards.
    """
    package = (PACKAGE.name, *path.relative_to(PACKAGE).parent.parts)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    guarded = {
        inner
        for node in ast.walk(tree)
        if not everywhere and isinstance(node, ast.If) and "sys.platform" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in (node for node in ast.walk(tree) if node not in guarded):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield module, node.lineno


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_embedded_engine_is_linux_only(path: Path) -> None:
    """Outside engines/embedded no module needs what only Linux has, nor loads that engine at its top."""
    if "embedded" in path.relative_to(PACKAGE).parts:
        return
    for module, line in imports(path, everywhere=False):
        assert module.split(".")[0] not in LINUX_ONLY, f"{path.name}:{line} imports {module}"
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            assert not node.module.startswith("dockerlab.engines.embedded"), f"{path.name}:{node.lineno}"


def python(code: str) -> str:
    """Return what a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


def test_import_is_light() -> None:
    """`import dockerlab` loads neither Docker's SDK, plotly, requests, IPython nor a module of its own."""
    loaded = python("import sys, dockerlab; print(*sys.modules)").split()
    heavy = {"docker", "plotly", "requests", "IPython", "ipywidgets", "zstandard", "numpy"}
    assert not heavy & {name.partition(".")[0] for name in loaded}
    assert [name for name in loaded if name.startswith("dockerlab.")] == []


@pytest.mark.parametrize(
    "name", ["notebook.calls", "cli", "engines", "widgets.progress", "widgets.prediction"]
)
def test_what_lessons_and_the_command_line_load_is_light(name: str) -> None:
    """The modules behind a first cell and behind `dockerlab --help` load no plotly and no Docker SDK."""
    loaded = python(f"import sys, dockerlab.{name}; print(*sys.modules)").split()
    assert not {"docker", "plotly", "requests", "ipywidgets"} & {one.partition(".")[0] for one in loaded}


# What each of these commands must do without, on the embedded engine: with all of it a command would start
# three times slower than it does.
RESULTS = ("dockerlab.analysis", "dockerlab.charts", "dockerlab.checks", "dockerlab.notebook.calls")
BUILDING = tuple(
    f"dockerlab.engines.{name}"
    for name in ("embedded.builder", "embedded.layer_instructions", "cache.reasons")
)
WORKING = tuple(
    f"dockerlab.engines.embedded.{name}"
    for name in (
        "copying",
        "unpack",
        "run",
        "squash",
        "bases.standins",
        "bases.debian",
        "bases.pull",
        "repository",
        "sandbox.namespaces",
    )
)
DOCKER = ("docker", "requests", "dockerlab.engines.docker.engine")
COMMANDS = {
    "--help": ("dockerlab.engines", "dockerlab.widgets", "dockerlab.context.context", *RESULTS, *DOCKER),
    "images": (
        "dockerlab.context.context",
        "dockerlab.dockerfile.parser",
        *RESULTS[1:],
        *BUILDING,
        *WORKING,
        *DOCKER,
    ),
    "history app": (
        "dockerlab.context.context",
        "dockerlab.dockerfile.parser",
        *RESULTS[1:],
        *BUILDING,
        *WORKING,
        *DOCKER,
    ),
    "build -t app .": (
        "dockerlab.widgets.table",
        "dockerlab.cli.inspect_commands",
        *RESULTS,
        *WORKING,
        *DOCKER,
    ),
}


@pytest.mark.skipif(sys.platform != "linux", reason="the embedded engine is for Linux")
@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_loads_only_its_own(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command loads only what it needs: a build that is all cached neither what copies nor what runs."""
    monkeypatch.setenv("DOCKERLAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DOCKERLAB_ENGINE", "embedded")
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\nWORKDIR /srv\n")
    monkeypatch.chdir(tmp_path)
    python("from dockerlab.cli import main; main(['build', '-q', '-t', 'app', '.'])")
    run = f"from dockerlab.cli import main; main({line.split()!r})"
    told = python(f"import atexit, sys; atexit.register(lambda: print(*sys.modules)); {run}")
    loaded = told.splitlines()[-1].split()
    assert "dockerlab.cli" in loaded
    unneeded = COMMANDS[line]
    assert [name for name in loaded if any(f"{name}.".startswith(f"{one}.") for one in unneeded)] == []


def test_all_is_what_can_be_imported() -> None:
    """`__all__` names each public name once, each can be fetched, and each has a home."""
    assert sorted(set(dockerlab.__all__)) == dockerlab.__all__
    assert set(dockerlab.__all__) == set(dockerlab._HOMES)
    for name in dockerlab.__all__:
        assert getattr(dockerlab, name) is not None
        assert name in dir(dockerlab)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A misspelt name fails as on any module."""
    with pytest.raises(AttributeError, match="no attribute 'biuld'"):
        dockerlab.biuld  # noqa: B018


def test_type_checkers_see_the_same_names() -> None:
    """The imports under TYPE_CHECKING are exactly `__all__`."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    names = {
        alias.asname
        for node in guarded.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }
    assert names == set(dockerlab.__all__)
