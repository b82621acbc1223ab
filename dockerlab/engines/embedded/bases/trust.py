"""Certificates of the network this machine is in: where TLS is inspected, images must trust them as well."""

from __future__ import annotations

import os
import re
from pathlib import Path

FOLDER = "usr/local/share/ca-certificates"  # what update-ca-certificates(8) adds to the bundle it makes
_SHIPPED = Path("/usr/share/ca-certificates")
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def own_certificates() -> list[bytes]:
    """Return the certificates in $SSL_CERT_FILE that no public bundle has, as PEM; [] where it is not set.

    Public are those of the host's distribution and of certifi, which comes with requests.
    """
    path = Path(os.environ.get("SSL_CERT_FILE") or os.devnull)
    if not path.is_file():
        return []
    import certifi

    public = Path(certifi.where()).read_bytes()
    for file in _SHIPPED.rglob("*.crt"):
        public += b"\n" + file.read_bytes()
    seen = {_bare(pem) for pem in _CERTIFICATE.findall(public)}
    found = []
    for pem in _CERTIFICATE.findall(path.read_bytes()):
        if _bare(pem) not in seen:
            seen.add(_bare(pem))
            found.append(pem + b"\n")
    return found


def _bare(pem: bytes) -> bytes:
    return b"".join(pem.split())
