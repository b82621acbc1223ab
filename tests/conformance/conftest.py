"""The engines, with the same bases in each, and a web server for ADD."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from dockerlab.engines.docker.daemon import probe
from dockerlab.engines.embedded import EmbeddedEngine
from dockerlab.engines.embedded.sandbox.namespaces.namespaces import NamespaceSandbox
from dockerlab.engines.embedded.sandbox.namespaces.rootless import RootlessSandbox
from dockerlab.engines.embedded.sandbox.proot.proot import ProotSandbox
from dockerlab.errors import EngineError
from tests.loopback import answering

from . import bases
from .building import Oracle
from .case import Case, Names
from .cases import SERVED
from .daemon import Docker, address, column
from .recording import Recording, record

WORDS = ("base", "rich", "bare")
ACCIDENTS = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin the list of misses that BuildKit had beside other builds and not alone."""
    config.stash[ACCIDENTS] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print them: they are no differences of ours, and many of them would be news."""
    for words in config.stash[ACCIDENTS]:
        terminalreporter.write_line(f"BuildKit missed its cache beside other builds, not alone: {words}")


@pytest.fixture(scope="package")
def accidents(request: pytest.FixtureRequest) -> list[str]:
    """Return the list of BuildKit's accidental misses, to add to."""
    return request.config.stash[ACCIDENTS]


@pytest.fixture(scope="package")
def docker_host(request: pytest.FixtureRequest) -> Iterator[None]:
    """Point the docker command at the daemon that --oracle says; a recorded run asks none."""
    chosen = None if request.config.getoption("--recorded") else address(request.config.getoption("--oracle"))
    with pytest.MonkeyPatch.context() as patch:
        if chosen is not None:
            patch.setenv("DOCKER_HOST", chosen)
        yield


@pytest.fixture(scope="package")
def server(docker_host: None) -> Iterator[str]:
    """Serve what ADD downloads on loopback; yields http://host:port."""
    with answering(_Handler) as url:
        yield url


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        found = SERVED.get(self.path.partition("?")[0])
        if found is None:
            self.send_error(404)
            return
        self.send_response(200)
        for name, value in found.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(found.content)))
        self.end_headers()
        if body:
            self.wfile.write(found.content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="package")
def recording(request: pytest.FixtureRequest) -> Recording | None:
    """Return BuildKit's outcomes as an earlier run recorded them, where they were asked for."""
    folder = request.config.getoption("--recorded")
    return Recording(folder) if folder else None


@pytest.fixture(scope="package")
def docker(docker_host: None, recording: Recording | None) -> Docker:
    """Return which Docker the outcomes are those of."""
    if recording is not None:
        return recording.docker
    version, why = probe()
    if version is None:
        pytest.skip(f"needs Docker to compare with: {why}")
    return column(version)


@pytest.fixture(scope="package")
def names(request: pytest.FixtureRequest, recording: Recording | None) -> Names:
    """Return what the @words stand for in this run."""
    return recording.names if recording else _names(request.getfixturevalue("server"))


def _names(server: str) -> Names:
    nonce = secrets.token_hex(6)
    return Names({**{word: bases.reference(word, nonce) for word in WORDS}, "server": server, "nonce": nonce})


@pytest.fixture(scope="package")
def archives(
    names: Names, recording: Recording | None, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Path]:
    """Return the bases' archives by word."""
    return recording.archives if recording else _archives(names, tmp_path_factory)


def _archives(names: Names, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    program = bases.busybox()
    if program is None:
        pytest.skip("needs a statically linked busybox (Debian: busybox-static) to make base images of")
    return bases.archives(tmp_path_factory.mktemp("bases"), program, names.words["nonce"])


@pytest.fixture(scope="package")
def oracle(
    request: pytest.FixtureRequest,
    names: Names,
    archives: Mapping[str, Path],
    recording: Recording | None,
    docker: Docker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Oracle | Recording]:
    """Have BuildKit build the selected cases; what it made is removed from Docker at the end."""
    if recording is not None:
        yield recording
        return
    loaded: list[str] = []

    def load(names: Names, archives: Mapping[str, Path]) -> Names:
        for path in archives.values():
            subprocess.run(["docker", "load", "--input", str(path)], check=True, stdout=subprocess.DEVNULL)
        loaded.extend(names.words[word] for word in WORDS)
        return names

    def fresh() -> Names:
        renewed = _names(names.words["server"])
        return load(renewed, _archives(renewed, tmp_path_factory))

    load(names, archives)
    cases: dict[str, Case] = {}
    for item in request.session.items:
        case = getattr(item, "callspec", None) and item.callspec.params.get("case")  # type: ignore[attr-defined]
        if isinstance(case, Case):
            cases[case.name] = case
    # The daemon of 26.1 does not survive a Dockerfile without a stage.
    folder, unread = tmp_path_factory.mktemp("oracle"), docker != "26.1"
    oracle = Oracle(list(cases.values()), names, folder, fresh=fresh, unread=unread)
    try:
        yield oracle
    finally:
        built = oracle.close()
        made = [*oracle.images, *loaded]
        if to := request.config.getoption("--record"):
            record(to, docker, [(cases[name], one) for name, one in built.items()], names, archives)
        for at in range(0, len(made), 100):
            subprocess.run(
                ["docker", "rmi", "--force", *made[at : at + 100]], check=False, capture_output=True
            )


@pytest.fixture(scope="package")
def namespaces(archives: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> EmbeddedEngine:
    """Return an engine with a store of its own that runs commands in namespaces."""
    return _loaded(_running(NamespaceSandbox, tmp_path_factory.mktemp("namespaces")), archives)


@pytest.fixture(scope="package")
def rootless(archives: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> EmbeddedEngine:
    """Return an engine with a store of its own that runs commands in a user namespace."""
    return _loaded(_running(RootlessSandbox, tmp_path_factory.mktemp("rootless")), archives)


@pytest.fixture(scope="package")
def proot(
    archives: Mapping[str, Path], recording: Recording | None, tmp_path_factory: pytest.TempPathFactory
) -> EmbeddedEngine:
    """Return an engine with a store of its own that runs commands under proot."""
    engine = EmbeddedEngine(tmp_path_factory.mktemp("proot"))
    try:
        engine.__dict__["sandbox"] = ProotSandbox(engine.store.work)
    except EngineError as error:
        if recording is not None:  # that run is there for proot alone
            raise
        pytest.skip(f"needs proot: {error.message}")
    return _loaded(engine, archives)


def _running(kind: type[NamespaceSandbox | RootlessSandbox], root: Path) -> EmbeddedEngine:
    engine = EmbeddedEngine(root)
    sandbox = kind(engine.store.work)
    refused = sandbox.probe()
    if refused is not None:
        pytest.skip(f"the machine refuses: {refused}")
    engine.__dict__["sandbox"] = sandbox
    return engine


def _loaded(engine: EmbeddedEngine, archives: Mapping[str, Path]) -> EmbeddedEngine:
    for path in archives.values():
        engine.load(path)
    return engine


@pytest.fixture
def embedded(request: pytest.FixtureRequest) -> Callable[[str], EmbeddedEngine]:
    """Return what gives the engine with the named sandbox, or skips."""

    def engine(sandbox: str) -> EmbeddedEngine:
        found: EmbeddedEngine = request.getfixturevalue(sandbox)
        return found

    return engine
