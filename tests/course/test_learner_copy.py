"""The learner's copy: brought whole, brought up to date, and never at the cost of what the learner wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dockerlab.checks import manifest
from dockerlab.checks.progress import COPY_RECORD, progress_path, write_whole
from dockerlab.cli import main
from dockerlab.course import learner_copy
from dockerlab.course.learner_copy import FOLDERS, bring
from dockerlab.errors import StartError
from tests.test_links import fault, prose, targets
from tools.course import ROOT
from tools.notebooks import course_notebooks

LESSON, OTHER = "notebooks/02-run-chaining.ipynb", "notebooks/03-package-managers.ipynb"


def notebook(*cells: str, outputs: int = 0) -> str:
    """Return a notebook of code cells, each with some outputs."""
    said = [{"output_type": "stream", "name": "stdout", "text": "said\n"}] * outputs
    made = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {}, "execution_count": outputs or None}
        | {"source": [cell], "outputs": said}
        for n, cell in enumerate(cells)
    ]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a course of three notebooks, which a test may correct."""
    folder = tmp_path / "course"
    for path in (LESSON, OTHER, "exercises/exercise-02-run-chaining.ipynb"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(notebook("1 + 1", "print(2)", outputs=2))
    monkeypatch.setattr(learner_copy, "course_folder", lambda: folder)
    return folder


@pytest.fixture
def mine(course: Path, tmp_path: Path) -> Path:
    """Return a learner's copy of that course."""
    bring(tmp_path / "mine")
    return tmp_path / "mine"


def tree(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder, the hidden ones too."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_copy_has_every_notebook_and_no_output(tmp_path: Path) -> None:
    """Lessons, exercises and solutions are there under their names, all cells the same, none run."""
    copy = bring(tmp_path / "mine")
    shipped = [path for path in course_notebooks() if path.parent.name in FOLDERS]
    assert copy.new == [
        *(path.relative_to(ROOT).as_posix() for path in sorted(shipped, key=_order)),
        "README.md",
    ]
    for path in shipped:
        made = json.loads((tmp_path / "mine" / path.relative_to(ROOT)).read_text(encoding="utf-8"))
        code = [cell for cell in made["cells"] if cell["cell_type"] == "code"]
        assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
        ours = json.loads(path.read_text(encoding="utf-8"))["cells"]
        assert [cell["source"] for cell in made["cells"]] == [cell["source"] for cell in ours]


def _order(path: Path) -> tuple[int, str]:
    return FOLDERS.index(path.parent.name), path.name


def test_links_of_a_copy_lead_somewhere(tmp_path: Path) -> None:
    """Each link of each page, the course map's too, is to a file and a heading of the copy, or to the web."""
    mine = bring(tmp_path / "mine").folder
    pages = [mine / "README.md", *mine.rglob("*.ipynb")]
    assert len(pages) > 40
    links = [(page, target) for page in pages for target in targets(prose(page))]
    assert [link for link in links if fault(*link, mine.resolve())] == []


def test_progress_is_kept_beside_the_notebooks(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook of a copy notes progress in the copy, in a checkout of the course too."""
    monkeypatch.delenv("DOCKERLAB_PROGRESS", raising=False)
    (mine.parent / "course.toml").touch()
    monkeypatch.chdir(mine / "exercises")
    assert progress_path() == mine / "progress.json"


def test_brought_again_nothing_is_written(mine: Path) -> None:
    """Where nothing is new, no file is touched: a copy that cannot be written opens all the same."""
    before = {path: path.stat().st_mtime_ns for path in mine.rglob("*")}
    copy = bring(mine)
    assert (copy.new, copy.corrected, copy.kept, copy.beside, copy.gone) == ([], [], [], {}, [])
    assert {path: path.stat().st_mtime_ns for path in mine.rglob("*")} == before


def test_what_is_new_and_corrected_comes(mine: Path, course: Path) -> None:
    """A new lesson is brought; a corrected one replaces what the learner only ran."""
    (mine / LESSON).write_text(notebook("1 + 1", "print(2)", outputs=9))
    (course / LESSON).write_text(notebook("1 + 1", "print(3)", outputs=2))
    (course / "notebooks" / "14-new.ipynb").write_text(notebook("4"))
    copy = bring(mine)
    assert (copy.new, copy.corrected) == (["notebooks/14-new.ipynb"], [LESSON])
    assert "print(3)" in (mine / LESSON).read_text()
    assert "said" not in (mine / LESSON).read_text()


def test_what_the_learner_changed_stays(mine: Path) -> None:
    """A changed cell, and a file that is no notebook any more, are left and named, each time."""
    changed = {LESSON: notebook("mine"), OTHER: "{"}
    for path, text in changed.items():
        (mine / path).write_text(text)
    for _ in range(2):
        copy = bring(mine)
        assert copy.kept == [LESSON, OTHER]
        assert f"left as they are: {LESSON}, {OTHER}." in str(copy)
        assert {path: (mine / path).read_text() for path in changed} == changed


def test_changed_by_both_the_new_one_lies_beside(mine: Path, course: Path) -> None:
    """The learner's stays, each correction lies beside it once, and none replaces a file."""
    (mine / LESSON).write_text(notebook("mine"))
    beside = LESSON.replace(".ipynb", "-corrected.ipynb")
    for cell, name in (("first", beside), ("second", LESSON.replace(".ipynb", "-corrected-2.ipynb"))):
        (course / LESSON).write_text(notebook(cell))
        copy = bring(mine)
        assert copy.beside == {LESSON: name}
        assert f"the new one is {name}" in str(copy)
        assert cell in (mine / name).read_text()
    assert bring(mine).kept == [LESSON]
    assert "mine" in (mine / LESSON).read_text()
    assert "first" in (mine / beside).read_text()
    assert len(list((mine / "notebooks").iterdir())) == 4


def test_a_deleted_notebook_is_brought_anew(mine: Path) -> None:
    """To begin again, a learner deletes a notebook."""
    (mine / LESSON).unlink()
    assert bring(mine).new == [LESSON]


def test_what_left_the_course_stays_with_the_learner(mine: Path, course: Path) -> None:
    """A lesson that the course no longer has is left, and named once."""
    (course / OTHER).unlink()
    assert bring(mine).gone == [OTHER]
    assert (mine / OTHER).exists()
    assert bring(mine).gone == []


@pytest.mark.parametrize("stop", range(1, 7))
def test_an_interrupted_copy_is_finished(
    course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    """Wherever it was stopped, bringing it again makes the whole copy, and calls nothing changed."""
    whole, part = tmp_path / "whole", tmp_path / "part"
    bring(whole)
    written = _writes_until(stop)

    def write(path: Path, text: str) -> None:
        next(written)
        write_whole(path, text)

    monkeypatch.setattr(learner_copy, "write_whole", write)
    with pytest.raises(KeyboardInterrupt):
        bring(part)
    monkeypatch.setattr(learner_copy, "write_whole", write_whole)
    copy = bring(part)
    assert (copy.kept, copy.beside) == ([], {})
    assert tree(part) == tree(whole)


def _writes_until(stop: int) -> Iterator[None]:
    yield from [None] * (stop - 1)
    raise KeyboardInterrupt


def test_two_at_once_make_one_copy(course: Path, tmp_path: Path) -> None:
    """Several that start together end in the same copy, and none finds fault with what another wrote."""
    with ThreadPoolExecutor(8) as pool:
        copies = list(pool.map(bring, [tmp_path / "mine"] * 8))
    assert not any(copy.kept or copy.beside for copy in copies)
    bring(tmp_path / "whole")
    assert tree(tmp_path / "mine") == tree(tmp_path / "whole")


def test_a_folder_of_something_else_is_left_alone(course: Path, tmp_path: Path) -> None:
    """A folder that holds anything but a copy is refused and named, and so is a file; an empty one is not."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "README.md").write_text("other")
    with pytest.raises(StartError, match=r"other holds something else already \(README.md\)"):
        bring(tmp_path / "other")
    assert tree(tmp_path / "other") == {"README.md": b"other"}
    with pytest.raises(StartError, match="dockerlab start FOLDER"):
        bring(tmp_path / "other" / "README.md")
    (tmp_path / "empty").mkdir()
    assert bring(tmp_path / "empty").new


def test_a_damaged_record_costs_the_learner_nothing(mine: Path) -> None:
    """Without a record what differs counts as the learner's, and the new one lies beside."""
    (mine / COPY_RECORD).write_text("{")
    (mine / LESSON).write_text(notebook("mine"))
    assert list(bring(mine).beside) == [LESSON]
    assert "mine" in (mine / LESSON).read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="modes are Unix's")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A read-only folder is one line that names it and what to do, with exit code 1."""
    readonly = tmp_path / "readonly"
    readonly.mkdir()
    readonly.chmod(0o555)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(folder.stat().st_mode | 0o055)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        assert main(["start", str(readonly / "mine")]) == 1
    finally:
        if root:
            os.seteuid(0)
    said = capsys.readouterr().err
    assert "readonly/mine" in said
    assert "cannot be written or read: Permission denied" in said
    assert "Name a folder that is yours" in said


def test_the_wheel_carries_the_course(tmp_path: Path) -> None:
    """From an installed wheel, with no checkout near it, a copy is the one that the checkout makes."""
    made = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(made, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    done = subprocess.run(
        [sys.executable, "-m", "dockerlab", "start"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
        check=True,
        capture_output=True,
        text=True,
    )
    assert "Open it: jupyter lab my-lab/notebooks/00-start-here.ipynb" in done.stdout
    assert tree(tmp_path / "my-lab") == tree(bring(tmp_path / "from-checkout").folder)
    assert manifest.course_folder() == ROOT
