"""Other readings than the known ones: some exercises let `seq` stand in for a download.

A program of that name is put into the stage that calls it, right above the line that does. It prints as many
numbers as asked for, but random ones: what is computed from them differs, and so does what keeps them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from random import Random

from dockerlab.checks.contents import same_content
from dockerlab.checks.rules import Found, nothing_in_layers, rule, untouched_by
from dockerlab.checks.trial import RebuildOptions, Trial
from dockerlab.dockerfile.parser import Dockerfile

_CALLS = re.compile(r"\bseq\b")
_PROGRAMS = ("usr/bin/seq", "usr/local/bin/seq")
_SEQ = """\
#!/bin/sh
# {turn}
first=1
[ $# -gt 1 ] && first=$1
for last; do :; done
awk -v n="$((last - first + 1))" 'BEGIN {{ srand({seed}); for (i = 1; i <= n; i++) print int(rand() * 1e9) }}'
"""


def other_readings(draw: Random) -> Sequence[RebuildOptions]:
    """Give two builds other readings, and a third the same as the second, but made again."""
    first, second = draw.sample(range(2**30), 2)
    return [
        RebuildOptions(rewrite=partial(with_readings, seed=seed, turn=turn))
        for turn, seed in enumerate((first, second, second))
    ]


@rule
def keeps_no_readings(trial: Trial, readings: Sequence[RebuildOptions], path: str, result: str) -> Found:
    """Look for the known readings, which a base of one's own may have, and for what others change."""
    known = nothing_in_layers("", "", trial, [same_content(trial.starter, path)])
    other = untouched_by("", "", trial, {}, given=readings, but=[result, *_PROGRAMS])
    return Found(known.passed and other.passed, (other if known.passed else known).measured, other.target)


def with_readings(dockerfile: Dockerfile, seed: int, turn: int = 0) -> str:
    """Return a Dockerfile's text with that program in each stage whose lines name seq."""
    lines = dockerfile.text.splitlines(keepends=True)
    above = []
    for stage in dockerfile.stages:
        above += [one.line - 1 for one in stage.instructions if _CALLS.search(one.source)][:1]
    program = _SEQ.format(seed=seed, turn=turn)
    copies = "".join(f"COPY --chmod=755 <<'DOCKERLAB' /{path}\n{program}DOCKERLAB\n" for path in _PROGRAMS)
    for index in reversed(above):
        lines.insert(index, copies)
    return "".join(lines)
