"""A small root file system made of this host's own shell and core tools, as a layer."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
from pathlib import Path

from dockerlab.image.filesystem import Entry
from dockerlab.image.layer import BlobLayer
from dockerlab.image.tar_writer import LayerWriter, in_order

TOOLS = [
    "sh",
    "cat",
    "chmod",
    "chown",
    "chgrp",
    "cp",
    "date",
    "env",
    "id",
    "install",
    "ln",
    "ls",
    "mkdir",
    "mknod",
    "mv",
    "rm",
    "rmdir",
    "sed",
    "sleep",
    "stat",
    "touch",
    "true",
]
PATH = "/usr/bin:/bin"


def tool_files() -> dict[str, Path] | None:
    """Return path in the image -> host file for the tools and their libraries; None where one is missing."""
    files: dict[str, Path] = {}
    for tool in TOOLS:
        found = shutil.which(tool, path="/usr/bin:/bin")
        if found is None:
            return None
        files[f"usr/bin/{tool}"] = Path(found).resolve()
    listing = subprocess.run(
        ["ldd", *map(str, set(files.values()))], capture_output=True, text=True, check=False
    ).stdout
    for word in listing.split():
        if word.startswith("/") and not word.endswith(":"):
            files[_merged(word.lstrip("/"))] = Path(word).resolve()
    return files


def _merged(path: str) -> str:
    return path if path.startswith("usr/") else f"usr/{path}"


def layer_of(entries: list[Entry], contents: dict[str, bytes], folder: Path) -> BlobLayer:
    """Write a layer blob with these entries."""
    out = io.BytesIO()
    writer = LayerWriter(out)
    for entry in in_order(entries):
        writer.add(entry, contents.get(entry.path))
    writer.close()
    return blob(out.getvalue(), folder)


def blob(data: bytes, folder: Path) -> BlobLayer:
    """Keep a layer tar as a file and open it."""
    digest = hashlib.sha256(data).hexdigest()
    path = folder / digest
    path.write_bytes(data)
    return BlobLayer(path, f"sha256:{digest}")


def base_layer(folder: Path, extra: dict[str, tuple[Entry, bytes]] | None = None) -> BlobLayer | None:
    """Return a layer with the tools, /etc/passwd and /tmp; None where this host lacks one of them."""
    files = tool_files()
    if files is None:
        return None
    contents = {path: source.read_bytes() for path, source in files.items()}
    modes = dict.fromkeys(contents, 493)
    contents["etc/passwd"] = b"root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n"
    contents["etc/group"] = b"root:x:0:\napp:x:1000:\n"
    entries = {
        path: Entry(path, "file", modes.get(path, 0o644), mtime=1_600_000_000, size=len(data))
        for path, data in contents.items()
    }
    for path, (entry, data) in (extra or {}).items():
        entries[path] = entry
        contents[path] = data
    for path in list(entries):
        while path := os.path.dirname(path):  # noqa: PTH120 - a path inside the image
            entries.setdefault(path, Entry(path, "dir", 0o755, mtime=1_600_000_000))
    for link in ("bin", "lib", "lib64"):
        if link == "bin" or f"usr/{link}" in entries:
            entries[link] = Entry(link, "symlink", 0o777, link=f"usr/{link}", mtime=1_600_000_000)
    entries["tmp"] = Entry("tmp", "dir", 0o1777, mtime=1_600_000_000)
    return layer_of(list(entries.values()), contents, folder)
