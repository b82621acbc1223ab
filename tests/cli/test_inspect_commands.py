"""`dockerlab ledger | compare | advise | explore`, on archives that no engine has to open."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dockerlab import engines
from dockerlab.analysis.advice import base, context_leftovers, order, secrets, tools, waste
from dockerlab.analysis.packages import CACHES
from dockerlab.cli import main
from tests.fake_engine import FakeEngine
from tests.tiny_images import stack

DOCS = Path(__file__).parents[2] / "docs" / "json.md"
DOCKERFILE = "FROM debian:12-slim\nRUN apt-get update\nRUN rm big\n"


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test when an engine is asked for."""

    def refuse(name: str | None = None) -> None:
        raise AssertionError("an engine was asked for")

    monkeypatch.setattr(engines, "choose", refuse)


@pytest.fixture
def archive(tmp_path: Path, no_engine: None) -> str:
    """Return the path of an archive that leaves 90 kB of package lists and deletes 50 kB too late."""
    stack(
        tmp_path,
        [{"bin/sh": 1000}, {"var/lib/apt/lists/x": 90_000, "big": 50_000}, {"big": None}],
        history=["base", "RUN /bin/sh -c apt-get update", "RUN /bin/sh -c rm big"],
    )
    return str(tmp_path / "image.tar")


