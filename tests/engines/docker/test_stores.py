"""Images that others put into Docker: with attestations, and for several platforms of which one is there."""

import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockerlab.analysis.ledger import ledger
from dockerlab.context.context import Context
from dockerlab.engines.docker.engine import DockerEngine
from dockerlab.image.archive_reader import read_archive
from dockerlab.image.image import validate
from dockerlab.image.platform import here
from tests.engines.conftest import docker
from tests.tiny_images import layer_tar

ATTESTED = "dockerlab-test-engine/attested:1"
SEVERAL = "dockerlab-test-engine/several:1"
CHILD = "dockerlab/test-engine-child:1"


@pytest.fixture
def attested(base: str) -> Iterator[str]:
    """Build an image as a learner does: buildx adds an attestation where the store can keep one."""
    text = f"FROM {base}\nRUN echo x > /x\n"
    command = ["docker", "buildx", "build", "--builder=default", "--load", "--quiet", "-t", ATTESTED, "-"]
    subprocess.run(command, input=text, text=True, check=True, capture_output=True)
    yield ATTESTED
    docker("rmi", ATTESTED)


@pytest.fixture
def several(base: str, tmp_path: Path) -> Iterator[str]:
    """Load an index of two platforms, of which the archive holds this machine's alone."""
    blobs: dict[str, bytes] = {}

    def put(document: object) -> dict[str, object]:
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        described = {"digest": _digest(data), "size": len(data)}
        blobs[_blob(described)] = data
        return described

    layer = layer_tar({"x": b"x\n"})
    config = {
        "architecture": here().architecture,
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        "history": [{"created_by": "COPY x /x"}],
    }
    kind = "application/vnd.oci.image"
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{kind}.manifest.v1+json",
        "config": {"mediaType": f"{kind}.config.v1+json", **put(config)},
        "layers": [{"mediaType": f"{kind}.layer.v1.tar", **put(layer)}],
    }
    platform = {"os": "linux", "architecture": here().architecture}
    ours = {"mediaType": manifest["mediaType"], **put(manifest), "platform": platform}
    away = {**ours, "digest": _digest(b"not here"), "platform": {**platform, "architecture": "s390x"}}
    index = {"schemaVersion": 2, "mediaType": f"{kind}.index.v1+json", "manifests": [away, ours]}
    names = {"io.containerd.image.name": f"docker.io/{SEVERAL}", "org.opencontainers.image.ref.name": "1"}
    top = {"mediaType": index["mediaType"], **put(index), "annotations": names}
    row = {"Config": _blob(put(config)), "RepoTags": [SEVERAL], "Layers": [_blob(put(layer))]}
    files = {
        **blobs,
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        "index.json": json.dumps({"schemaVersion": 2, "manifests": [top]}).encode(),
        "manifest.json": json.dumps([row]).encode(),  # what the overlay2 store reads
    }
    path = tmp_path / "several.tar"
    path.write_bytes(layer_tar(files))
    docker("load", "-i", str(path))
    yield SEVERAL
    docker("rmi", SEVERAL)


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _blob(descriptor: dict[str, object]) -> str:
    return f"blobs/sha256/{str(descriptor['digest'])[7:]}"


@pytest.mark.parametrize("kind", ["attested", "several"])
def test_an_index_is_read_as_the_one_image_that_is_there(
    engine: DockerEngine, kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """An index with an attestation, or with a platform that is elsewhere, is the image this machine runs.

    It is read, saved and read from the archive, built on, and told apart from what was built on it.
    """
    name = request.getfixturevalue(kind)
    image = engine.image(name)
    assert validate(image) == []
    assert image.tree().read("x") == b"x\n"
    engine.save([name], tmp_path / "saved.tar")
    saved = read_archive(tmp_path / "saved.tar", name)
    assert saved.config == image.config
    assert ledger(saved).all == ledger(image).all
    child = engine.build(f"FROM {name}\nCOPY y /y\n", context=Context.files({"y": "y\n"}), tag=CHILD)
    assert child.image.base_layers == len(image.layers)
    assert child.layers_added == 1
    assert [layer.diff_id for layer in child.image.layers[:-1]] == [layer.diff_id for layer in image.layers]
    assert name not in [one.reference for one in engine.images()]
