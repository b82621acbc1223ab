"""Exercise 11: the lines call scripts, so only the layers tell what is stored for nothing.

Right is whatever leaves pages, list and scratch file in no layer and the app as it was: one RUN that cleans
up, a stage of its own, a tmpfs. Looking is the exercise: no line of the Dockerfile names these files.
"""

from __future__ import annotations

import secrets as randomness
from collections.abc import Mapping

from dockerlab.analysis.ledger import ledger
from dockerlab.checks.rules import (
    bytes_at_most,
    content_in_no_layer,
    final_file,
    path_in_no_layer,
    same_file,
    same_output,
)
from dockerlab.checks.verdict import Verdict
from dockerlab.context.context import File
from dockerlab.engines.results import Build, Engine
from dockerlab.units import human_bytes

STARTER = """\
FROM debian:trixie-slim
COPY . /setup
RUN sh /setup/fetch.sh
RUN sh /setup/index.sh
RUN sh /setup/finish.sh
CMD ["/opt/words/lookup", "123456"]
"""

PAGES, LIST, SORTED, INDEX = "var/cache/words/pages", "opt/words/list", "var/tmp/words", "opt/words/index"

CONTEXT: Mapping[str, str | bytes | File] = {
    "fetch.sh": f"""\
set -e
mkdir -p /opt/words /var/cache/words
seq 500000 900000 > /{PAGES}
seq 100000 500000 > /{LIST}
""",
    "index.sh": f"""\
set -e
LC_ALL=C sort -r /{LIST} > /{SORTED}
sed 's/$/ words/' /{SORTED} > /{INDEX}
cp /setup/lookup.sh /opt/words/lookup
chmod 644 /{INDEX} /opt/words/lookup
""",
    "finish.sh": f"""\
set -e
chmod 444 /{INDEX}
chmod 555 /opt/words/lookup
rm /{LIST} /{SORTED}
""",
    "lookup.sh": f"""\
#!/bin/sh
grep -n -- "^$1 " /{INDEX}
""",
}

SPARE = 100_000  # bytes that may differ: the scripts, logs, a second write of something small

HISTORY, LEDGER, INSIDE, CHANGE = (
    "Look: the history",
    "Look: the ledger",
    "Look: inside a layer",
    "Change one thing",
)


def rules(attempt: Build, starter: Build, engine: Engine) -> list[Verdict]:
    """Measure that the app answers, that what nobody needs is in no layer, and that nothing is wasted."""
    number = str(100_000 + randomness.randbelow(400_000))
    return [
        same_output(
            attempt,
            starter,
            engine=engine,
            argv=["/opt/words/lookup", number],
            rule="lookup still answers, and without help from a shell",
            look=CHANGE,
        ),
        same_file(attempt, starter, path=INDEX, rule=f"/{INDEX} is what it was", look=CHANGE),
        content_in_no_layer(
            attempt,
            starter,
            path=PAGES,
            rule="The file that no script ever removes is in no layer",
            look=INSIDE,
        ),
        path_in_no_layer(
            attempt,
            path=LIST,
            rule="What the first script makes and the last removes is in no layer",
            look=HISTORY,
        ),
        _nothing_wasted(attempt),
        bytes_at_most(
            attempt,
            budget=budget(starter),
            rule="The image holds little more than a container of the starter needs",
            look=CHANGE,
        ),
    ]


def budget(starter: Build) -> int:
    """Return the bytes (unpacked, all layers) that an answer may have: the base, one index, and 100 kB."""
    index = final_file(starter, INDEX)
    assert index is not None  # same_file() has compared it
    return ledger(starter).base.content + len(index) + SPARE


def _nothing_wasted(attempt: Build) -> Verdict:
    wasted = sum(account.wastes for account in ledger(attempt).rows if not account.row.base)
    return Verdict(
        "No line makes bytes useless that a layer holds",
        wasted <= SPARE,
        f"{human_bytes(wasted)} wasted",
        f"at most {human_bytes(SPARE)}",
        LEDGER,
    )
