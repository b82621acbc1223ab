"""What a store and its images hold, found out without the store's own code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dockerlab.image.image import Image

Content = dict[str, tuple[object, ...]]


def content(image: Image) -> Content:
    """Return what a container of the image would see, without times; files by the digest of their content."""
    tree = image.tree()
    found: Content = {}
    for path in tree:
        node = tree.get(path)
        assert node is not None
        entry, data = node.entry, b""
        if entry.kind == "file":
            with node.origin.open(entry) as stream:
                data = stream.read()
            assert len(data) == entry.size, path
        found[path] = (
            entry.kind,
            entry.mode,
            entry.uid,
            entry.gid,
            entry.link,
            hashlib.sha256(data).digest(),
        )
    return found


def wrong_in_layout(root: Path) -> list[str]:
    """Return what in the OCI layout at `root` is not as the image specification has it, a sentence each."""
    blobs = {path.name: path.stat().st_size for path in (root / "blobs" / "sha256").iterdir()}
    wrong = [f"the blob {name} has other content" for name in blobs if _digest(root, name) != name]
    if _json(root / "oci-layout") != {"imageLayoutVersion": "1.0.0"}:
        wrong.append("oci-layout has other content")
    index = _json(root / "index.json")
    names = [
        item.get("annotations", {}).get("org.opencontainers.image.ref.name") for item in index["manifests"]
    ]
    named = [name for name in names if name is not None]
    if len(named) != len(set(named)):
        wrong.append("index.json has a name twice")
    for item in index["manifests"]:
        if item["digest"][7:] not in blobs:
            wrong.append(f"the manifest {item['digest']} is missing")
            continue
        for part in _parts(root, item):
            if blobs.get(part["digest"][7:]) != part["size"]:
                wrong.append(
                    f"{part['digest']} has {blobs.get(part['digest'][7:])} bytes, not {part['size']}"
                )
    return wrong


def _parts(root: Path, descriptor: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield descriptor
    manifest = _json(root / "blobs" / "sha256" / descriptor["digest"][7:])
    yield manifest["config"]
    yield from manifest["layers"]
    config = _json(root / "blobs" / "sha256" / manifest["config"]["digest"][7:])
    assert config["rootfs"]["diff_ids"] == [layer["digest"] for layer in manifest["layers"]]


def _json(path: Path) -> dict[str, Any]:
    value = json.loads(path.read_bytes())
    assert isinstance(value, dict)
    return value


def _digest(root: Path, name: str) -> str:
    digest = hashlib.sha256()
    with (root / "blobs" / "sha256" / name).open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
