"""Pushing: each layer packed, and sent where the registry does not have it (OCI distribution spec, push)."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, BinaryIO, Literal
from urllib.parse import urlencode, urljoin

import requests

from dockerlab.image import oci
from dockerlab.image.compression import chunks
from dockerlab.image.image import Image
from dockerlab.image.layer import PUSH_LEVEL, Layer
from dockerlab.image.reference import Reference
from dockerlab.registries.transport import Connection, address

Packing = Literal["gzip", "zstd"]
_ZSTD_LEVEL = 3  # zstd's own default, and BuildKit's

_packed: dict[tuple[str, Packing], tuple[str, int]] = {}  # what a layer packs to, known from then on


@dataclass(frozen=True)
class Sent:
    """A blob or manifest of a push: its compressed bytes, and whether they went over the wire."""

    what: str  # "layer 1", "config", "manifest"
    digest: str
    size: int
    sent: bool
    diff_id: str | None = None


@dataclass(frozen=True)
class Pushed:
    """A push that is done: the image's digest in the registry, and each part of it, in order."""

    reference: str
    digest: str
    parts: tuple[Sent, ...]

    @property
    def bytes_sent(self) -> int:
        """Return the bytes of blobs and manifest that went over the wire."""
        return sum(part.size for part in self.parts if part.sent)


def push(
    image: Image, reference: str, *, packing: Packing = "gzip", say: Callable[[str], None] | None = None
) -> Pushed:
    """Push an image to where `reference` says, its layers packed; `say` is told what is sent.

    A layer that the repository holds is not sent. Raises RegistryError.
    """
    wanted = Reference.parse(reference)
    connection = Connection(wanted, address(wanted), purpose="pushed")
    tell = say or (lambda _: None)
    try:
        return _pushed(connection, image, packing, tell)
    except requests.RequestException as error:
        raise connection.broke(error) from error
    finally:
        connection.close()


def _pushed(to: Connection, image: Image, packing: Packing, tell: Callable[[str], None]) -> Pushed:
    parts = []
    for number, layer in enumerate(image.layers, start=1):
        tell(f"layer {number} of {len(image.layers)}")
        parts.append(_layer(to, layer, packing, f"layer {number}"))
    config = oci.encoded(image.config)
    digest = oci.digest_of(config)
    here = not _held(to, digest)
    if here:
        _upload(to, digest, len(config), config)
    parts.append(Sent("config", digest, len(config), here))
    manifest = oci.encoded(
        {
            "schemaVersion": 2,
            "mediaType": oci.MANIFEST,
            "config": {"mediaType": oci.CONFIG, "digest": digest, "size": len(config)},
            "layers": [
                {"mediaType": f"{oci.LAYER}+{packing}", "digest": part.digest, "size": part.size}
                for part in parts[:-1]
            ],
        }
    )
    named = oci.digest_of(manifest)
    tag = to.reference.tag or to.reference.digest or "latest"
    kind = {"Content-Type": oci.MANIFEST}
    to.ask("PUT", f"{to.base}/manifests/{tag}", kind, allowed=(201,), body=manifest).close()
    parts.append(Sent("manifest", named, len(manifest), True))
    return Pushed(to.reference.familiar, named, tuple(parts))


def _layer(to: Connection, layer: Layer, packing: Packing, what: str) -> Sent:
    """Send a layer unless it is there; one that was packed before need not be packed to ask."""
    known = _packed.get((layer.diff_id, packing))
    if known and _held(to, known[0]):
        return Sent(what, *known, False, layer.diff_id)
    with _blob(layer, packing) as (file, digest, size):
        _packed[layer.diff_id, packing] = digest, size
        if held := _held(to, digest):
            return Sent(what, digest, size, not held, layer.diff_id)
        _upload(to, digest, size, file)
    return Sent(what, digest, size, True, layer.diff_id)


@contextmanager
def _blob(layer: Layer, packing: Packing) -> Iterator[tuple[BinaryIO, str, int]]:
    """Pack a layer into a file that lives as long as the block; the same layer gives the same bytes."""
    packer: Any = zlib.compressobj(PUSH_LEVEL, zlib.DEFLATED, 31)
    if packing == "zstd":
        import zstandard

        packer = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compressobj()
    digest = sha256()
    with tempfile.TemporaryFile() as file, layer.open_tar() as tar:
        for chunk in chunks(tar):
            part = packer.compress(chunk)
            digest.update(part)
            file.write(part)
        last = packer.flush()
        digest.update(last)
        file.write(last)
        yield file, f"sha256:{digest.hexdigest()}", file.tell()


def _held(to: Connection, digest: str) -> bool:
    with to.ask("HEAD", f"{to.base}/blobs/{digest}", {}, allowed=(200, 404)) as answer:
        return answer.status_code == 200


def _upload(to: Connection, digest: str, size: int, body: bytes | BinaryIO) -> None:
    """Send a blob in one piece: POST says where to, PUT sends it."""
    with to.ask("POST", f"{to.base}/blobs/uploads/", {}, allowed=(202,)) as answer:
        where = urljoin(answer.url, answer.headers.get("Location", ""))
    where += ("&" if "?" in where else "?") + urlencode({"digest": digest})
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
    to.ask("PUT", where, headers, allowed=(201,), body=body).close()