def shape(capsys: pytest.CaptureFixture[str], *argv: str, code: int = 0) -> dict[str, Any]:
    """Run a command with --json and return what it printed."""
    assert main([*argv, "--json"]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_ledger_of_an_archive(archive: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The ledger of an archive is printed without an engine, as text and as JSON."""
    data = shape(capsys, "ledger", archive, "--files")
    assert (data["all"]["content"], data["all"]["wasted"], data["engine"]) == (141_000, 50_000, None)
    assert [claim["path"] for claim in data["claims"]] == ["big"]
    assert main(["ledger", archive, "--files"]) == 0
    text = capsys.readouterr().out
    assert "layer 3 deletes 50.0 kB that layer 2 stored (1 file, largest /big)" in text
    assert re.search(r"50\.0 kB +deleted +/big", text)


def test_advise_names_lines_with_the_dockerfile(
    archive: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`-f` gives an archive's findings their lines."""
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    alone = shape(capsys, "advise", archive, "--no-hadolint")
    lined = shape(capsys, "advise", archive, "--no-hadolint", "-f", str(tmp_path / "Dockerfile"))
    assert [(one["code"], one["lines"]) for one in alone["findings"]] == [
        ("apt-lists", []),
        ("deleted-later", []),
    ]
    assert [one["lines"] for one in lined["findings"]] == [[2], [2, 3]]
    assert main(["advise", archive, "--no-hadolint", "-f", str(tmp_path / "Dockerfile")]) == 0
    text = capsys.readouterr().out
    assert "1. line 2 leaves 90.0 kB of apt's package lists [apt-lists]" in text
    assert "   saves:  90.0 kB" in text


def test_budget_exit_codes(archive: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0 within the budget, 3 over it, 1 for a budget that is none; options come before the file."""
    file = tmp_path / "budget.toml"
    file.write_text('[budget]\nmax-size = "200kB"\nmax-waste = "10kB"\n')
    assert main(["advise", archive, "--max-size", "200kB", "--max-layers", "3"]) == 0
    assert "ok    max-layers: 3 layers, 3 at most" in capsys.readouterr().out
    assert main(["advise", archive, "--budget", str(file)]) == 3
    assert "OVER  max-waste: 50.0 kB wasted, 10.0 kB at most" in capsys.readouterr().out
    assert main(["advise", archive, "--budget", str(file), "--max-waste", "50kB"]) == 0
    assert main(["advise", archive, "--min-efficiency", "99%"]) == 3
    data = shape(capsys, "advise", archive, "--min-efficiency", "0.99", code=3) if capsys.readouterr() else {}
    assert (data["budget"]["ok"], data["budget"]["checks"][0]["key"]) == (False, "min-efficiency")
    assert main(["advise", archive, "--max-size", "huge"]) == 1
    assert main(["advise", archive, "--budget", str(tmp_path / "none.toml")]) == 1
    assert "cannot be read" in capsys.readouterr().err


def test_compare_two_archives(archive: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Shared layers, sizes and files are told, from the first image to the second."""
    (tmp_path / "other").mkdir()
    stack(tmp_path / "other", [{"bin/sh": 1000}, {"new": 70_000}], name="other:latest")
    other = str(tmp_path / "other" / "image.tar")
    data = shape(capsys, "compare", archive, other)
    assert data["shared"]["layers"] == 1
    assert data["files"]["added"] == {"paths": 1, "bytes": 70_000}
    assert [item["path"] for item in data["largest"]] == ["/var/lib/apt/lists/x", "/new"]
    assert main(["compare", archive, other]) == 0
    assert re.search(r"unpacked +141 kB +71.0 kB +-70.0 kB", capsys.readouterr().out)


def test_explore_a_layer_and_the_whole(archive: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The tree shows what a layer changed, or all that is there, as deep as asked."""
    data = shape(capsys, "explore", archive, "--layer", "3")
    assert [(item["path"], item["change"], item["removed"]) for item in data["items"]] == [
        ("/big", "removed", 50_000)
    ]
    data = shape(capsys, "explore", archive, "--path", "/var/lib", "--depth", "3")
    assert [(item["path"], item["depth"]) for item in data["items"]] == [
        ("/var/lib/apt", 0),
        ("/var/lib/apt/lists", 1),
        ("/var/lib/apt/lists/x", 2),
    ]
    data = shape(capsys, "explore", archive, "--find", "LISTS/*")
    assert [item["path"] for item in data["items"]] == []
    data = shape(capsys, "explore", archive, "--find", "*/LISTS/*")
    assert [item["path"] for item in data["items"]] == ["/var/lib/apt/lists/x"]
    assert main(["explore", archive, "--sort", "name", "--depth", "1"]) == 0
    names = [line.split("  ")[-2].strip() for line in capsys.readouterr().out.splitlines()[1:]]
    assert len(names) == 2


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["explore", "ARCHIVE", "--layer", "9"], "There is no layer 9"),
        (["explore", "ARCHIVE", "--path", "/none"], "there is no such path"),
        (["explore", "ARCHIVE", "--path", "/bin", "--layer", "3"], "layer 3 changes nothing there"),
        (["ledger", "./none"], "There is no image in ./none"),
        (["ledger", "ARCHIVE", "--reference", "other:1"], "no image named other:1"),
    ],
)
def test_what_is_not_there(
    archive: str, capsys: pytest.CaptureFixture[str], argv: list[str], says: str
) -> None:
    """A layer, folder or image that is not there is one error line with a next step."""
    assert main([word.replace("ARCHIVE", archive) for word in argv]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert says in error
    assert len(error.splitlines()) == 2


@pytest.mark.parametrize("by", ["folder", "file"])
def test_a_folder_is_built_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], by: str
) -> None:
    """A folder with a Dockerfile, or the Dockerfile, is built under the folder's name, and timed."""
    fake = FakeEngine(tmp_path)
    monkeypatch.setattr(engines, "choose", lambda name=None: (fake, "It is a fake."))
    project = tmp_path / "My App"
    project.mkdir()
    (project / "Dockerfile").write_text("FROM scratch\nRUN a\nCOPY b /\n")
    where = project if by == "folder" else project / "Dockerfile"
    data = shape(capsys, "advise", str(where), "--build-arg", "A=1", "--no-cache", "--no-hadolint")
    assert (data["seconds"], data["engine"]) == (1.5, "fake engine")
    assert (fake.seen[0]["tag"], fake.seen[0]["build_args"]) == ("dockerlab/my_app:latest", {"A": "1"})
    assert fake.seen[0]["no_cache"] is True


def test_a_name_is_asked_of_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is no path is an image's name."""
    fake = FakeEngine(tmp_path)
    monkeypatch.setattr(engines, "choose", lambda name=None: (fake, "It is a fake."))
    fake.build("FROM scratch\nRUN a\n", tag="app:1")
    assert shape(capsys, "ledger", "app:1")["engine"] == "fake engine"
    assert main(["ledger", "none:1"]) == 1


def keys(data: object) -> Iterator[str]:
    """Yield every key of a JSON value."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield key
            yield from keys(value)
    elif isinstance(data, list):
        for value in data:
            yield from keys(value)


def test_every_key_and_code_is_documented(
    archive: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """docs/json.md names every key that is printed and every code that a finding may have."""
    named = set(re.findall(r"`\"?([\w-]+)\"?`", DOCS.read_text(encoding="utf-8")))
    for argv in (
        ["ledger", archive, "--files"],
        ["compare", archive, archive],
        ["advise", archive, "--max-layers", "3"],
        ["explore", archive],
    ):
        assert set(keys(shape(capsys, *argv))) - named == set(), argv[0]
    assert main(["ledger", "./none", "--json"]) == 1
    assert set(keys(json.loads(capsys.readouterr().out))) - named == set()
    source = "".join(
        Path(str(module.__file__)).read_text(encoding="utf-8")
        for module in (base, context_leftovers, order, secrets, tools, waste)
    )
    codes = set(
        re.findall(
            r'"((?:secret|context|env|stored|deleted|moved|replaced|build|copy|many)-[a-z-]+)"', source
        )
    )
    codes |= {"slimmer-base", "toolchain-base", *(cache.code for cache in CACHES)}
    assert {code for code in codes if not code.endswith("-")} - named - {
        "build-essential",
        "build-base",
    } == set()
