"""Open the learner's copy of the course in JupyterLab: bring it, ready an engine, serve on loopback."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

from dockerlab.checks.manifest import start
from dockerlab.course.learner_copy import bring
from dockerlab.errors import StartError
from tools import ready
from tools.course import ROOT

COPY = ROOT / "my-lab"


def has_screen() -> bool:
    """Say whether a browser could open here: on Linux only when the environment names a display."""
    if sys.platform != "linux":
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def command(*, ip: str, port: int, browser: bool, token: str | None) -> list[str]:
    """Build the jupyter command line that serves the learner's copy and starts on the first lesson."""
    line = [
        *(sys.executable, "-m", "jupyterlab"),
        f"--ServerApp.ip={ip}",
        f"--ServerApp.port={port}",
        f"--ServerApp.root_dir={COPY}",
        f"--LabApp.default_url=/lab/tree/{start()}",
    ]
    if not browser:
        line.append("--no-browser")
    if token is not None:
        line.append(f"--IdentityProvider.token={token}")
    if sys.platform != "win32" and os.geteuid() == 0:
        line.append("--allow-root")
    return line


def main() -> int:
    """Serve until Ctrl-C; the address is printed where no browser opens."""
    parser = argparse.ArgumentParser(prog='make lab ARGS="..."', description=__doc__)
    parser.add_argument("--ip", default="127.0.0.1", help="address to serve on; in a container, 0.0.0.0")
    parser.add_argument("--port", type=int, default=8888, help="the next free one is taken if this is in use")
    parser.add_argument("--no-browser", action="store_true", help="print the address, open nothing")
    parser.add_argument("--token", help="the address's token, instead of a new random one; '' for none")
    options = parser.parse_args()

    try:
        print(bring(COPY), flush=True)
    except StartError as error:
        print(error, file=sys.stderr)
        return 1
    code = ready.main()
    if code == 130:
        return code
    if code:
        print("JupyterLab opens all the same: lesson 00 shows what is missing.\n", file=sys.stderr)
    browser = has_screen() and not options.no_browser
    if not browser:
        print("Open the address below in a browser. Ctrl-C ends it.", flush=True)
    here = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    line = command(ip=options.ip, port=options.port, browser=browser, token=options.token)
    return serve(line, env={**os.environ, "PATH": here})


def serve(line: list[str], *, env: dict[str, str]) -> int:
    """Run the server until it ends; it ends with this process, by Ctrl-C as by a signal to terminate."""
    with subprocess.Popen(line, cwd=COPY, env=env) as server:
        signal.signal(signal.SIGTERM, lambda *_: server.terminate())
        try:
            return server.wait()
        except KeyboardInterrupt:
            server.terminate()
            return 0


if __name__ == "__main__":
    sys.exit(main())
