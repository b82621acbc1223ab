"""A class on this machine: JupyterHub, its proxy and ordinary users, who run lessons 01, 02 and 05 at once.

    .venv/bin/python -m tools.hub.load 6 12     needs root, npm and a Python that ordinary users may run

It makes an environment in /opt/dockerlab-class and users class-00 and so on, and removes both. Printed
for each number of learners, as medians: seconds until the server is there, of the first build, and for
all three lessons; each learner's store and memory; what was left in the temporary folder when the
servers had stopped.
"""

from __future__ import annotations

import argparse
import json
import pwd
import re
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import websocket

from tools.course import ROOT
from tools.jupyterlab import free_port

PLACE = Path("/opt/dockerlab-class")
LESSONS = ("01-what-is-a-layer", "02-run-chaining", "05-build-cache")
HEAD = (
    "| learners | server | first build | all three | store | memory | left |\n|---|---|---|---|---|---|---|"
)
CONFIG = ROOT / "tools" / "hub" / "jupyterhub_config.py"
MORE = """
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_port = {hub}
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.cleanup_servers = True
c.ConfigurableHTTPProxy.command = ["{proxy}"]
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api}"
c.Spawner.environment["DOCKERLAB_BASES"] = "{place}/bases"
for name in ("http_proxy", "https_proxy", "SSL_CERT_FILE", "PIP_CERT"):
    c.Spawner.env_keep.append(name)
c.JupyterHub.services.append({{"name": "class", "api_token": "{token}"}})
c.JupyterHub.load_roles.append({{
    "name": "class", "services": ["class"],
    "scopes": ["admin:users", "admin:servers", "access:servers"],
}})
"""


@dataclass(frozen=True)
class Took:
    """One learner's seconds: until the server was there, the first build, everything; and what failed."""

    server: float
    first: float
    whole: float
    failed: tuple[str, ...]


def install() -> None:
    """Make the environment that ordinary users run, with the bases of the course."""
    python = next(one for one in ("/usr/bin/python3", "/usr/local/bin/python3") if Path(one).exists())
    subprocess.run([python, "-m", "venv", str(PLACE)], check=True)
    pip = [str(PLACE / "bin" / "pip"), "install", "--quiet", f"{ROOT}[course]", "jupyterhub>=5,<7"]
    subprocess.run([*pip, "jupyterhub-idle-culler"], check=True)
    npm = ["npm", "install", "--silent", "--prefix", str(PLACE / "proxy"), "configurable-http-proxy"]
    subprocess.run(npm, check=True)
    subprocess.run([str(PLACE / "bin" / "dockerlab"), "bases", "--into", str(PLACE / "bases")], check=True)


@contextmanager
def learners(number: int) -> Iterator[list[str]]:
    """Make ordinary users with homes of their own; remove them with all that is theirs."""
    names = [f"class-{one:02}" for one in range(number)]
    for name in names:
        subprocess.run(["useradd", "--create-home", "--shell", "/bin/bash", name], check=True)
        Path(f"~{name}").expanduser().chmod(0o700)
    try:
        yield names
    finally:
        for name in names:
            subprocess.run(["pkill", "-KILL", "-u", name], check=False)
            home = Path(f"~{name}").expanduser()
            subprocess.run(["userdel", "--force", name], capture_output=True, check=False)
            shutil.rmtree(home, ignore_errors=True)


