"""Serve a folder with a JupyterLab of its own, on loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener


def free_port() -> int:
    """Return a TCP port of loopback that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def isolated(home: Path) -> dict[str, str]:
    """Make an environment in which Jupyter reads nothing of the user's and keeps its own in `home`."""
    names = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
    settings = {f"JUPYTER_{name}": str(home / name.lower()) for name in names}
    settings |= {f"JUPYTERLAB_{name}_DIR": str(home / name.lower()) for name in ("SETTINGS", "WORKSPACES")}
    return {**os.environ, **settings, "IPYTHONDIR": str(home / "ipython"), "JUPYTER_PLATFORM_DIRS": "1"}


@contextmanager
def serve(root: Path, *, home: Path, timeout: float = 60) -> Iterator[str]:
    """Serve `root` with JupyterLab on a free port of loopback; the value is its address, without a token.

    Raises TimeoutError when it does not answer within `timeout` seconds, with the end of its log.
    """
    home.mkdir(parents=True, exist_ok=True)
    address = f"http://127.0.0.1:{(port := free_port())}"
    line = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"),
        *(f"--ServerApp.port={port}", "--ServerApp.port_retries=0", "--ServerApp.ip=127.0.0.1"),
        *("--IdentityProvider.token=", "--ServerApp.password=", f"--ServerApp.root_dir={root}"),
    ]
    log = home / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(line, env=isolated(home), stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_until_answering(address, server, timeout=timeout, log=log)
        yield address
    finally:
        server.terminate()
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def wait_until_answering(address: str, server: subprocess.Popen[bytes], *, timeout: float, log: Path) -> None:
    """Return once the server at `address` answers; TimeoutError when it ended or `timeout` seconds passed."""
    opener = build_opener(ProxyHandler({}))
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with opener.open(f"{address}/api", timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.1)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
    raise TimeoutError(f"JupyterLab did not answer at {address} within {timeout:.0f} s:\n{tail}")
