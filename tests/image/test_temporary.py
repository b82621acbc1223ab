"""A process leaves nothing in the temporary folder; of a killed one the next process clears up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

USE = (
    "from dockerlab.image import temporary;"
    "(temporary.home() / 'left').write_text('x'); print(temporary.home())"
)


def started(place: Path, code: str) -> subprocess.Popen[str]:
    """Start Python with that temporary folder."""
    line = [sys.executable, "-c", code]
    settings = {**os.environ, "TMPDIR": str(place)}
    return subprocess.Popen(line, env=settings, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.skipif(sys.platform == "win32", reason="TMPDIR and SIGKILL are not Windows'")
def test_what_a_killed_process_left_goes_with_the_next(tmp_path: Path) -> None:
    """A killed process's folder is removed by the next that makes one; a living one's and any other stay."""
    (tmp_path / "dockerlab-mine").mkdir()
    with (
        started(tmp_path, f"{USE[:-1]}, flush=True); input()") as killed,
        started(tmp_path, f"{USE[:-1]}, flush=True); input()") as living,
    ):
        assert killed.stdout is not None
        assert living.stdout is not None
        gone, kept = Path(killed.stdout.readline().strip()), Path(living.stdout.readline().strip())
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert (gone / "left").exists()
        with started(tmp_path, USE) as after:
            after.wait()
        assert sorted(tmp_path.iterdir()) == sorted([kept, tmp_path / "dockerlab-mine"])
        living.communicate("\n")
    assert list(tmp_path.iterdir()) == [tmp_path / "dockerlab-mine"]
