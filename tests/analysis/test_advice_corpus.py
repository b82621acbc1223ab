"""Advice on a corpus of Dockerfiles shaped like real ones: silent about the good, right about the bad."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dockerlab.analysis.advice import Advice, advise
from dockerlab.analysis.toml import tomllib
from dockerlab.dockerfile.parser import Instruction, Stage, parse
from tests.tiny_images import stack

CORPUS = Path(__file__).parent / "corpus"
Case = Mapping[str, Any]
LAYERS = ("RUN", "COPY", "ADD")


def cases(name: str) -> list[Any]:
    """Return the cases of a file, each with its name as the test's."""
    data = tomllib.loads((CORPUS / f"{name}.toml").read_text(encoding="utf-8"))
    return [pytest.param(case, id=case["name"]) for case in data["case"]]


GOOD, BAD = cases("good"), cases("bad")


def record(one: Instruction) -> str:
    """Write a history row as BuildKit does."""
    if one.keyword != "RUN":
        words = " ".join(one.args) if one.keyword == "ENV" else one.text.partition(" ")[2]
        return ("" if one.keyword in LAYERS else "-") + f"{one.keyword} {words}"
    return f"RUN {' '.join(one.args) if one.json else f'/bin/sh -c {one.script}'} # buildkit"


def members(files: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Make the content of a layer: where only a size is given, the content is of that size alone."""
    found: dict[str, Any] = {}
    for path, what in files.items():
        if what is False:
            found[path] = None
        elif isinstance(what, int):
            found[path] = str(what % 97).encode().ljust(what, b".")
        elif isinstance(what, Mapping):
            found[path] = ("hardlink", what["link"])
        else:
            found[path] = what.encode("latin-1")
    return found


def judge(case: Case, folder: Path) -> Advice:
    """Make the image of a case, with a layer for each line of the final stages, and advise on it."""
    dockerfile = parse(case["dockerfile"])
    stages: list[Stage] = [dockerfile.stages[-1]]
    while (lower := dockerfile.stage(stages[0].base)) is not None:
        stages.insert(0, lower)
    lines = [one for stage in stages for one in stage.instructions]
    files = case.get("files", {})
    making = [one for one in lines if one.keyword in LAYERS]
    layers = [members(files.get(str(line), {}), line) for line in (1, *(one.line for one in making))]
    image = stack(folder, layers, history=["base", *map(record, lines)], base=1)
    return advise(image, dockerfile=dockerfile)


def test_the_corpus_is_large() -> None:
    """There are 60 good cases at least and 60 bad ones, no two of one name."""
    assert len({case.id for case in GOOD}) == len(GOOD) >= 60
    assert len({case.id for case in BAD}) == len(BAD) >= 60


@pytest.mark.parametrize("case", GOOD)
def test_good_ones_are_left_alone(case: Case, tmp_path: Path) -> None:
    """Of a Dockerfile that does it right nothing is said."""
    found = judge(case, tmp_path).findings
    assert [(one.code, one.title) for one in found] == []


@pytest.mark.parametrize("case", BAD)
def test_bad_ones_are_told(case: Case, tmp_path: Path) -> None:
    """The fault is found, at its lines, and nothing else is said."""
    found: dict[str, set[int]] = {}
    for one in judge(case, tmp_path).findings:
        found.setdefault(one.code, set()).update(one.lines)
    assert {code: sorted(lines) for code, lines in found.items()} == case["finds"]


@pytest.mark.parametrize("case", [case for case in BAD if "hunter" in str(case)])
def test_no_secret_of_the_corpus_is_shown(case: Case, tmp_path: Path) -> None:
    """No finding shows a password it found."""
    assert "hunter" not in json.dumps(judge(case, tmp_path).to_dict())
