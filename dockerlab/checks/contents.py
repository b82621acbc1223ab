"""What images and layers hold: a file as a container sees it, files of a layer picked by what they hold."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence

from dockerlab.analysis.history import Row
from dockerlab.checks.decodings import decoded_forms
from dockerlab.engines.results import Build
from dockerlab.image.filesystem import CHUNK, Entry, Node, Tree
from dockerlab.image.image import Layer
from dockerlab.units import count, human_bytes

_UNPACKED = 100_000_000  # bytes: of a larger file nobody looks for what is packed in it

Picks = Callable[[Entry, Layer], bool]


def below(*folders: str, but: str = r"\0") -> Picks:
    """Pick what is at one of these paths or below it; not what ends in `but`, a pattern."""
    inside, kept = tuple(f"{folder}/" for folder in folders), re.compile(f"(?:{but})$")
    return lambda entry, _: f"{entry.path}/".startswith(inside) and not kept.search(entry.path)


def same_content(starter: Build, *paths: str) -> Picks:
    """Pick files with the content that a layer of the starter has at one of these paths, under any name."""
    wanted = {
        (entry.size, digest_in(layer, entry))
        for layer in starter.image.layers
        for entry in layer.entries
        if entry.path in paths and entry.kind == "file"
    }
    sizes = {size for size, _ in wanted}
    return lambda entry, layer: (
        entry.kind == "file" and entry.size in sizes and (entry.size, digest_in(layer, entry)) in wanted
    )


def holding(*marks: bytes, least: int = 1) -> Picks:
    """Pick files of at least so many bytes that hold one of these patterns, plain, packed or encoded."""
    wanted = [re.compile(mark, re.DOTALL) for mark in marks]

    def holds(entry: Entry, layer: Layer) -> bool:
        if entry.kind != "file" or not least <= entry.size <= _UNPACKED:
            return False
        with layer.open(entry) as file:
            data = file.read()
        return any(mark.search(form) for form in decoded_forms(data) for mark in wanted)

    return holds


def final_file(build: Build, path: str) -> bytes | None:
    """Return the content of a file as a container of the image sees it, symbolic links followed, or None."""
    node = followed(build.image.tree(), path)
    return content_of(node) if node is not None and node.entry.kind == "file" else None


def followed(tree: Tree, path: str) -> Node | None:
    """Return what is at a path, symbolic links followed, or None."""
    try:
        return tree.get(tree.resolve(path))
    except OSError:  # links that lead round in a circle
        return None


def content_of(node: Node) -> bytes:
    """Read a file of a tree; of a link its text."""
    if node.entry.kind != "file":
        return node.entry.link.encode()
    with node.origin.open(node.entry) as file:
        return file.read()


def digest_in(layer: Layer, entry: Entry | None) -> str:
    """Return the SHA-256 of a layer's file, "" for what is no file."""
    if entry is None or entry.kind != "file":
        return ""
    digest = hashlib.sha256()
    with layer.open(entry) as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def unpacked_in(layer: Layer, entry: Entry | None) -> str:
    """Return the SHA-256 of what a layer's file holds once it is unpacked and decoded."""
    if entry is None or entry.kind != "file":
        return ""
    with layer.open(entry) as file:
        *_, innermost = decoded_forms(file.read())
    return digest_of(innermost)


def digest_of(content: object) -> str:
    """Return the SHA-256 of what a context is given for a file."""
    data = getattr(content, "data", content)
    return hashlib.sha256(data if isinstance(data, bytes) else str(data).encode()).hexdigest()


def stored(found: Sequence[tuple[Row, Entry]]) -> str:
    """Say how much is stored, under which path, and by which lines."""
    if not found:
        return "in no layer"
    size = human_bytes(sum(entry.size for _, entry in found))
    lines = ", ".join(dict.fromkeys(row.where for row, _ in found))
    largest = max((entry for _, entry in found), key=lambda entry: entry.size)
    more = f" and {count(len(found) - 1, 'more file')}" if len(found) > 1 else ""
    return f"{size} stored by {lines}: /{largest.path}{more}"
