"""An ordinary user: our builder in a user namespace and under proot, and proot-distro.

Started by root, the bench becomes one for this. For proot it is the uid below, without capabilities or new
privileges, as in a Binder session; for a user namespace the user that tests/ordinary.sh makes, as newuidmap
wants one with a name. Run as a module it is the process that builds as that user: a line of JSON in, one out.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from dockerlab.errors import EngineError
from tools.bench.builders import TAG, Builder, Ours
from tools.bench.turns import run
from tools.bench.works import BASE
from tools.course import ROOT

UID = 1000
NAMED = "dockerlab-test"  # by tests/ordinary.sh
OURS_ALONE = "dockerlab, an ordinary user under proot"
OURS_ROOTLESS = "dockerlab, an ordinary user in a user namespace"
PROOT_DISTRO = "proot-distro, the same user"
_PD = "import sys; sys.argv[0] = 'proot-distro'; from proot_distro.cli import main; sys.exit(main())"


@dataclass(frozen=True)
class Person:
    """The ordinary user: what to put before a command, its environment, and a Python it may run."""

    before: tuple[str, ...]
    env: dict[str, str]
    python: str

    @classmethod
    def of(cls, home: Path, *, sandbox: str = "proot") -> Person:
        """Give `home` to an ordinary user. Raises EngineError where root has no way to become one."""
        home.mkdir(exist_ok=True)
        paths = os.pathsep.join([str(ROOT), sysconfig.get_paths()["purelib"]])
        env = {
            "HOME": str(home),
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": paths,
            "PYTHONDONTWRITEBYTECODE": "1",
            "DOCKERLAB_HOME": str(home / "store"),
            "DOCKERLAB_SANDBOX": sandbox,
            "LANG": "C.UTF-8",
        }
        if os.geteuid() != 0:
            return cls((), env, sys.executable)
        before = _becoming(sandbox, home)
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        for python in (sys.executable, f"/usr/bin/python{version}", f"/usr/local/bin/python{version}"):
            # env starts it, so that setpriv's own rights do not help to find it
            probe = [*before, "env", python, "-c", "import dockerlab.engines"]
            if subprocess.run(probe, env=env, cwd="/", capture_output=True, check=False).returncode == 0:
                return cls(before, env, python)
        raise EngineError(f"an ordinary user can run no Python {version} here (the one in use is root's own)")

    def run(self, *command: str) -> str:
        """Run a command as this user; raises those of turns.FAILURES."""
        return run([*self.before, "env", *command], env=self.env)


@dataclass(frozen=True)
class _Remote:
    """Our builder in a process of the ordinary user."""

    asks: IO[str]
    answers: IO[str]

    def build(self, dockerfile: Path, context: Path, *, cache: bool) -> None:
        """Build; see builders.Builder."""
        self.ask({"dockerfile": str(dockerfile), "context": str(context), "cache": cache})

    def ask(self, request: dict[str, object]) -> None:
        """Have something done. Raises EngineError with what that process says."""
        self.asks.write(json.dumps(request) + "\n")
        self.asks.flush()
        answer = self.answers.readline()
        if answer != "done\n":
            raise EngineError(answer.strip() or "its process ended")


def _becoming(sandbox: str, home: Path) -> tuple[str, ...]:
    """Return what to put before a command for it to run as the user of a sandbox, whose `home` becomes."""
    if sandbox == "proot":
        os.chown(home, UID, UID)
        ids = ("--reuid", str(UID), "--regid", str(UID), "--clear-groups", "--no-new-privs")
        return ("setpriv", *ids, "--bounding-set=-all", "--inh-caps=-all")
    try:
        uid = pwd.getpwnam(NAMED).pw_uid
    except KeyError:
        raise EngineError(f"there is no user {NAMED}, which tests/ordinary.sh makes") from None
    os.chown(home, uid, uid)
    return ("setpriv", "--reuid", NAMED, "--regid", NAMED, "--init-groups")


@contextmanager
def ours(work: Path, archive: Path, *, sandbox: str) -> Iterator[dict[str, Builder]]:
    """Start our builder as an ordinary user, with the base image in a store of that user's."""
    home = work / f"ordinary-{sandbox}"
    person = Person.of(home, sandbox=sandbox)
    with subprocess.Popen(
        [*person.before, "env", person.python, "-m", "tools.bench.ordinary"],
        env=person.env,
        cwd=home,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            remote = _Remote(process.stdin, process.stdout)
            remote.ask({"load": str(archive)})
            yield {OURS_ALONE if sandbox == "proot" else OURS_ROOTLESS: remote}
        finally:
            process.stdin.close()
            process.terminate()  # an interrupt may have come in the middle of a build


@dataclass(frozen=True)
class _ProotDistro:
    person: Person

    def build(self, dockerfile: Path, context: Path, *, cache: bool) -> None:
        """Build; see builders.Builder."""
        options = ["--quiet", "--tag", TAG, "--file", str(dockerfile), *([] if cache else ["--no-cache"])]
        self.person.run(self.person.python, "-c", _PD, "build", *options, str(context))


@contextmanager
def proot_distro(work: Path, layer: Path) -> Iterator[dict[str, Builder]]:
    """Offer proot-distro with the base image; `layer` is the base's one layer, an uncompressed tar."""
    if find_spec("proot_distro") is None:
        raise FileNotFoundError("it is not installed (`.venv/bin/pip install proot-distro`)")
    if shutil.which("proot") is None:
        raise FileNotFoundError("proot is not installed (`apt-get install proot`)")
    person = Person.of(work / "proot-distro")
    base = work / "proot-distro" / "base"
    base.mkdir()
    shutil.copyfile(layer, base / "base.tar")
    (base / "Dockerfile").write_text("FROM scratch\nADD base.tar /\n", encoding="utf-8")
    person.run(person.python, "-c", _PD, "build", "--quiet", "--tag", f"{BASE}:latest", str(base))
    yield {PROOT_DISTRO: _ProotDistro(person)}


def main() -> None:
    """Do what is asked on standard input until it is closed."""
    from dockerlab.engines.embedded import EmbeddedEngine

    engine = EmbeddedEngine()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "load" in request:
                engine.load(Path(request["load"]))
            else:
                Ours(engine).build(
                    Path(request["dockerfile"]), Path(request["context"]), cache=request["cache"]
                )
        except Exception as error:  # noqa: BLE001 - the process that asked is told, whatever it is
            print(str(error).replace("\n", " "), flush=True)
        else:
            print("done", flush=True)


if __name__ == "__main__":
    main()
