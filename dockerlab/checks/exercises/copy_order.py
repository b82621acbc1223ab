"""Exercise 04: an edit of the app installs nothing anew, and no file is stored twice.

Right is whatever lets the installation see only what it reads (copied first, bind mounts, a stage),
and sets the owner while copying. The packages are wheels in the context, so that no network is needed.
"""

from __future__ import annotations

import io
import zipfile

from dockerlab.checks.rules import (
    Found,
    answers,
    rule,
    runs_again_at_most,
    same_files,
    settings,
    wastes_at_most,
)
from dockerlab.checks.trial import Files, Trial
from dockerlab.checks.verdict import Verdict
from dockerlab.units import human_bytes

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
_SPARE = 200_000  # bytes that may be stored again: requirements, wheels, what Python compiles
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


CONTEXT: Files | None = {
    "app.py": _APP,
    "requirements.txt": "louder==1.0\n",
    "wheels/louder-1.0-py3-none-any.whl": _wheel("1.0", ""),
    "wheels/louder-2.0-py3-none-any.whl": _wheel("2.0", _LOUDER),
    "words.txt": _WORDS,
}


def rules(trial: Trial) -> list[Verdict]:
    """Measure that the app works, what an edit of it costs, and that nothing is stored twice."""
    mark = f"{trial.draw.getrandbits(32):08x}"
    words = "".join(f"{trial.draw.getrandbits(40):010x}\n" for _ in range(30_000))
    edits: Files = {
        "app.py": _APP.replace("print(", f"print({mark!r}, "),
        "words.txt": words,
        **{f"wheels/louder-{one}-py3-none-any.whl": _wheel(one, f"{mark}{one}") for one in ("1.0", "2.0")},
    }
    asked = [["python3", "/app/app.py", str(trial.draw.randrange(1, 30_000))] for _ in range(2)]
    second: Files = {**edits, "requirements.txt": "louder==2.0\n"}
    mine = ["app/app.py", "app/words.txt"]
    return [
        answers("The app still works: it says a word loudly", _REAL, trial, [None, *asked], edits=edits),
        same_files(
            "The app's files belong to user 1000, and can be read as before",
            _ONCE,
            trial,
            mine,
            edits=edits,
            modes="kept",
            owners=True,
        ),
        settings("A container still runs as user 1000", _ONCE, trial, {"user": "1000"}),
        runs_again_at_most(
            "After an edit of app.py no RUN runs again", _INSTALL_NOTHING_ANEW, trial, "app.py", 0
        ),
        answers(
            "After an edit of requirements.txt, what it asks for is installed",
            _READS,
            trial,
            asked,
            edits=second,
        ),
        _stored_once("No file of any size is stored twice", _ONCE, trial, edits),
    ]


@rule
def _stored_once(trial: Trial, edits: Files) -> Found:
    """Build with more words: what that stores more than once, under any name and in any form, is too much."""
    text = str(edits["words.txt"]) * 2 + trial.draw.randbytes(500_000).hex()
    before, after = (
        [(row, layer.size_unpacked) for row, layer in trial.own(trial.again(one))]
        for one in (edits, {**edits, "words.txt": text})
    )
    grown = [(large - small, row.where) for (row, small), (_, large) in zip(before, after, strict=False)]
    lines = " and ".join(where for size, where in grown if size > _SPARE) or "no line"
    more, stored = len(text) - len(str(edits["words.txt"])), sum(size for size, _ in grown)
    again = wastes_at_most("", "", trial, _SPARE)
    return Found(
        stored <= more + _SPARE and again.passed,
        f"of {human_bytes(more)} more words {human_bytes(stored)} by {lines}; {again.measured}",
        f"once; at most {human_bytes(_SPARE)} wasted",
    )
