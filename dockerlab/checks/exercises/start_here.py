"""Exercise 00: an image that prints your name, without the line that only stores numbers.

Right is whatever reads the name from its file and stores next to nothing: the line deleted, the file copied,
a stage, another command. Deleting the numbers by a later line is too late.
"""

from __future__ import annotations

from dockerlab.checks.contents import final_file
from dockerlab.checks.rules import Found, ran, rule
from dockerlab.checks.trial import Files, Trial
from dockerlab.checks.verdict import Verdict
from dockerlab.checks.verdict_text import ended, shown
from dockerlab.engines.results import Ran
from dockerlab.units import human_bytes

STARTER = """\
FROM debian:trixie-slim
RUN seq 1000000 > /numbers.txt
RUN echo "your name" > /name.txt
CMD ["cat", "/name.txt"]
"""
CONTEXT: Files | None = None

NAME = "name.txt"
PERCENT = 1  # of the starter's bytes: room for a script or a user, not for the numbers

BUILD = "Build something"  # a heading of lesson 00


def rules(trial: Trial) -> list[Verdict]:
    """Measure that a container prints the name in the file, and what the layers above the base store."""
    return [
        _prints_a_name("A container prints your name", BUILD, trial),
        _reads_the_file(f"With another name in /{NAME}, it prints that one", BUILD, trial),
        _stores_little(
            f"On top of the base, at most {PERCENT} % of what the starter stores there", BUILD, trial
        ),
    ]


@rule
def _prints_a_name(trial: Trial) -> Found:
    """Compare what a container prints with the file; the name the starter came with is none."""
    content = final_file(trial.attempt, NAME)
    name, placeholder = _words(content), _words(final_file(trial.starter, NAME))
    printed = ran(trial.attempt, None, engine=trial.engine)
    told = bool(name) and _says(printed, name)
    holds = f"there is no file /{NAME}" if content is None else f"/{NAME} holds {shown(content)}"
    return Found(
        told and placeholder.casefold() not in name.casefold(),
        ended(printed) if told else f"{ended(printed)}; {holds}",
        f"prints what /{NAME} holds: a name, and not {placeholder!r}",
    )


@rule
def _reads_the_file(trial: Trial) -> Found:
    """Put other names on top of the image, so that a command that prints a fixed one does not pass."""
    for other in (f"Guest {trial.draw.getrandbits(32):08x}", f"Zoë O'{trial.draw.getrandbits(20):x} the 2nd"):
        named = trial.on_top(f"COPY {NAME} /{NAME}\n", files={NAME: f"{other}\n"})
        printed = ran(named, None, engine=trial.engine)
        if not _says(printed, other):
            break
    return Found(_says(printed, other), ended(printed), f"prints {other!r}")


@rule
def _stores_little(trial: Trial) -> Found:
    sizes = [(layer.size_unpacked, row.where) for row, layer in trial.own(trial.attempt)]
    stored, (largest, where) = sum(size for size, _ in sizes), max(sizes, default=(0, ""))
    budget = sum(layer.size_unpacked for _, layer in trial.own(trial.starter)) * PERCENT // 100
    most = f", the largest part by {where}" if largest < stored else f" by {where}" if stored else ""
    return Found(stored <= budget, f"{human_bytes(stored)}{most}", f"at most {human_bytes(budget)}")


def _says(printed: Ran, name: str) -> bool:
    return printed.exit_code == 0 and name in " ".join(printed.output.split())


def _words(content: bytes | None) -> str:
    return " ".join((content or b"").decode("utf-8", "replace").split())
