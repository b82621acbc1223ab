"""One project whose names and texts are no plain text, through every command and everything that is shown."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

import dockerlab as lab
from dockerlab import charts, engines
from dockerlab.checks.progress import Progress, write_progress
from dockerlab.cli import main
from dockerlab.cli.parser import make_parser
from dockerlab.context.context import Context
from dockerlab.engines.embedded import EmbeddedEngine
from dockerlab.engines.results import Build
from dockerlab.inputs import read_dockerfile
from tests.conformance.bases import busybox

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system refuses such names")

LATIN = os.fsdecode(b"caf\xe9")
ODD = "od\x1b[31md\n\x07\u202e"
NAME = f"{LATIN} {ODD}"
SHOWN = r"caf\xe9 od\x1b[31md\n\x07\u202e"
DOCKERFILE = (
    b"# caf\xe9 is no UTF-8\r\nFROM scratch\r\nCOPY busybox /bin/busybox\r\nCOPY tree /tree\r\n"
    b"COPY tree/caf* /wild/\r\nADD a.tar /added/\r\nADD a.tar /added/\r\nLABEL odd=\x1b[31m\x07\r\n"
    b'RUN ["/bin/busybox", "sh", "-c", "printf \'caf\\\\351 \\\\033[31mred\\\\007\\\\n\'"]\r\n'
    b'RUN --mount=target=/m,source=tree ["/bin/busybox", "cp", "-a", "/m", "/copied"]\r\n'
    b'RUN ["/bin/busybox", "rm", "-r", "/added", "/wild", "/copied"]\r\n'
)
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]")

STORE = "the store's folder"
REGISTRY = "a name in a registry"
COMMANDS: dict[str, tuple[str, ...]] = {
    "build": ("-t", "odd:1", "."),
    "doctor": ("--verify",),
    "history": ("odd:1", "--no-trunc"),
    "images": (),
    "ledger": ("odd:1", "--files"),
    "compare": ("odd:1", "odd:2"),
    "advise": ("odd:1", "-f", "Dockerfile", "--no-hadolint"),
    "explore": ("odd:1", "--find", "*caf*"),
    "why": ("odd:1",),
    "push": ("odd:1", REGISTRY),
    "save": ("odd:1", "-o", "out.tar"),
    "load": ("-i", "out.tar"),
    "run": ("odd:1", "/bin/busybox", "true"),
    "rm": ("odd:1",),
    "prune": (),
    "start": (f"start-{NAME}",),
    "grade": ("handed-in", "--force", "-o", "grades"),
    "bases": ("--into", STORE, "odd:2"),
    "bundle": ("drop",),
}


def _archive() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as tar:
        info = tarfile.TarInfo(f"{NAME}/{NAME}")
        info.size = 70_000
        tar.addfile(info, io.BytesIO(bytes(70_000)))
    return out.getvalue()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the project."""
    program = busybox()
    if program is None:
        pytest.skip("needs a statically linked busybox (Debian: busybox-static)")
    folder = tmp_path_factory.mktemp("project")
    (folder / "tree" / NAME).mkdir(parents=True)
    (folder / "tree" / NAME / NAME).write_bytes(b"odd" * 30_000)
    (folder / "tree" / f"{NAME}.txt").write_text("text \x1b[31m\n")
    (folder / "tree" / "link").symlink_to(f"{NAME}.txt")
    (folder / "a.tar").write_bytes(_archive())
    (folder / "dockerfile").write_bytes(DOCKERFILE)
    (folder / ".dockerignore").write_bytes(b"# caf\xe9\ngrades\n")
    (folder / "grades").mkdir()
    (folder / "handed-in").mkdir()
    write_progress(folder / "handed-in" / f"{NAME}.json", Progress("Ada", {}))
    shutil.copy(program, folder / "busybox")
    return folder


