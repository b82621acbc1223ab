"""Exercise 04: an edit of the app installs nothing anew, and no file is stored twice.

Right is whatever lets the installation see only what it reads (copied first, bind mounts, a stage),
and sets the owner while copying. The packages are wheels in the context, so that no network is needed.
"""

from __future__ import annotations

import io
import secrets as randomness
import zipfile
from collections.abc import Mapping, Sequence

from dockerlab.analysis.ledger import ledger
from dockerlab.checks.rules import bytes_at_most, ended, ran, runs_again_at_most, same_output
from dockerlab.checks.verdict import Verdict
from dockerlab.context.context import Context, File
from dockerlab.engines.results import Build, Engine, Ran
from dockerlab.errors import BuildError

STARTER = """\
FROM python:3.13-slim
ADD . /app/
RUN pip install --no-cache-dir --no-index --find-links=/app/wheels -r /app/requirements.txt
RUN chown -R 1000:1000 /app
USER 1000
CMD ["python3", "/app/app.py"]
"""

_APP = """\
import sys
from pathlib import Path

from louder import loud

words = Path(__file__).with_name("words.txt").read_text().split()
number = int(sys.argv[1]) if len(sys.argv) > 1 else 0
print(loud(words[number]))
"""
_WORDS = "".join(f"word{number:06}\n" for number in range(300_000))
_LOUDER = "!"  # what version 2.0 puts behind each word
_OWNER = 1000
_INSTALL_NOTHING_ANEW, _ONCE = "Change one thing", "--chmod instead of a RUN"  # headings of lesson 04
_READS, _REAL = "Why", "The real thing: pip"


def _wheel(version: str, ending: str) -> bytes:
    """Return a wheel (binary distribution format 1.0) of one small module, the same bytes each time."""
    info = f"louder-{version}.dist-info"
    files = {
        "louder.py": f"def loud(word):\n    return word.upper() + {ending!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: louder\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path, (2024, 1, 1, 0, 0, 0)), text)
    return out.getvalue()


CONTEXT: Mapping[str, str | bytes | File] | None = {
    "app.py": _APP,
    "requirements.txt": "louder==1.0\n",
    "wheels/louder-1.0-py3-none-any.whl": _wheel("1.0", ""),
    "wheels/louder-2.0-py3-none-any.whl": _wheel("2.0", _LOUDER),
    "words.txt": _WORDS,
}


def rules(attempt: Build, starter: Build, engine: Engine) -> list[Verdict]:
    """Measure that the app works, what an edit of it costs, and that nothing is stored twice."""
    assert CONTEXT is not None
    number = randomness.randbelow(300_000)
    command = ["python3", "/app/app.py", str(number)]
    return [
        same_output(
            attempt,
            starter,
            engine=engine,
            argv=command,
            rule="The app still works: it says a word loudly",
            look=_REAL,
        ),
        _owner(attempt),
        runs_again_at_most(
            attempt,
            engine=engine,
            context=CONTEXT,
            path="app.py",
            limit=0,
            rule="After an edit of app.py no RUN runs again",
            look=_INSTALL_NOTHING_ANEW,
        ),
        _installs_what_it_asks_for(attempt, engine, command, f"WORD{number:06}{_LOUDER}"),
        bytes_at_most(
            attempt,
            budget=budget(starter),
            rule="The image fits its budget: the starter's bytes without those stored again",
            look=_ONCE,
        ),
    ]


def budget(starter: Build) -> int:
    """Return the bytes (unpacked, all layers) that an answer may have: a tenth of the waste is left over.

    pip writes the time of the installation into what it compiles, and requirements.txt may come twice.
    """
    again = sum(claim.bytes for claim in ledger(starter).claims if claim.kind == "again")
    return starter.image.size_unpacked - again + again // 10


def _owner(attempt: Build) -> Verdict:
    """Look at who owns what the app needs; the kernel lets others read it too, so running shows nothing."""
    tree = attempt.image.tree()
    needed = ("app/app.py", "app/words.txt")
    owners = {path: node.entry.uid for path in needed if (node := tree.get(path)) is not None}
    wrong = [f"/{path} belongs to {uid}" for path, uid in owners.items() if uid != _OWNER]
    missing = [f"there is no /{path}" for path in needed if path not in owners]
    return Verdict(
        f"The app's files belong to user {_OWNER}, as the starter has it",
        not wrong and not missing,
        ", ".join([*wrong, *missing]) or f"all belong to {_OWNER}",
        f"all belong to {_OWNER}",
        _ONCE,
    )


def _installs_what_it_asks_for(
    attempt: Build, engine: Engine, command: Sequence[str], wanted: str
) -> Verdict:
    """Ask for the other version, so that an installation that does not read the file does not pass."""
    assert CONTEXT is not None
    edited = Context.files({**CONTEXT, "requirements.txt": "louder==2.0\n"})
    try:
        again = engine.build(attempt.dockerfile, context=edited, builder=attempt.builder)
        found = ran(again, command, engine=engine)
    except BuildError as error:
        found = Ran(1, error.message)
    return Verdict(
        "After an edit of requirements.txt, what it asks for is installed",
        found.exit_code == 0 and found.output.strip() == wanted,
        f"with louder==2.0: {ended(found)}",
        f"prints {wanted!r}",
        _READS,
    )
