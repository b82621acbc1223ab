"""Pushing to a real registry and to the lesson's own, which both must take and hand out alike."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from dockerlab.errors import RegistryError
from dockerlab.image.archive_reader import read_archive
from dockerlab.image.image import Image, validate
from dockerlab.registry.fetch import fetch
from dockerlab.registry.push import push
from dockerlab.registry.server import Registry
from dockerlab.registry.transport import forget_silent_registries
from tests.engines.embedded.test_registry import real_registry
from tests.tiny_images import stack

Place = str


@pytest.fixture(scope="module", params=["docker-registry", "the lesson's own"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Run a registry; give its host and port."""
    if request.param == "docker-registry":
        with real_registry(tmp_path_factory.mktemp("registry")) as address:
            yield address
    else:
        own = Registry()
        yield own.address
        own.close()


def image(folder: Path, *files: str) -> Image:
    """Return an image of two layers, the upper one of these files."""
    folder.mkdir()
    return stack(folder, [{"base": b"x" * 9000}, {name: name.encode() for name in files}])


def test_a_second_push_sends_what_is_new(place: Place, tmp_path: Path) -> None:
    """Layers that the repository has are not sent again; of another image only what is its own."""
    one, other = image(tmp_path / "one", "a"), image(tmp_path / "other", "b")
    first = push(one, f"{place}/second/app:1")
    again = push(one, f"{place}/second/app:1")
    second = push(other, f"{place}/second/app:2")
    assert [part.sent for part in first.parts] == [True, True, True, True]
    assert [part.sent for part in again.parts] == [False, False, False, True]
    assert [part.sent for part in second.parts] == [False, True, True, True]
    assert first.digest == again.digest != second.digest
    assert 0 < again.bytes_sent < second.bytes_sent < first.bytes_sent


@pytest.mark.parametrize("packing", ["gzip", "zstd"])
def test_what_was_pushed_can_be_pulled(place: Place, tmp_path: Path, packing: str) -> None:
    """The image that comes back has the same layers and settings, by its tag and by its digest."""
    pushed = image(tmp_path / "pushed", packing)
    name = f"{place}/whole/{packing}"
    done = push(pushed, f"{name}:1", packing=packing)  # type: ignore[arg-type]
    for number, reference in enumerate((f"{name}:1", f"{name}@{done.digest}")):
        folder = tmp_path / str(number)
        assert fetch(reference, folder).digest == done.digest
        found = read_archive(folder)
        assert validate(found) == []
        assert [layer.diff_id for layer in found.layers] == [layer.diff_id for layer in pushed.layers]
        assert found.config == pushed.config


def test_a_pull_brings_what_the_folder_lacks(place: Place, tmp_path: Path) -> None:
    """A second image on the same layer brings its own only; a tag that was moved brings the new image."""
    name, folder = f"{place}/lacks/app:1", tmp_path / "folder"
    push(image(tmp_path / "one", "a"), name)
    assert [came for _, came in fetch(name, folder).blobs] == [True, True, True]
    push(image(tmp_path / "other", "b"), name)
    moved = fetch(name, folder)
    assert [came for _, came in moved.blobs] == [False, True, True]
    assert read_archive(folder, name).layers[1].entries[0].path == "b"


def test_skopeo_reads_and_writes_it(place: Place, tmp_path: Path) -> None:
    """Another program finds the image whole, and what it pushes can be pulled."""
    if shutil.which("skopeo") is None:
        pytest.skip("needs skopeo")
    here = f"docker://{place}/skopeo/app"
    done = push(image(tmp_path / "one", "a"), f"{place}/skopeo/app:1")
    plain = ("--src-tls-verify=false", "--dest-tls-verify=false")
    subprocess.run(["skopeo", "copy", "-q", *plain, f"{here}:1", f"{here}-copied:1"], check=True)
    assert fetch(f"{place}/skopeo/app-copied:1", tmp_path / "back").digest == done.digest


@pytest.mark.docker
def test_docker_pulls_and_pushes_it(place: Place, tmp_path: Path) -> None:
    """A daemon on this machine pulls what was pushed, and pushes what can be pulled."""
    done = push(image(tmp_path / "one", "docker"), f"{place}/dockerlab/pushed:1")
    names = [f"{place}/dockerlab/pushed:1", f"{place}/dockerlab/pushed:2"]
    try:
        said = subprocess.run(["docker", "pull", names[0]], capture_output=True, text=True, check=False)
        if "connection refused" in said.stderr:
            pytest.skip("the daemon has another loopback")
        assert done.digest in said.stdout, said.stderr
        subprocess.run(["docker", "tag", *names], check=True)
        subprocess.run(["docker", "push", "-q", names[1]], capture_output=True, check=True)
        assert len(fetch(names[1], tmp_path / "back").blobs) == 3
    finally:
        subprocess.run(["docker", "rmi", *names], capture_output=True, check=False)


def test_of_an_index_this_machines_image_is_pulled(tmp_path: Path) -> None:
    """Beside another platform and an attestation (unknown/unknown), the image for here is taken."""
    from dockerlab.image.platform import here

    own = Registry()
    done = push(image(tmp_path / "one", "a"), f"{own.address}/index/app:plain")
    listed = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": done.digest}
    other = {**listed, "digest": "sha256:" + "0" * 64, "size": 1}
    manifest = requests.get(f"http://{own.address}/v2/index/app/manifests/plain", timeout=5).content
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [
            {**other, "platform": {"os": "linux", "architecture": "s390x"}},
            {**listed, "size": len(manifest), "platform": here().written()},
            {**other, "platform": {"os": "unknown", "architecture": "unknown"}},
        ],
    }
    requests.put(
        f"http://{own.address}/v2/index/app/manifests/all",
        data=json.dumps(index),
        headers={"Content-Type": str(index["mediaType"])},
        timeout=5,
    ).raise_for_status()
    assert fetch(f"{own.address}/index/app:all", tmp_path / "back").digest == done.digest
    own.close()


def test_a_push_that_is_refused_says_so(tmp_path: Path) -> None:
    """Where nobody listens the error says which image could not be pushed, and where to."""
    forget_silent_registries()
    with pytest.raises(RegistryError, match=r"127\.0\.0\.1:9/app:1 could not be pushed: .* refused the conn"):
        push(image(tmp_path / "one", "a"), "127.0.0.1:9/app:1")
    forget_silent_registries()


def test_the_lessons_registry_is_gone_with_its_folder(tmp_path: Path) -> None:
    """A blob whose digest is wrong is not kept, a path cannot leave the folder, and closing removes all."""
    own = Registry()
    push(image(tmp_path / "one", "a"), f"{own.address}/gone:1")
    url = f"http://{own.address}/v2/gone"
    where = requests.post(f"{url}/blobs/uploads/", timeout=5).headers["Location"]
    wrong = requests.put(
        f"http://{own.address}{where}?digest=sha256:{'1' * 64}", data=b"x", timeout=5
    ).status_code
    assert wrong == 400
    assert requests.get(f"{url}/blobs/../../etc/passwd", timeout=5).status_code == 404
    assert sum(one.received for one in own.requests) > 0
    own.close()
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=5)
