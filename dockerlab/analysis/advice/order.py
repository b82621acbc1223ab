"""What the order and the number of instructions costs: COPY before an install, layers near a limit."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from dockerlab.analysis.advice.case import Case, commands, needed
from dockerlab.analysis.advice.finding import Evidence, Finding
from dockerlab.analysis.advice.secrets import redacted
from dockerlab.analysis.made_from import below
from dockerlab.dockerfile import Instruction
from dockerlab.units import human_seconds

# Measured on Docker 26.1.5, overlay2: BuildKit builds more, but a container of 128 layers does not start; the
# legacy builder refuses the 126th.
MOST_LAYERS = 127
LEGACY_LAYERS = 125
MANY_LAYERS = 100

_INSTALLS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("pip", re.compile(r"(?:python[\d.]* -m )?pip[\d.]* (?:-\S+ )*install\b(?P<rest>.*)")),
    ("pip", re.compile(r"uv (?:pip install\b(?P<rest>.*)|sync\b.*)")),
    ("poetry", re.compile(r"(?:poetry install|pipenv (?:install|sync))\b.*")),
    (
        "npm",
        re.compile(r"(?:npm (?:-\S+ )*(?:ci|install|i)\b|pnpm (?:i|install)\b|yarn(?: install\b| -|$)).*"),
    ),
    ("bundler", re.compile(r"bundle install\b.*")),
    ("composer", re.compile(r"composer install\b.*")),
    ("go", re.compile(r"go mod download\b.*")),
    ("cargo", re.compile(r"cargo fetch\b.*")),
    ("apt", re.compile(r"apt(?:-get)? (?:-\S+ )*install\b(?P<rest>.*)")),
    ("apk", re.compile(r"apk (?:-\S+ )*add\b(?P<rest>.*)")),
    ("dnf", re.compile(r"(?:dnf|yum|microdnf) (?:-\S+ )*install\b(?P<rest>.*)")),
)
_FIRST = {
    "pip": "`COPY requirements.txt .`",
    "poetry": "`COPY pyproject.toml poetry.lock ./`",
    "npm": "`COPY package*.json ./`",
    "bundler": "`COPY Gemfile Gemfile.lock ./`",
    "composer": "`COPY composer.json composer.lock ./`",
    "go": "`COPY go.mod go.sum ./`",
    "cargo": "`COPY Cargo.toml Cargo.lock ./`",
}


def find(case: Case) -> Iterator[Finding]:
    """Find installs that run again whenever a source file changes, and stacks of too many layers."""
    yield from _copies_before_installs(case)
    yield from _many_layers(case)


def _copies_before_installs(case: Case) -> Iterator[Finding]:
    if case.dockerfile is None:
        return
    after: dict[int, tuple[Instruction | None, frozenset[str]]] = {}
    for stage in needed(case.dockerfile):
        lower = below(case.dockerfile, stage)
        copy, done = after.get(lower.index, (None, frozenset())) if lower else (None, frozenset())
        for one in stage.instructions:
            if one.keyword in ("COPY", "ADD") and copy is None and _brings_much(case, one):
                copy = one
            elif one.keyword == "RUN":
                managers = installs(one)
                first = next((name for name in managers if name not in done), None)
                if copy is not None and first is not None:
                    yield _copy_before_install(case, copy, one, first)
                done = done | set(managers)
        after[stage.index] = (copy, done)


def installs(run: Instruction) -> tuple[str, ...]:
    """Return the package managers by which a RUN installs what is not in the build context."""
    text = " ".join(run.args) if run.json else (run.script or "")
    found: list[str] = []
    for command in commands(text):
        for name, pattern in _INSTALLS:
            match = pattern.match(command)
            if match and _fetches(name, match.groupdict().get("rest")):
                found.append(name)
    return tuple(dict.fromkeys(found))


def _fetches(manager: str, rest: str | None) -> bool:
    """Tell whether an install's arguments name anything that is not a local path."""
    if rest is None:
        return True
    try:
        words = shlex.split(rest)
    except ValueError:  # quotes that the shell would go on reading
        words = rest.split()
    if manager == "pip" and any(word in ("-r", "--requirement") or word.startswith("-r") for word in words):
        return True
    editable = {at + 1 for at, word in enumerate(words) if word in ("-e", "--editable")}
    names = [word for at, word in enumerate(words) if not word.startswith("-") and at not in editable]
    return any(not re.match(r"[./$]|.*\.(whl|deb|apk|rpm)$", word) for word in names)


def _brings_much(case: Case, copy: Instruction) -> bool:
    """Tell whether a COPY takes the whole context or a folder of it, so that any source file changes it."""
    if copy.flag("from") is not None:
        return False
    sources = copy.args[:-1]
    if any(source in (".", "*", "/") or source.endswith(("/", "/*", "/.")) for source in sources):
        return True
    row = next((row for row in case.rows if row.line == copy.line and row.layer), None)
    if row is None or row.layer is None or any("*" in source for source in sources) or copy.keyword == "ADD":
        return False
    files = sum(entry.kind == "file" for entry in case.image.layers[row.layer - 1].entries)
    return files > len(sources)


def _copy_before_install(case: Case, copy: Instruction, run: Instruction, manager: str) -> Finding:
    seconds = case.seconds_of(run.line)
    cost = "" if seconds is None else f", {human_seconds(seconds)}"
    if manager in _FIRST:
        change = (
            f"Before the install copy only what it reads ({_FIRST[manager]}), and move line {copy.line} "
            f"below line {run.line}."
        )
    else:
        change = f"Move line {run.line} above line {copy.line}."
    note = ""
    if seconds is None:
        timed = "was cached in this build" if case.steps else "comes without its build"
        note = f"How long line {run.line} takes is not measured: it {timed}."
    return Finding(
        code="copy-before-install",
        title=f"line {run.line} installs again ({manager}{cost}) whenever a file of line {copy.line} changes",
        change=change,
        where=f"line {copy.line}",
        lines=(copy.line, run.line),
        seconds=seconds,
        saves_seconds=seconds,
        evidence=(
            Evidence(redacted(copy.text), None, f"line {copy.line}"),
            Evidence(redacted(run.text), None, f"line {run.line}"),
        ),
        note=note
        or f"Saved at every build in which sources changed and line {run.line}'s own inputs did not.",
    )


def _many_layers(case: Case) -> Iterator[Finding]:
    number = len(case.image.layers)
    if number < MANY_LAYERS:
        return
    yield Finding(
        code="many-layers",
        title=f"{number} layers, and Docker's overlay2 store starts no container of more than {MOST_LAYERS}",
        change="Join RUN lines that always change together, or take the result into a new stage with one "
        "`COPY --from`.",
        where="image",
        evidence=(
            Evidence(f"{number} layers, {number - _base_layers(case)} of them from this Dockerfile"),
            Evidence(f"the legacy builder stops at {LEGACY_LAYERS}"),
        ),
        note="Limits measured on Docker 26.1.5; the containerd image store took 499.",
    )


def _base_layers(case: Case) -> int:
    return sum(row.base and row.layer is not None for row in case.rows)
