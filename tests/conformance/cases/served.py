"""What the web server on loopback holds for ADD from a URL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Served:
    """One file on the server."""

    content: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


DATED = {"Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"}

SERVED: Mapping[str, Served] = {
    "/plain.txt": Served(b"from a server\n", DATED),
}
