"""`docker build -`: a Dockerfile, or an archive of a whole build context, on standard input."""

from __future__ import annotations

import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dockerlab.dockerfile.parser import decode
from dockerlab.errors import ContextError
from dockerlab.image import temporary

_ZSTD = b"\x28\xb5\x2f\xfd"


@contextmanager
def context_or_dockerfile() -> Iterator[Path | str]:
    """Yield the folder that an archive was unpacked to, gone afterwards, or a Dockerfile's text.

    The archive may be plain or packed with gzip, bzip2 or xz, as Docker takes it.
    """
    with tempfile.TemporaryDirectory(dir=temporary.home()) as name, tempfile.TemporaryFile() as spooled:
        shutil.copyfileobj(sys.stdin.buffer, spooled)
        spooled.seek(0)
        head = spooled.read(4)
        spooled.seek(0)
        if head == _ZSTD:
            raise ContextError(
                "The archive on standard input is packed with zstd, which is not done here.",
                hint="Unpack it before: zstd -dc context.tar.zst | dockerlab build -",
            )
        try:
            with tarfile.open(fileobj=spooled, mode="r:*") as tar:
                tar.extractall(name, filter=_member)
        except tarfile.ReadError:
            spooled.seek(0)
            yield decode(spooled.read())
            return
        except (tarfile.TarError, EOFError, OSError) as error:
            raise ContextError(
                f"The archive on standard input is not a build context: {error}",
                hint="Make it again with tar.",
            ) from error
        yield Path(name)


def _member(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    """Take files, folders and links with their modes, and nothing that leads out of the folder."""
    if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
        return None
    return tarfile.tar_filter(member, folder).replace(mode=member.mode, deep=False)
