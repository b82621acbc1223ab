"""An archive with its Dockerfile has the lines that the build has, in whatever form they are written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dockerlab.analysis.history import rows
from dockerlab.analysis.made_from import made_from
from dockerlab.cli import main
from dockerlab.context.context import Context
from dockerlab.dockerfile.parser import parse
from dockerlab.engines.results import Build, Engine
from dockerlab.errors import ImageError
from dockerlab.image.archive_reader import read_archive
from tests.analysis.test_built_stages import BELOW, copies
from tests.engines.conftest import BASE

NAME = "dockerlab/test-engine-lines:1"
FROMS = "dockerlab/test-engine-froms:1"  # the legacy builder labels nothing: NAME is not the next test's
FILES = {"a": "1", "b.txt": "2", "d/c.txt": "3"}
FORMS = {
    "plain": "RUN echo a > /x\nCOPY a /\nCMD ['x']\n",
    "lower case": "run echo a > /x\ncopy a /\nenv V=1\ncmd true\n",
    "mixed case": "Run echo a > /x\nAdd a /\nWorkdir /w\n",
    "SHELL": 'SHELL ["/bin/sh", "-e", "-c"]\nRUN echo a > /x\nRUN echo b > /x\n',
    "SHELL and ARG": 'ARG V=1\nSHELL ["/bin/busybox", "sh", "-c"]\nRUN echo $V > /x\nCOPY a /\n',
    "ARG": "ARG V=1\nARG W\nRUN echo $V > /x\nARG U=${V}2\nRUN echo $U\n",
    "ENV in a COPY": "ENV TO=/to\nWORKDIR $TO\nCOPY a $TO/b\nRUN echo ${TO} > /x\n",
    "JSON": 'RUN ["/bin/sh", "-c", "echo a > /x"]\nCOPY ["a", "b.txt", "/to/"]\n',
    "JSON and ARG": 'ARG V=1\nRUN ["/bin/sh", "-c", "echo a > /x"]\n',
    "continued": "RUN echo a \\\n  # said\n    && echo   b > /x \\\n && true\nCOPY a \\\n  b.txt /to/\n",
    "heredoc": "RUN <<EOF\necho a > /x\necho b\nEOF\nCOPY <<ONE <<TWO /to/\none\nONE\ntwo\nTWO\n",
    "heredoc of a command": "RUN cat <<EOF > /x\nhi\nEOF\nRUN true\n",
    "heredoc with #!": "RUN <<EOF\n#!/bin/sh\necho a > /x\nEOF\n",
    "mounts": "RUN --mount=type=tmpfs,target=/t echo a > /x\nRUN --mount=type=cache,target=/c :\n",
    "COPY variants": "COPY --chown=1:2 --chmod=755 a /\nCOPY *.txt /to/\nCOPY --from=0 /s /\nADD d /d\n",
    "ONBUILD": "ONBUILD RUN echo later\nRUN echo a > /x\nONBUILD COPY a /\nCOPY a /\n",
    "metadata between": "LABEL a=b\nRUN echo a > /x\nEXPOSE 80\nUSER 1\nVOLUME /v\nSTOPSIGNAL 9\nCOPY a /\n",
    "the same twice": "RUN true\nRUN true\nCOPY a /\nCOPY a /\nRUN true\n",
}


def lines(image: Build) -> list[tuple[int | None, int | None]]:
    """Return the line and the layer of each history row that is not the base's."""
    return [(row.line, row.layer) for row in rows(image) if not row.base]


def text_of(form: str) -> str:
    """Return a whole Dockerfile: a stage to copy from, one in between, and the form."""
    return f"ARG BASE={BASE}\nFROM ${{BASE}} AS first\nRUN echo > /s\nFROM first\nRUN : \n{FORMS[form]}"