@pytest.fixture(scope="module", params=["namespaces", "proot"])
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EmbeddedEngine]:
    """Return an embedded engine with one of the sandboxes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKERLAB_SANDBOX", request.param)
        engine = EmbeddedEngine(tmp_path_factory.mktemp(f"store-{request.param}"))
        try:
            assert engine.sandbox
        except lab.errors.EngineError as error:
            pytest.skip(error.message)
        yield engine


@pytest.fixture(scope="module")
def build(project: Path, engine: EmbeddedEngine) -> Build:
    """Build the project, and once more with one file changed."""
    text = read_dockerfile(project / "Dockerfile")
    context = Context.folder(project)
    engine.build(text, context=context.edited({f"tree/{NAME}.txt": "other"}), tag="odd:2")
    return engine.build(text, context=context, tag="odd:1", no_cache=True)


def test_the_names_are_in_the_image(build: Build, engine: EmbeddedEngine, tmp_path: Path) -> None:
    """COPY, a wildcard, ADD, RUN, its mounts, save and load keep every byte of a name."""
    paths = {entry.path for layer in build.image.layers for entry in layer.entries}
    for top in ("tree", "wild", "copied"):
        assert f"{top}/{NAME}.txt" in paths
    assert f"added/{NAME}/{NAME}" in paths
    assert f"tree/{NAME}/{NAME}" in build.image.tree()
    engine.save(["odd:1"], tmp_path / "out.tar")
    again = EmbeddedEngine(tmp_path / "again")
    again.load(tmp_path / "out.tar")
    assert again.image("odd:1").id == build.image.id
    assert {entry.path for layer in again.image("odd:1").layers for entry in layer.entries} == paths


def _results(build: Build, engine: EmbeddedEngine) -> dict[str, Callable[[], object]]:
    other = engine.image("odd:2")
    last = len(build.image.layers)
    return {
        "advise": lambda: lab.advise(build, engine=engine),
        "compare": lambda: lab.compare(build, other),
        "explore": lambda: lab.explore(build, other),
        "history": lambda: lab.history(build, full=True),
        "images": lambda: lab.images(engine=engine),
        "layer_stack": lambda: lab.layers(build),
        "ledger_by_layer": lambda: lab.ledger(build),
        "playground": lambda: lab.playground(build.dockerfile.text, {f"{ODD}.txt": ODD}, engine=engine),
        "run": lambda: lab.run("odd:1", ["/bin/busybox", "ls", "-R", "/tree"], engine=engine),
        "what_if": lambda: lab.what_if(build),
        "why": lambda: lab.why(build),
        "build": lambda: build,
        "build_timeline": lambda: charts.build_timeline(build),
        "cache_grid": lambda: charts.cache_grid({"one": build, "two": build}),
        "layer_map": lambda: charts.layer_map(build, last),
        "layer_map of the archive": lambda: charts.layer_map(build, 4),
        "layer_sharing": lambda: charts.layer_sharing(build, other),
        "rebuild_cost": lambda: charts.rebuild_cost({NAME: {NAME: 1.0}}, engine=engine.describe()),
        "files": lambda: lab.explore(build).look(f"tree/{NAME}.txt")[0],
    }


def test_everything_shown_is_printable(build: Build, engine: EmbeddedEngine) -> None:
    """No result holds a control character or half a surrogate pair, in HTML or in text."""
    results = _results(build, engine)
    assert set(charts.__all__) - {"Picture"} <= set(results)
    for name, result in results.items():
        shown = result()
        bundle: dict[str, Any] = (
            shown._repr_mimebundle_() if hasattr(shown, "_repr_mimebundle_") else {"text": str(shown)}
        )
        for kind, value in bundle.items():
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            found = CONTROLS.search(text)
            assert not found, f"{name}, {kind}: {text[max(0, found.start() - 60) : found.end() + 20]!r}"


def test_an_explorer_escapes_names(build: Build) -> None:
    """The lines of the tree show the name's bytes."""
    explorer = lab.explore(build)
    explorer.state.layer, explorer.state.pattern = 2, "caf"
    assert any(SHOWN in line.label for line in explorer.lines())


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_every_command_on_a_strict_terminal(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, as_json: bool
) -> None:
    """Each command ends well where the terminal takes ASCII alone, and prints no control character."""
    verbs = next(action for action in make_parser()._actions if action.choices and "build" in action.choices)
    assert set(COMMANDS) == set(verbs.choices or ())
    monkeypatch.chdir(project)
    monkeypatch.setenv("DOCKERLAB_HOME", str(tmp_path))
    monkeypatch.setenv("DOCKERLAB_ENGINE", "embedded")
    monkeypatch.setattr(engines, "_chosen", {})  # it is kept for the life of a process

    def call(*words: str) -> tuple[int, str, str]:
        out, err = io.BytesIO(), io.BytesIO()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", io.TextIOWrapper(out, "ascii", "strict", write_through=True))
            patch.setattr(sys, "stderr", io.TextIOWrapper(err, "ascii", "strict", write_through=True))
            code = main(words)
            return code, out.getvalue().decode(), err.getvalue().decode()

    assert call("build", "-q", "-t", "odd:2", ".") == (0, ANY, "")
    registry = lab.registry()
    places = {STORE: str(tmp_path), REGISTRY: f"{registry.address}/odd:1"}
    for verb, words in COMMANDS.items():
        given = [places.get(word, word) for word in words]
        code, printed, told = call(verb, *(["--json"] if as_json else []), *given)
        said = printed + told
        assert code == 0, f"{verb}: {said}"
        assert not CONTROLS.search(said), f"{verb}: {said!r}"
        if as_json:
            json.loads(printed)
        elif verb in ("explore", "ledger"):
            assert r"caf\xe9" in said, verb


def test_a_process_on_a_strict_terminal(project: Path, tmp_path: Path) -> None:
    """So it is in a process of its own, in the C locale."""
    strict = {
        "PYTHONIOENCODING": "ascii:strict",
        "LC_ALL": "C",
        "PYTHONPATH": str(Path(lab.__file__).parents[1]),
    }
    env = {**os.environ, **strict, "DOCKERLAB_HOME": str(tmp_path), "DOCKERLAB_ENGINE": "embedded"}
    command = [sys.executable, "-m", "dockerlab", "explore", ".", "--find", "*caf*"]
    done = subprocess.run(command, cwd=project, env=env, capture_output=True, check=True, timeout=120)
    assert SHOWN in done.stdout.decode("ascii")


def test_an_error_shows_the_name_escaped() -> None:
    """A message about a file with such a name is one that can be printed."""
    error = lab.errors.ContextError(f"{NAME} is not in the build context", hint="Check the name.")
    assert (
        str(error) == f"{SHOWN.replace(chr(92) + 'n', chr(10))} is not in the build context\nCheck the name."
    )
