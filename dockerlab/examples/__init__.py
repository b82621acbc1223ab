"""Sample apps for lessons and exercises, a folder each: they run; and files to try things with."""

from __future__ import annotations

import io
import random
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

_folders: list[tempfile.TemporaryDirectory[str]] = []  # gone when the kernel ends
_NOT_YET = ("Dockerfile", ".dockerignore")
_NOT_SOURCE = {"__pycache__", "node_modules"}


def files(name: str) -> dict[str, str | bytes]:
    """Return a sample app as a build context: path -> content, text where it is UTF-8.

    Raises FileNotFoundError when there is no sample app of that name.
    """
    folder = Path(__file__).parent / name
    if name in _NOT_SOURCE or not folder.is_dir():
        raise FileNotFoundError(f"There is no sample app {name!r}.")
    found = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and not _NOT_SOURCE.intersection(inside.parts):
            found[inside.as_posix()] = _text_or_bytes(path.read_bytes())
    return found


def _text_or_bytes(data: bytes) -> str | bytes:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data


def lived_in(name: str, *, env: str) -> dict[str, str | bytes]:
    """Return a sample app as a folder somebody works in: with a log, a Git history, and `env` in .env.

    Its Dockerfiles and its .dockerignore are not there yet. FileNotFoundError when there is no such app.
    """
    app = {path: content for path, content in files(name).items() if not path.endswith(_NOT_YET)}
    history = random.Random(name).randbytes(4_000_000)
    return {
        **app,
        ".env": env,
        ".git/objects/pack/pack-1.pack": history,
        "debug.log": "GET / 200\n" * 200_000,
    }


def in_folder(files: Mapping[str, str | bytes]) -> Path:
    """Write files into a new folder, with mode 0644, and return its path; it is removed when Python ends."""
    _folders.append(tempfile.TemporaryDirectory(prefix="layer-lab-"))
    folder = Path(_folders[-1].name)
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        target.chmod(0o644)
    return folder


def archives() -> dict[str, str | bytes]:
    """Return a packed tar and a zip, each with an empty file hello.txt in it, as a build context."""
    packed, zipped = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("hello.txt"), io.BytesIO())
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("hello.txt", "")
    return {"a.tar.gz": packed.getvalue(), "a.zip": zipped.getvalue()}


def serve(files: Mapping[str, str | bytes]) -> int:
    """Offer files on a web server of this machine, on 127.0.0.1, until Python ends; return its port."""
    handler = partial(_Quiet, directory=str(in_folder(files)))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing in a lesson's output."""