@pytest.fixture(scope="module")
def engine(busybox_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Return the embedded engine with the base image: its history is that of BuildKit."""
    embedded = pytest.importorskip("dockerlab.engines.embedded")
    made: Engine = embedded.EmbeddedEngine(tmp_path_factory.mktemp("store"))
    made.load(busybox_archive)
    return made


@pytest.mark.parametrize("form", FORMS)
def test_an_archive_has_the_lines_of_its_dockerfile(
    form: str, engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rows of an archive read with -f have the lines of the build, for ledger and advise."""
    text = text_of(form)
    build = engine.build(text, context=Context.files(FILES), tag=NAME)
    archive, written = tmp_path / "image.tar", tmp_path / "Dockerfile"
    engine.save([NAME], archive)
    written.write_text(text)
    image = read_archive(archive, None)
    found = made_from(image, parse(text), "x")
    known = [pair for pair in lines(build) if pair[0] is not None]
    assert [pair for pair in lines(found) if pair[0] is not None] == known
    assert len(known) > 2
    assert main(["ledger", str(archive), "-f", str(written), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    layered = [(line, layer) for line, layer in known if layer is not None]
    assert [(one["line"], one["layer"]) for one in told["layers"] if one["line"]] == layered
    assert told["engine"] is None
    assert main(["advise", str(archive), "-f", str(written), "--json", "--no-hadolint"]) == 0
    assert json.loads(capsys.readouterr().out)["with_dockerfile"]


def test_what_docker_records_has_its_lines(each_engine: Engine) -> None:
    """Both of Docker's builders record SHELL, JSON, arguments and lower case so that each line is found."""
    forms = ("lower case", "SHELL and ARG", "JSON and ARG", "continued")
    text = f"FROM {BASE}\n" + "".join(FORMS[form] for form in forms)
    for builder in ("buildkit", "legacy") if each_engine.name == "docker" else (None,):
        build = each_engine.build(text, context=Context.files(FILES), tag=NAME, builder=builder)
        found = made_from(build.image, parse(text), "x")
        known = [pair for pair in lines(build) if pair[0] is not None]
        assert [pair for pair in lines(found) if pair[0] is not None] == known
        assert len(known) == text.replace("\\\n", "").count("\n") - 2


@pytest.mark.parametrize("form", BELOW)
def test_what_a_from_names_has_its_lines_on_docker(form: str, each_engine: Engine) -> None:
    """However a FROM names the stage below, BuildKit's layers of both have their lines."""
    text, args = BELOW[form]
    build = each_engine.build(text, context=Context.files({"a": "a", "b": "b"}), tag=FROMS, build_args=args)
    assert [line for line, _ in lines(build)] == copies(text)


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("RUN echo a > /x", "RUN echo b > /x"),
        ("RUN echo a > /x", "RUN a > /x"),
        ("RUN echo a > /x", "RUN x"),
        ("RUN echo a > /x", 'SHELL ["/bin/sh", "-c"]\nRUN echo a > /xx'),
        ("RUN echo a > /x", 'RUN ["a", ">", "/x"]'),
        ("RUN echo a > /x", "RUN true\nRUN echo a > /x"),
        ("COPY a /", "ADD a /"),
        ("WORKDIR /w", "RUN mkdir /w"),
    ],
)
def test_another_dockerfile_is_refused(line: str, other: str, engine: Engine) -> None:
    """A line that the history does not have is named, so that no line is blamed for another's bytes."""
    build = engine.build(f"FROM {BASE}\n{line}\n", context=Context.files(FILES), tag=NAME)
    with pytest.raises(ImageError, match=r"its line \d is not in the history"):
        made_from(build.image, parse(f"FROM {BASE}\n{other}\n"), "x")


def test_why_takes_the_dockerfile_too(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`why TAG -f` explains the build where that is its Dockerfile; `why FOLDER -f` builds it."""
    monkeypatch.setattr("dockerlab.engines.choose", lambda name=None: (engine, ""))
    (tmp_path / "other").write_text(f"FROM {BASE}\nrun echo a > /x\n")
    (tmp_path / "wrong").write_text(f"FROM {BASE}\nRUN echo b > /x\n")
    assert main(["why", str(tmp_path), "-f", str(tmp_path / "other"), "-t", NAME, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"][1]["text"] == "run echo a > /x"
    assert main(["why", NAME, "-f", str(tmp_path / "other"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"][1]["line"] == 2
    assert main(["why", NAME, "-f", str(tmp_path / "wrong")]) == 1
    assert "its line 2 is not in the history" in capsys.readouterr().err
