"""Other readings than the known ones: some exercises let `seq` stand in for a download.

A program of that name is put into the stage that calls it, right above the line that does. It prints as many
numbers as asked for, but random ones: what is computed from them differs, and so does what keeps them.
"""

from __future__ import annotations

import re

from dockerlab.dockerfile.parser import Dockerfile

_CALLS = re.compile(r"\bseq\b")
_SEQ = """\
#!/bin/sh
first=1
[ $# -gt 1 ] && first=$1
for last; do :; done
awk -v n="$((last - first + 1))" 'BEGIN {{ srand({seed}); for (i = 1; i <= n; i++) print int(rand() * 1e9) }}'
"""


def with_readings(dockerfile: Dockerfile, seed: int) -> str:
    """Return a Dockerfile's text with that program in each stage whose lines name seq."""
    lines = dockerfile.text.splitlines(keepends=True)
    above = []
    for stage in dockerfile.stages:
        above += [one.line - 1 for one in stage.instructions if _CALLS.search(one.source)][:1]
    program = _SEQ.format(seed=seed)
    copies = "".join(
        f"COPY --chmod=755 <<'DOCKERLAB' {path}\n{program}DOCKERLAB\n"
        for path in ("/usr/bin/seq", "/usr/local/bin/seq")
    )
    for index in reversed(above):
        lines.insert(index, copies)
    return "".join(lines)
