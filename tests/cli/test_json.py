"""With --json stdout holds exactly one JSON object, whatever happens, and docs/json.md knows its keys."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from dockerlab import engines
from dockerlab.cli import main
from dockerlab.cli.parser import COMMANDS
from dockerlab.context.context import Context
from dockerlab.engines.embedded import EmbeddedEngine
from dockerlab.registry.server import Registry
from tests.fake_engine import FakeEngine
from tests.tiny_images import stack

DOCS = (Path(__file__).parents[2] / "docs" / "json.md").read_text(encoding="utf-8")
DOCKERFILE = "FROM scratch\nRUN a\nLABEL x=y\nCOPY b /\n"

# How each command is called so that it has something to say.
FINE = {
    "doctor": "doctor",
    "build": "build -t app:1 {project}",
    "history": "history app:1",
    "images": "images",
    "save": "save -o {folder}/out.tar app:1",
    "load": "load -i {folder}/archive.tar",
    "push": "push app:1 {registry}/app:1",
    "rm": "rm app:1",
    "prune": "prune",
    "bases": "bases --into {folder}/bases made:1",
    "bundle": "bundle drop",
    "run": "run app:1 ls",
    "ledger": "ledger {folder}/image.tar --files",
    "compare": "compare {folder}/image.tar app:1",
    "advise": "advise {folder}/image.tar --no-hadolint --max-layers 3",
    "explore": "explore {folder}/image.tar",
    "why": "why {project}",
    "start": "start {folder}/my-lab",
    "grade": "grade {folder}/progress -o {folder}/grades",
}
# How each fails, and the exit code then.
FAILING = {
    "doctor": ("doctor", 1),
    "build": ("build {folder}/nowhere", 1),
    "history": ("history nowhere:1", 1),
    "images": ("images", 1),
    "save": ("save -o {folder}/nowhere/out.tar app:1", 1),
    "load": ("load -i {folder}/nowhere.tar", 1),
    "push": ("push nowhere:1", 1),
    "rm": ("rm app:1 nowhere:1", 1),
    "prune": ("prune", 1),
    "bases": ("bases --into {folder}/bases nowhere:1", 1),
    "bundle": ("bundle use {folder}/nowhere", 1),
    "run": ("run nowhere:1 ls", 1),
    "ledger": ("ledger {folder}/nowhere.tar", 1),
    "compare": ("compare {folder}/image.tar nowhere:1", 1),
    "advise": ("advise {folder}/image.tar --max-size many", 1),
    "explore": ("explore {folder}/image.tar --layer 99", 1),
    "why": ("why nowhere:1", 1),
    "start": ("start {folder}/project", 1),
    "grade": ("grade {folder}/nowhere", 1),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with all that the commands above name, and an engine that holds app:1."""
    fake = FakeEngine(tmp_path)
    monkeypatch.setattr(engines, "choose", lambda name=None: (fake, "It is a fake."))
    monkeypatch.setenv("DOCKERLAB_REGISTRY_MIRROR", "127.0.0.1:9")
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "progress").mkdir()
    (tmp_path / "progress" / "ada.json").write_text('{"version": 1, "learner": "Ada", "exercises": {}}')
    (tmp_path / "grades").mkdir()
    (tmp_path / "archive.tar").write_text("app:1")
    context = Context.files({"a": "a"})
    EmbeddedEngine(tmp_path / "bases").build("FROM scratch\nCOPY a /\n", context=context, tag="made:1")
    stack(tmp_path, [{"a": 1000}, {"a": 2000}], history=["base", "RUN /bin/sh -c a"])
    fake.build(DOCKERFILE, tag="app:1")
    return tmp_path


def words(line: str, folder: Path) -> list[str]:
    """Return a command line with its places filled in."""
    return line.format(folder=folder, project=folder / "project", registry=_registry().address).split()


@cache
def _registry() -> Registry:
    return Registry()


