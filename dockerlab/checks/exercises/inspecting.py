"""Exercise 11: the lines call scripts, so only the layers tell what is stored for nothing.

Right is whatever leaves pages, list and scratch file in no layer and the app as it was: one RUN that cleans
up, a stage of its own, a tmpfs. Looking is the exercise: no line of the Dockerfile names these files.
"""

from __future__ import annotations

from dockerlab.analysis.ledger import ledger
from dockerlab.checks.contents import below, final_file, same_content
from dockerlab.checks.rules import answers, bytes_at_most, nothing_in_layers, same_files, wastes_at_most
from dockerlab.checks.trial import Files, Trial
from dockerlab.checks.verdict import Verdict

STARTER = """\
FROM debian:trixie-slim
COPY . /setup
RUN sh /setup/fetch.sh
RUN sh /setup/index.sh
RUN sh /setup/finish.sh
CMD ["/opt/words/lookup", "123456"]
"""

PAGES, LIST, SORTED, INDEX = "var/cache/words/pages", "opt/words/list", "var/tmp/words", "opt/words/index"

CONTEXT: Files = {
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


def rules(trial: Trial) -> list[Verdict]:
    """Measure that the app answers, that what nobody needs is in no layer, and that nothing is wasted."""
    draw = trial.draw
    first, word = draw.randrange(110_000, 123_000), f"w{draw.getrandbits(20):x}"
    assert CONTEXT is not None
    edits: Files = {
        "fetch.sh": str(CONTEXT["fetch.sh"]).replace("100000 500000", f"{first} 300000"),
        "index.sh": str(CONTEXT["index.sh"]).replace(" words/", f" {word}/"),
        "finish.sh": str(CONTEXT["finish.sh"]) + f": {word}\n",
        "lookup.sh": str(CONTEXT["lookup.sh"]).replace("grep", f"echo {word}\ngrep"),
    }
    asked = [["/opt/words/lookup", str(one)] for one in (draw.randrange(first, 300_000), first, 77)]
    pages = (below(PAGES), same_content(trial.starter, PAGES))
    made_and_removed = (below(LIST, SORTED), same_content(trial.starter, LIST, SORTED))
    return [
        answers(
            "lookup still answers, and without help from a shell", CHANGE, trial, [None, *asked], edits=edits
        ),
        same_files(
            f"/{INDEX} and lookup are what they were",
            CHANGE,
            trial,
            [INDEX, "opt/words/lookup"],
            edits=edits,
            modes="same",
        ),
        nothing_in_layers("The file that no script ever removes is in no layer", INSIDE, trial, pages),
        nothing_in_layers(
            "What a script makes and the last removes is in no layer", HISTORY, trial, made_and_removed
        ),
        wastes_at_most("No line makes bytes useless that a layer holds", LEDGER, trial, SPARE),
        bytes_at_most(
            "The layers hold at most 100 kB more than the base and the index",
            CHANGE,
            trial.attempt,
            budget(trial),
        ),
    ]


def budget(trial: Trial) -> int:
    """Return the bytes (unpacked, all layers) that an answer may have: the base, one index, and 100 kB."""
    return ledger(trial.starter).base.content + len(final_file(trial.starter, INDEX) or b"") + SPARE
