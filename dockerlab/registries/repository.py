"""A thin client of container registries (OCI distribution specification): manifests and blobs, checked."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import requests

from dockerlab.errors import RegistryError
from dockerlab.image import oci
from dockerlab.image.platform import Platform, here
from dockerlab.image.reference import DOCKER_HUB, Reference
from dockerlab.registries.transport import TRIES, Connection, address, forget_silent_registries, scheme

__all__ = [
    "Descriptor",
    "Reference",
    "Repository",
    "endpoints",
    "for_this_machine",
    "forget_silent_registries",
]

MANIFESTS = (oci.INDEX, oci.DOCKER_INDEX, oci.MANIFEST, oci.DOCKER_MANIFEST)
_MAX_MANIFEST = 4 << 20  # bytes; the specification asks registries to take at least this
_CHUNK = 1 << 16  # bytes; what a dropped line may lose


@dataclass(frozen=True)
class Descriptor:
    """What a manifest says of a blob (OCI image spec, descriptor.md)."""

    digest: str
    size: int
    media_type: str

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> Descriptor:
        """Read one from JSON; raises ValueError for what is none."""
        digest, size = value.get("digest"), value.get("size")
        if not isinstance(digest, str) or not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
            raise ValueError(f"{digest!r} is not a sha256 digest")
        if not isinstance(size, int) or size < 0:
            raise ValueError(f"{size!r} is not a size")
        return cls(digest, size, str(value.get("mediaType", "")))


def endpoints(reference: Reference) -> Iterator[Repository]:
    """Yield where to ask for a reference: $DOCKERLAB_REGISTRY_MIRROR (for docker.io), then its registry."""
    mirror = os.environ.get("DOCKERLAB_REGISTRY_MIRROR", "").strip().rstrip("/")
    if mirror and reference.registry == DOCKER_HUB:
        yield Repository(Connection(reference, mirror if "://" in mirror else scheme(mirror) + mirror))
    yield Repository(Connection(reference, address(reference)))


def for_this_machine(reference: Reference, manifests: Sequence[Mapping[str, Any]]) -> Descriptor:
    """Pick this machine's image of an index; attestations are for platform unknown/unknown."""
    offered = [
        (Platform.read(item.get("platform") or {}), item)
        for item in manifests
        if not oci.is_attestation(item)
    ]
    fitting = [(fit, item) for where, item in offered if (fit := here().fit(where))]
    if not fitting:
        there = ", ".join(sorted({str(where) for where, _ in offered}))
        raise RegistryError(
            f"{reference} has no image for {here()}; it has {there}.",
            hint="Take another tag or another base image.",
        )
    return Descriptor.read(max(fitting, key=lambda pair: pair[0])[1])


class Repository:
    """One repository at one registry."""

    def __init__(self, connection: Connection) -> None:
        self._to = connection
        self.reference = connection.reference
        self.server = connection.server
        self.close = connection.close

    def manifest(self, digest_or_tag: str) -> tuple[str, Mapping[str, Any]]:
        """Return a manifest or index and its digest, which is checked."""
        data = self.manifest_bytes(digest_or_tag)
        try:
            manifest = json.loads(data)
        except ValueError:
            manifest = None
        if not isinstance(manifest, dict) or manifest.get("schemaVersion") != 2:
            raise self._to.invalid_answer("something that is no image manifest of version 2")
        return _digest(data), manifest

    def manifest_bytes(self, digest_or_tag: str) -> bytes:
        """Return a manifest or index as it is, its digest checked."""
        accept = {"Accept": ", ".join(MANIFESTS)}
        data, headers = self._small(f"/manifests/{digest_or_tag}", accept, limit=_MAX_MANIFEST)
        digest = _digest(data)
        promised = (
            digest_or_tag if digest_or_tag.startswith("sha256:") else headers.get("Docker-Content-Digest")
        )
        if promised and promised.startswith("sha256:") and promised != digest:
            raise self._to.invalid_answer(f"a manifest with the digest {digest} for {promised}")
        return data

    def small_blob(self, blob: Descriptor) -> bytes:
        """Return a blob of at most 16 MiB, a config, its digest checked."""
        data, _ = self._small(f"/blobs/{blob.digest}", {}, limit=min(blob.size, oci.MAX_JSON))
        if _digest(data) != blob.digest:
            raise self._to.invalid_answer(f"a blob with the digest {_digest(data)} for {blob.digest}")
        return data

    def fetch(self, blob: Descriptor, part: Path) -> Iterator[int]:
        """Download a blob to `part`, going on where an earlier try ended; yield the bytes that are there.

        The digest is checked; a file with the wrong one is removed.
        """
        with part.open("a+b") as file:
            received = _Received(file)
            for _ in range(TRIES):
                try:
                    for chunk in self._rest(blob, received.size):
                        if chunk is None:
                            received.restart()
                        else:
                            received.add(chunk)
                            yield received.size
                    dropped = None
                except requests.RequestException as error:
                    dropped = error
                if received.size >= blob.size:
                    break
            else:
                raise self._to.failed(
                    f"stopped sending {blob.digest} after {received.size:,} of {blob.size:,} bytes, "
                    f"{TRIES} times",
                    "Try again: what was received is kept.",
                ) from dropped
        if received.digest() != blob.digest:
            part.unlink()
            raise self._to.invalid_answer(f"a blob with the digest {received.digest()} for {blob.digest}")

    def _rest(self, blob: Descriptor, start: int) -> Iterator[bytes | None]:
        """Yield the bytes from `start` on; None where the registry starts over instead."""
        if start == blob.size:
            return
        # Accept-Encoding: a registry must not compress on the way what has a digest.
        wanted = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        with self._to.get(f"/blobs/{blob.digest}", wanted, allowed=(200, 206, 416)) as answer:
            if start and answer.status_code != 206:
                yield None
            left = blob.size - (start if answer.status_code == 206 else 0)
            for chunk in answer.iter_content(_CHUNK) if answer.status_code != 416 else ():
                left -= len(chunk)
                yield chunk
                if left < 0:
                    return  # more than was promised: the digest will not match, so no more is read

    def _small(self, path: str, headers: Mapping[str, str], *, limit: int) -> tuple[bytes, Mapping[str, str]]:
        for left in reversed(range(TRIES)):
            try:
                with self._to.get(path, headers) as answer:
                    data = bytearray()
                    for chunk in answer.iter_content(_CHUNK):
                        data += chunk
                        if len(data) > limit:
                            raise self._to.invalid_answer(f"more than {limit} bytes for {path}")
                    return bytes(data), answer.headers
            except requests.RequestException as error:
                if not left:
                    raise self._to.broke(error) from error
        raise AssertionError("unreachable")


class _Received:
    """The part of a blob that is on disk, and its hash so far."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0
        file.seek(0)
        while known := file.read(_CHUNK):
            self._hash.update(known)
            self.size += len(known)

    def add(self, chunk: bytes) -> None:
        self._file.write(chunk)
        self._hash.update(chunk)
        self.size += len(chunk)

    def restart(self) -> None:
        self._file.truncate(0)
        self._hash = hashlib.sha256()
        self.size = 0

    def digest(self) -> str:
        return "sha256:" + self._hash.hexdigest()


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()
