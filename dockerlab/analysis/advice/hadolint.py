"""hadolint's findings beside the measured ones, where the program is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dockerlab.analysis.advice.finding import Finding
from dockerlab.errors import DockerlabError

ANSWER_SECONDS = 20.0
# What hadolint reads off the text is measured here: its rule -> our code. Without bytes it is not so.
MEASURED = {
    "DL3009": "apt-lists",
    "DL3019": "apk-cache",
    "DL3032": "dnf-cache",
    "DL3036": "zypper-cache",
    "DL3040": "dnf-cache",
    "DL3042": "pip-cache",
    "DL3060": "npm-cache",
}


def program() -> str | None:
    """Return the path of hadolint: beside this Python (a wheel puts it there), or on PATH; None: not here."""
    return shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")


def lint(text: str) -> tuple[Finding, ...]:
    """Run hadolint on a Dockerfile's text; () where it is not installed; DockerlabError if it fails."""
    found = program()
    if found is None:
        return ()
    try:
        done = subprocess.run(
            [found, "--no-fail", "--format", "json", "-"],
            input=text.encode("utf-8", "surrogateescape"),
            capture_output=True,
            timeout=ANSWER_SECONDS,
            check=True,
        )
        rows = json.loads(done.stdout)
        return tuple(
            Finding(
                code=row["code"],
                title=row["message"].rstrip("."),
                change=f"See {'ShellCheck' if row['code'].startswith('SC') else 'hadolint'}'s page about it.",
                where=f"line {row['line']}",
                lines=(row["line"],),
                source="hadolint",
            )
            for row in rows
        )
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        raise DockerlabError(
            f"hadolint gave no answer: {error}.",
            hint="Leave it out: --no-hadolint, or hadolint=False in a notebook.",
        ) from error


def join(measured: Sequence[Finding], linted: Sequence[Finding]) -> tuple[Finding, ...]:
    """Put hadolint's findings behind the measured ones.

    A rule about something that is measured here is named in that finding; without one it is left out, as the
    image shows that it does not hold.
    """
    ours = list(measured)
    others = []
    for hint in linted:
        code = MEASURED.get(hint.code)
        if code is None:
            others.append(hint)
            continue
        for at, mine in enumerate(ours):
            if mine.code == code and hint.code not in mine.also:
                ours[at] = replace(mine, also=(*mine.also, hint.code))
    return (*ours, *others)