def only_object(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Return what was printed on stdout, which must be one object and nothing else."""
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def keys(shape: object) -> Iterator[str]:
    """Yield every key of an object and of those in it."""
    if isinstance(shape, dict):
        for key, value in shape.items():
            yield key
            yield from keys(value)
    if isinstance(shape, list):
        for value in shape:
            yield from keys(value)


def section(command: str) -> str:
    """Return what docs/json.md says of a command, and of those whose keys it refers to."""
    sections = re.split(r"^## ", DOCS, flags=re.MULTILINE)[1:]
    own = next(one for one in sections if re.search(rf"`(dockerlab )?{command}`", one.splitlines()[0]))
    also = re.findall(r"as in `([a-z]+)`", own)
    return own + "".join(section(other) for other in also)


def test_every_command_is_tried() -> None:
    """The two tables above have all commands, so a new one is missed here."""
    assert set(FINE) == set(FAILING) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_prints_one_object_with_documented_keys(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every key that a command prints stands in its section of docs/json.md."""
    code = main([*words(FINE[name], folder)[:1], "--json", *words(FINE[name], folder)[1:]])
    assert code == 0, capsys.readouterr()
    printed = only_object(capsys)
    assert "error" not in printed
    named = set(re.findall(r"`\"?([\w-]+)\"?`", section(name)))
    assert set(keys(printed)) - named == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_fails_prints_one_object(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error is the one object, with all its keys, and stderr says it too."""
    if name in ("images", "prune", "doctor"):
        monkeypatch.setattr(engines, "choose", refused)
    line, code = FAILING[name]
    assert main([*words(line, folder)[:1], "--json", *words(line, folder)[1:]]) == code
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    if name == "doctor":  # it is there to say so
        assert found["can_build"] is False
        return
    assert list(found) == ["error"]
    assert sorted(found["error"]) == ["exit_code", "hint", "line", "message", "type"]
    assert set(found["error"]) <= set(re.findall(r"`(\w+)`", section_of_errors()))
    assert found["error"]["message"].splitlines()[0] in printed.err


def refused(name: str | None = None) -> None:
    """Stand for a machine with no engine."""
    from dockerlab.errors import EngineError

    raise EngineError("No engine can be used here.", hint="Install Docker.")


def section_of_errors() -> str:
    """Return the last section of docs/json.md."""
    return DOCS[DOCS.index("## Errors") :]


@pytest.mark.parametrize("name", COMMANDS)
def test_wrong_use_is_one_object(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An option that is none ends with 2, the usage on stderr, and one object on stdout."""
    assert main([name, "--json", "--frobnicate", "x", "y", "z"]) == 2
    printed = capsys.readouterr()
    assert json.loads(printed.out)["error"]["type"] == "OptionError"
    assert "usage: dockerlab" in printed.err


def interrupt() -> None:
    """Be interrupted."""
    raise KeyboardInterrupt


def break_down() -> None:
    """Fail as only a mistake of ours does."""
    raise ZeroDivisionError("a mistake")


def no_disk() -> None:
    """Fail as the disk does."""
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("happens", "code", "kind"),
    [(interrupt, 130, "KeyboardInterrupt"), (no_disk, 1, "OSError"), (break_down, None, "ZeroDivisionError")],
)
def test_whatever_happens_is_one_object(
    happens: Callable[[], None],
    code: int | None,
    kind: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An interrupt, a full disk and a mistake of ours are one object too; the mistake keeps its trace."""
    monkeypatch.setattr(FakeEngine, "images", lambda self: happens())
    if code is None:
        with pytest.raises(ZeroDivisionError):
            main(["images", "--json"])
    else:
        assert main(["images", "--json"]) == code
    assert only_object(capsys)["error"]["type"] == kind


def test_a_real_build_that_fails_is_one_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The object of a failed build has the line of the Dockerfile; what the build says goes to stderr."""
    embedded = pytest.importorskip("dockerlab.engines.embedded")
    monkeypatch.setattr(engines, "choose", lambda name=None: (embedded.EmbeddedEngine(tmp_path / "home"), ""))
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY nowhere /\n")
    assert main(["build", "--json", str(tmp_path)]) == 1
    error = only_object(capsys)["error"]
    assert (error["type"], error["line"]) == ("ContextError", 2)
