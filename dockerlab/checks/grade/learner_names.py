"""What a learner is called whose file says nothing, or says it oddly."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from dockerlab.checks.progress import LONGEST_NAME

_COPY = re.compile(r"[\s_.-]*(\(\d+\)|\bcopy\b|- ?copy)$", re.IGNORECASE)
_GENERIC = re.compile(r"[\s_.-]*progress[\s_.-]*", re.IGNORECASE)


def name_of_path(file: str, *, own: Path | None) -> str:
    """Return a learner's name out of where a file lies: its own name if that says more than "progress (3)".

    Else the first of the folders it is in that holds no other learner's file, `own`; where there is none, its
    whole path: it is not known that the files in a folder are one person's.
    """
    path = Path(file)
    stem = path.stem
    while match := _COPY.search(stem):
        stem = stem[: match.start()]
    name = _GENERIC.sub(" ", stem).strip(" _.-")
    if name:
        return (path.parent / name).as_posix()
    return (own or path.with_suffix("")).as_posix()


def tidy(name: str) -> str:
    """Return a name without control characters and runs of space, cut to a length that can be shown."""
    plain = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in name)
    return " ".join(plain.split())[:LONGEST_NAME].strip()
