"""Images made of tiny layer tars, written to a real archive and read back as any image is."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from dockerlab.image.archive_reader import read_archive
from dockerlab.image.image import Image

Members = Mapping[str, "bytes | int | str | tuple[str, str] | None"]


def layer_tar(members: Members | Sequence[tuple[str, object]]) -> bytes:
    """Make a layer: path -> content, a size in bytes, None (removed), "dir", "opaque", or (kind, target).

    Kinds with a target are "symlink" and "hardlink"; ("mode", "755") is an empty file. A sequence of pairs
    may name a path twice.
    """
    out = io.BytesIO()
    pairs = members.items() if isinstance(members, Mapping) else members
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, what in pairs:
            folder, _, name = path.rpartition("/")
            info = tarfile.TarInfo(path)
            content = b""
            if what is None:
                info.name = f"{folder}/.wh.{name}".lstrip("/")
            elif what == "opaque":
                info.name = f"{path}/.wh..wh..opq"
            elif what == "dir":
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            elif isinstance(what, tuple) and what[0] == "mode":
                info.mode = int(what[1], 8)
            elif isinstance(what, tuple):
                info.type = tarfile.SYMTYPE if what[0] == "symlink" else tarfile.LNKTYPE
                info.linkname = what[1]
            elif isinstance(what, bytes):
                content = what
            else:
                content = bytes(what)  # type: ignore[call-overload]
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def stack(
    folder: Path,
    layers: Sequence[Members | Sequence[tuple[str, object]]],
    *,
    history: Sequence[str | None] | None = None,
    base: int = 0,
    stand_in: str | None = None,
    name: str = "stack:latest",
) -> Image:
    """Write an image archive and read it.

    `history` holds one record per row; one that starts with "-" made no layer. `base` counts base layers.
    """
    tars = [layer_tar(members) for members in layers]
    records = (
        history if history is not None else [f"RUN /bin/sh -c step {i} # buildkit" for i in range(len(tars))]
    )
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "rootfs": {
                "type": "layers",
                "diff_ids": [f"sha256:{hashlib.sha256(tar).hexdigest()}" for tar in tars],
            },
            "history": [
                {"created_by": (record or "").removeprefix("-"), "empty_layer": True}
                if (record or "").startswith("-")
                else {"created_by": record or ""}
                for record in records
            ],
        }
    ).encode()
    blobs = {f"{number}/layer.tar": tar for number, tar in enumerate(tars)}
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": list(blobs)}]
    path = folder / "image.tar"
    with tarfile.open(path, "w") as archive:
        for member, data in {
            "config.json": config,
            "manifest.json": json.dumps(manifest).encode(),
            **blobs,
        }.items():
            info = tarfile.TarInfo(member)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return replace(read_archive(path), base_layers=base, stand_in=stand_in)
