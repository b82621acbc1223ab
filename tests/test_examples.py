"""The sample apps are read whole, and lessons build the Dockerfiles that lie beside them."""

from __future__ import annotations

import io
import json
import re
import tarfile
import urllib.request

import nbformat
import pytest

from dockerlab import engines, examples
from dockerlab.context.context import Context
from dockerlab.errors import DockerlabError
from tools.course import ROOT


def cells(lesson: str) -> dict[str, str]:
    """Return the Dockerfiles of a lesson by the variable they are bound to; the last one counts."""
    found = {}
    for cell in nbformat.read(ROOT / "notebooks" / f"{lesson}.ipynb", as_version=4)["cells"]:
        if match := re.match(r"%%dockerfile\s+(\w+)[^\n]*\n", cell["source"]):
            found[match[1]] = cell["source"][match.end() :].strip()
    return found


@pytest.mark.parametrize(
    ("lesson", "variable", "app", "file"),
    [
        ("08-multi-stage", "site", "frontend", "Dockerfile"),
        ("08-multi-stage", "static", "primes", "Dockerfile"),
        ("12-web-app", "before", "webapp", "before.Dockerfile"),
        ("12-web-app", "layered", "webapp", "layered.Dockerfile"),
        ("12-web-app", "staged", "webapp", "staged.Dockerfile"),
        ("13-real-image", "before", "places", "before.Dockerfile"),
        ("13-real-image", "after", "places", "after.Dockerfile"),
    ],
)
def test_the_lesson_builds_the_dockerfile_of_the_sample_app(
    lesson: str, variable: str, app: str, file: str
) -> None:
    """The cell of the lesson and the file beside the app say the same."""
    text = examples.files(app)[file]
    assert isinstance(text, str)
    assert cells(lesson)[variable] == text.strip()


def test_every_requirement_of_the_web_app_is_pinned() -> None:
    """Two builds of the web app get the same versions."""
    text = examples.files("webapp")["requirements.txt"]
    assert isinstance(text, str)
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"\w+==[\d.]+", line) for line in lines)


def test_the_lock_of_the_front_end_names_no_registry() -> None:
    """npm takes the packages from whichever registry the machine uses."""
    lock = examples.files("frontend")["package-lock.json"]
    assert "resolved" not in json.dumps(json.loads(lock))


def test_an_app_that_is_not_there_is_an_error() -> None:
    """A name without a folder raises FileNotFoundError, which says it."""
    with pytest.raises(FileNotFoundError, match="no sample app 'nothing'"):
        examples.files("nothing")


def test_the_tests_of_the_web_app_pass_in_its_image() -> None:
    """The sample app is right: its own tests pass on the packages that it pins."""
    engine, _ = engines.choose()
    files = {path: content for path, content in examples.files("webapp").items() if path != ".dockerignore"}
    tag = "dockerlab/test-examples:webapp"
    try:
        engine.build(str(files["layered.Dockerfile"]), context=Context.files(files), tag=tag)
    except DockerlabError as error:
        pytest.skip(f"the app's packages cannot be installed here: {error}")
    try:
        ran = engine.run(tag, ["python", "-m", "unittest", "tests/test_app.py"])
    finally:
        engine.remove(tag)
    assert ran.exit_code == 0, ran.output
    assert "Ran 3 tests" in ran.output


def test_a_folder_somebody_works_in() -> None:
    """It has the app, and what such folders hold besides, and no list of what to leave out yet."""
    folder = examples.lived_in("places", env="KEY=1\n")
    assert {".env", "debug.log", ".git/objects/pack/pack-1.pack", "app.py", "native/distance.c"} <= set(
        folder
    )
    assert not [path for path in folder if "ockerfile" in path or path == ".dockerignore"]
    assert folder == examples.lived_in("places", env="KEY=1\n")  # so the cache can know it


def test_files_are_served_as_they_are() -> None:
    """The web server of a lesson answers on a port of its own with the bytes it was given."""
    archives = examples.archives()
    port = examples.serve(archives)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/a.tar.gz", timeout=10) as answer:
        served = answer.read()
    assert served == archives["a.tar.gz"]
    with tarfile.open(fileobj=io.BytesIO(served)) as tar:
        assert tar.getnames() == ["hello.txt"]
