"""Every way the docker command finds its daemon: the engine finds the same one."""

import os
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.conftest import docker
from tests.engines.forwarder import Forwarder, socket_path

CHECK = """
from pathlib import Path
import sys
from dockerlab.engines.docker.daemon import probe
from dockerlab.engines.docker.engine import DockerEngine
version, why = probe()
assert version, why
engine = DockerEngine(root=Path(sys.argv[1]))
text = "FROM dockerlab/test-engine-base:1\\nRUN echo here > /x\\n"
build = engine.build(text, tag="dockerlab/test-engine-far:1")
print(engine.run(build.image.id, ["cat", "/x"]).output, end="")
engine.remove("dockerlab/test-engine-far:1")
"""


@pytest.fixture
def port(base: str, request: pytest.FixtureRequest) -> Iterator[int]:
    """Serve the daemon's socket on a TCP port, with TLS where the test asks for it."""
    tls = None
    if getattr(request, "param", False):
        folder = request.getfixturevalue("certificates")
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / "ca.pem"))
        tls.verify_mode = ssl.CERT_REQUIRED
        tls.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    with Forwarder(socket_path(), tls=tls).serving() as served:
        yield served


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder as DOCKER_CERT_PATH wants it: one certificate that signs itself, for both ends."""
    folder = tmp_path_factory.mktemp("certificates")
    names = "subjectAltName=IP:127.0.0.1,DNS:localhost"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    command += ["-addext", names, "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(command, check=True, capture_output=True)
    shutil.copy(folder / "cert.pem", folder / "ca.pem")
    return folder


def _check(tmp_path: Path, environment: dict[str, str]) -> None:
    # requests prefers $REQUESTS_CA_BUNDLE to the CA that DOCKER_CERT_PATH names.
    dropped = {"DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "REQUESTS_CA_BUNDLE"}
    dropped.add("CURL_CA_BUNDLE")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    done = subprocess.run(
        [sys.executable, "-c", CHECK, str(tmp_path / "docker")],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "here\n"), done.stderr


def test_tcp(port: int, tmp_path: Path) -> None:
    """DOCKER_HOST=tcp://... is the daemon that is built on and asked."""
    _check(tmp_path, {"DOCKER_HOST": f"tcp://127.0.0.1:{port}"})


@pytest.mark.parametrize("port", [True], indirect=True)
def test_tls(port: int, certificates: Path, tmp_path: Path) -> None:
    """With DOCKER_TLS_VERIFY and DOCKER_CERT_PATH both ends show their certificates."""
    environment = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(certificates)}
    _check(tmp_path, {"DOCKER_HOST": f"tcp://127.0.0.1:{port}", **environment})


@pytest.mark.parametrize("port", [False, True], indirect=True, ids=["tcp", "tls"])
def test_a_context(port: int, certificates: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """A context chosen with `docker context use` is the daemon, without DOCKER_HOST, TLS included."""
    settings = tmp_path / "config"
    settings.mkdir()
    plugins = Path(os.environ.get("DOCKER_CONFIG", Path.home() / ".docker")) / "cli-plugins"
    if plugins.exists():
        (settings / "cli-plugins").symlink_to(plugins)
    endpoint = f"host=tcp://127.0.0.1:{port}"
    if "tls" in request.node.callspec.id:
        parts = {"ca": "ca.pem", "cert": "cert.pem", "key": "key.pem"}
        endpoint += "".join(f",{name}={certificates / file}" for name, file in parts.items())
    docker("--config", str(settings), "context", "create", "far", "--docker", endpoint)
    docker("--config", str(settings), "context", "use", "far")
    _check(tmp_path, {"DOCKER_CONFIG": str(settings)})


@pytest.fixture
def ssh_host(base: str, tmp_path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Serve SSH on the loopback; yields its host and what makes `ssh` take it for known."""
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if sshd is None or shutil.which("ssh") is None:
        pytest.skip("needs ssh and sshd")
    pytest.importorskip("paramiko")
    for name in ("host", "own"):
        key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)]
        subprocess.run(key, check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    unix, path = socket_path(), os.environ["PATH"]
    (tmp_path / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {tmp_path / 'host'}\nPidFile none\nStrictModes no\n"
        f"AuthorizedKeysFile {tmp_path / 'own.pub'}\nUsePAM no\n"
        f'SetEnv DOCKER_HOST=unix://{unix} PATH="{path}"\n'
    )
    # ssh takes the settings of the user from the passwd file, whatever $HOME says: a program of its own.
    wrapper = tmp_path / "bin" / "ssh"
    wrapper.parent.mkdir()
    options = f"-i {tmp_path / 'own'} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -q {options} "$@"\n')
    wrapper.chmod(0o755)
    Path("/run/sshd").mkdir(exist_ok=True)
    with subprocess.Popen(
        [sshd, "-D", "-e", "-f", str(tmp_path / "sshd_config")], stderr=subprocess.PIPE
    ) as server:
        assert server.stderr is not None
        assert b"listening" in server.stderr.readline().lower()
        yield f"ssh://127.0.0.1:{port}", {"PATH": f"{wrapper.parent}:{path}"}
        server.terminate()


def test_ssh(ssh_host: tuple[str, dict[str, str]], tmp_path: Path) -> None:
    """DOCKER_HOST=ssh://... goes through the ssh program, for builds and for everything else."""
    host, environment = ssh_host
    _check(tmp_path, {"DOCKER_HOST": host, **environment})
