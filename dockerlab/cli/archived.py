"""Whether what a command is pointed at is an archive or an OCI layout, and the image in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dockerlab.image.image import Image


def image_at(where: str, reference: str | None) -> Image | None:
    """Return the image in an archive or an OCI layout, None where `where` is neither."""
    path = Path(where)
    stored = (path / "index.json").is_file() or (path / "manifest.json").is_file()
    if stored or (path.is_file() and (_is_archive(path) or "dockerfile" not in path.name.lower())):
        from dockerlab.image.archive_reader import read_archive

        return read_archive(path, reference)
    return None


def _is_archive(path: Path) -> bool:
    from dockerlab.image.compression import detect_compression

    with path.open("rb") as file:
        head = file.read(262)
    return head[257:262] == b"ustar" or detect_compression(head) is not None
