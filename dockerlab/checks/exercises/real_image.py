"""Exercises 13.1 to 13.3: one project, three aims: smaller, faster to deploy, and nothing left to say.

The project is the sample app of lesson 13 without what needs a network: the server is the one of Python's
library, and the table is loaded by a script.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from dockerlab import examples
from dockerlab.analysis.advice import advise
from dockerlab.checks.contents import holding
from dockerlab.checks.rules import (
    Found,
    bytes_at_most,
    keeps_secret,
    layers_at_most,
    nothing_in_layers,
    rule,
    runs_again_at_most,
    untouched_by,
    wastes_at_most,
)
from dockerlab.checks.serving import pulls_little, runs_as_non_root, serves
from dockerlab.checks.trial import Files, Trial
from dockerlab.checks.verdict import Verdict
from dockerlab.context.context import File
from dockerlab.image.filesystem import Entry
from dockerlab.image.image import Layer

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


PROJECT: Files = _project()

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

TIDIED = """\
FROM python:3.13
WORKDIR /app
COPY app.py make_places.py load.py ./
COPY native native
RUN cc -O2 -shared -fPIC -o libdistance.so native/distance.c -lm \\
 && python make_places.py > places.csv \\
 && python load.py \\
 && rm places.csv
CMD ["python", "app.py"]
"""
TELLING = WASTEFUL.replace("WORKDIR /app\n", f"ENV MAPS_API_KEY={SECRET}\nWORKDIR /app\n")

SHARE = 0.5
PULL = 100_000  # compressed bytes: far more than app.py, far less than the table
LAYERS = 10
MADE = "The table and the library are in the image, not made when it starts"
_COMPILERS = rb"\A\x7fELF.*(?:COLLECT_GCC|fsyntax-only|tcc version)"  # in gcc, cc1, clang and tcc


@dataclass(frozen=True, kw_only=True)
class Task:
    """One of the three: what a module of another exercise holds."""

    STARTER: str
    rules: Callable[[Trial], list[Verdict]]
    CONTEXT: Files | None = field(default_factory=lambda: PROJECT)


def _edits(trial: Trial) -> Files:
    """Draw another table, radius and form of the answer, so that the project's own tests pass."""
    draw, text = trial.draw, {path: str(content) for path, content in PROJECT.items()}
    return {
        "app.py": text["app.py"]
        .replace("round(km, 1)", "round(km, 5)")
        .replace('"name"', f'"n{draw.random()}"'),
        "make_places.py": text["make_places.py"]
        .replace("Random(13)", f"Random({draw.getrandbits(30)})")
        .replace("200_000", f"{draw.randrange(20_000, 30_000)}"),  # fewer: a check is not to take long
        "native/distance.c": text["native/distance.c"].replace(
            "6371.0088", f"6371.{draw.randrange(1000, 4000)}"
        ),
        "load.py": f"{text['load.py']}# {draw.random()}\n",
    }


def _serves(trial: Trial, edits: Files) -> Verdict:
    points = [(trial.draw.uniform(-78, 78), trial.draw.uniform(-180, 180)) for _ in range(5)]
    asked = [
        f"/?latitude={north:.3f}&longitude={east:.3f}" for north, east in [*points, (79.9, 0), (0, 179.99)]
    ]
    text = "The image starts with its own command and answers as the starter's does"
    return serves(text, WORKS, trial, [*asked, "/?latitude=north"], edits)


def _smaller(trial: Trial) -> list[Verdict]:
    edits = _edits(trial)
    history: Files = {".git/objects/pack/pack-1.pack": trial.draw.randbytes(500_000)}
    budget = round(trial.starter.image.size_unpacked * SHARE)
    return [
        _serves(trial, edits),
        runs_as_non_root("It does not run as root", STAGES, trial),
        wastes_at_most("No line makes bytes useless that a layer holds", LARGEST, trial, SPARE),
        untouched_by("Git's history is in no layer", COPIES, trial, history, edits=edits),
        bytes_at_most(
            "The whole image is at most half as large as the starter's", BROUGHT, trial.attempt, budget
        ),
        _made_before(MADE, WORKS, trial, edits),
    ]


def _faster(trial: Trial) -> list[Verdict]:
    edits = _edits(trial)
    pulls = "After an edit of app.py, a server that has the image before pulls little"
    edit = "\nint edit_{}(void) {{ return 13; }}\n"
    return [
        _serves(trial, edits),
        runs_again_at_most("An edit of app.py runs no RUN again", COPIES, trial, "app.py", 0),
        pulls_little(pulls, WHY, trial, "app.py", "\nEDIT = '{}'\n", PULL),
        pulls_little(
            "An edit of distance.c sends the table to nobody again",
            COPIES,
            trial,
            "native/distance.c",
            edit,
            PULL,
        ),
        wastes_at_most("No line makes bytes useless that a layer holds", LARGEST, trial, SPARE),
        _made_before(MADE, WORKS, trial, edits),
    ]


def _all(trial: Trial) -> list[Verdict]:
    edits = _edits(trial)
    key: Files = {".env": f"MAPS_API_KEY={trial.draw.randbytes(3000).hex()}\n"}
    secret = "The key is in no layer, in no line of the history, in no setting"
    return [
        _serves(trial, edits),
        runs_as_non_root("It does not run as root", STAGES, trial),
        keeps_secret(secret, LOOK, trial, key, SECRET, edits),
        wastes_at_most("No line makes bytes useless that a layer holds", LARGEST, trial, SPARE),
        nothing_in_layers("No compiler is in the image", STAGES, trial, [_compiler], base=True),
        runs_again_at_most("An edit of app.py runs no RUN again", COPIES, trial, "app.py", 0),
        layers_at_most(f"At most {LAYERS} layers on top of the base", PRICE, trial, LAYERS),
        _nothing_to_say("lab.advise finds nothing", LOOK, trial),
        _made_before(MADE, WORKS, trial, edits),
    ]


def _compiler(entry: Entry, layer: Layer) -> bool:
    """Tell a compiler by what is in the program, whatever it is called."""
    return entry.size > 100_000 and bool(entry.mode & 0o111) and holding(_COMPILERS)(entry, layer)


@rule
def _made_before(trial: Trial, edits: Files) -> Found:
    """Look for the table and the library in the image: making them at each start is no way to be quick."""
    tree = trial.again(edits).image.tree()
    there = {path.rpartition("/")[2] for path in tree if (node := tree.get(path)) and node.entry.size}
    missing = [name for name in ("places.db", "libdistance.so") if name not in there]
    return Found(
        not missing, f"there is no {' and no '.join(missing)}" if missing else "they are", "they are"
    )


@rule
def _nothing_to_say(trial: Trial) -> Found:
    """Ask for the advice of the lab, measured findings only: hadolint is not everywhere."""
    found = advise(trial.attempt, hadolint=False).findings
    told = "; ".join(f"{finding.where}: {finding.code}" for finding in found)
    return Found(not found, told or "nothing", "nothing")


SMALLER = Task(STARTER=WASTEFUL, rules=_smaller)
FASTER = Task(STARTER=TIDIED, rules=_faster)
ALL = Task(STARTER=TELLING, rules=_all)
