"""Packages without a network: what a RUN fetched once is given to it again when the server is gone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import requests

from dockerlab.context.context import Context, File
from dockerlab.engines.embedded import EmbeddedEngine, mirror
from dockerlab.errors import EngineError

PAGES = {
    "/simple/tiny/": b'<a href="../../files/tiny-1.0%2Blocal-py3-none-any.whl#sha256=ab">tiny</a>',
    "/files/tiny-1.0%2Blocal-py3-none-any.whl": b"wheel",
    "/express": b'{"name": "express"}',
    "/debian/dists/trixie/InRelease": b"signed",
}


class Answers(BaseHTTPRequestHandler):
    """A server of packages."""

    def do_GET(self) -> None:
        """Answer."""
        body = PAGES.get(self.path)
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Type", "text/html" if "simple" in self.path else "application/octet-stream")
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing."""


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    """Serve packages, and name that server as pip's index and npm's registry."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        monkeypatch.setenv("PIP_INDEX_URL", f"{address}/simple")
        monkeypatch.setenv("npm_config_registry", address)
        monkeypatch.setenv("no_proxy", "")
        yield server
        server.shutdown()
        thread.join()


def asked(kept: Path, place: Path, address: str) -> list[tuple[int, bytes]]:
    """Ask as pip, npm and apt do: the index, what it links to, a package, and through a proxy."""
    with mirror.serving(kept, place) as (variables, mount), requests.Session() as session:
        assert mount.read_only
        proxy = place.read_text().split('"')[1]
        page = session.get(variables["PIP_INDEX_URL"] + "tiny/")
        link = page.text.partition('href="')[2].partition("#")[0]
        file = session.get(variables["PIP_INDEX_URL"].partition("/-/")[0] + link)
        package = session.get(variables["npm_config_registry"] + "express")
        missing = session.get(variables["npm_config_registry"] + "nothing")
        session.trust_env = False
        release = session.get(f"{address}/debian/dists/trixie/InRelease", proxies={"http": proxy})
        return [(one.status_code, one.content) for one in (file, package, missing, release)]


def test_what_was_recorded_is_given_when_the_server_is_gone(
    upstream: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files, packages, lists and what there is not are answered as before; what was never asked is not.

    So it is on another machine, which knows nothing of the servers that were asked.
    """
    kept, place = tmp_path / "mirror", tmp_path / "apt.conf"
    kept.mkdir()
    (kept / mirror.RECORDING).touch()
    address = f"http://127.0.0.1:{upstream.server_address[1]}"
    before = asked(kept, place, address)
    assert before == [
        (200, b"wheel"),
        (200, PAGES["/express"]),
        (404, b""),
        (200, b"signed"),
    ]
    (kept / mirror.RECORDING).unlink()
    upstream.shutdown()
    upstream.server_close()
    monkeypatch.delenv("PIP_INDEX_URL")
    monkeypatch.delenv("npm_config_registry")
    assert asked(kept, place, address) == before
    with mirror.serving(kept, place) as (variables, _):
        refused = requests.get(variables["npm_config_registry"] + "other", timeout=20)
    assert (refused.status_code, "not in the bundle" in refused.reason) == (504, True)


def test_nothing_is_kept_unless_it_is_recorded(upstream: ThreadingHTTPServer, tmp_path: Path) -> None:
    """With a network what a bundle lacks is fetched, and the bundle stays as it is."""
    kept = tmp_path / "mirror"
    kept.mkdir()
    found = asked(kept, tmp_path / "apt.conf", f"http://127.0.0.1:{upstream.server_address[1]}")
    assert ([status for status, _ in found], list(kept.iterdir())) == ([200, 200, 404, 200], [])


def test_a_run_is_told_of_the_mirror_and_neither_layer_nor_key_is(tmp_path: Path) -> None:
    """apt, pip and npm find it by their variables; the same line without it is cached, and no file stays."""
    program = shutil.which("busybox")
    if program is None:
        pytest.skip("needs a statically linked busybox (busybox-static)")
    engine = EmbeddedEngine(tmp_path / "store")
    try:
        _ = engine.sandbox
    except EngineError as error:
        pytest.skip(error.message)
    context = Context.files({"busybox": File(Path(program).read_bytes(), mode=0o755)})
    text = (
        "FROM scratch\nCOPY busybox /bin/sh\n"
        'RUN ["/bin/sh", "-c", "read -r a < $APT_CONFIG; echo $a $PIP_INDEX_URL $npm_config_registry"]\n'
    )
    (engine.store.root / mirror.FOLDER).mkdir()
    built = engine.build(text, context=context)
    assert "Acquire::http::Proxy" in (said := "".join(built.steps[-1].log))
    assert "http://127.0.0.1:" in said
    assert not any("apt" in entry.path for layer in built.image.layers for entry in layer.entries)
    (engine.store.root / mirror.FOLDER).rmdir()
    assert [step.cached for step in engine.build(text, context=context).steps][-1] is True


def test_what_has_no_known_address_is_not_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a bundle is made, npm asks as ever unless its registry is named."""
    kept = tmp_path / "mirror"
    kept.mkdir()
    (kept / mirror.RECORDING).touch()
    monkeypatch.delenv("npm_config_registry", raising=False)
    with mirror.serving(kept, tmp_path / "apt.conf") as (variables, _):
        assert "npm_config_registry" not in variables
    (kept / mirror.RECORDING).unlink()
    with mirror.serving(kept, tmp_path / "apt.conf") as (variables, _):
        assert "npm_config_registry" in variables
