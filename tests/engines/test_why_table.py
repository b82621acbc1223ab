"""Which steps miss the cache after an edit, and why: the same table for both engines.

On Docker it is BuildKit that says which steps were cached. $MODERN_DOCKER_OVERLAY2 may name the daemon.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockerlab.context.context import Context
from dockerlab.engines.docker.daemon import probe
from dockerlab.engines.docker.engine import DockerEngine
from dockerlab.engines.results import Engine, Step
from tests.conformance.bases import archives, busybox, reference
from tests.conformance.case import Names, write_context

from .why_edits import EDITS, Edit

PREFIX = "dockerlab/test-why"


@pytest.fixture(scope="module")
def names() -> Names:
    """Name this run's base images."""
    nonce = secrets.token_hex(6)
    return Names({"nonce": nonce, **{word: reference(word, nonce) for word in ("base", "rich", "bare")}})


ENGINES = ["embedded", pytest.param("docker", marks=[pytest.mark.long, pytest.mark.docker])]


@pytest.fixture(scope="module", params=ENGINES)
def engine(
    request: pytest.FixtureRequest, names: Names, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """Return each engine with the base images in it; what is made on Docker is removed."""
    program = busybox()
    if program is None:
        pytest.skip("needs a statically linked busybox to make base images of")
    folder = tmp_path_factory.mktemp("bases")
    made = archives(folder, program, names.words["nonce"])
    if request.param == "embedded":
        embedded = pytest.importorskip("dockerlab.engines.embedded", exc_type=ImportError)
        ours: Engine = embedded.EmbeddedEngine(folder / "home")
        for archive in made.values():
            ours.load(archive)
        yield ours
        return
    with pytest.MonkeyPatch.context() as patched:
        host = os.environ.get("MODERN_DOCKER_OVERLAY2")
        if host:
            patched.setenv("DOCKER_HOST", host)
        version, why = probe()
        if version is None:
            pytest.skip(f"needs Docker: {why}")
        theirs = DockerEngine(root=folder / "docker")
        for archive in made.values():
            theirs.load(archive)
        try:
            yield theirs
        finally:
            for image in theirs.images():
                if names.words["nonce"] in image.reference:
                    theirs.remove(image.reference)


def _build(engine: Engine, edit: Edit, names: Names, folder: Path, *, again: bool) -> list[Step]:
    items = {**edit.files, **(edit.changed if again else {})}
    root = write_context(
        folder / str(again),
        {path: item for path, item in items.items() if item is not None},
        names,
        name=f"{edit.name} {again} {names.words['nonce']}",
    )
    built = engine.build(
        names.fill(edit.to if again and edit.to else edit.text),
        context=Context.folder(root),
        tag=f"{PREFIX}-{names.words['nonce']}:{edit.name}",
        build_args=edit.args_to if again else edit.args,
        secrets=edit.secrets_to if again else edit.secrets,
    )
    return [step for step in built.steps if step.cached is False]


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_an_edit_reruns_these_steps_for_this_reason(
    edit: Edit, engine: Engine, names: Names, tmp_path: Path
) -> None:
    """After the edit these lines run again, the first of them for the reason in the table."""
    if edit.newer and engine.name == "docker":
        pytest.skip("BuildKit needs a # syntax line for it, and so a registry")
    _build(engine, edit, names, tmp_path, again=False)
    missed = _build(engine, edit, names, tmp_path, again=True)
    assert tuple(step.line for step in missed) == edit.misses
    assert (missed[0].reason if missed else "") == edit.reason


def test_the_table_is_long_enough() -> None:
    """There are at least sixty edits that both engines build, and each has a name of its own."""
    assert len({edit.name for edit in EDITS}) == len(EDITS)
    assert sum(not edit.newer for edit in EDITS) >= 60
