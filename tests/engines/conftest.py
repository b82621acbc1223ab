"""A real Docker daemon, and a small base image made here: no registry is needed."""

from __future__ import annotations

import hashlib
import io
import json
import secrets
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockerlab.engines.docker.daemon import probe
from dockerlab.engines.docker.engine import DockerEngine
from dockerlab.engines.results import Engine
from dockerlab.image.platform import here
from tests.loopback import free_port, running

BASE = "dockerlab/test-engine-base:1"
APPLETS = (
    "sh",
    "true",
    "false",
    "cat",
    "echo",
    "touch",
    "mkdir",
    "rm",
    "chmod",
    "sleep",
    "ls",
    "env",
    "kill",
)


def docker(*arguments: str, check: bool = True) -> str:
    """Run a docker command; return what it printed."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done.stdout.strip()


def static_busybox() -> Path | None:
    """Return a busybox that needs no library, or None."""
    for name in ("/usr/bin/busybox", "/bin/busybox", "/bin/busybox.static"):
        path = Path(name)
        if path.exists() and b"/ld-linux" not in path.read_bytes():
            return path
    return None


@pytest.fixture(scope="session")
def busybox_tar() -> bytes:
    """Return a root file system of busybox, as `docker import` takes it."""
    busybox = static_busybox()
    if busybox is None:
        pytest.skip("needs a statically linked busybox to make a base image of")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for folder in ("bin", "dev", "etc", "proc", "sys", "tmp"):
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info)
        # Without /etc/hosts and /etc/resolv.conf the first RUN would leave their empty places in its layer;
        # with a new machine-id nothing that an earlier run of the tests built is in the cache.
        files = {"passwd": b"root:x:0:0::/root:/bin/sh\n", "hosts": b"", "resolv.conf": b""}
        for name, text in {**files, "machine-id": secrets.token_hex(16).encode()}.items():
            info = tarfile.TarInfo(f"etc/{name}")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text))
        info = tarfile.TarInfo("bin/busybox")
        info.size, info.mode = busybox.stat().st_size, 0o755
        with busybox.open("rb") as content:
            tar.addfile(info, content)
        for applet in APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return out.getvalue()


@pytest.fixture(scope="session")
def busybox_archive(busybox_tar: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the base image as an archive that every engine loads."""
    diff_id = f"sha256:{hashlib.sha256(busybox_tar).hexdigest()}"
    config = {
        "architecture": here().architecture,
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        "history": [{"created_by": "busybox"}],
    }
    manifest = [{"Config": "config.json", "RepoTags": [BASE], "Layers": ["layer.tar"]}]
    path = tmp_path_factory.mktemp("busybox") / "base.tar"
    with tarfile.open(path, "w") as tar:
        for name, data in (
            ("config.json", json.dumps(config).encode()),
            ("manifest.json", json.dumps(manifest).encode()),
            ("layer.tar", busybox_tar),
        ):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture(scope="session")
def base(busybox_tar: bytes) -> Iterator[str]:
    """Import a base image of one layer, busybox; removed at the end with all that was built on it."""
    version, why = probe()
    if version is None:
        pytest.skip(f"needs Docker: {why}")
    subprocess.run(["docker", "import", "-", BASE], input=busybox_tar, capture_output=True, check=True)
    yield BASE
    ours = docker(
        "images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", "reference=dockerlab/test-engine*"
    )
    stand_ins = docker(
        "images",
        "--format",
        "{{.Repository}}:{{.Tag}}",
        "--filter",
        "reference=dockerlab/stand-in:test-engine*",
    )
    for name in [*ours.split(), *stand_ins.split()]:
        docker("rmi", "--force", name, check=False)


@pytest.fixture(scope="session")
def engine(base: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerEngine]:
    """Return the Docker engine, keeping what it takes out of Docker in a temporary folder."""
    engine = DockerEngine(root=tmp_path_factory.mktemp("docker"))
    yield engine
    for reference in [one.reference for one in engine.images()]:
        if reference.startswith("dockerlab/test-engine"):
            engine.remove(reference)
    engine.prune()


@pytest.fixture(params=["embedded", "docker"])
def each_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """Return each engine with a store of its own that holds the base image."""
    if request.param == "docker":
        request.getfixturevalue("base")
        made = DockerEngine(root=tmp_path / "docker")
        yield made
        made.prune()
        return
    from dockerlab.engines.embedded import EmbeddedEngine

    embedded = EmbeddedEngine(tmp_path / "store")
    embedded.load(request.getfixturevalue("busybox_archive"))
    yield embedded


@pytest.fixture
def registry(base: str, tmp_path: Path) -> Iterator[str]:
    """Serve a real registry on loopback; yields its host and port."""
    if shutil.which("docker-registry") is None:
        pytest.skip("needs docker-registry")
    port = free_port()
    config = tmp_path / "registry.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error}}\nhttp: {{addr: 127.0.0.1:{port}}}\n"
        f"storage: {{filesystem: {{rootdirectory: {tmp_path / 'registry'}}}}}\n"
    )
    with running(["docker-registry", "serve", str(config)], port):
        yield f"127.0.0.1:{port}"