@contextmanager
def hub(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Run JupyterHub with the configuration of docs/places.md; yields its address and our headers."""
    token, port = secrets.token_hex(16), free_port()
    proxy = PLACE / "proxy" / "node_modules" / ".bin" / "configurable-http-proxy"
    more = MORE.format(port=port, hub=free_port(), api=free_port(), proxy=proxy, token=token, place=PLACE)
    (folder / "config.py").write_text(CONFIG.read_text() + more)
    line = [str(PLACE / "bin" / "jupyterhub"), "--config", str(folder / "config.py")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(line, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    headers = {"Authorization": f"token {token}"}
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                requests.get(f"{address}/hub/api/", timeout=5).raise_for_status()
                break
            except requests.RequestException:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((folder / "log").read_text()[-3000:]) from None
                time.sleep(0.3)
        yield address, headers
    finally:
        process.terminate()
        process.wait(timeout=60)


def take(name: str, address: str, headers: dict[str, str]) -> Took:
    """Log in as one learner, run the lessons cell by cell, and tell how long it took."""
    began = time.monotonic()
    requests.post(f"{address}/hub/api/users/{name}", headers=headers, timeout=60)
    requests.post(f"{address}/hub/api/users/{name}/server", headers=headers, timeout=180)
    deadline = time.monotonic() + 240
    while (
        not requests.get(f"{address}/hub/api/users/{name}", headers=headers, timeout=60)
        .json()["servers"]
        .get("", {})
        .get("ready")
    ):
        if time.monotonic() > deadline:
            return Took(0, 0, 0, (f"{name}: no server",))
        time.sleep(0.3)
    server = time.monotonic() - began
    first = 0.0
    failed: list[str] = []
    for lesson in LESSONS:
        mine = f"{address}/user/{name}/api"
        body = {"name": "python3", "path": f"my-lab/notebooks/{lesson}.ipynb"}
        kernel = requests.post(f"{mine}/kernels", headers=headers, json=body, timeout=120).json()["id"]
        found = requests.get(f"{mine}/contents/{body['path']}", headers=headers, timeout=60).json()["content"]
        socket = websocket.create_connection(
            f"{mine.replace('http', 'ws', 1)}/kernels/{kernel}/channels", header=headers, timeout=600
        )
        for cell in found["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] != "code" or not source.strip():
                continue
            started = time.monotonic()
            said = execute(socket, source)
            if not first and source.startswith("%%dockerfile"):
                first = time.monotonic() - started
            if said and "raises-exception" not in cell["metadata"].get("tags", []):
                failed.append(f"{name}, {lesson}: {said}")
        socket.close()
        if lesson != LESSONS[-1]:  # that kernel is measured
            requests.delete(f"{mine}/kernels/{kernel}", headers=headers, timeout=60)
    return Took(server, first, time.monotonic() - began, tuple(failed))


def execute(socket: websocket.WebSocket, source: str) -> str:
    """Run a cell; return the error it ended with, or ""."""
    identity = secrets.token_hex(8)
    header = {
        "msg_id": identity,
        "msg_type": "execute_request",
        "username": "",
        "session": identity,
        "version": "5.3",
    }
    content = {
        "code": source,
        "silent": False,
        "store_history": True,
        "stop_on_error": True,
        "allow_stdin": False,
    }
    empty: dict[str, Any] = {}
    message = {
        "header": header,
        "parent_header": empty,
        "metadata": empty,
        "content": content,
        "channel": "shell",
    }
    socket.send(json.dumps(message))
    while True:
        said = json.loads(socket.recv())
        if said["parent_header"].get("msg_id") == identity and said["msg_type"] == "execute_reply":
            answer = said["content"]
            return "" if answer["status"] == "ok" else f"{answer.get('ename')}: {answer.get('evalue')}"


def memory(name: str) -> float:
    """Return the proportional set size of a learner's processes, MB."""
    uid, found = pwd.getpwnam(name).pw_uid, 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.stat().st_uid == uid:
                found += int(re.findall(r"(?m)^Pss: +(\d+)", (process / "smaps_rollup").read_text())[0])
        except (OSError, IndexError):
            continue
    return found / 1e3


def lesson_hour(number: int) -> bool:
    """Hold a lesson for so many learners; print a row of the table; tell whether nothing went wrong."""
    before = set(Path(tempfile.gettempdir()).iterdir())
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="class-")))
        names = held.enter_context(learners(number))
        address, headers = held.enter_context(hub(folder))
        with ThreadPoolExecutor(number) as pool:
            took = list(pool.map(lambda name: take(name, address, headers), names))
        used = [memory(name) for name in names]
        stores = [
            sum(
                path.lstat().st_blocks * 512
                for path in Path(f"~{name}/.local/share/dockerlab").expanduser().rglob("*")
            )
            for name in names
        ]
        peep = ["runuser", "-u", names[0], "--", "ls", f"/home/{names[-1]}"]
        seen = len(names) > 1 and subprocess.run(peep, capture_output=True, check=False).returncode == 0
        for name in names:
            requests.delete(f"{address}/hub/api/users/{name}/server", headers=headers, timeout=120)
        ids = {pwd.getpwnam(name).pw_uid for name in names}
        place = Path(tempfile.gettempdir())
        left = [one.name for one in set(place.iterdir()) - before if one.lstat().st_uid in ids]
    store = statistics.median(stores) / (1 << 20)
    middle = [
        statistics.median(column)
        for column in zip(*((one.server, one.first, one.whole) for one in took), strict=True)
    ]
    print(
        f"| {number} | {middle[0]:.0f} s | {middle[1]:.0f} s | {middle[2]:.0f} s "
        f"| {store:.0f} MiB | {statistics.median(used):.0f} MB | {len(left)} |",
        flush=True,
    )
    failed = [line for one in took for line in one.failed] + (["homes can be read by others"] if seen else [])
    print("\n".join([*failed[:10], *(f"left: {name}" for name in left[:10])]), file=sys.stderr)
    return not failed


def main() -> int:
    """Install, and hold one lesson for each number given."""
    parser = argparse.ArgumentParser(prog="python -m tools.hub.load", description=__doc__)
    parser.add_argument("learners", type=int, nargs="+")
    options = parser.parse_args()
    try:
        install()
        print(HEAD)
        return int(sum(not lesson_hour(number) for number in options.learners) > 0)
    finally:
        shutil.rmtree(PLACE, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
