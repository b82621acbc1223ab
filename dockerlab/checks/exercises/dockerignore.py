"""Exercise 07: what the image needs comes in, and nothing else is even read.

Right is a .dockerignore of either kind (what stays out, what may come in), or COPY lines that name the files.
The answer is in the context more than in the Dockerfile, so what a build read of it is measured too.
"""

from __future__ import annotations

import secrets as randomness
from collections.abc import Mapping

from dockerlab.checks.rules import nothing_in_layers, path_in_no_layer, same_output, secret_nowhere
from dockerlab.checks.verdict import Verdict
from dockerlab.context.context import Context, File
from dockerlab.engines.results import Build, Engine
from dockerlab.image.filesystem import Entry
from dockerlab.units import human_bytes

STARTER = """\
FROM debian:trixie-slim
COPY . /app/
RUN rm -rf /app/.git /app/node_modules
CMD ["sh", "/app/report.sh"]
"""

_SECRET = "opensesame-5c1f"
_PROJECT: dict[str, str | bytes | File] = {
    "report.sh": 'cat /app/docs/help.md\nwc -l < /app/data/table.csv\necho "$1"\n',
    "data/table.csv": "".join(f"{number},{number * number}\n" for number in range(1000)),
    "data/old/import.log": "imported\n" * 1000,
    "debug.log": "started\n" * 10_000,
    "docs/help.md": "Counts the lines of the table.\n",
    "docs/plan.md": "Nobody outside should read this.\n",
    ".env": f"PASSWORD={_SECRET}\n",
    "deploy/.env": f"PASSWORD={_SECRET}\n",
    ".git/objects/pack": b"\0" * 1_000_000,
    "node_modules/left/index.js": "// left\n" * 100_000,
}
CONTEXT: Mapping[str, str | bytes | File] | None = _PROJECT
SOLVED: Mapping[str, str | bytes | File] = {  # the tests build the solution's Dockerfiles with these
    **_PROJECT,
    ".dockerignore": "*\n!report.sh\n!data/table.csv\n!docs/help.md\n",
}

_LOOK, _CHANGE, _TRAPS, _READS = "Look", "Change one thing", "The traps", "What the builder reads"


def rules(attempt: Build, starter: Build, engine: Engine) -> list[Verdict]:
    """Measure that the report works, what is in the layers, and what the builder read."""
    number = str(randomness.randbelow(9000) + 1000)
    return [
        same_output(
            attempt,
            starter,
            engine=engine,
            argv=["sh", "/app/report.sh", number],
            rule="The report still works: it finds its table and its help",
            look=_TRAPS,
        ),
        secret_nowhere(attempt, secret=_SECRET.encode(), rule="The password is nowhere", look=_LOOK),
        path_in_no_layer(attempt, path="app/.git", rule="Git's history is in no layer", look=_CHANGE),
        path_in_no_layer(attempt, path="app/node_modules", rule="node_modules is in no layer", look=_CHANGE),
        nothing_in_layers(attempt, unwanted=_is_log, rule="No log of the project is in a layer", look=_TRAPS),
        path_in_no_layer(attempt, path="app/docs/plan.md", rule="The plan is in no layer", look=_TRAPS),
        _read_little(attempt),
    ]


def _is_log(entry: Entry) -> bool:
    return entry.path.endswith(".log") and not entry.path.startswith("var/log/")


def _read_little(attempt: Build) -> Verdict:
    """Compare what the builder read with a tenth of the project, which is far more than the image needs."""
    tree = Context.files(_PROJECT).all_files()
    whole = sum(node.entry.size for path in tree.walk("") if (node := tree.get(path)) is not None)
    limit = whole // 10
    return Verdict(
        "The builder reads at most a tenth of the project",
        attempt.context_bytes <= limit,
        human_bytes(attempt.context_bytes),
        f"at most {human_bytes(limit)}",
        _READS,
    )
