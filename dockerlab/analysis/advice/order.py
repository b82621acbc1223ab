"""What the order and the number of instructions costs: COPY before an install, layers near a limit."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace

from dockerlab.analysis.advice.case import Case
from dockerlab.analysis.advice.finding import Evidence, Finding
from dockerlab.analysis.advice.secrets import redacted
from dockerlab.analysis.built_stages import known_path, known_word
from dockerlab.analysis.ledger import Claim
from dockerlab.analysis.packages import Install, Manager, install_of, reads
from dockerlab.analysis.shell import Words, commands, script_of
from dockerlab.dockerfile.instruction import COPIES, is_git, is_url
from dockerlab.dockerfile.parser import Instruction
from dockerlab.dockerfile.scope import Scope
from dockerlab.units import human_seconds

# Measured on Docker 26.1.5, overlay2: BuildKit builds more, but a container of 128 layers does not start; the
# legacy builder refuses the 126th.
MOST_LAYERS = 127
LEGACY_LAYERS = 125
MANY_LAYERS = 100

MOST_SCRIPT = 200_000  # bytes: a longer script is not read
_SHELL_SCRIPT = re.compile(rb"(?!\x7fELF)(?!#!)|#!.*\b(ba|da|a|k|z)?sh\b")


_Done = frozenset[tuple[str, bool]]  # managers that installed above, and whether from a list of the project


@dataclass(frozen=True)
class _Copy:
    """A COPY or ADD that takes a folder of the context, where to, and the files its layer holds of it."""

    one: Instruction
    dest: str
    whole: bool  # the whole context
    claims: tuple[Claim, ...]  # none: the layer is in no image at hand, or empty


def find(case: Case) -> Iterator[Finding]:
    """Find installs that run again whenever a source file changes, and stacks of too many layers."""
    yield from _copies_before_installs(case)
    yield from _many_layers(case)


def _copies_before_installs(case: Case) -> Iterator[Finding]:
    if case.stages is None:
        return
    after: dict[int, tuple[tuple[_Copy, ...], _Done]] = {}
    for stage in case.stages.needed:
        below = case.stages.below(stage)
        copies, done = after[below.index] if below is not None else ((), frozenset())
        for instruction, scope in case.stages.lines(stage):
            if instruction.keyword in COPIES:
                copy = _copy(case, instruction, scope)
                copies += (copy,) if copy else ()
            elif instruction.keyword == "RUN":
                workdir = scope.workdir
                found = [install for install in _installs(case, instruction, workdir) if install.fetches]
                for install in (install for install in found if not _done(install, done)):
                    inside = _installs_project(case, instruction, install.manager)
                    above = [copy for copy in copies if not _reads(copy, install, workdir)]
                    if above and not inside:
                        copy = next((copy for copy in above if copy.whole), above[0])
                        yield _copy_before_install(case, copy, instruction, install, workdir)
                        break
                done = done | {(install.manager.name, not install.packages) for install in found}
        after[stage.index] = (copies, done)


def installs(run: Instruction) -> tuple[str, ...]:
    """Return the package managers by which a RUN installs what is not in the build context."""
    found = (install_of(words) for words in _commands(run))
    return tuple(dict.fromkeys(install.manager.name for install in found if install and install.fetches))


def _commands(run: Instruction) -> tuple[Words, ...]:
    if run.json:
        return commands(shlex.join(run.args))
    return commands(run.shebang.content if run.shebang else run.script or "")


def _installs(case: Case, run: Instruction, workdir: str) -> Iterator[Install]:
    """Find the installs of a RUN, and of the scripts it runs that a COPY brought into the image."""
    for words in _commands(run):
        install = install_of(words)
        path = None if install else script_of(words)
        if install is not None:
            yield install
        elif path is not None:
            text = _script(case, run, posixpath.normpath(posixpath.join(workdir, path)))
            for inner in map(install_of, commands(text)):
                if inner is not None:
                    yield replace(inner, script=path)


def _script(case: Case, run: Instruction, path: str) -> str:
    """Return the text of a script that a line above brought; "" for what is none, or not in the image."""
    for claim in reversed(case.book.claims):
        by = claim.stored_by
        if f"/{claim.path}" == path and case.copied_from_context(by) and (by.line or 0) < run.line:
            data = case.read(claim) if claim.bytes <= MOST_SCRIPT else b""
            return data.decode("utf-8", "replace") if _SHELL_SCRIPT.match(data) else ""
    return ""


def _copy(case: Case, instruction: Instruction, scope: Scope) -> _Copy | None:
    """Return a COPY that takes the whole context or a folder of it, so that any source file changes it."""
    words = [known_word(source, scope) or source for source in instruction.args[:-1]]
    sources = [source for source in words if not is_url(source) and not is_git(source)]
    if instruction.flag("from") is not None or not sources:
        return None
    claims = tuple(claim for claim in case.book.claims if claim.stored_by.line == instruction.line)
    many = (
        not any("*" in source for source in sources)
        and instruction.keyword == "COPY"
        and len(claims) > len(sources)
    )
    if not many and not any(
        source in (".", "*", "/") or source.endswith(("/", "/*", "/.")) for source in sources
    ):
        return None
    whole = any(posixpath.normpath(source).strip("/") in ("", ".", "*") for source in sources)
    return _Copy(instruction, known_path(instruction.args[-1], scope), whole, claims)


def _done(install: Install, done: _Done) -> bool:
    """Tell whether a line above saw to the most of an install: for what a list names, only a list did."""
    name = install.manager.name
    return (name, True) in done or (bool(install.packages) and (name, False) in done)


def _installs_project(case: Case, run: Instruction, manager: Manager) -> bool:
    """Tell whether a list of packages names folders of the project: by path, or as parts of a workspace."""
    lists = (
        claim
        for claim in case.book.claims
        if manager.inside
        and case.copied_from_context(claim.stored_by)
        and (claim.stored_by.line or 0) < run.line
        and manager.lists_in(posixpath.basename(claim.path))
    )
    return any(
        re.search(manager.inside, case.read(claim).decode("utf-8", "replace"), re.MULTILINE)
        for claim in lists
    )


def _reads(copy: _Copy, install: Install, workdir: str) -> bool:
    """Tell whether an install needs what a COPY brings, so that it cannot stand above it."""
    manager = install.manager
    if manager.settings and any(re.match(manager.settings, claim.path) for claim in copy.claims):
        return True
    if copy.claims and all(reads(manager, claim.path) for claim in copy.claims):
        return True
    if copy.whole:
        return False
    folder = [part for source in copy.one.args[:-1] for part in source.split("/")]
    named = [
        *(path for word in install.local for path in re.findall(r"[^\s()$`\"']+", word)),
        *(install.files if not copy.claims else ()),
        *([install.script] if install.script else []),
    ]
    return (
        bool(set(folder) & set(manager.folders))
        or bool(manager.settings and re.match(manager.settings, f"{copy.dest}/".lstrip("/")))
        or any(
            f"{posixpath.normpath(posixpath.join(workdir, path))}/".startswith(f"{copy.dest}/")
            for path in named
        )
    )


def _copy_before_install(
    case: Case, above: _Copy, run: Instruction, install: Install, workdir: str
) -> Finding:
    copy, manager = above.one, install.manager
    seconds = case.seconds_of(run.line)
    cost = "" if seconds is None else f", {human_seconds(seconds)}"
    if manager.first and not install.packages:
        files = [posixpath.join("/", workdir, path) for path in install.files]
        first = " ".join(f"`{posixpath.relpath(path, above.dest)}`" for path in files) or manager.first
        change = (
            f"Before the install copy only what it reads ({first}), give it a RUN of its own, and move line "
            f"{copy.line} below that."
        )
    elif install.local:
        change = (
            f"Copy only what the install reads before line {run.line}, and move line {copy.line} below it."
        )
    elif install.script:
        change = f"Copy {install.script} alone before line {run.line}, and move line {copy.line} below it."
    else:
        change = f"Move the install above line {copy.line}, in a RUN of its own if line {run.line} does more."
    note = ""
    if seconds is None:
        timed = "was cached in this build" if case.steps else "comes without its build"
        note = f"How long line {run.line} takes is not measured: it {timed}."
    how = f"{manager.name}{cost}"
    return Finding(
        code="copy-before-install",
        title=f"line {run.line} installs again ({how}) whenever a file of line {copy.line} changes",
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
            Evidence(f"{number} layers, {number - case.base_layers} of them from this Dockerfile"),
            Evidence(f"the legacy builder stops at {LEGACY_LAYERS}"),
        ),
        note="Limits measured on Docker 26.1.5; the containerd image store took 499.",
    )
