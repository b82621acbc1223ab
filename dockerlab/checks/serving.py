"""Start a web app's image as it says itself, ask it over HTTP, and give back the answer."""

from __future__ import annotations

import json
from dataclasses import dataclass

from dockerlab import engines
from dockerlab.checks.rules import base_name_of
from dockerlab.engines.results import Build, Engine
from dockerlab.errors import DockerlabError, RunTimeoutError

_LONGEST = 120.0  # seconds; an app of this course starts in one, under proot on a busy machine in twenty

# Runs in the container: there is no port to reach it by from outside where the engine is the embedded one.
# The port is a free one, because without a network of its own a container shares the machine's.
_CLIENT = """
import json, os, socket, subprocess, sys, time, urllib.error, urllib.request
paths, command = json.loads(sys.argv[1]), json.loads(sys.argv[2])
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
log = open("/tmp/serving.log", "w+")
app = subprocess.Popen(command, env={**os.environ, "PORT": str(port)}, stdout=log, stderr=log)
def get(path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return [answer.status, answer.read().decode()]
    except urllib.error.HTTPError as error:
        return [error.code, error.read().decode()]
def first(path):
    end = time.monotonic() + 60
    while app.poll() is None and time.monotonic() < end:
        try:
            return get(path)
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    log.seek(0)
    return [0, log.read()]
answers = [first(paths[0])]
if answers[0][0]:
    answers += [get(path) for path in paths[1:]]
app.kill()
app.wait()
print("\\nanswers:" + json.dumps(answers), flush=True)
"""
_SHOWN = 80  # characters of an answer that a verdict shows
_MARK = "answers:"  # what comes before and after it is the app's, or the sandbox's


@dataclass(frozen=True)
class Answer:
    """What came back for a path: HTTP status and body; with status 0, what an app that ended printed."""

    status: int
    body: str

    def __str__(self) -> str:
        """Say the status and the last line of the body, cut where it is long."""
        lines = self.body.strip().splitlines() or ["nothing"]
        last = lines[-1]
        return f"status {self.status}: {last if len(last) <= _SHOWN else f'{last[: _SHOWN - 1]}…'}"


def ask(build: Build, *paths: str, engine: Engine | None = None) -> list[Answer]:
    """Start the image's own command, with a free port in $PORT, and ask for these paths one after another.

    The image must have a `python`. An app that does not start gives one Answer with status 0.
    Raises BuildError for an image with an entry point whose name another build has now.
    """
    chosen = engine or engines.choose("embedded" if build.builder == "embedded" else "docker")[0]
    config = build.image.config.get("config") or {}
    command = [*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())]
    if not command:
        return [Answer(0, "the image has no command")]
    argv = ["python", "-c", _CLIENT, json.dumps(list(paths)), json.dumps(command)]
    startable = _startable(build, chosen)
    try:
        ran = chosen.run(startable, argv, timeout=_LONGEST)
        [found] = [line for line in ran.output.splitlines() if line.startswith(_MARK)]
    except RunTimeoutError:
        return [Answer(0, "it was stopped, it took too long")]
    except DockerlabError as error:
        return [Answer(0, error.message)]
    except ValueError:  # no such line: the client itself did not run
        return [Answer(0, ran.output)]
    return [Answer(status, body) for status, body in json.loads(found.removeprefix(_MARK))]


def _startable(build: Build, engine: Engine) -> str:
    """Return what to run the client in: the image, or where it has an entry point, the same without one."""
    if not (build.image.config.get("config") or {}).get("Entrypoint"):
        return build.image.id
    bare = "dockerlab/asked:latest"
    engine.build(f"FROM {base_name_of(build, engine)}\nENTRYPOINT []\n", tag=bare, builder=build.builder)
    return bare
