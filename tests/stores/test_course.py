"""The course on Docker's two image stores: a build and what is asked of it, the engine's suite, lessons."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.loopback import beside_daemon
from tests.stores.conftest import STORES
from tools.sections import NBVAL

pytestmark = [pytest.mark.long, pytest.mark.docker]

TAG = "dockerlab/test-store:1"
DOCKERFILE = """FROM scratch
COPY busybox /bin/sh
COPY a.txt /a.txt
RUN echo b > /b.txt; rm /a.txt
WORKDIR /w
CMD ["/bin/sh", "-c", "echo it runs"]
"""
# What is another one on every machine, engine or moment; the rest is the same everywhere.
VARYING = {
    "id",
    "engine",
    "builder",
    "created",
    "created_by",
    "comment",
    "diff_id",
    "seconds",
    "context_bytes",
    "note",
    "reasons_from",
}
QUESTIONS = {
    "history": ["history", TAG],
    "ledger": ["ledger", TAG, "--files"],
    "explore": ["explore", TAG],
    "advise": ["advise", TAG, "--no-hadolint"],
    "why": ["why", TAG],
}


def _lab(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "-m", "dockerlab", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _same(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _same(one) for name, one in value.items() if name not in VARYING}
    return [_same(one) for one in value] if isinstance(value, list) else value


def _listed(environment: dict[str, str]) -> list[Any]:
    """Return the lines of our image: a daemon may have others."""
    return [
        _same(one)
        for one in json.loads(_lab(environment, "images", "--json"))["images"]
        if one["reference"] == TAG
    ]


def _answers(environment: dict[str, str], folder: Path) -> dict[str, Any]:
    found = {
        "build": _same(json.loads(_lab(environment, "build", "-t", TAG, "--no-cache", "--json", str(folder))))
    }
    for name, arguments in QUESTIONS.items():
        found[name] = _same(json.loads(_lab(environment, *arguments, "--json")))
    found["images"] = _listed(environment)
    found["run"] = _lab(environment, "run", TAG)
    archive = folder.parent / "saved.tar"
    _lab(environment, "save", "-o", str(archive), TAG)
    found["ledger of the archive"] = _same(
        json.loads(_lab(environment, "ledger", str(archive), "--files", "--json"))
    )
    _lab(environment, "rm", TAG)
    _lab(environment, "load", "-i", str(archive))
    found["run after rm and load"] = _lab(environment, "run", TAG)
    _lab(environment, "rm", TAG)
    _lab(environment, "prune")
    found["images after prune"] = _listed(environment)
    return found


def test_a_store_that_was_never_used(daemon: dict[str, str], tmp_path: Path, busybox: Path) -> None:
    """The first build into an empty folder of the lab's works, and every verb answers as without Docker."""
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(DOCKERFILE)
    (context / "a.txt").write_text("a\n")
    (context / "busybox").write_bytes(busybox.read_bytes())
    (context / "busybox").chmod(0o755)
    docker = _answers({**daemon, "DOCKERLAB_HOME": str(tmp_path / "docker")}, context)
    alone = {**daemon, "DOCKERLAB_ENGINE": "embedded", "DOCKERLAB_HOME": str(tmp_path / "embedded")}
    assert docker == _answers(alone, context)


def _on(daemon: dict[str, str], *command: str) -> None:
    """Run a command in the daemon's network, as on a machine whose Docker is its own."""
    done = subprocess.run(
        (*beside_daemon(daemon), *command),
        env=daemon,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode()


@pytest.mark.timeout(900)
def test_the_engine(daemon: dict[str, str], whole: bool) -> None:
    """The suite of the Docker engine passes on the daemon."""
    if not whole and daemon["DOCKER_HOST"] != daemon.get(STORES["containerd"]):
        pytest.skip("the installed Docker has this store: with --stores=whole")
    without = [f"--ignore=tests/engines/{name}" for name in ("embedded", "test_why_table.py")]
    _on(daemon, sys.executable, "-m", "pytest", "-q", "-rs", "-m", "not long", *without, "tests/engines")


@pytest.mark.timeout(3600)
def test_lessons(daemon: dict[str, str], whole: bool) -> None:
    """The first lesson passes on the daemon, cell by cell; with --stores=whole every lesson and solution."""
    _on(daemon, *NBVAL, *(["notebooks", "solutions"] if whole else ["notebooks/01-what-is-a-layer.ipynb"]))
