"""Exercises 13.1 to 13.3: one project, three aims. What they share: the project, and that it still answers.

The project is the sample app of lesson 13 without what needs a network: the server is the one of Python's
library, and the table is loaded by a script.
"""

from __future__ import annotations

import random
import secrets as randomness
from collections.abc import Mapping

from dockerlab import examples
from dockerlab.analysis.ledger import ledger
from dockerlab.checks.serving import ask
from dockerlab.checks.verdict import Verdict
from dockerlab.context.context import File
from dockerlab.engines.results import Build, Engine
from dockerlab.units import human_bytes

SECRET = "key-5d1e9a7c40b83f26"  # made up, and the same everywhere so that the cache can be used
SPARE = 200_000  # bytes that may be wasted: what useradd and the like write again

WORKS, LOOK, LARGEST, COPIES, STAGES, BROUGHT, WHY, PRICE = (  # headings of lesson 13
    "Build",
    "Step 1: look",
    "Step 2: largest first",
    "Step 4: copies",
    "Step 5: stages",
    "Look: what each step brought",
    "Why",
    "And the price",
)

_SERVE = """\
    from wsgiref.simple_server import make_server

    make_server("0.0.0.0", int(os.environ.get("PORT", "8000")), application).serve_forever()
"""
_LOAD = '''\
"""Load places.csv into places.db."""

import csv
import sqlite3

with sqlite3.connect("places.db") as db, open("places.csv") as table:
    db.execute("CREATE TABLE places (name TEXT, latitude REAL, longitude REAL)")
    db.executemany("INSERT INTO places VALUES (?, ?, ?)", csv.reader(table))
    db.execute("CREATE INDEX by_latitude ON places (latitude)")
'''


def _project() -> dict[str, str | bytes | File]:
    app = examples.files("places")
    without_server = str(app["app.py"]).partition("    from waitress")[0]
    return {
        "app.py": without_server + _SERVE,
        "native/distance.c": app["native/distance.c"],
        "make_places.py": app["make_places.py"],
        "load.py": _LOAD,
        "tests/test_app.py": app["tests/test_app.py"],
        ".env": f"MAPS_API_KEY={SECRET}\n",
        ".git/objects/pack/pack-1.pack": random.Random(13).randbytes(4_000_000),
        "debug.log": "GET /?latitude=48&longitude=11 200\n" * 60_000,
    }


PROJECT: Mapping[str, str | bytes | File] = _project()

WASTEFUL = """\
FROM python:3.13
WORKDIR /app
COPY . .
RUN cc -O2 -shared -fPIC -o libdistance.so native/distance.c -lm
RUN python make_places.py > places.csv
RUN python load.py
RUN rm places.csv
RUN useradd app && chown -R app /app
USER app
CMD ["python", "app.py"]
"""


def answers(attempt: Build, starter: Build, *, engine: Engine) -> Verdict:
    """Start both images as they say themselves, and ask for the places near a point nobody knows before."""
    north, east = randomness.randbelow(140) - 70, randomness.randbelow(340) - 170
    path = f"/?latitude={north}&longitude={east}"
    [wanted], [found] = (ask(build, path, engine=engine) for build in (starter, attempt))
    return Verdict(
        "The image starts with its own command and answers as the starter's does",
        found == wanted and wanted.status == 200,
        str(found),
        str(wanted),
        WORKS,
    )


def runs_as_app(attempt: Build) -> Verdict:
    """Look whether the image names a user who is not root."""
    user = str((attempt.image.config.get("config") or {}).get("User") or "root").partition(":")[0]
    return Verdict(
        "It does not run as root",
        user not in ("root", "0"),
        f"it runs as {user}",
        "any user but root",
        STAGES,
    )


def little_wasted(attempt: Build) -> Verdict:
    """Sum the bytes, in any layer, that the attempt's own lines made useless."""
    wasted = sum(account.wastes for account in ledger(attempt).rows if not account.row.base)
    return Verdict(
        "No line makes bytes useless that a layer holds",
        wasted <= SPARE,
        f"{human_bytes(wasted)} wasted",
        f"at most {human_bytes(SPARE)}",
        LARGEST,
    )
