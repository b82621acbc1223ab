"""What a container can count on: which parts of a Linux system an image has."""

from __future__ import annotations

import re
from collections.abc import Mapping

from dockerlab.image.image import Image

# Part -> the paths of it that images have, as regular expressions; a program is below bin or usr/bin.
PARTS: Mapping[str, re.Pattern[str]] = {
    part: re.compile(paths)
    for part, paths in {
        "shell": r"(usr/)?bin/(sh|dash|bash|ash|busybox)",
        "package manager": r"(usr/)?s?bin/(apt-get|apk|dnf|microdnf|yum|pacman|zypper)",
        "package records": r"var/lib/dpkg/status(\.d/.+)?|(usr/)?lib/apk/db/installed"
        r"|(var|usr)/(lib|share)/(sysimage/)?rpm/.+",
        "C library": r"(usr/)?lib[^/]*/([^/]+/)?ld-(linux|musl)[^/]*\.so[^/]*",
        "certificates": r"etc/ssl/certs/ca-certificates\.crt|etc/ssl/cert\.pem"
        r"|etc/pki/(tls/certs|ca-trust/.+)/.+\.(crt|pem)",
        "time zones": r"usr/share/zoneinfo/.+",
        "user names": r"etc/passwd",
        "C compiler": r"(usr/)?bin/(cc|gcc|clang)",
    }.items()
}


def equipment(image: Image) -> dict[str, bool]:
    """Return of each part whether the image has a file or link of it, as a container sees the image."""
    tree = image.tree()
    kinds = {path: node.entry.kind for path in tree if (node := tree.get(path))}
    found = [path for path, kind in kinds.items() if kind != "dir"]
    return {part: any(map(paths.fullmatch, found)) for part, paths in PARTS.items()}
