"""What Docker and skopeo write is read, and what is read is what Docker takes it for."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from dockerlab.engines.docker.engine import DockerEngine
from dockerlab.errors import DockerlabError
from dockerlab.image.archive_reader import Stored, read_archive
from dockerlab.image.image import validate
from tests.archives import NAME, SHAPES, TARS, write
from tests.engines.conftest import docker

# What overlay2 refuses and the containerd store takes, and the other way round.
REFUSED = {
    "overlay2": {"docker before 1.10, of an ID", "OCI", "OCI, names with ./", "history longer"}
    | {name for name in TARS if name.startswith("OCI")},
    "overlayfs": {
        "docker before 1.10",
        "docker before 1.10, of an ID",
        "layers gzip, zeros after it",
        "layers gzip, bytes after it",
        "layers xz",
        "layers bzip2",
    },
}


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if not shape.endswith("folder")])
def test_docker_takes_an_archive_for_the_same_image(base: str, tmp_path: Path, shape: str) -> None:
    """What Docker loads of an archive has the layers that are read here, and the ID where the ID is one."""
    store = docker("info", "--format", "{{.Driver}}")
    image = read_archive(write(shape, tmp_path))
    loaded = docker("load", "--input", str(tmp_path / "image.tar"), check=False)
    try:
        known = json.loads(docker("inspect", NAME, check=False) or "[]")
        assert bool(known and "rror" not in loaded) == (shape not in REFUSED.get(store, ())), loaded
        for one in known:
            assert one["RootFS"]["Layers"] == [layer.diff_id for layer in image.layers]
            assert store != "overlay2" or one["Id"] == image.id
    finally:
        docker("rmi", NAME, check=False)


@pytest.mark.parametrize("shape", [*SHAPES])
def test_the_docker_engine_loads_every_form(engine: DockerEngine, tmp_path: Path, shape: str) -> None:
    """What Docker does not take as it is, a folder or a form it does not know, is written anew for it."""
    path = write(shape, tmp_path)
    if shape == "history longer" and docker("info", "--format", "{{.Driver}}") == "overlay2":
        with pytest.raises(DockerlabError, match="too many non-empty layers"):
            engine.load(path)
        return
    (name,) = engine.load(path)
    try:
        layers = json.loads(docker("inspect", "--format", "{{json .RootFS.Layers}}", name))
        assert layers == [layer.diff_id for layer in read_archive(path).layers]
    finally:
        docker("rmi", name, check=False)


@pytest.fixture(scope="module")
def built(base: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build an image of two layers and save it, by BuildKit with what attestations this Docker makes."""
    folder = tmp_path_factory.mktemp("built")
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /one\nENV A=1\nCOPY Dockerfile /two\n")
    name = "dockerlab/test-engine-saved:1"
    docker("buildx", "build", "--quiet", "--label", "dev.dockerlab=1", "--tag", name, str(folder))
    docker("save", "--output", str(folder / "saved.tar"), name)
    docker("rmi", name)
    return folder / "saved.tar"


def test_what_docker_saves_is_read(built: Path) -> None:
    """The image is whole, under its name, with the rows of its Dockerfile."""
    image = read_archive(built, "docker.io/dockerlab/test-engine-saved:1")
    assert validate(image) == []
    assert [row.created_by.split()[0] for row in image.history] == ["COPY", "ENV", "COPY"]
    assert sorted(image.tree()) == ["one", "two"]
    assert len(Stored.open(built).images) == 1


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("docker-archive:out.tar:box:1", ()),
        ("oci:out:box:1", ()),
        ("oci-archive:out.tar:box:1", ()),
        ("oci:out:box:1", ("--dest-compress-format", "zstd")),
        ("oci:out:box:1", ("--dest-compress-format", "zstd:chunked")),
        ("oci-archive:out.tar:box:1", ("--dest-compress-format", "zstd")),
    ],
)
def test_what_skopeo_writes_is_read(built: Path, tmp_path: Path, form: str, options: tuple[str, ...]) -> None:
    """A copy that skopeo makes in each of its forms has the same layers, whatever they are packed with."""
    if shutil.which("skopeo") is None:
        pytest.skip("skopeo is not installed")
    source = read_archive(built)
    flags = ("--dest-compress", *options) if options else ()
    done = subprocess.run(
        ["skopeo", "copy", "--quiet", *flags, f"docker-archive:{built}", form],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    copy = read_archive(tmp_path / form.split(":")[1])
    assert (copy.reference, validate(copy)) == ("box:1", [])
    assert [layer.diff_id for layer in copy.layers] == [layer.diff_id for layer in source.layers]
