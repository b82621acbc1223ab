"""`dockerlab grade`: what it prints, what it writes, and what it leaves alone."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dockerlab.checks.manifest import hints
from dockerlab.cli import main
from tests.checks.classroom import hand_in, messy, record
from tests.cli.test_inspect_commands import DOCS, keys

OUTPUTS = ["grades.csv", "grades.html"]


class Reader(HTMLParser):
    """Reads a page: the text of its cells, and every address in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.cells: list[str] = []
        self.heads: list[str] = []
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Count a tag, keep what it points at and what a cell says."""
        self.tags.append(tag)
        given = dict(attrs)
        self.addresses += [given[key] or "" for key in ("href", "src", "srcset", "data") if key in given]
        if tag == "td" and given.get("title"):
            self.cells.append(str(given["title"]))

    def handle_data(self, data: str) -> None:
        """Keep the text of headings."""
        if self.tags and self.tags[-1] in {"h1", "title"} and data.strip():
            self.heads.append(data)


def test_a_class_is_graded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The finding comes first, then a row an exercise, what to do about which files, what was written."""
    folder = messy(tmp_path / "in")
    assert main(["grade", str(folder), "-o", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert said.startswith("03-package-managers stops the most: 4 of 7 learners tried and did not pass.\n")
    assert re.search(r"03-package-managers +0 +4 +3\n", said)
    assert "Unpack it here and grade again.\n  all.zip: an archive, not read\n" in said
    assert "7 learners from 8 files. Wrote " in said
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == OUTPUTS


def test_the_heat_map_needs_nothing_but_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The page has no script and no address; each cell says in words what it means."""
    assert main(["grade", str(messy(tmp_path / "in")), "-o", str(tmp_path)]) == 0
    page = (tmp_path / "grades.html").read_text(encoding="utf-8")
    read = Reader(page)
    assert not {"script", "link", "img", "iframe", "b"} & set(read.tags)
    assert read.addresses == []
    assert not re.search(r"url\(|@import", page)
    assert set(read.heads) == {"03-package-managers stops the most: 4 of 7 learners tried and did not pass."}
    assert len(read.cells) == 7 * (len(hints()) + 1)
    assert "Ada, 03-package-managers: not passed yet, 8 tries, 3 hints opened" in read.cells
    assert "Ada, 02-run-chaining: passed, 2 tries" in read.cells
    assert "grace, 02-run-chaining: not attempted" in read.cells
    assert "broken/empty.json: empty. Ask for it again" in page


def test_what_is_there_is_not_replaced_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table that a teacher may have written in stays, nothing is written; --force replaces both."""
    folder = hand_in(tmp_path / "in" / "ada.json", "Ada", n02=record(1)).parent
    mine = tmp_path / "grades.csv"
    mine.write_text("my own marks")
    assert main(["grade", str(folder), "-o", str(tmp_path)]) == 1
    assert "nothing was written" in capsys.readouterr().err
    assert mine.read_text() == "my own marks"
    assert not (tmp_path / "grades.html").exists()
    assert main(["grade", str(folder), "-o", str(tmp_path), "--force"]) == 0
    assert "Ada" in mine.read_text()


def test_its_own_files_are_not_handed_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a teacher stands in the learners' folder, what was written there is no remark the next time."""
    hand_in(tmp_path / "ada.json", "Ada", n02=record(1))
    monkeypatch.chdir(tmp_path)
    assert main(["grade", "."]) == 0
    assert main(["grade", ".", "--force"]) == 0
    assert "grades.csv:" not in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ada.json", *OUTPUTS]


def test_what_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An output folder that is a file is an error with what to do, and no half a file is left."""
    hand_in(tmp_path / "in" / "ada.json", "Ada", n02=record(1))
    (tmp_path / "out").write_text("a file")
    assert main(["grade", str(tmp_path / "in"), "-o", str(tmp_path / "out")]) == 1
    assert "cannot be written" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--json prints one object whose keys docs/json.md names, with every learner, exercise and remark."""
    assert main(["grade", str(messy(tmp_path / "in")), "-o", str(tmp_path), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    named = set(re.findall(r"`\"?([\w-]+)\"?`", DOCS.read_text(encoding="utf-8")))
    assert set(keys(data)) - named == set()
    assert [len(data[key]) for key in ("learners", "exercises")] == [7, len(hints()) + 1]
    ada = next(one for one in data["learners"] if one["name"] == "Ada")
    assert ada["exercises"][3] == {
        "name": "03-package-managers",
        "state": "attempted",
        "tries": 8,
        "hints": 3,
        "last": "2026-01-04T10:00:00+00:00",
        "measured": "few layers: 3 layers (target: at most 1)",
    }
    assert data["exercises"][3] == {"name": "03-package-managers", "passed": 0, "attempted": 4, "not": 3}
    assert {"all.zip", "broken/newer.json"} <= {one["file"] for one in data["remarks"]}


def test_nothing_to_grade_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty folder ends with exit code 1 and writes nothing, also with --json."""
    (tmp_path / "in").mkdir()
    assert main(["grade", str(tmp_path / "in"), "-o", str(tmp_path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["type"] == "GradeError"
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
