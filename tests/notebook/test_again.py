"""The same Dockerfile after an edit: one call, and one that says which lines ran."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

import dockerlab as lab
from dockerlab import engines
from dockerlab.analysis.cache import EditLike
from dockerlab.engines.embedded.engine import EmbeddedEngine
from dockerlab.engines.results import Build
from dockerlab.errors import ContextError, DockerfileError
from dockerlab.notebook.again import _with_comment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the embedded engine runs on Linux")
FILES = {"words.txt": "one\n", "app.py": "print(1)\n"}


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Return a real build, of files alone, in a store of its own."""
    engine = EmbeddedEngine(tmp_path)
    monkeypatch.setattr(engines, "choose", lambda name=None: (engine, "the test's own"))
    text = "FROM scratch\nCOPY words.txt /\nCOPY app.py /\nLABEL a=b\n"
    return lab.build(text, name="app", context=FILES, quiet=True)


def test_an_edit_runs_the_same_lines_each_time(app: Build) -> None:
    """An edit is new to all builds before: the same lines run each time, and the files given stay."""
    assert lab.ran(app).data == [2, 3]
    for _ in range(2):
        assert lab.ran(lab.rebuild(app, FILES)).data == []
        edited = lab.rebuild(app, FILES, edit="app.py", name="edited")
        assert (edited.name, lab.ran(edited).data) == ("edited", [3])
    assert lab.ran(lab.rebuild(app, edit="app.py")).data == [3]  # of the files it had
    assert FILES["app.py"] == "print(1)\n"
    assert lab.ran(lab.rebuild(app, FILES, no_cache=True)).data == [2, 3]


def test_two_edits_of_a_module_compile_to_two_programs(app: Build) -> None:
    """What a RUN compiles from an edited module is in no cache either: the edit is no comment."""
    made = [lab.rebuild(app, edit="app.py").image.tree().read("app.py") for _ in range(2)]
    first, second = (compile(source or b"", "app.py", "exec").co_consts for source in made)
    assert first != second


def test_edits_run_the_same_lines_each_time(app: Build) -> None:
    """Each edit is made to the files as given, on nothing built before; reasons name lines as written."""
    edits: dict[str, EditLike] = {
        "mode": {"words.txt": lab.File("one\n", mode=0o600)},
        "last file": {"app.py": "print(2)\n"},
        "other": {"notes.txt": "new\n"},
    }
    for _ in range(2):
        made = lab.after_edits(app, edits)
        assert lab.ran(made).data == {"mode": [2, 3], "last file": [3], "other": []}
        assert [step.reason for step in made["mode"].steps[1:3]] == [
            "words.txt changed: its mode was 0644, is 0600",
            "an earlier step (line 2) ran again",
        ]


def test_which_lines_ran_is_a_sentence(app: Build) -> None:
    """One build is a sentence, several are a table under one; no time or size is in it."""
    assert repr(lab.ran(app)) == "app: lines 2, 3 ran, no line from the cache"
    edited = lab.rebuild(app, FILES, edit="app.py")
    said = repr(lab.ran({"first": app, "after an edit": edited})).splitlines()
    assert said[0] == "Which lines ran, and which came from the cache"
    assert [" ".join(line.split()) for line in said[1:]] == [
        "build ran from the cache",
        "first lines 2, 3 no line",
        "after an edit line 3 line 2",
    ]


def test_an_edit_of_what_is_not_there_is_refused(app: Build) -> None:
    """A path that is not among the files is named with those that are."""
    with pytest.raises(ContextError, match=r"no file 'nowhere' to edit.*\n.*app.py, words.txt"):
        lab.rebuild(app, FILES, edit="nowhere")


def test_a_run_is_edited_by_its_line() -> None:
    """A RUN gets a comment at its end, so it is new each time; a RUN without a shell is refused."""
    text = 'FROM debian:trixie-slim\nRUN echo a\nRUN echo b \\\n && echo c\nRUN ["true"]\n'
    dockerfile = lab.parse(text)
    edited = _with_comment(dockerfile, 3).splitlines()
    assert edited[3].startswith(" && echo c  # edit ")
    assert [line for line in edited if "# edit" in line] == [edited[3]]
    with pytest.raises(DockerfileError, match=r"No RUN begins in line 5.*\n.*2, 3"):
        _with_comment(dockerfile, 5)


def test_a_log_is_asked_for_by_its_words(app: Build) -> None:
    """Only lines that hold one of the words are listed, each with the line of its RUN."""
    step = replace(app.steps[1], line=2, log=("Need to get 0 B", " Fetched 1 MB", "other"))
    found = lab.log(replace(app, steps=(step,)), "Need", "Fetched")
    assert found.rows == (("2", "Need to get 0 B"), ("2", "Fetched 1 MB"))
    assert found.data == ("Need to get 0 B", "Fetched 1 MB")


def test_the_seconds_of_what_ran_are_said_when_asked_for(app: Build) -> None:
    """They are left out otherwise, since they differ each time."""
    steps = tuple(replace(step, seconds=2.0) for step in app.steps)
    slow = replace(app, steps=steps)
    assert repr(lab.ran(slow, seconds=True)) == "app: lines 2, 3 ran in 4.0 s, no line from the cache"
    assert lab.ran({"slow": slow}, seconds=True).rows == (("slow", "lines 2, 3", "no line", "4.0 s"),)
