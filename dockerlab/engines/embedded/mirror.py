"""Packages without a network: what apt's, pip's and npm's servers said is kept, and said again on loopback.

A store that was made by `dockerlab bundle create` has a folder `mirror`: a file for whatever a RUN of a
lesson asked for, whose first line is {"url", "status", "type"} as JSON, and whose rest is the body.
While a RUN runs, a server on a free port of loopback answers from it; what it has not is asked of the
network. The RUN finds it by three variables that apt, pip and npm read, and that count for no cache key, as
proxies count for none. Signatures and digests are checked by apt, pip and npm as ever.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urljoin

from dockerlab.engines.embedded.sandbox.contract import Mount
from dockerlab.engines.embedded.store import durable
from dockerlab.engines.embedded.store.store import Store
from dockerlab.printable import escape

FOLDER = "mirror"
PIP_INDEX = "PIP_INDEX_URL"
NPM_REGISTRY = "npm_config_registry"
RECORDING = "recording"  # a file in the folder: what is not there yet is fetched and kept
APT_CONFIG = "/run/dockerlab-apt.conf"  # where a RUN sees apt's settings
# Lists that were kept are older than their Valid-Until: they are what the kept packages belong to.
_APT = """Acquire::http::Proxy "http://127.0.0.1:{port}";
Acquire::https::Proxy "DIRECT";
Acquire::Check-Valid-Until "false";
"""
_INDEX = "/-/simple/"  # of pip; npm has no package whose name begins with "-"
_LINKED = "/-/linked/"  # + scheme/host/path: what a page of pip's index leads to
_FETCH_SECONDS = (5.0, 60.0)  # to connect, and without a byte
_WORTH_KEEPING = {200, 404}


@dataclass(frozen=True)
class Page:
    """What a server answered."""

    url: str
    status: int
    type: str
    body: bytes


def folder(store: Store) -> Path | None:
    """Return the mirror of a store, else of the shared one it reads, else None."""
    roots = [store.root, *([store.shared.root] if store.shared is not None else [])]
    return next((root / FOLDER for root in roots if (root / FOLDER).is_dir()), None)


@contextmanager
def serving(kept: Path, place: Path) -> Iterator[tuple[Mapping[str, str], Mount]]:
    """Serve a mirror; yields the variables for a RUN, and the mount of apt's settings, written at `place`."""

    class Handler(_Handler):
        pages = kept

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        place.write_text(_APT.format(port=port))
        here = f"http://127.0.0.1:{port}"
        variables = {"APT_CONFIG": APT_CONFIG, PIP_INDEX: here + _INDEX, NPM_REGISTRY: f"{here}/"}
        if (kept / RECORDING).exists():  # what has no known address is asked for as ever, and not kept
            variables = {
                name: to for name, to in variables.items() if name == "APT_CONFIG" or _upstream(name)
            }
        try:
            yield variables, Mount("bind", APT_CONFIG, place, read_only=True)
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD; apt asks as one asks a proxy, pip and npm as one asks a server."""

    protocol_version = "HTTP/1.1"
    pages: Path

    def do_GET(self) -> None:
        """Answer with the page."""
        page = self._page()
        body = _with_links_here(page) if self.path.startswith(_INDEX) else page.body
        self.send_response(page.status, None if page.status != 504 else page.body.decode("latin-1"))
        self.send_header("Content-Type", page.type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - http.server's name

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing: what went wrong is said by who asked."""

    def _page(self) -> Page:
        page = _kept(self.pages, self.path)
        if page is not None:
            return page
        url = _asked(self.path)
        if url is None:
            return Page(self.path, 504, "text/plain", b"not in the bundle")
        page = _fetched(url, self.headers.get("Accept", "*/*"), index=self.path.startswith(_INDEX))
        if page.status in _WORTH_KEEPING and (self.pages / RECORDING).exists():
            about = json.dumps({"url": url, "status": page.status, "type": page.type}).encode()
            durable.write_whole(
                _file(self.pages, self.path), about + b"\n" + page.body, temporary=self.pages, sync=False
            )
        return page


def _asked(path: str) -> str | None:
    """Return the address on the network that is meant by what a program asked for; None: it is not known."""
    if path.startswith("http://"):
        return path
    if path.startswith(_LINKED):
        return path.removeprefix(_LINKED).replace("/", "://", 1)
    name, rest = (PIP_INDEX, path.removeprefix(_INDEX)) if path.startswith(_INDEX) else (NPM_REGISTRY, path)
    server = _upstream(name)
    return f"{server.rstrip('/')}/{rest.lstrip('/')}" if server else None


def _upstream(name: str) -> str:
    """Return the address that pip or npm is told to ask by their variable; else the one pip was made with."""
    told = os.environ.get(name, "")
    if not told and name == PIP_INDEX:
        with suppress(ImportError, AttributeError):
            told = importlib.import_module("pip._internal.models.index").PyPI.simple_url
    return told


def _with_links_here(page: Page) -> bytes:
    """Return a page of pip's index, its links leading to this server."""

    def here(found: re.Match[str]) -> str:
        target = urljoin(page.url, unescape(found[1]))
        return f'href="{_LINKED}{escape(target.replace("://", "/", 1))}"'

    return re.sub(r'href="([^"]*)"', here, page.body.decode("utf-8", "replace")).encode()


def _file(pages: Path, asked: str) -> Path:
    return pages / hashlib.sha256(asked.encode()).hexdigest()


def _kept(pages: Path, asked: str) -> Page | None:
    try:
        about, _, body = _file(pages, asked).read_bytes().partition(b"\n")
    except FileNotFoundError:
        return None
    return Page(**json.loads(about), body=body)


def _fetched(url: str, accept: str, *, index: bool) -> Page:
    """Ask the network; where it does not answer, the page says so: 504."""
    import requests

    accept = "text/html" if index else accept  # the one form whose links are put right here
    try:
        answer = requests.get(
            url, headers={"Accept": accept, "Accept-Encoding": "identity"}, timeout=_FETCH_SECONDS
        )
    except requests.RequestException:
        said = f"not in the bundle, and {url.split('/')[2]} does not answer"
        return Page(url, 504, "text/plain", said.encode())
    return Page(url, answer.status_code, answer.headers.get("Content-Type", ""), answer.content)
