"""Exercise 12: a web app whose image is smaller, tells no secret, and pulls little after an edit.

Right is whatever ships the app and its package on a small base, packages below the code: a slim base with
requirements first, stages, a virtual environment copied whole, a bind mount. Nothing is fetched from a
network: the app's one package is a wheel in the context.
"""

from __future__ import annotations

import io
import random
import zipfile

from dockerlab.checks.contents import content_of
from dockerlab.checks.rules import Found, bytes_at_most, keeps_secret, rule
from dockerlab.checks.serving import pulls_little, serves
from dockerlab.checks.trial import Files, Trial
from dockerlab.checks.verdict import Verdict

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


def _table(seed: int) -> bytes:
    return random.Random(seed).randbytes(_TABLE_BYTES)


def _wheel(seed: int = 12) -> bytes:
    """Return a wheel with the package, the same bytes each time; another seed gives another table."""
    info = "rarewords-1.0.dist-info"
    files: dict[str, str | bytes] = {
        "rarewords/__init__.py": _PACKAGE,
        "rarewords/table.bin": _table(seed),
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


CONTEXT: Files = {
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


def rules(trial: Trial) -> list[Verdict]:
    """Measure that the app answers, what the image tells, its size, and what an edit makes a server pull."""
    draw = trial.draw
    mark, seed = f"{draw.getrandbits(32):08x}", draw.getrandbits(30)
    edits: Files = {
        "app.py": APP.replace("word=word", f"word=word + {mark!r}"),
        "pages/word.html": f"<h1>{mark}</h1>\n<p>{{word}} has rank {{rank}}.</p>\n",
        "wheels/rarewords-1.0-py3-none-any.whl": _wheel(seed),
    }
    key: Files = {".env": f"API_KEY={draw.randbytes(3000).hex()}\n"}
    asked = [f"/?word={draw.getrandbits(32):x}", "/?word=", "/", f"/any/path?word={mark}&more=1"]
    budget = round(trial.starter.image.size_unpacked * SHARE)
    return [
        serves(
            "The image starts with its own command and answers as the starter's does",
            TIME,
            trial,
            asked,
            edits,
        ),
        _installed(
            "The package is installed in the image, not when it starts", TIME, trial, edits, _table(seed)
        ),
        keeps_secret(
            "The key in .env is in no layer, in no line of the history, in no setting",
            BUILD,
            trial,
            key,
            SECRET,
            edits,
        ),
        bytes_at_most(
            "The whole image is at most half as large as the starter's", SIZE, trial.attempt, budget
        ),
        pulls_little(
            "After an edit of app.py, a server that has the image before pulls little",
            PULLS,
            trial,
            "app.py",
            "\nEDIT = '{}'\n",
            PULL,
        ),
    ]


@rule
def _installed(trial: Trial, edits: Files, table: bytes) -> Found:
    """Look for the package's table in the finished image: installing at each start is no way to be small."""
    tree = trial.again(edits).image.tree()
    nodes = ((path, tree.get(path)) for path in tree)
    sized = [(path, node) for path, node in nodes if node is not None and node.entry.size == len(table)]
    found = [path for path, node in sized if content_of(node) == table]
    return Found(
        bool(found), f"/{found[0]}" if found else "its table is nowhere", "its table is there, unpacked"
    )
