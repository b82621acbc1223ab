"""Names and limits of the OCI image spec and of Docker's own image format, and our annotations."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'  # the file oci-layout

REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"  # beside it REF_NAME is the tag alone
BASE_LAYERS = "dev.dockerlab.base-layers"  # how many layers of an image came from its base
STAND_IN = "dev.dockerlab.stand-in"  # the reference that its base stands in for; a label too

MAX_JSON = 16 << 20  # bytes; an index, manifest or config is a few kB: more is not one


def encoded(value: object) -> bytes:
    """Return compact JSON in UTF-8; a lone surrogate (a byte of a name that is not UTF-8) is escaped."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "backslashreplace")


def digest_of(data: bytes) -> str:
    """Return the digest of bytes: "sha256:..."."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def blob_name(digest: str) -> str:
    """Return where a layout has a blob: "blobs/sha256/..."."""
    return "blobs/" + digest.replace(":", "/", 1)


def is_attestation(descriptor: Mapping[str, Any]) -> bool:
    """Tell whether what an index lists is no image but what BuildKit says of how one was built."""
    where = descriptor.get("platform") or {}
    return "vnd.docker.reference.type" in (descriptor.get("annotations") or {}) or "unknown" in (
        where.get("os"),
        where.get("architecture"),
    )
