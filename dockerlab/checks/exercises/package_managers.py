"""Exercise 03: the same tools, without what apt and pip keep for next time.

Right is whatever leaves package lists, apt's own files and pip's cache in no layer: removed in the same RUN,
never made, in cache mounts, in a stage that is left behind.
"""

from __future__ import annotations

import secrets as randomness
from collections.abc import Mapping

from dockerlab.analysis.ledger import ledger
from dockerlab.checks.rules import bytes_at_most, nothing_in_layers, path_in_no_layer, same_output
from dockerlab.checks.verdict import Verdict
from dockerlab.context.context import File
from dockerlab.engines.results import Build, Engine
from dockerlab.image.filesystem import Entry

STARTER = """\
FROM python:3.13-slim
RUN pip install langdetect
RUN rm /etc/apt/apt.conf.d/docker-clean
RUN apt-get update
RUN apt-get install -y --no-install-recommends jq
RUN rm -rf /var/lib/apt/lists/* /root/.cache
"""
CONTEXT: Mapping[str, str | bytes | File] | None = None

LISTS = "var/lib/apt/lists"
APT = "var/cache/apt"
PIP = "root/.cache"

ON_APT, ON_PIP, MOUNTS = "The real thing: apt", "pip", "Change one thing: mounts instead of rm"


def rules(attempt: Build, starter: Build, engine: Engine) -> list[Verdict]:
    """Measure that both tools work, and that no layer holds what their package managers keep."""
    number = str(randomness.randbelow(9000) + 1000)
    detect = "import langdetect, sys; print(langdetect.detect('Guten Morgen, liebe Leute'), sys.argv[1])"
    return [
        same_output(
            attempt,
            starter,
            engine=engine,
            argv=["jq", "-n", "--argjson", "n", number, "$n * $n"],
            rule="jq still works: it computes a square",
            look=ON_APT,
        ),
        same_output(
            attempt,
            starter,
            engine=engine,
            argv=["python3", "-c", detect, number],
            rule="langdetect still works: it tells German",
            look=ON_PIP,
        ),
        path_in_no_layer(attempt, path=LISTS, rule="The package lists are in no layer", look=ON_APT),
        nothing_in_layers(
            attempt,
            unwanted=_kept_by_apt,
            rule="Downloaded packages and apt's index files are in no layer",
            look=MOUNTS,
        ),
        nothing_in_layers(attempt, unwanted=_kept_by_pip, rule="pip's cache is in no layer", look=ON_PIP),
        bytes_at_most(
            attempt,
            budget=budget(starter),
            rule="The image fits its budget: the starter's bytes less 95 % of what nobody needs",
            look=ON_APT,
        ),
    ]


def budget(starter: Build) -> int:
    """Return the bytes (unpacked, all layers) that an answer may have.

    What the starter stores, less lists and caches; 5 % of those are left for what differs from run to run, as
    logs do, and for a second write of the package database.
    """
    book = ledger(starter)
    folders = (f"{LISTS}/", f"{APT}/", f"{PIP}/")
    spare = sum(
        claim.bytes
        for claim in book.claims
        if not claim.stored_by.base and (claim.kind == "deleted" or claim.path.startswith(folders))
    )
    return book.total - spare + spare // 20


def _kept_by_apt(entry: Entry) -> bool:
    return entry.path.startswith(f"{APT}/") or entry.path.endswith(".deb")


def _kept_by_pip(entry: Entry) -> bool:
    # Wheels under any name of the folder; those that Python itself ships are for making virtual environments.
    wheel = (
        entry.path.endswith(".whl") and "ensurepip" not in entry.path and "python-wheels" not in entry.path
    )
    return entry.path.startswith(f"{PIP}/") or wheel
