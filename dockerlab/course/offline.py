"""What the course needs where there is no network: its bases, a run of its notebooks, its wheels, a page."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dockerlab.checks.manifest import bases as of_the_course
from dockerlab.checks.manifest import course_folder
from dockerlab.course.learner_copy import bring
from dockerlab.errors import StartError

EXECUTED = ("notebooks", "solutions")  # what an exercise installs, its solution does
_AT_ONCE = 3  # notebooks: one waits for the network or a sandbox as often as for a core
_SECONDS = 1200
_FROM = re.compile(r"^FROM (?:--\S+ )?([\w./-]+:[\w.-]+)", re.MULTILINE)


def bases() -> list[str]:
    """Return every base image that a notebook, or an example's Dockerfile, builds on."""
    course = course_folder()
    package = Path(__file__).resolve().parent.parent
    texts = [path.read_text() for path in sorted((package / "examples").rglob("*Dockerfile"))]
    for path in sorted(path for folder in EXECUTED for path in (course / folder).glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        texts += ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    found = [name for text in texts for name in _FROM.findall(text)]
    return list(dict.fromkeys([*of_the_course(), *found]))


def run_notebooks(folder: Path, *, home: Path) -> int:
    """Run a copy of the course's notebooks in `folder`, with `home` as the store; return how many.

    Raises StartError with the end of what the first said that failed.
    """
    bring(folder)
    found = sorted(path for name in EXECUTED for path in (folder / name).glob("*.ipynb"))
    environment = {**os.environ, "DOCKERLAB_HOME": str(home), "DOCKERLAB_ENGINE": "embedded"}
    environment["DOCKER_HOST"] = "unix:///run/no-docker-here"  # a bundle holds nothing for Docker

    def run(path: Path) -> str:
        line = [*(sys.executable, "-m", "nbconvert", "--execute", "--to", "notebook", "--inplace"), str(path)]
        line.append(f"--ExecutePreprocessor.timeout={_SECONDS}")
        done = subprocess.run(
            line, env=environment, cwd=path.parent, capture_output=True, text=True, check=False
        )
        said = "" if done.returncode == 0 else "\n".join(done.stderr.splitlines()[-15:])
        print(f"{path.relative_to(folder)}: {'failed' if said else 'run'}", file=sys.stderr, flush=True)
        return f"{path.relative_to(folder)} failed:\n{said}" if said else ""

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        failed = [said for said in pool.map(run, found) if said]
    if failed:
        raise StartError(failed[0], hint="A bundle is made where every lesson passes: mend it, or try again.")
    return len(found)


def wheels(folder: Path, *, pythons: Sequence[str]) -> int:
    """Collect the wheels of the course and of all it needs, for this Python or those named; count them."""
    checkout = course_folder()
    if not (checkout / "pyproject.toml").is_file():
        raise StartError(
            "The course's own wheel can only be made from its checkout.",
            hint="Clone the course, and run `dockerlab bundle create` from there.",
        )
    folder.mkdir(parents=True)
    pip = [sys.executable, "-m", "pip"]
    _done([*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(checkout)])
    own = f"dockerlab[course] @ {next(folder.glob('dockerlab-*.whl')).as_uri()}"
    for version in pythons or [""]:
        other = [f"--python-version={version}"] if version else []
        fetch = [*pip, "download", "--quiet", "--only-binary=:all:", "--dest", str(folder)]
        _done([*fetch, *other, own])
    _done([*pip, "download", "--quiet", "--only-binary=:all:", "--dest", str(folder), "pip"])
    return len(list(folder.iterdir()))


def _done(line: Sequence[str]) -> None:
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        said = "\n".join(done.stderr.splitlines()[-8:])
        raise StartError(
            f"pip could not get the course's wheels:\n{said}", hint="Check the network, and try again."
        )


def readme(name: str) -> str:
    """Return the page that lies in the file."""
    return f"""The layer lab, for a Linux machine without a network
====================================================

    python3 -m tarfile -e {name} .
    python3 -m venv lab
    lab/bin/pip install --no-index --find-links layer-lab/wheels 'dockerlab[course]'
    lab/bin/dockerlab bundle use {name}
    lab/bin/dockerlab start
    DOCKERLAB_ENGINE=embedded PATH=$PWD/lab/bin:$PATH lab/bin/jupyter lab my-lab/notebooks/00-start-here.ipynb
"""
