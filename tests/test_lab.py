"""`make lab` ends with what it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tools.course import ROOT

# A server in JupyterLab's place, which says its number and that it was told to end.
SERVER = "import os, signal, time; print(os.getpid(), flush=True); signal.pause()"
STARTS = """
import pathlib, sys
from tools import lab
lab.COPY = pathlib.Path(sys.argv[1])
sys.exit(lab.serve([sys.executable, "-c", sys.argv[2]], env={}))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_signal_to_terminate_ends_the_server(tmp_path: Path) -> None:
    """SIGTERM, as `kill` and a container's end send it, leaves no server behind."""
    command = [sys.executable, "-c", STARTS, str(tmp_path), SERVER]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        server = int(started.stdout.readline())
        started.send_signal(signal.SIGTERM)
        assert started.wait(timeout=20) != 0
    with pytest.raises(ProcessLookupError):
        os.kill(server, 0)
