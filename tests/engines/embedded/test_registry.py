"""Pulling from registries: a real one on loopback, and one that misbehaves."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import random
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import zstandard

from dockerlab.engines.embedded.bases.pull import pull
from dockerlab.engines.embedded.store.store import Store
from dockerlab.engines.results import Event, Note
from dockerlab.errors import RegistryError
from dockerlab.image.platform import here
from dockerlab.registry import credentials, transport
from dockerlab.registry.repository import forget_silent_registries
from tests.engines.embedded.test_store import layer_tar, names, put_layer

ARCHITECTURE = here().architecture
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def digest(data: bytes) -> str:
    """Return the digest of some bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Give an empty store."""
    return Store(tmp_path / "store")


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Ask with no login, no mirror, no proxy, and nothing remembered."""
    for name in ("DOCKERLAB_REGISTRY_MIRROR", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    forget_silent_registries()
    yield
    forget_silent_registries()


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# The real one


@contextmanager
def real_registry(folder: Path) -> Iterator[str]:
    """Run a real registry that keeps its images in `folder`; give its host and port."""
    program = shutil.which("docker-registry")
    if program is None or shutil.which("skopeo") is None:
        pytest.skip("docker-registry and skopeo are not both installed")
    address = f"127.0.0.1:{free_port()}"
    (folder / "config.yml").write_text(
        "version: 0.1\nlog: {level: error}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/data}}}}\nhttp: {{addr: '{address}'}}\n"
    )
    server = subprocess.Popen(
        [program, "serve", folder / "config.yml"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        host, _, port = address.partition(":")
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                socket.create_connection((host, int(port)), timeout=1).close()
                break
            except ConnectionRefusedError:
                assert server.poll() is None, "the registry ended"
        yield address
    finally:
        server.terminate()
        server.wait(timeout=10)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a real registry; give its host and port."""
    with real_registry(tmp_path_factory.mktemp("registry")) as address:
        yield address


def push(store: Store, name: str, target: str, *options: str) -> None:
    """Copy an image out of a store to a registry by skopeo."""
    subprocess.run(
        [
            "skopeo",
            "copy",
            "-q",
            "--dest-tls-verify=false",
            *options,
            f"oci:{store.root}:{name}",
            f"docker://{target}",
        ],
        check=True,
        timeout=60,
    )


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_an_image_comes_from_a_real_registry(
    registry: str, store: Store, tmp_path: Path, compression: str
) -> None:
    """What skopeo pushed comes back with the same id and layers, compressed sizes and progress in bytes."""
    source = Store(tmp_path / "source")
    layers = [put_layer(source, {"a": os.urandom(700_000)}), put_layer(source, {"b": b"b" * 3_000_000})]
    config = {"architecture": ARCHITECTURE, "os": "linux", "history": [{}, {}], "config": {"Env": ["X=1"]}}
    image = source.put_image(config, layers, reference="app:1")
    reference = f"{registry}/lab/{compression}:1"
    push(source, "app:1", reference, "--dest-compress-format", compression)
    events: list[Event] = []
    pulled = pull(reference, store, on_event=events.append)
    assert pulled.id == image.id
    assert pulled.layers == image.layers
    assert pulled.reference == reference
    assert pulled.tree().read("b") == b"b" * 3_000_000
    assert store.validate() == []
    manifest = json.loads(
        subprocess.run(
            ["skopeo", "inspect", "--tls-verify=false", "--raw", f"docker://{reference}"],
            capture_output=True,
            check=True,
        ).stdout
    )
    sizes = [layer["size"] for layer in manifest["layers"]]
    assert [layer.size_compressed() for layer in store.image(reference).layers] == sizes
    notes = [event for event in events if isinstance(event, Note)]
    assert (notes[-1].done, notes[-1].total) == (sum(sizes), sum(sizes))
    assert [note.done for note in notes] == sorted(note.done for note in notes)
    assert names(store.root / "downloads") == []


def test_a_layer_that_is_here_is_not_fetched_again(registry: str, store: Store, tmp_path: Path) -> None:
    """Two images on one base: the second pull fetches only what it adds."""
    source = Store(tmp_path / "source")
    base = put_layer(source, {"base": os.urandom(300_000)})
    for number in (1, 2):
        top = put_layer(source, {"top": str(number).encode()})
        source.put_image(
            {"architecture": ARCHITECTURE, "os": "linux", "history": [{}, {}]},
            [base, top],
            reference=f"x:{number}",
        )
        push(source, f"x:{number}", f"{registry}/lab/shared:{number}")
    pull(f"{registry}/lab/shared:1", store)
    events: list[Event] = []
    pull(f"{registry}/lab/shared:2", store, on_event=events.append)
    total = [event.total for event in events if isinstance(event, Note)][-1]
    assert 0 < total < 1000


def test_a_name_the_registry_does_not_know(registry: str, store: Store) -> None:
    """A missing image gives one error with the registry, the reference and the next step."""
    with pytest.raises(RegistryError) as caught:
        pull(f"{registry}/lab/nothing:1", store)
    assert str(caught.value) == (
        f"{registry}/lab/nothing:1 could not be pulled: {registry} has no such image, or it is private "
        "(404).\n"
        f"Check the name and the tag; for a private image run `docker login {registry}`."
    )


# One that misbehaves

Answer = tuple[int, dict[str, str], bytes]
Handler = Callable[[str, dict[str, str]], Answer]


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that hung up: some tests make it."""


class Fake:
    """A registry in a thread: one image, and what a test makes it do wrong."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.hook: Handler | None = None
        self.cut: int | None = None  # send only so many bytes of a blob, then drop the line
        self.endless = ""  # send what this path's answer begins with for ever
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self.content = random.Random(1).randbytes(600_000)
        self.tar = layer_tar({"file": self.content})
        self.packed = gzip.compress(self.tar, mtime=0)
        self.image(self.packed, digest(self.tar))
        fake = self

        class Server(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                headers = {key.lower(): value for key, value in self.headers.items()}
                fake.asked.append((self.path, headers))
                status, extra, body = fake.answer(self.path, headers)
                self.send_response(status)
                for key, value in extra.items():
                    self.send_header(key, value)
                endless = bool(fake.endless) and fake.endless in self.path
                if not endless and "Content-Length" not in extra:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                while endless:  # until whoever asked has had enough
                    self.wfile.write(body + bytes(1 << 16))
                if "/blobs/" in self.path and fake.cut is not None and len(body) > fake.cut:
                    self.wfile.write(body[: fake.cut])
                    self.close_connection = True
                    return
                self.wfile.write(body)
                self.close_connection |= "Connection" in extra

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = _Quiet(("127.0.0.1", 0), Server)
        self.address = f"127.0.0.1:{self.server.server_port}"
        self.reference = f"{self.address}/lab/app:1"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def image(self, packed: bytes, diff_id: str, *, size: int | None = None) -> None:
        """Serve an image of one layer."""
        config = json.dumps(
            {"architecture": ARCHITECTURE, "os": "linux", "rootfs": {"type": "layers", "diff_ids": [diff_id]}}
        ).encode()
        self.layer = digest(packed)
        self.blobs = {self.layer: packed, digest(config): config}
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": digest(config),
                "size": len(config),
            },
            "layers": [{"mediaType": "x", "digest": self.layer, "size": size or len(packed)}],
        }
        self.manifests["1"] = json.dumps(manifest).encode()

    def answer(self, path: str, headers: dict[str, str]) -> Answer:
        """Answer one request."""
        if self.hook is not None:
            answer = self.hook(path, headers)
            if answer[0]:
                return answer
        name = path.rpartition("/")[2]
        if "/manifests/" in path:
            known = {**self.manifests, **{digest(data): data for data in self.manifests.values()}}
            return (200, {"Content-Type": MANIFEST}, known[name]) if name in known else (404, {}, b"{}")
        body = self.blobs.get(name)
        if body is None:
            return 404, {}, b""
        start = headers.get("range", "")
        if start:
            first = int(start.removeprefix("bytes=").rstrip("-"))
            return 206, {"Content-Range": f"bytes {first}-{len(body) - 1}/{len(body)}"}, body[first:]
        return 200, {}, body


PASS: Answer = (0, {}, b"")


@pytest.fixture
def fake() -> Iterator[Fake]:
    """Run a registry that does what a test says."""
    server = Fake()
    yield server
    server.server.shutdown()
    server.server.server_close()


def test_a_token_is_fetched_where_one_is_asked_for(fake: Fake, store: Store) -> None:
    """A 401 with a Bearer challenge leads to one token request, whose token all later requests carry."""

    def hook(path: str, headers: dict[str, str]) -> Answer:
        if path.startswith("/token"):
            return 200, {}, b'{"token": "abc"}'
        if headers.get("authorization") != "Bearer abc":
            realm = f'Bearer realm="http://{fake.address}/token",service="me",scope="repository:lab/app:pull"'
            return 401, {"WWW-Authenticate": realm}, b""
        return PASS

    fake.hook = hook
    pull(fake.reference, store)
    asked = [path for path, _ in fake.asked if path.startswith("/token")]
    assert asked == ["/token?service=me&scope=repository%3Alab%2Fapp%3Apull"]


@pytest.mark.parametrize("kind", ["Basic", "Bearer"])
def test_the_login_of_docker_is_used(fake: Fake, store: Store, tmp_path: Path, kind: str) -> None:
    """User name and password from Docker's config.json go to the registry (Basic) or its token service."""
    (tmp_path / "docker").mkdir()
    secret = base64.b64encode(b"me:s3cret:x").decode()
    (tmp_path / "docker" / "config.json").write_text(json.dumps({"auths": {fake.address: {"auth": secret}}}))

    def hook(path: str, headers: dict[str, str]) -> Answer:
        basic = headers.get("authorization") == f"Basic {secret}"
        if path.startswith("/token"):
            return (200, {}, b'{"access_token": "abc"}') if basic else (401, {}, b"")
        if (basic and kind == "Basic") or headers.get("authorization") == "Bearer abc":
            return PASS
        return 401, {"WWW-Authenticate": f'{kind} realm="http://{fake.address}/token"'}, b""

    fake.hook = hook
    assert pull(fake.reference, store).reference == fake.reference


def test_a_login_from_a_helper_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A docker-credential helper named in config.json is asked for the registry's login."""
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "config.json").write_text('{"credHelpers": {"ghcr.io": "here"}}')
    helper = tmp_path / "docker-credential-here"
    helper.write_text('#!/bin/sh\nread -r name\nprintf \'{"Username":"%s","Secret":"pw"}\' "$name"\n')
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert credentials.login("ghcr.io") == credentials.Login("ghcr.io", "pw")
    assert credentials.login("quay.io") is None
    assert "pw" not in repr(credentials.login("ghcr.io"))


def test_a_dropped_line_goes_on_where_it_broke(fake: Fake, store: Store) -> None:
    """After a drop only the rest is asked for, by Range; the image is whole."""

    def hook(path: str, headers: dict[str, str]) -> Answer:
        fake.cut = None if "range" in headers else 200_000
        return PASS

    fake.hook = hook
    fake.image(zstandard.compress(fake.tar), digest(fake.tar))
    pull(fake.reference, store)
    ranges = [headers.get("range") for path, headers in fake.asked if fake.layer in path]
    assert ranges == [None, f"bytes={3 << 16}-"]
    assert store.validate() == []


def test_what_was_received_is_kept_for_the_next_pull(fake: Fake, store: Store) -> None:
    """A line that keeps dropping gives an error after three tries; the next pull starts from what came."""
    fake.cut = 100_000
    with pytest.raises(
        RegistryError, match=r"stopped sending sha256:\w+ after 196,608 of .* 3 times"
    ) as caught:
        pull(fake.reference, store)
    assert "what was received is kept" in caught.value.hint
    assert (store.root / "downloads" / f"{fake.layer[7:]}.part").stat().st_size == 196_608
    fake.cut = None
    fake.asked.clear()
    pull(fake.reference, Store(store.root))
    assert [headers.get("range") for path, headers in fake.asked if fake.layer in path] == ["bytes=196608-"]


def test_a_registry_without_ranges_starts_over(fake: Fake, store: Store) -> None:
    """A 200 in answer to a Range request means the whole blob from its first byte."""
    part = store.root / "downloads" / f"{fake.layer[7:]}.part"
    part.write_bytes(b"wrong start")
    fake.hook = lambda path, headers: (200, {}, fake.packed) if fake.layer in path else PASS
    pull(fake.reference, store)
    assert store.validate() == []


@pytest.mark.parametrize(
    ("lie", "message"),
    [
        ("blob", "sent a blob with the digest"),
        ("longer", "sent a blob with the digest"),
        ("diff_id", "should unpack to"),
        ("not gzip", "should unpack to"),
        ("manifest", "sent a manifest with the digest"),
        ("json", "no image manifest"),
        ("size", "cannot be read"),
    ],
)
def test_a_registry_that_lies_is_not_believed(fake: Fake, store: Store, lie: str, message: str) -> None:
    """Wrong bytes, wrong diff IDs and broken manifests are errors, and nothing of them stays."""
    if lie == "blob":
        fake.blobs[fake.layer] = fake.packed[:-1] + b"x"
    elif lie == "longer":
        fake.blobs[fake.layer] = fake.packed + bytes(10_000_000)
    elif lie == "diff_id":
        fake.image(fake.packed, digest(b"other"))
    elif lie == "not gzip":
        fake.image(fake.packed[:5000], digest(fake.tar))
    elif lie == "manifest":
        fake.hook = lambda path, headers: (
            (200, {"Docker-Content-Digest": digest(b"other")}, fake.manifests["1"])
            if "/manifests/" in path
            else PASS
        )
    elif lie == "json":
        fake.manifests["1"] = b"<html>"
    elif lie == "size":
        fake.image(fake.packed, digest(fake.tar), size=-1)
    with pytest.raises(RegistryError, match=message):
        pull(fake.reference, store)
    assert names(store.root / "downloads") == []
    assert store.images() == []
    assert store.validate() == []


def index_of(fake: Fake, *platforms: dict[str, str]) -> bytes:
    """Return an index of the fake's image for the given platforms, after an attestation."""
    item = {"mediaType": MANIFEST, "digest": digest(fake.manifests["1"]), "size": len(fake.manifests["1"])}
    attestation = {
        **item,
        "digest": digest(b"no"),
        "platform": {"os": "linux", "architecture": ARCHITECTURE},
        "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
    }
    entries = [attestation, *({**item, "platform": platform} for platform in platforms)]
    return json.dumps({"schemaVersion": 2, "manifests": entries}).encode()


def test_this_machines_image_is_picked_from_an_index(fake: Fake, store: Store) -> None:
    """Of an index the image for linux and this architecture is taken, never an attestation."""
    fake.manifests["multi"] = index_of(
        fake, {"os": "windows", "architecture": ARCHITECTURE}, {"os": "linux", "architecture": ARCHITECTURE}
    )
    image = pull(f"{fake.address}/lab/app:multi", store)
    assert image.tree().read("file") == fake.content
    whole = digest(fake.manifests["multi"])
    again = pull(f"{fake.address}/lab/app@{whole}", store)
    assert (again.id, again.reference) == (image.id, f"{fake.address}/lab/app@{whole}")


def test_an_index_without_this_platform_says_what_it_has(fake: Fake, store: Store) -> None:
    """No image for this machine: the error lists the platforms there are."""
    fake.manifests["1"] = index_of(fake, {"os": "linux", "architecture": "s390x"})
    with pytest.raises(RegistryError, match=f"no image for linux/{ARCHITECTURE}; it has linux/s390x"):
        pull(fake.reference, store)


def test_a_rate_limit_is_named(fake: Fake, store: Store) -> None:
    """A 429 says that pulls are limited, and how long to wait."""
    fake.hook = lambda path, headers: (429, {"Retry-After": "60"}, b"")
    with pytest.raises(RegistryError, match=r"limits how often .* \(429\) and says to wait 60 s") as caught:
        pull(fake.reference, store)
    assert "docker login" in caught.value.hint


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_registry_is_asked_again(fake: Fake, store: Store, status: int) -> None:
    """A short Retry-After is waited for, twice at most; then the error has the status and the wait."""
    busy: Answer = (status, {"Retry-After": "0"}, b"")
    left = [busy, busy]
    fake.hook = lambda path, headers: left.pop() if left else PASS
    assert pull(fake.reference, store).tree().read("file") == fake.content
    fake.asked.clear()
    fake.hook = lambda path, headers: busy
    with pytest.raises(RegistryError, match=rf"{status}.* and says to wait 0 s"):
        pull(fake.reference, store)
    assert len(fake.asked) == 3


@pytest.mark.parametrize("asked", ["3600", "Wed, 21 Oct 2015 07:28:00 GMT", "-1", "9" * 30, "soon"])
def test_a_long_wait_is_told_not_waited_for(fake: Fake, store: Store, asked: str) -> None:
    """What is no short time in seconds is asked for once."""
    fake.hook = lambda path, headers: (503, {"Retry-After": asked}, b"")
    with pytest.raises(RegistryError, match="answered 503"):
        pull(fake.reference, store)
    assert len(fake.asked) == 1


def test_a_circle_of_redirects_ends(fake: Fake, store: Store) -> None:
    """A registry that redirects to itself gives one error that says so, after a bounded number of times."""
    fake.hook = lambda path, headers: (307, {"Location": path}, b"")
    with pytest.raises(RegistryError, match="round in a circle"):
        pull(fake.reference, store)
    assert len(fake.asked) < 40


def test_a_redirect_to_no_address_is_told(fake: Fake, store: Store) -> None:
    """A redirect to what is no address, or to a file, is an error and not followed."""
    for place in ("http://", "file:///etc/passwd", "http://[::1", "gopher://x/"):
        fake.hook = lambda path, headers, place=place: (307, {"Location": place}, b"")
        with pytest.raises(RegistryError):
            pull(fake.reference, store)
    assert store.images() == []


def test_a_401_for_ever_ends(fake: Fake, store: Store) -> None:
    """A token that is given and then not taken ends in one error, after one more request."""

    def hook(path: str, headers: dict[str, str]) -> Answer:
        if path.startswith("/token"):
            return 200, {}, b'{"token": "abc"}'
        return 401, {"WWW-Authenticate": f'Bearer realm="http://{fake.address}/token"'}, b""

    fake.hook = hook
    with pytest.raises(RegistryError, match="401"):
        pull(fake.reference, store)
    assert len(fake.asked) == 3


@pytest.mark.parametrize("token", [b"", b"{}", b"[]", b'{"token": 5}', b'{"token": "a\\r\\nX: y"}', b"\xff"])
def test_a_token_that_is_none_is_told(fake: Fake, store: Store, token: bytes) -> None:
    """A token service that sends no token, or one that would be another header, is said to."""

    def hook(path: str, headers: dict[str, str]) -> Answer:
        if path.startswith("/token"):
            return 200, {}, token
        return 401, {"WWW-Authenticate": f'Bearer realm="http://{fake.address}/token"'}, b""

    fake.hook = hook
    with pytest.raises(RegistryError, match="sent no token"):
        pull(fake.reference, store)


@pytest.mark.parametrize("where", ["/manifests/", "/blobs/", "/token"])
def test_an_answer_without_end_is_cut_off(fake: Fake, store: Store, where: str) -> None:
    """A manifest, a blob or a token that never ends is not read on beyond what it may have."""
    if where == "/token":
        fake.hook = lambda path, headers: (
            (200, {}, b"{")
            if path.startswith("/token")
            else (401, {"WWW-Authenticate": f'Bearer realm="http://{fake.address}/token"'}, b"")
        )
    fake.endless = where
    with pytest.raises(RegistryError, match="sent"):
        pull(fake.reference, store)
    assert store.images() == []
    assert names(store.root / "downloads") == names(store.root / "tmp") == []
    assert store.validate() == []


@pytest.mark.parametrize("length", [-100, 100])
@pytest.mark.parametrize("where", ["/manifests/", "/blobs/"])
def test_a_wrong_length_is_noticed(fake: Fake, store: Store, where: str, length: int) -> None:
    """A Content-Length that is too small or too large ends in an error after a bounded number of tries."""

    def hook(path: str, headers: dict[str, str]) -> Answer:
        fake.hook = None
        status, extra, body = fake.answer(path, headers)
        fake.hook = hook
        if where not in path or (where == "/blobs/" and fake.layer not in path):
            return status, extra, body
        return 200, {**extra, "Content-Length": str(len(body) + length), "Connection": "close"}, body

    fake.hook = hook
    with pytest.raises(RegistryError):
        pull(fake.reference, store)
    assert len(fake.asked) < 10
    assert store.images() == []
    assert store.validate() == []


def test_cut_zstd_is_damaged(fake: Fake, store: Store) -> None:
    """A layer whose zstd data stops in the middle makes no image and leaves nothing."""
    fake.image(zstandard.compress(fake.tar)[:5000], digest(fake.tar))
    with pytest.raises(RegistryError, match="should unpack to"):
        pull(fake.reference, store)
    assert names(store.root / "downloads") == names(store.root / "tmp") == []
    assert store.validate() == []


def test_a_login_stays_with_its_host(fake: Fake, store: Store) -> None:
    """Authorization is not sent on when a blob is redirected to another host."""
    other = Fake()
    try:
        other.blobs = fake.blobs

        def hook(path: str, headers: dict[str, str]) -> Answer:
            if path.startswith("/token"):
                return 200, {}, b'{"token": "abc"}'
            if "authorization" not in headers:
                return 401, {"WWW-Authenticate": f'Bearer realm="http://{fake.address}/token"'}, b""
            if "/blobs/" in path:
                return 307, {"Location": f"http://localhost:{other.server.server_port}{path}"}, b""
            return PASS

        fake.hook = hook
        pull(fake.reference, store)
        assert len(other.asked) == 2
        assert all("authorization" not in headers for _, headers in other.asked)
    finally:
        other.server.shutdown()
        other.server.server_close()


def test_a_mirror_stands_for_docker_hub(fake: Fake, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """DOCKERLAB_REGISTRY_MIRROR is asked for docker.io's images, which keep their own names."""
    monkeypatch.setenv("DOCKERLAB_REGISTRY_MIRROR", fake.address)
    assert pull("debian:1", store).reference == "debian:1"
    assert fake.asked[0][0] == "/v2/library/debian/manifests/1"


def test_a_refused_connection_is_remembered(store: Store) -> None:
    """A registry that is down is asked once; after that the error comes without waiting."""
    reference = f"127.0.0.1:{free_port()}/x:1"
    for _ in range(2):
        with pytest.raises(RegistryError, match="refused the connection") as caught:
            pull(reference, store)
    assert "DOCKERLAB_REGISTRY_MIRROR" in caught.value.hint
    assert list(transport._silent) == [reference.partition("/")[0]]


def test_no_dns_is_said_plainly(store: Store) -> None:
    """A host that cannot be looked up is told within seconds, by name."""
    started = time.monotonic()
    with pytest.raises(RegistryError, match=r"registry\.invalid cannot be found \(no DNS, or no network\)"):
        pull("registry.invalid/x:1", store)
    assert time.monotonic() - started < 10
