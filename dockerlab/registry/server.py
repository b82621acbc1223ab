"""A registry for one lesson: on loopback, its blobs in a folder, gone with it (OCI distribution spec).

It takes what Docker, skopeo and the lab push, and hands it out. No logins, no deleting, no listing.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
import threading
import weakref
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from dockerlab.image import oci

_PATH = re.compile(r"/v2/(?P<name>[a-z0-9._/-]+)/(?P<kind>blobs/uploads|blobs|manifests)/(?P<what>[\w.:-]*)")
_CHUNK = 1 << 20


class Request(NamedTuple):
    """What was asked of the registry, and the bytes of blobs and manifests that went in and out."""

    method: str
    path: str
    received: int
    sent: int


class Registry:
    """A registry that serves until it is closed or forgotten; `address` begins the names of its images."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="dockerlab-registry-")
        self.requests: list[Request] = []
        kept = type("Handler", (_Handler,), {"root": Path(self._folder.name), "log": self.requests})
        server = ThreadingHTTPServer(("127.0.0.1", 0), kept)
        server.daemon_threads = True
        self.address = f"127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.close = weakref.finalize(self, _close, server, self._folder)

    def __repr__(self) -> str:
        return f"A registry at {self.address}, for this notebook alone"


def _close(server: ThreadingHTTPServer, folder: tempfile.TemporaryDirectory[str]) -> None:
    server.shutdown()
    server.server_close()
    folder.cleanup()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    root: Path
    log: list[Request]

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        asked = _PATH.fullmatch(urlsplit(self.path).path)
        if asked is None:
            self._answer(200 if self.path == "/v2/" else 404)
            return
        blob = self._kept(asked)
        if blob is None:
            self._answer(404, b'{"errors":[]}')
            return
        data = blob.read_bytes()
        kind = blob.with_suffix(".type")
        headers = {
            "Docker-Content-Digest": oci.digest_of(data),
            "Content-Type": kind.read_text() if kind.exists() else "application/octet-stream",
        }
        self._answer(200, data, headers)

    def do_POST(self) -> None:
        upload = f"{uuid4().hex}.part"
        (self.root / upload).touch()
        where = urlsplit(self.path).path.partition("/blobs/uploads")[0]
        self._answer(
            202, headers={"Location": f"{where}/blobs/uploads/{upload}", "Docker-Upload-UUID": upload}
        )

    def do_PATCH(self) -> None:
        part = self._part()
        if part is None:
            self._answer(404)
            return
        received = self._receive(part)
        headers = {"Location": urlsplit(self.path).path, "Range": f"0-{part.stat().st_size - 1}"}
        self._answer(202, headers=headers, received=received)

    def do_PUT(self) -> None:
        asked = _PATH.fullmatch(urlsplit(self.path).path)
        if asked is None:
            self._answer(404)
        elif asked["kind"] == "manifests":
            data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            digest = oci.digest_of(data)
            for name in {digest, asked["what"]}:
                place = self._place(asked["name"], "manifests", name)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(data)
                place.with_suffix(".type").write_text(self.headers.get("Content-Type", oci.MANIFEST))
            self._answer(201, headers={"Docker-Content-Digest": digest}, received=len(data))
        else:
            self._finish(asked["name"])

    def _finish(self, name: str) -> None:
        part = self._part()
        wanted = parse_qs(urlsplit(self.path).query).get("digest", [""])[0]
        if part is None:
            self._answer(404)
            return
        received = self._receive(part)
        digest = oci.digest_of(part.read_bytes())
        if digest != wanted:
            part.unlink()
            self._answer(400, received=received)
            return
        place = self._place(name, "blobs", digest)
        place.parent.mkdir(parents=True, exist_ok=True)
        part.replace(place)
        self._answer(201, headers={"Docker-Content-Digest": digest}, received=received)

    def _part(self) -> Path | None:
        part = self.root / urlsplit(self.path).path.rpartition("/")[2]
        return part if part.suffix == ".part" and part.exists() else None

    def _receive(self, part: Path) -> int:
        """Add the body to an upload: of a length that is said, or in chunks (RFC 9112, section 7.1)."""
        received = 0
        with part.open("ab") as out:
            while left := self._next():
                while left:
                    data = self.rfile.read(min(left, _CHUNK))
                    out.write(data)
                    left -= len(data)
                    received += len(data)
                if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                    break
                self.rfile.readline()
        return received

    def _next(self) -> int:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return int(self.headers.get("Content-Length", 0))
        size = int(self.rfile.readline().partition(b";")[0], 16)
        if not size:
            self.rfile.readline()
        return size

    def _place(self, name: str, kind: str, what: str) -> Path:
        # One flat name a thing: no path that is asked for can lead out of the folder.
        return self.root / kind / hashlib.sha256(f"{name}\n{what}".encode()).hexdigest()

    def _kept(self, asked: re.Match[str]) -> Path | None:
        place = self._place(asked["name"], asked["kind"], asked["what"])
        return place if place.exists() else None

    def _answer(
        self, status: int, data: bytes = b"", headers: dict[str, str] | None = None, received: int = 0
    ) -> None:
        body = data if self.command == "GET" else b""
        self.log.append(Request(self.command, self.path.partition("?")[0], received, len(body)))
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing: the requests are kept."""
