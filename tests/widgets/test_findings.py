"""`lab.advise`: advice as a table in a notebook, as text, and with hadolint beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

import dockerlab as lab
from dockerlab.analysis.advice import hadolint
from dockerlab.errors import DockerlabError
from tests.fake_engine import FakeEngine
from tests.tiny_images import stack

DOCKERFILE = "FROM debian:12-slim\nRUN apt-get update\nRUN rm big\n"


def test_advise_shows_html_and_text(tmp_path: Path) -> None:
    """The table names line, finding, change and saving, in both forms, and keeps the findings as data."""
    layers = [{"bin/sh": 1000}, {"var/lib/apt/lists/x": 90_000, "big": 50_000}, {"big": None}]
    history = ["base", "RUN /bin/sh -c apt-get update", "RUN /bin/sh -c rm big"]
    image = stack(tmp_path, layers, history=history, base=1)  # type: ignore[arg-type]
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    for dockerfile in (DOCKERFILE, tmp_path / "Dockerfile"):
        table = lab.advise(image, dockerfile=dockerfile, hadolint=False)
        assert [finding.code for finding in table.data] == ["apt-lists", "deleted-later"]
        shown = table._repr_mimebundle_()
        for text in (shown["text/plain"], shown["text/html"]):
            assert "line 3 deletes 50.0 kB that line 2 stored" in text
            assert "rm -rf /var/lib/apt/lists/*" in text
            assert "90.0 kB" in text
    assert repr(table) == table.text()
    assert all(len(line) <= 80 for line in table.text(width=80).splitlines()[1:])


def test_the_notebook_table_keeps_its_width_for_words(tmp_path: Path) -> None:
    """Of many files the HTML names the largest, to be broken after a slash, and counts the others."""
    layers = [{"bin/sh": 1000}, {"var/lib/apt/lists/x": 90_000, "var/lib/apt/lists/y": 10_000}]
    image = stack(tmp_path, layers, history=["base", "RUN /bin/sh -c apt-get update"], base=1)
    table = lab.advise(image, hadolint=False)
    html = table.html().replace("/<wbr>", "/")
    assert html != table.html()
    assert "/var/lib/apt/lists/x (90.0 kB) and 1 more file<" in html
    assert "<code>rm -rf /var/lib/apt/lists/*</code>" in html
    assert "/var/lib/apt/lists/y" not in html
    assert "/var/lib/apt/lists/y" in table.text()


def test_advise_on_a_build_names_engine_and_seconds(tmp_path: Path) -> None:
    """A build's caption says which engine built it and how long that took; no finding is no row."""
    engine = FakeEngine(tmp_path)
    build = lab.build("FROM scratch\nRUN a\n", name="app", engine=engine, quiet=True)
    table = lab.advise(build, engine=engine, hadolint=False)
    assert table.caption == "app: 0 findings (1.00 kB unpacked; built in 1.5 s; fake engine)"
    assert table.rows == ()
    assert "<table>" not in table.html()
    assert lab.advise("dockerlab/app:latest", engine=engine, hadolint=False).rows == ()


@pytest.mark.skipif(hadolint.program() is None, reason="hadolint is not installed")
def test_hadolint_itself(tmp_path: Path) -> None:
    """hadolint's rule on package lists stands in our finding where they are, and nowhere else."""
    history = ["base", "RUN /bin/sh -c apt-get update", "RUN /bin/sh -c rm big"]
    left = stack(tmp_path, [{}, {"var/lib/apt/lists/x": 90_000}, {}], history=history, base=1)
    found = lab.advise(left, dockerfile=DOCKERFILE).data
    assert found[0].also == ("DL3009",)
    assert {one.source for one in found[1:]} <= {"hadolint"}
    assert "DL3009" not in {one.code for one in found}
    none = stack(tmp_path, [{}, {}, {}], history=history, base=1)
    assert "DL3009" not in str(lab.advise(none, dockerfile=DOCKERFILE).data)


def test_without_hadolint_there_is_only_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the program is not installed nothing is joined; one that fails is an error with a next step."""
    monkeypatch.setattr(hadolint, "program", lambda: None)
    assert hadolint.lint(DOCKERFILE) == ()
    monkeypatch.setattr(hadolint, "program", lambda: "/none/hadolint")
    with pytest.raises(DockerlabError, match="gave no answer") as error:
        hadolint.lint(DOCKERFILE)
    assert "--no-hadolint" in error.value.hint
