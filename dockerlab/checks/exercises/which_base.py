"""Exercise 14: one program of a system, without the system.

Right is whatever takes the program and all that it needs, loader, library and time zone, and leaves the
system behind. The zone is a file of the context, so no base has it and no setting can stand for it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

from dockerlab.checks.contents import content_of, followed, same_content
from dockerlab.checks.rules import (
    Found,
    answers,
    bytes_at_most,
    nothing_in_layers,
    rule,
    runs_again_at_most,
)
from dockerlab.checks.trial import Files, Trial
from dockerlab.checks.verdict import Verdict
from dockerlab.context.context import File

STARTER = """\
FROM debian:trixie-slim
COPY office /usr/share/zoneinfo/Lab/Office
ENV TZ=Lab/Office
COPY days.txt /srv/days.txt
CMD ["date", "-f", "/srv/days.txt", "+%A %H:%M %Z"]
"""


def zone(name: str, hours: int) -> bytes:
    """Return a time zone without summer time, as a file (RFC 9636): its name, and the hours ahead of UTC."""
    letters = name.encode() + b"\0"
    header = struct.pack(">4sc15x6L", b"TZif", b"2", 0, 0, 0, 0, 1, len(letters))
    body = struct.pack(">lBB", hours * 3600, 0, 0) + letters
    return header + body + header + body + f"\n<{name}>{-hours:+d}\n".encode()


CONTEXT: Mapping[str, str | bytes | File] | None = {
    "office": zone("OFFICE", 9),
    "days.txt": "1970-01-01 00:00 UTC\n2000-02-29 12:00 UTC\n",
}
LIMIT = 5_000_000  # bytes of the whole image; program, loader and C library are half of it
SYSTEM = ("dash", "bash", "apt-get", "apt", "dpkg", "perl", "busybox")

SCRATCH, MINIMAL, SHELL = "Look", "Make a minimal base", "Why"  # headings of lesson 14


def rules(trial: Trial) -> list[Verdict]:
    """Ask a container in a zone and for days that nobody has seen; look for the system it does not need."""
    draw = trial.draw
    ahead, mark = draw.randrange(1, 13), draw.randrange(100, 1000)
    first = datetime(1980, 1, 1, tzinfo=timezone.utc)
    days = [first + timedelta(minutes=draw.randrange(30_000_000)) for _ in range(4)]
    edits: Files = {
        "office": zone(f"LAB{mark}", ahead),
        "days.txt": "".join(f"{day:%F %H:%M} UTC\n" for day in days),
    }
    programs = same_content(trial.starter, *(f"usr/bin/{name}" for name in SYSTEM))
    return [
        answers("A container says the days and times it says now", MINIMAL, trial, [None], edits=edits),
        bytes_at_most("The whole image holds at most 5 MB", SCRATCH, trial.attempt, LIMIT),
        nothing_in_layers(
            "No shell and no package manager is in any layer", SHELL, trial, [programs], base=True
        ),
        _not_root("A container does not run as root", MINIMAL, trial),
        runs_again_at_most(
            "An edit of days.txt runs no RUN again",
            MINIMAL,
            trial,
            "days.txt",
            0,
            more="2001-01-01 UTC ({})\n",
        ),
    ]


@rule
def _not_root(trial: Trial) -> Found:
    """Read the user of the image's settings; a name is what the image's own /etc/passwd says."""
    image = trial.attempt.image
    said = str((image.config.get("config") or {}).get("User") or "")
    name = said.partition(":")[0]
    passwd = followed(image.tree(), "etc/passwd")
    known = content_of(passwd).decode("utf-8", "replace") if passwd else ""
    fields = [line.split(":") for line in known.splitlines()]
    number = next((line[2] for line in fields if line[0] == name and len(line) > 2), name)
    return Found(number.isdigit() and int(number) > 0, f"user {said or 'root'}", "a user other than root")
