"""Images as Docker before 1.10 saved them: a folder a layer, with VERSION, json and layer.tar."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dockerlab.errors import ImageError
from dockerlab.image.archive_files import DAMAGED, Files, read_json
from dockerlab.image.compression import decompress, detect_compression, window

# What Docker drops of the JSON when it makes a config of it (moby, image/v1).
_DROPPED = ("id", "parent", "Size", "parent_id", "layer_id", "throwaway")


@dataclass(frozen=True)
class Version1:
    """One such image, with the config that Docker makes of it."""

    folder: str  # of its highest layer
    names: tuple[str, ...]
    config: bytes
    layers: tuple[str, ...]  # file names, lowest first
    lacks: str


def version_1(files: Files, folders: Sequence[str]) -> Iterator[Version1]:
    """Yield the images that have a name, and those that no other continues."""
    nodes = {folder: read_json(files, f"{folder}/json") for folder in folders}
    named: dict[str, list[str]] = {}
    if files.where("repositories"):
        for repository, tags in read_json(files, "repositories").items():
            for tag, folder in tags.items():
                named.setdefault(folder, []).append(f"{repository}:{tag}")
    continued = {node.get("parent") for node in nodes.values()}
    for folder in (folder for folder in nodes if folder in named or folder not in continued):
        chain = _chain(files, nodes, folder)
        layers = tuple(f"{layer}/layer.tar" for layer in chain)
        lacks = next((f"the layer {file}" for file in layers if files.where(file) is None), "")
        config = {key: value for key, value in nodes[folder].items() if key not in _DROPPED}
        diff_ids = [] if lacks else [_diff_id(files, file) for file in layers]
        config["rootfs"] = {"type": "layers", "diff_ids": diff_ids}
        config["history"] = [_row(nodes[layer]) for layer in chain]
        yield Version1(folder, tuple(named.get(folder, ())), _go_json(config), layers, lacks)


def _chain(files: Files, nodes: Mapping[str, Any], folder: str) -> list[str]:
    """Return a layer and those below it, lowest first."""
    chain: list[str] = []
    at: str | None = folder
    while at:
        if at in chain or at not in nodes:
            raise ImageError(f"{files.source} lacks the layer {at} below {folder}.", hint=DAMAGED)
        chain.insert(0, at)
        at = nodes[at].get("parent")
    return chain


def _diff_id(files: Files, file: str) -> str:
    where = files.where(file)
    assert where is not None
    sha = hashlib.sha256()
    with window(where.path, where.offset, where.length, small=0) as packed:
        for chunk in decompress(packed, detect_compression(where.head()), source=file):
            sha.update(chunk)
    return f"sha256:{sha.hexdigest()}"


def _row(node: Mapping[str, Any]) -> dict[str, Any]:
    command = " ".join((node.get("container_config") or {}).get("Cmd") or ())
    row = {"created": node.get("created"), "author": node.get("author"), "created_by": command}
    row["comment"] = node.get("comment")
    return {key: value for key, value in row.items() if value}


def _go_json(value: Mapping[str, Any]) -> bytes:
    """Return JSON as Go writes a map: sorted, nothing between, and safe within HTML."""
    text = json.dumps(dict(sorted(value.items())), separators=(",", ":"), ensure_ascii=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text.encode("utf-8", "backslashreplace")
