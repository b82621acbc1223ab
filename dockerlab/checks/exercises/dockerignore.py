"""Exercise 07: what the image needs comes in, and nothing else is even read.

Right is a .dockerignore of either kind (what stays out, what may come in), or COPY lines that name the files.
The answer is in the context more than in the Dockerfile, so what a build read of it is measured too.
"""

from __future__ import annotations

from dockerlab.checks.rules import Found, answers, keeps_secret, rule, untouched_by
from dockerlab.checks.trial import Files, Trial
from dockerlab.checks.verdict import Verdict
from dockerlab.context.context import File
from dockerlab.units import human_bytes

STARTER = """\
FROM debian:trixie-slim
COPY . /app/
RUN rm -rf /app/.git /app/node_modules
CMD ["sh", "/app/report.sh"]
"""

_SECRET = "opensesame-5c1f"
_PACKAGES = "node_modules/left/index.js"
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
    _PACKAGES: "// left\n" * 100_000,
}
CONTEXT: Files | None = _PROJECT
SOLVED: Files = {  # the tests build the solution's Dockerfiles with these
    **_PROJECT,
    ".dockerignore": "*\n!report.sh\n!data/table.csv\n!docs/help.md\n",
}

_LOOK, _CHANGE, _TRAPS, _READS = "Look", "Change one thing", "The traps", "What the builder reads"


def rules(trial: Trial) -> list[Verdict]:
    """Measure that the report works, what unwanted files change, and what the builder read."""
    draw = trial.draw
    word = f"{draw.getrandbits(32):08x}"
    edits: Files = {
        "report.sh": f"echo {word}\ncat /app/docs/help.md\nwc -l < /app/data/table.csv\n"
        'tail -n 2 /app/data/table.csv\necho "$1"\n',
        "data/table.csv": "".join(f"{number},{draw.random()}\n" for number in range(draw.randint(500, 900))),
        "docs/help.md": f"Counts the lines of the {word} table.\n",
    }

    def other(*paths: str) -> Files:
        return {path: draw.randbytes(100_000).hex() for path in paths}

    secrets, history, packages = other(".env", "deploy/.env"), other(".git/objects/pack"), other(_PACKAGES)
    logs, plan = other("debug.log", "data/old/import.log"), other("docs/plan.md")
    everything: Files = {  # as large as they are
        path: draw.randbytes(len(str(_PROJECT[path]))).hex()
        for path in (*secrets, *history, *packages, *logs, *plan)
    }
    return [
        answers(
            "The report still works: it finds its table and its help",
            _TRAPS,
            trial,
            [None, ["sh", "/app/report.sh", word], ["sh", "/app/report.sh", "two words"]],
            edits=edits,
        ),
        keeps_secret("The password is nowhere", _LOOK, trial, secrets, _SECRET, edits),
        untouched_by("Git's history is in no layer", _CHANGE, trial, history, edits=edits),
        untouched_by("node_modules is in no layer", _CHANGE, trial, packages, edits=edits),
        untouched_by("No log of the project is in a layer", _TRAPS, trial, logs, edits=edits),
        untouched_by("The plan is in no layer", _TRAPS, trial, plan, edits=edits),
        _read_little("The builder reads at most a tenth of the rest", _READS, trial, edits, everything),
    ]


@rule
def _read_little(trial: Trial, edits: Files, noise: Files) -> Found:
    """Compare what the builder read with what it needs: all is new to it, so all it reads is sent."""
    other = {path: str(one)[::-1] for path, one in noise.items()}
    again = {path: f"{one!s}\n" for path, one in edits.items()}
    read = trial.again({**again, **other}).context_bytes
    wanted, rest = (sum(len(str(one)) for one in files.values()) for files in (again, other))
    limit = wanted + rest // 10
    return Found(
        read <= limit, f"{human_bytes(read)} of {human_bytes(wanted + rest)}", f"at most {human_bytes(limit)}"
    )
