"""`dockerlab doctor`: what is used here and why, what is at hand, what to install if it is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dockerlab import engines
from dockerlab.engines.docker.buildx import selected
from dockerlab.errors import DockerlabError
from dockerlab.units import count, human_bytes
from dockerlab.widgets.listings import base_names, bases_at_hand

ANSWER_SECONDS = 5.0  # how long a program or a registry may take to answer
DOCKER = (  # a template: the daemon's version, and which of its image stores it uses
    "{{.ServerVersion}}, image store: "
    '{{range .DriverStatus}}{{if eq (index . 0) "driver-type"}}containerd, {{end}}{{end}}{{.Driver}}'
)
LOW_SPACE = 2_000_000_000  # bytes: the course's builds with Debian, Python and Node bases fit below this


@dataclass(frozen=True)
class Diagnosis:
    """One line of the report; `hint` is what to do when `ok` is False, a full sentence."""

    name: str
    ok: bool
    found: str
    hint: str = ""


@dataclass(frozen=True)
class Diagnoses:
    """All findings, in the order they are printed."""

    findings: tuple[Diagnosis, ...]

    @property
    def damaged(self) -> bool:
        """Tell whether an image that is kept was found to be damaged."""
        return any(finding.name == "images" and not finding.ok for finding in self.findings)

    @property
    def can_build(self) -> bool:
        """Tell whether there is an engine."""
        return self.findings[0].ok

    def shape(self) -> dict[str, Any]:
        """`doctor --json`: `can_build`, and `findings` with `name`, `ok`, `found`, `hint`."""
        return {"can_build": self.can_build, "findings": [asdict(finding) for finding in self.findings]}

    def text(self) -> str:
        """Return one line a finding, and its hint below it where something is missing."""
        wide = max(len(finding.name) for finding in self.findings)
        lines = []
        for finding in self.findings:
            mark = "ok" if finding.ok else "--"
            lines.append(f"{mark}  {finding.name.ljust(wide)}  {finding.found}")
            if not finding.ok and finding.hint:
                lines.append(f"    {' ' * wide}  {finding.hint}")
        return "\n".join(lines)


def examine(engine: str | None, *, verify: bool = False) -> Diagnoses:
    """Look at the engine asked for (None: the one that would be used) and at everything it may need.

    With `verify` every byte of the images that the embedded engine keeps is read again.
    """
    checks: list[Callable[[], Diagnosis]] = [_docker, _buildx, _sandbox, _store, _registry]
    if sys.platform == "linux" and _reads_another_store():
        checks.append(_shared)
    if verify:
        checks.append(_images)
    found = [_engine(engine), *(check() for check in checks)]
    if found[0].ok:
        found.append(_bases(engine))
    return Diagnoses(tuple(found))


def _engine(name: str | None) -> Diagnosis:
    try:
        chosen, why = engines.choose(name)
        return Diagnosis("engine", True, f"{chosen.describe()}. {why}")
    except DockerlabError as error:
        return _refused("engine", error)


def _bases(name: str | None) -> Diagnosis:
    try:
        held = bases_at_hand(engines.choose(name)[0])
    except DockerlabError as error:
        return _refused("bases", error)
    return Diagnosis(
        "bases",
        True,
        ", ".join(base_names(held)) or "none listed; they come with the first build that needs them",
    )


def _docker() -> Diagnosis:
    hint = (
        "Install Docker (or Docker Desktop) and start it; without it the embedded engine is used, on Linux."
    )
    found = _answer(["docker", "info", "--format", DOCKER])
    if found is None:
        return Diagnosis("docker", False, "no `docker` command", hint)
    ok, said = found
    return Diagnosis("docker", ok, said, "" if ok else hint)


def _buildx() -> Diagnosis:
    hint = (
        "Install the buildx plugin (package docker-buildx or docker-buildx-plugin): builds on Docker need it."
    )
    version = _answer(["docker", "buildx", "version"])
    if version is None or not version[0]:
        return Diagnosis("buildx", False, "no `docker buildx`", hint)
    builder = selected("docker")
    if builder is None:
        hint = "`docker buildx ls` lists the builders, `docker buildx use NAME` chooses one."
        return Diagnosis("buildx", False, f"{version[1]}, and the builder it is to use is not there", hint)
    return Diagnosis("buildx", True, f"{version[1]}, builder: {builder.name}, driver: {builder.driver}")


def _sandbox() -> Diagnosis:
    if sys.platform != "linux":
        return Diagnosis("sandbox", True, "not needed: the embedded engine is for Linux, Docker builds here")
    from dockerlab.engines.embedded import sandbox
    from dockerlab.engines.embedded.store.store import Store

    try:
        found, why = sandbox.explain(Store().work)
        return Diagnosis("sandbox", True, f"{found.name}. {why}" if why else found.name)
    except DockerlabError as error:
        return _refused("sandbox", error)


def _store() -> Diagnosis:
    if sys.platform != "linux":
        return Diagnosis("store", True, "not needed: Docker keeps the images")
    from dockerlab.engines.embedded.store.store import default_root

    root = default_root()
    there = next(path for path in (root, *root.parents) if path.exists())
    free = shutil.disk_usage(there).free
    found = f"{root}, {human_bytes(free)} free"
    if not os.access(there, os.W_OK):
        return Diagnosis(
            "store", False, f"{root} cannot be written", "Set DOCKERLAB_HOME to a folder of yours."
        )
    enough = (
        f"Free some space, `dockerlab prune`, or set DOCKERLAB_HOME: {human_bytes(LOW_SPACE)} are enough."
    )
    return Diagnosis("store", free >= LOW_SPACE, found, enough)


def _reads_another_store() -> bool:
    from dockerlab.engines.embedded.store.blobs import default_root
    from dockerlab.engines.embedded.store.shared import BUNDLE, VARIABLE

    return bool(os.environ.get(VARIABLE)) or (default_root() / BUNDLE).exists()


def _shared() -> Diagnosis:
    from dockerlab.engines.embedded.store.blobs import default_root
    from dockerlab.engines.embedded.store.shared import Shared

    try:
        place = Shared.given(default_root())
    except DockerlabError as error:
        return _refused("shared bases", error)
    if place is None:
        return Diagnosis("shared bases", True, "they are this store itself")
    return Diagnosis("shared bases", True, f"{place.root}: {', '.join(place.names())}")


def _images() -> Diagnosis:
    if sys.platform != "linux":
        return Diagnosis("images", True, "not needed: Docker keeps the images")
    from dockerlab.engines.embedded.store.store import Store

    hint = "`dockerlab rm` each image named here, `dockerlab prune`, then build, pull or load it again."
    try:
        store = Store()
        wrong = store.validate()
        kept = len(store.read_index()["manifests"])
    except DockerlabError as error:
        return _refused("images", error)
    if wrong:
        return Diagnosis("images", False, " ".join(wrong), hint)
    return Diagnosis("images", True, f"{count(kept, 'image')} in the store read again, every digest is right")


def _registry() -> Diagnosis:
    import requests

    url = registry_url()
    hint = (
        "Real base images cannot be pulled; on the embedded engine stand-ins are made from Debian packages. "
        "DOCKERLAB_REGISTRY_MIRROR names another registry."
    )
    try:
        # 401 is how a registry asks for a token: it is there (OCI distribution spec, "Determining Support").
        answer = requests.get(url, timeout=ANSWER_SECONDS)
    except requests.RequestException as error:
        return Diagnosis("registry", False, f"{url} does not answer ({type(error).__name__})", hint)
    ok = answer.status_code in (200, 401)
    return Diagnosis("registry", ok, f"{url} answers" if ok else f"{url} says {answer.status_code}", hint)


def registry_url() -> str:
    """Return where base images are asked for first: $DOCKERLAB_REGISTRY_MIRROR, else Docker Hub."""
    from dockerlab.registries.transport import DOCKER_HUB_SERVER, scheme

    server = os.environ.get("DOCKERLAB_REGISTRY_MIRROR", "").strip().rstrip("/") or DOCKER_HUB_SERVER
    return f"{server if '://' in server else scheme(server) + server}/v2/"


def _answer(command: Sequence[str]) -> tuple[bool, str] | None:
    """Return whether a program succeeded and the last line it wrote; None when it is not installed."""
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return False, f"`{' '.join(command[:2])}` did not answer within {ANSWER_SECONDS:.0f} s"
    except OSError as error:
        return False, str(error)
    written = (done.stdout if done.returncode == 0 else done.stderr or done.stdout).strip()
    return done.returncode == 0, written.splitlines()[-1] if written else "no answer"


def _refused(name: str, error: DockerlabError) -> Diagnosis:
    return Diagnosis(name, False, error.message, error.hint)
