"""The house keeps its own rules: manifest, generated files, scripts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from dockerlab.checks import manifest
from tools.course import ROOT, read_course
from tools.course_map import README, open_elsewhere, renewed
from tools.notebooks import EXECUTED, course_notebooks, normalise, text_of


def names(folder: str) -> set[str]:
    """Give the stems of a folder's notebooks."""
    return {path.stem for path in (ROOT / folder).glob("*.ipynb")}


def test_the_manifest_and_the_notebooks_agree() -> None:
    """Each lesson of course.toml has its notebook; each notebook but glossary and playground is a lesson."""
    listed = [lesson.name for lesson in read_course().lessons]
    assert listed == sorted(names("notebooks") - {"glossary", "playground"})


def test_the_package_reads_what_the_tools_read() -> None:
    """Where to begin and which bases the course needs are the same for `dockerlab` and for `make lab`."""
    assert (manifest.start(), manifest.bases()) == (read_course().start.as_posix(), read_course().bases)


def test_a_lesson_opens_with_what_the_manifest_says() -> None:
    """Title, question and minutes in a lesson's first cell are those of course.toml."""
    for lesson in read_course().lessons:
        notebook = nbformat.read(ROOT / "notebooks" / f"{lesson.name}.ipynb", as_version=4)
        opening = " ".join(notebook["cells"][0]["source"].split())
        assert opening.startswith(f"# {lesson.title} **{lesson.question}** "), lesson.name
        assert f"About {lesson.minutes} minutes" in opening, lesson.name


def test_exercises_and_solutions_mirror_each_other() -> None:
    """Each name has an exercise and a solution, which tabs tell from the lesson, and three hints."""
    with_exercise = {name: hints for lesson in read_course().lessons for name, hints in lesson.tasks.items()}
    assert names("exercises") == {f"exercise-{name}" for name in with_exercise}
    assert names("solutions") == {f"solution-{name}" for name in with_exercise}
    assert all(len(hints) == 3 for hints in with_exercise.values())


def test_the_course_map_is_current() -> None:
    """README's course map, and its buttons, are what course.toml says."""
    text = README.read_text(encoding="utf-8")
    assert renewed(text, read_course()) == text


def test_one_setting_makes_every_link_to_binder() -> None:
    """Who forks the course changes one line: buttons and lessons then lead to that repository."""
    course = replace(read_course(), repository="ada/lab")
    made = open_elsewhere(course)
    links = re.findall(r"\((https://mybinder.org/v2/[^)]*)\)", made)
    inside = "https://mybinder.org/v2/gh/ada/lab/HEAD?urlpath=lab/tree/my-lab/notebooks/"
    assert [link.removeprefix(inside) for link in links] == [
        course.start.name,
        *(lesson.notebook.name for lesson in course.lessons),
    ]
    assert "(https://codespaces.new/ada/lab)" in made
    assert "https" not in open_elsewhere(replace(course, repository=""))


@pytest.mark.parametrize("path", course_notebooks(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_notebooks_are_in_form(path: Path) -> None:
    """The notebook is as `make notebooks` writes it: executed without errors, or without outputs."""
    executed = path.parent.name in EXECUTED
    text = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(text, as_version=4)
    assert text_of(normalise(notebook, keep_outputs=executed)) == text
    for cell in (cell for cell in notebook["cells"] if cell["cell_type"] == "code" and executed):
        assert cell["execution_count"] is not None, cell["source"]
        if "raises-exception" not in cell["metadata"].get("tags", ()):
            assert not [output for output in cell["outputs"] if output["output_type"] == "error"]


SCRIPTS = (
    "make",
    "start",
    "postBuild",
    ".ci/run",
    *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "tools").glob("*.sh")),
)


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_are_sound(name: str) -> None:
    """The script parses in the shell its first line names, and is executable unless sh is what calls it."""
    path = ROOT / name
    shell = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("#!")
    subprocess.run([shell, "-n", str(path)], check=True)
    if name in {"make", "start", "postBuild", ".ci/run"}:
        assert os.access(path, os.X_OK)


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """Make a PATH with the tools of a bare Debian machine, and an `id` that says an ordinary user asks."""
    for tool in ("sh", "dirname", "uname", "grep", "cat"):
        found = next(Path(folder) / tool for folder in ("/usr/bin", "/bin") if (Path(folder) / tool).exists())
        (tmp_path / tool).symlink_to(found)
    (tmp_path / "python3").symlink_to(sys.executable)
    for tool, says in (("id", "echo 1000"), ("apt-get", "exit 9")):
        (tmp_path / tool).write_text(f"#!/bin/sh\n{says}\n")
        (tmp_path / tool).chmod(0o755)
    return tmp_path


@pytest.mark.skipif(sys.platform != "linux", reason="apt is Debian's")
def test_an_ordinary_user_is_told_the_one_line(bare_path: Path) -> None:
    """Without root, what is missing is printed as one line to run, and apt-get is not called."""
    done = subprocess.run(
        ["/bin/sh", "tools/packages.sh", "lab"],
        cwd=ROOT,
        env={"PATH": str(bare_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stderr.splitlines() if "sudo" in line]
    assert done.returncode == 1
    assert len(lines) == 1
    assert "make" in lines[0]
    assert "proot" not in lines[0]  # dockerlab fetches it where it is needed


@pytest.mark.skipif(sys.platform == "win32", reason="the script is for sh")
def test_a_python_that_is_too_old_is_named(tmp_path: Path) -> None:
    """Where the only python3 is older than 3.10, the message says which it found and what to do."""
    (tmp_path / "python3").write_text(
        '#!/bin/sh\ncase "$1" in -c) echo 3.09 ;; *) echo Python 3.9.18 ;; esac\n'
    )
    (tmp_path / "python3").chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", "tools/python.sh"],
        cwd=ROOT,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Python 3.10 or later is needed; found: Python 3.9.18" in done.stderr
