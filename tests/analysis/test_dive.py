"""What we call dive's score is dive's own on the same archives; where the ledger differs is held here too."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dockerlab.analysis.ledger import ledger
from dockerlab.analysis.sizes import dive_efficiency
from tests.tiny_images import Members, stack

DIVE = shutil.which("dive", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")

FOLDER: Members = {"d": "dir", "d/a": 100, "e": 40}
CASES: dict[str, tuple[list[Any], int]] = {  # name -> layers, the bytes the ledger says are wasted
    "a file removed": ([{"a": 100, "b": 100}, {"a": None}], 100),
    "a file moved": ([{"a": 100}, {"a": None, "b": 100}], 100),
    "a file overwritten by a smaller one": ([{"a": 100, "c": 5}, {"a": 30}], 100),
    "a file that became a link": ([{"a": 100}, {"a": ("symlink", "b")}], 100),
    "a file copied": ([{"a": 100}, {"b": 100}], 0),
    "a folder removed": ([FOLDER, {"d": None}], 100),
    "a folder made opaque": ([FOLDER, [("d", "dir"), ("d", "opaque"), ("d/b", b"q" * 20)]], 100),
    "one of two names removed": ([{"a": 100, "b": ("hardlink", "a")}, {"b": None}], 0),
    "a path twice in one tar": ([{"a": 10}, [("a", b"x" * 10), ("a", b"y" * 7)]], 20),
}


def dive(archive: Path, home: Path) -> dict[str, Any]:
    """Return what dive says about an image archive."""
    assert DIVE is not None
    out = home / "dive.json"
    command = [DIVE, "--source", "docker-archive", str(archive), "--json", str(out)]
    subprocess.run(command, check=True, capture_output=True, env={"HOME": str(home)}, timeout=60)
    found: dict[str, Any] = json.loads(out.read_text())["image"]
    return found


@pytest.mark.skipif(DIVE is None, reason="dive is not installed")
@pytest.mark.parametrize("name", CASES)
def test_our_score_is_dives(tmp_path: Path, name: str) -> None:
    """dive, run on the same archive, gives the score that dive_efficiency() computes."""
    layers, _ = CASES[name]
    image = stack(tmp_path, layers)
    assert dive_efficiency(image) == pytest.approx(dive(tmp_path / "image.tar", tmp_path)["efficiencyScore"])


@pytest.mark.parametrize("name", CASES)
def test_ledger_sees_what_dive_does_not(tmp_path: Path, name: str) -> None:
    """The ledger counts removed folders and opaque marks, where dive's score is 1; copies are no waste."""
    layers, wasted = CASES[name]
    image = stack(tmp_path, layers)
    assert ledger(image).wasted == wasted
    if name in ("a folder removed", "a folder made opaque", "a file copied"):
        assert dive_efficiency(image) == 1.0
