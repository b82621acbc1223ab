"""Exercise 12: a web app whose image is smaller, tells no secret, and pulls little after an edit.

Right is whatever ships the app and its package on a small base, packages below the code: a slim base with
requirements first, stages, a virtual environment copied whole, a bind mount. Nothing is fetched from a
network: the app's one package is a wheel in the context.
"""

from __future__ import annotations

import io
import random
import secrets as randomness
import zipfile
from collections.abc import Mapping

from dockerlab.analysis.history import Subject
from dockerlab.analysis.sizes import pull_size
from dockerlab.checks.rules import bytes_at_most, secret_nowhere
from dockerlab.checks.serving import ask
from dockerlab.checks.verdict import Verdict
from dockerlab.context.context import Context, File
from dockerlab.engines.results import Build, Engine
from dockerlab.units import human_bytes

STARTER = """\
FROM python:3.13
WORKDIR /app
COPY . .
RUN pip install --no-index --find-links wheels -r requirements.txt
CMD ["python", "app.py"]
"""

APP = '''\
"""A web app in few lines: it says how rare a word is."""

import os
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from rarewords import rank

PAGE = (Path(__file__).parent / "pages" / "word.html").read_text()


class Words(BaseHTTPRequestHandler):
    def do_GET(self):
        word = parse_qs(urlsplit(self.path).query).get("word", [""])[0]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(PAGE.format(word=word, rank=rank(word)).encode())


if __name__ == "__main__":
    HTTPServer(("0.0.0.0", int(os.environ.get("PORT", "8000"))), Words).serve_forever()
'''
_PACKAGE = '''\
"""How rare a word is."""

from hashlib import sha256
from pathlib import Path

_TABLE = (Path(__file__).parent / "table.bin").read_bytes()


def rank(word):
    """Return the rank of a word."""
    place = int.from_bytes(sha256(word.encode()).digest()[:4], "big") % (len(_TABLE) - 1)
    return _TABLE[place] * 256 + _TABLE[place + 1]
'''
SECRET = "key-3f9c51d07ab2e846"  # made up, and the same everywhere so that the cache can be used
_TABLE_BYTES = 2_000_000


def _wheel() -> bytes:
    """Return a wheel with the package, the same bytes each time."""
    info = "rarewords-1.0.dist-info"
    files: dict[str, str | bytes] = {
        "rarewords/__init__.py": _PACKAGE,
        "rarewords/table.bin": random.Random(12).randbytes(_TABLE_BYTES),
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: rarewords\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = f"{info}/RECORD"
    files[record] = "".join(f"{path},,\n" for path in [*files, record])
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for path, content in files.items():
            archive.writestr(zipfile.ZipInfo(path), content)
    return made.getvalue()


CONTEXT: Mapping[str, str | bytes | File] = {
    "app.py": APP,
    "pages/word.html": "<p>{word} has rank {rank}.</p>\n",
    "requirements.txt": "rarewords==1.0\n",
    "wheels/rarewords-1.0-py3-none-any.whl": _wheel(),
    ".env": f"API_KEY={SECRET}\n",
    "debug.log": "GET /?word=layer 200\n" * 50_000,
}

# The starter's whole image is on a base with compilers: half of it is far more than a slim base needs, for
# the official images as for the stand-ins.
SHARE = 0.5
PULL = 200_000  # compressed bytes: many times the app's own code, a tenth of its package

BUILD, TIME, PULLS, SIZE = "Build: before", "With stages", "Look: what a server pulls", "Why"


def rules(attempt: Build, starter: Build, engine: Engine) -> list[Verdict]:
    """Measure that the app answers, what the image tells, its size, and what an edit makes a server pull."""
    return [
        answers(attempt, starter, engine=engine),
        installed(attempt),
        secret_nowhere(
            attempt,
            secret=SECRET.encode(),
            rule="The key in .env is in no layer, in no line of the history, in no setting",
            look=BUILD,
        ),
        bytes_at_most(
            attempt,
            budget=round(starter.image.size_unpacked * SHARE),
            rule="The whole image is at most half as large as the starter's",
            look=SIZE,
        ),
        pull_after_edit(attempt, engine=engine),
    ]


def answers(attempt: Build, starter: Build, *, engine: Engine) -> Verdict:
    """Start both images as they say themselves and ask for the rank of a word that nobody knows before."""
    path = f"/?word={randomness.token_hex(4)}"
    [wanted], [found] = (ask(build, path, engine=engine) for build in (starter, attempt))
    return Verdict(
        "The image starts with its own command and answers as the starter's does",
        found == wanted and wanted.status == 200,
        str(found),
        str(wanted),
        TIME,
    )


def installed(attempt: Build) -> Verdict:
    """Look for the package's table in the finished image: installing at each start is no way to be small."""
    tree = attempt.image.tree()
    nodes = ((path, tree.get(path)) for path in tree)
    found = [path for path, node in nodes if node is not None and node.entry.size == _TABLE_BYTES]
    return Verdict(
        "The package is installed in the image, not when it starts",
        bool(found),
        f"/{found[0]}" if found else "its table is nowhere",
        "its table is there, unpacked",
        TIME,
    )


def pull_after_edit(attempt: Build, *, engine: Engine) -> Verdict:
    """Build again with a line added to app.py; measure what a machine with the build before must pull."""
    edited = {**CONTEXT, "app.py": f'{APP}\nEDIT = "{randomness.token_hex(8)}"\n'}
    held: list[Subject] = []
    tag = "dockerlab/edit-12-web-app:latest"
    for files in (CONTEXT, edited):
        built = engine.build(
            attempt.dockerfile, context=Context.files(files), tag=tag, builder=attempt.builder
        )
        held.append(built)
    before, after = held
    size = pull_size(after, [before])
    return Verdict(
        "After an edit of app.py, a server that has the image before pulls little",
        0 < size <= PULL,
        human_bytes(size) if size else "nothing: the edit is not in the image",
        f"at most {human_bytes(PULL)}",
        PULLS,
    )
