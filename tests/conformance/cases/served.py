"""What the web server on loopback holds for ADD from a URL."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Served:
    """One file on the server."""

    content: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def _tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        member = tarfile.TarInfo("member.txt")
        member.size = 2
        tar.addfile(member, io.BytesIO(b"m\n"))
    return out.getvalue()


DATED = {"Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"}

SERVED: Mapping[str, Served] = {
    "/plain.txt": Served(b"from a server\n", DATED),
    "/no-date.txt": Served(b"no date\n"),
    "/with%20space.txt": Served(b"space\n", DATED),
    "/disposition": Served(b"named\n", {**DATED, "Content-Disposition": 'attachment; filename="named.txt"'}),
    "/": Served(b"root\n", DATED),
    "/archive.tar": Served(_tar(), DATED),
    "/archive.tar.gz": Served(gzip.compress(_tar(), mtime=0), DATED),
}
