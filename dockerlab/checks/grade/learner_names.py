"""What a learner is called whose file says nothing, or says it oddly."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from dockerlab.checks.progress import LONGEST_NAME

_COPY = re.compile(r"[\s_.-]*(\(\d+\)|\bcopy\b|- ?copy)$", re.IGNORECASE)
_GENERIC = re.compile(r"[\s_.-]*progress[\s_.-]*", re.IGNORECASE)


def name_of_path(file: str, *, alone: bool) -> str:
    """Return a learner's name out of where a file lies: its own name if that says more than "progress (3)".

    Else the folder it is in, and with others in that folder both: it is not known that they are one person's.
    """
    path = Path(file)
    stem = path.stem
    while match := _COPY.search(stem):
        stem = stem[: match.start()]
    own = _GENERIC.sub(" ", stem).strip(" _.-")
    folder = path.parent.as_posix() if path.parent != Path() else ""
    if own:
        return f"{folder}/{own}" if folder else own
    return folder if folder and alone else path.with_suffix("").as_posix()


def tidy(name: str) -> str:
    """Return a name without control characters and runs of space, cut to a length that can be shown."""
    plain = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in name)
    return " ".join(plain.split())[:LONGEST_NAME].strip()
