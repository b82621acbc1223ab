"""A copy of a build context's files in a folder of its own, for a builder that wants to see a folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dockerlab.context.files import ON_WINDOWS
from dockerlab.image import temporary
from dockerlab.image.filesystem import CHUNK, Node, Tree


@contextlib.contextmanager
def materialized(tree: Tree) -> Iterator[Path]:
    """Give a folder that holds `tree`, gone after the `with`."""
    with tempfile.TemporaryDirectory(dir=temporary.home(), ignore_cleanup_errors=ON_WINDOWS) as name:
        root = Path(name)
        nodes = [(path, node) for path in tree.walk("") if (node := tree.get(path)) is not None]
        for path, node in nodes:
            _write(root / path, node)
        # Folders last and from the bottom: writing into them would change their times, or be refused.
        folders = [(root / path, node.entry) for path, node in reversed(nodes) if node.entry.kind == "dir"]
        for folder, entry in folders:
            os.utime(folder, (entry.mtime, entry.mtime))
        for folder, entry in folders:
            folder.chmod(entry.mode)
        try:
            yield root
        finally:
            for folder, _ in reversed(folders):
                folder.chmod(0o700)


def _write(target: Path, node: Node) -> None:
    """Make `target` what the entry says; a folder's mode and time are left for later, when it is full."""
    entry = node.entry
    if entry.kind == "dir":
        target.mkdir()
    elif entry.kind == "symlink":
        target.symlink_to(entry.link)
    elif entry.kind == "fifo":
        os.mkfifo(target, entry.mode)
    elif entry.kind == "file":
        with node.origin.open(entry) as source, target.open("wb") as out:
            shutil.copyfileobj(source, out, CHUNK)
        target.chmod(entry.mode)
        os.utime(target, (entry.mtime, entry.mtime))
