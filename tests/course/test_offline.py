"""What a bundle of the course is made of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dockerlab.course import offline
from dockerlab.errors import StartError
from tools.course import read_course


def test_every_base_that_a_notebook_or_an_example_builds_on_is_found() -> None:
    """The course's own comes first, then each that a FROM names; stages and scratch are none."""
    found = offline.bases()
    assert found[: len(read_course().bases)] == list(read_course().bases)
    assert {"debian:trixie-slim", "python:3.13", "python:3.13-slim", "node:22-slim", "nginx:alpine"} <= set(
        found
    )
    assert all(":" in name for name in found)
    assert len(found) == len(set(found))


def test_a_notebook_that_fails_makes_no_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All are run in a copy, with the bundle's store; one that fails is named with its error."""

    def bring(folder: Path) -> None:
        for name in offline.EXECUTED:
            (folder / name).mkdir(parents=True)
        ask = "import os; print(os.environ['DOCKERLAB_HOME'], os.environ['DOCKERLAB_ENGINE'])"
        for path, source in (("notebooks/fine", ask), ("solutions/wrong", f"{ask}\n1 / 0")):
            cell = {"cell_type": "code", "id": "a", "metadata": {}, "source": source}
            cells = [{**cell, "outputs": [], "execution_count": None}]
            text = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
            (folder / f"{path}.ipynb").write_text(text)

    monkeypatch.setattr(offline, "bring", bring)
    with pytest.raises(StartError, match=r"(?s)solutions/wrong.ipynb failed.*ZeroDivisionError"):
        offline.run_notebooks(tmp_path / "course", home=tmp_path / "store")
    ran = json.loads((tmp_path / "course" / "notebooks" / "fine.ipynb").read_text())
    assert ran["cells"][0]["outputs"][0]["text"] == [f"{tmp_path / 'store'} embedded\n"]
    assert (
        json.loads((tmp_path / "course" / "solutions" / "wrong.ipynb").read_text())["cells"][0]["outputs"]
        == []
    )


def test_a_build_that_failed_makes_no_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook goes on without a build that failed; a bundle must not be made of one."""

    def bring(folder: Path) -> None:
        (folder / "notebooks").mkdir(parents=True)
        source = "print('app was not' + ' built: no network')"
        cell = {"cell_type": "code", "id": "a", "metadata": {}, "source": source}
        cells = [{**cell, "outputs": [], "execution_count": None}]
        text = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
        (folder / "notebooks" / "one.ipynb").write_text(text)

    monkeypatch.setattr(offline, "bring", bring)
    with pytest.raises(StartError, match="a build failed"):
        offline.run_notebooks(tmp_path / "course", home=tmp_path / "store")
