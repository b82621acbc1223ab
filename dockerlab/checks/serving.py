"""Start a web app's image as it says itself, ask it over HTTP, and give back the answer."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from dockerlab import engines
from dockerlab.analysis.sizes import pull_size
from dockerlab.checks.rules import Found, rule
from dockerlab.checks.trial import Files, Trial
from dockerlab.checks.verdict_text import contrast
from dockerlab.engines.results import Build, Engine
from dockerlab.errors import DockerlabError, RunTimeoutError
from dockerlab.image.image import Image
from dockerlab.units import human_bytes

_LONGEST = 120.0  # seconds; an app of this course starts in one, under proot on a busy machine in twenty

# Runs in the container: there is no port to reach it by from outside where the engine is the embedded one.
# The port is a free one, because without a network of its own a container shares the machine's.
_CLIENT = """
import json, os, socket, subprocess, sys, tempfile, time, urllib.error, urllib.request
paths, command = json.loads(sys.argv[1]), json.loads(sys.argv[2])
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
log = tempfile.TemporaryFile("w+")
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
_PYTHON = re.compile(r"(?:usr/(?:local/)?|opt/[^/]+/|[^/]+/)bin/python3?(?:\.\d+)?")


@dataclass(frozen=True)
class Answer:
    """What came back for a path: HTTP status and body; with status 0, what an app that ended printed."""

    status: int
    body: str

    def __str__(self) -> str:
        """Say the status and the last line of the body, cut where it is long."""
        last = self.last
        return f"status {self.status}: {last if len(last) <= _SHOWN else f'{last[: _SHOWN - 1]}…'}"

    @property
    def last(self) -> str:
        """Return the last line of the body: where a Python program failed, it says why."""
        return (self.body.strip().splitlines() or ["nothing"])[-1]


def ask(build: Build, *paths: str, engine: Engine | None = None) -> list[Answer]:
    """Start the image's own command, with a free port in $PORT, and ask for these paths one after another.

    The image must have a Python, whatever it is called. An app that does not start gives one Answer with
    status 0.
    """
    chosen = engine or engines.choose("embedded" if build.builder == "embedded" else "docker")[0]
    config = build.image.config.get("config") or {}
    command = [*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())]
    if not command:
        return [Answer(0, "the image has no command")]
    python = _python(build.image)
    if python is None:
        return [Answer(0, "there is no Python in the image")]
    argv = [python, "-I", "-c", _CLIENT, json.dumps(list(paths)), json.dumps(command)]
    try:
        ran = chosen.run(build.image.id, argv, entrypoint=False, timeout=_LONGEST)
        [found] = [line for line in ran.output.splitlines() if line.startswith(_MARK)]
    except RunTimeoutError:
        return [Answer(0, "it was stopped, it took too long")]
    except DockerlabError as error:
        return [Answer(0, error.message)]
    except ValueError:  # no such line: the client itself did not run
        return [Answer(0, ran.output)]
    return [Answer(status, body) for status, body in json.loads(found.removeprefix(_MARK))]


def _python(image: Image) -> str | None:
    """Return the path of a Python in the image: the one nearest to the root that is a program."""
    tree = image.tree()
    found = [path for path in tree if _PYTHON.fullmatch(path)]
    for path in sorted(found, key=lambda path: (path.startswith("opt"), len(path))):
        node = tree.get(tree.resolve(path))
        if node is not None and node.entry.kind == "file" and node.entry.mode & 0o111:
            return f"/{path}"
    return None


@rule
def serves(trial: Trial, paths: Sequence[str], edits: Files) -> Found:
    """Start both images as they say themselves, built with the edits, and ask the same of both."""
    mine, theirs = (
        ask(build, *paths, engine=trial.engine) for build in (trial.again(edits), trial.model(edits))
    )
    said, wanted = "", ""
    for path, found, expected in zip(paths, [*mine, *mine[-1:] * len(paths)], theirs, strict=False):
        said, wanted = (
            f"{path} {one}"
            for one in contrast(
                f"status {found.status}: {found.last}", f"status {expected.status}: {expected.last}"
            )
        )
        if found != expected:
            return Found(False, said, wanted)
    return Found(len(mine) == len(theirs) == len(paths), said, wanted)


@rule
def pulls_little(trial: Trial, path: str, more: str, most: int) -> Found:
    """Edit a file, and measure the compressed bytes that a machine with the build before must pull."""
    edited, _ = trial.ran_again(path, more)
    size = pull_size(edited, [trial.before(path)])
    return Found(
        0 < size <= most,
        f"{human_bytes(size)} to pull" if size else "nothing: the edit is not in the image",
        f"at most {human_bytes(most)}",
    )


@rule
def runs_as_non_root(trial: Trial) -> Found:
    """Ask a container for its user's number: root by another name is root."""
    python = _python(trial.attempt.image) or "python3"
    asked = [python, "-I", "-c", "import os; print(os.geteuid())"]
    found = trial.engine.run(trial.attempt.image.id, asked, entrypoint=False)
    user = found.output.strip()
    return Found(
        found.exit_code == 0 and user.isdigit() and user != "0",
        f"it runs as user {user}",
        "any user but 0, root",
    )
