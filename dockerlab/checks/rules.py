"""Rules that exercises share. Each measures images of a trial, or what their containers do, for one Verdict.

A rule is the sentence the learner reads and the heading of the lesson to look at again. Paths are as in a
layer: no slash in front. None of them reads the Dockerfile's text, so that every way that works is right.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from typing import Concatenate, Literal, NamedTuple, ParamSpec

from dockerlab.analysis.ledger import ledger
from dockerlab.checks.contents import (
    Picks,
    content_of,
    digest_in,
    digest_of,
    final_file,
    followed,
    holding,
    stored,
    unpacked_in,
)
from dockerlab.checks.decodings import pieces
from dockerlab.checks.trial import AS_IT_WAS, Files, RebuildOptions, Trial
from dockerlab.checks.verdict import Verdict
from dockerlab.checks.verdict_text import contrast, ended, shown, trouble
from dockerlab.engines.results import Build, Engine, Ran
from dockerlab.errors import (
    BuildError,
    ContextError,
    DockerfileError,
    DockerlabError,
    EngineError,
    RunTimeoutError,
)
from dockerlab.image.filesystem import Entry, Node, Tree
from dockerlab.units import count, human_bytes

# What a package manager writes anew whatever it installs: its own books, and what is made from them.
_BOOKS = ("etc/", "var/cache/debconf/", "var/cache/ldconfig/", "var/lib/apt/", "var/lib/dpkg/", "var/log/")

Modes = Literal["any", "kept", "same"]
Questions = Sequence[Sequence[str] | None]  # commands; None is the image's own
P = ParamSpec("P")


class Found(NamedTuple):
    """What a rule measured, and what it asks for."""

    passed: bool
    measured: str
    target: str


def rule(measure: Callable[P, Found]) -> Callable[Concatenate[str, str, P], Verdict]:
    """Make a measurement a rule: a build that fails with edited files breaks it, and it says where."""

    @wraps(measure)
    def verdict(text: str, look: str, *args: P.args, **kwargs: P.kwargs) -> Verdict:
        try:
            found = measure(*args, **kwargs)
        except (BuildError, ContextError, DockerfileError, EngineError) as error:
            found = Found(False, trouble(error), "it builds again with other files")
        return Verdict(text, *found, look)

    return verdict  # type: ignore[return-value]  # its first two are positional for whoever calls it


@rule
def answers(
    trial: Trial, questions: Questions, *, edits: Files | None = None, given: RebuildOptions = AS_IT_WAS
) -> Found:
    """Ask both images, built again with the edits: each command must end and print as in the starter's.

    The learner's own entry point stands before the image's own command only.
    """
    mine, theirs = trial.again(edits, given), trial.model(edits, given)
    said, wanted = "", ""
    for argv in questions:
        before = f"{argv[0].rpartition('/')[2]} " if argv else "its own command "
        found, expected = (ran(build, argv, engine=trial.engine) for build in (mine, theirs))
        said, wanted = (f"{before}{one}" for one in contrast(ended(found), ended(expected)))
        if (found.exit_code, found.output.rstrip()) != (expected.exit_code, expected.output.rstrip()):
            return Found(False, said, wanted)
    return Found(True, said, wanted)


@rule
def same_files(
    trial: Trial,
    paths: Sequence[str],
    *,
    edits: Files | None = None,
    given: RebuildOptions = AS_IT_WAS,
    modes: Modes = "any",
    owners: bool = False,
) -> Found:
    """Compare files and folders with those of the starter, both built with the edits; nothing may be lost.

    Content and kind are compared; of the modes that who could read or run them can, or all; with `owners` the
    user.
    """
    found, wanted = trial.again(edits, given).image.tree(), trial.model(edits, given).image.tree()
    everything = dict.fromkeys(one for path in paths for one in [path, *wanted.walk(path)])
    faults = [
        fault
        for path in everything
        if (fault := _fault(path, found, wanted.get(path), modes=modes, owners=owners))
    ]
    more = f", and {count(len(faults) - 2, 'more fault')}" if len(faults) > 2 else ""
    return Found(not faults, (", ".join(faults[:2]) or "the same") + more, "as the starter makes them")


def _fault(path: str, found: Tree, wanted: Node | None, *, modes: Modes, owners: bool) -> str | None:
    node = followed(found, path)
    if wanted is None or node is None:
        return f"there is no /{path}"
    mine, theirs = node.entry, wanted.entry
    if mine.kind != theirs.kind:
        return f"/{path} is a {mine.kind}"
    if theirs.kind == "dir":
        return None
    lost = theirs.mode & ~mine.mode & 0o555
    if (modes == "same" and mine.mode != theirs.mode) or (modes == "kept" and lost):
        return f"/{path} has mode {mine.mode:o}, not {theirs.mode:o}"
    if owners and mine.uid != theirs.uid:
        return f"/{path} belongs to user {mine.uid}, not {theirs.uid}"
    if theirs.kind == "file" and (content := content_of(node)) != (expected := content_of(wanted)):
        has, should = contrast(shown(content), shown(expected))
        return f"/{path} holds {has}, not {should}"
    return None


@rule
def untouched_by(
    trial: Trial,
    unwanted: Files,
    *,
    edits: Files | None = None,
    given: Sequence[RebuildOptions] = (AS_IT_WAS, AS_IT_WAS, RebuildOptions(fresh=1)),
    but: Sequence[str] = (),
) -> Found:
    """Build with other files, or given something else, that the image has no need of: no layer may differ.

    What is at the paths `but` may. `given` is of the build before, of the one after, and of the same once
    more, which tells what differs from build to build anyway, as what notes a time does; where a copy of such
    a file is found there is no need to ask.
    """
    after = {**(edits or {}), **unwanted}
    first, second = trial.again(edits, given[0]), trial.again(after, given[1])
    results = {digest_of(final_file(second, path)) for path in but}  # whatever they are called
    found = [one for one in differences(trial, first, second) if one.digest not in results]
    copies = {digest_of(content) for content in unwanted.values()}
    if found and not any(one.digest in copies for one in found):
        control = trial.again(after, given[2])
        anyway = {one.path: abs(one.grown) + 100 for one in differences(trial, second, control)}
        found = [one for one in found if abs(one.grown) > anyway.get(one.path, -1)]
    told = [f"/{one.path} ({one.where})" for one in found[:2]]
    more = f" and {count(len(found) - 2, 'more file')}" if len(found) > 2 else ""
    return Found(not found, ", ".join(told) + more or "in no layer", "in no layer, in any form")


@rule
def keeps_secret(trial: Trial, unwanted: Files, secret: str, edits: Files) -> Found:
    """Look for a secret as it is typed, and for what another one in the files changes."""
    places = places_of_secret(trial, trial.attempt, secret)
    found = untouched_by("", "", trial, unwanted, edits=edits)
    return Found(found.passed and not places, ", ".join(places) or found.measured, "nowhere, in no form")


class Difference(NamedTuple):
    """A path that two builds' layers have otherwise."""

    path: str
    where: str  # the line that makes the layer
    grown: int  # bytes
    digest: str  # of the second's content


def differences(trial: Trial, first: Build, second: Build) -> Iterator[Difference]:
    """Yield what differs between the own layers of two builds of a Dockerfile.

    Times are no difference, and how a file is packed is none: gzip notes a time too.
    """
    ours, others = trial.own(first), trial.own(second)
    for (_, below), (row, above) in zip(ours, others, strict=False):
        if below.diff_id == above.diff_id:
            continue
        before = {entry.path: entry for entry in below.entries}
        after = {entry.path: entry for entry in above.entries}
        for path in sorted({*before, *after}):
            one, other = before.get(path), after.get(path)
            digests = [digest_in(layer, entry) for layer, entry in ((below, one), (above, other))]
            if _plain(one) != _plain(other) or (
                digests[0] != digests[1] and unpacked_in(below, one) != unpacked_in(above, other)
            ):
                grown = (other.size if other else 0) - (one.size if one else 0)
                yield Difference(path, row.where, grown, digests[1])
    if len(ours) != len(others):
        yield Difference("", "another number of layers", 1, "")


def _plain(entry: Entry | None) -> object:
    return entry and (entry.kind, entry.mode, entry.uid, entry.gid, entry.link)


@rule
def nothing_in_layers(trial: Trial, unwanted: Sequence[Picks], *, base: bool = False) -> Found:
    """Look in the attempt's own layers for content that one of `unwanted` picks; `base`: in all layers.

    Empty files are no content, and what the starter's base has at the same path is not the attempt's.
    """
    below = () if base else trial.starter.image.layers[: trial.starter.image.base_layers]
    theirs = Tree.stacked((layer.entries, layer) for layer in below)
    found = [
        (row, entry)
        for row, layer in (trial.rows if base else trial.own)(trial.attempt)
        for entry in layer.entries
        if entry.size
        and not ((node := theirs.get(entry.path)) and node.entry.size == entry.size)
        and any(pick(entry, layer) for pick in unwanted)
    ]
    return Found(not found, stored(found), "in no layer")


def places_of_secret(trial: Trial, build: Build, secret: str) -> list[str]:
    """Return the places that tell a secret, or a piece of it, in any form: files, history, settings."""
    parts = pieces(secret)
    tells = holding(b"|".join(map(re.escape, parts)))
    found = [
        f"{row.where} (/{entry.path})"
        for row, layer in trial.own(build)
        for entry in layer.entries
        if tells(entry, layer)
    ]
    said = {
        "the history": "\n".join(row.created_by for row in build.image.history),
        "the settings": json.dumps(build.image.config.get("config") or {}, ensure_ascii=False),
    }
    return found + [place for place, text in said.items() if any(one in text.encode() for one in parts)]


@rule
def bytes_at_most(build: Build, budget: int) -> Found:
    """Compare the content of all layers, the base's too, with a budget in bytes (unpacked).

    The base counts because an image that was fattened before it became the base would be free otherwise.
    """
    size = build.image.size_unpacked
    return Found(size <= budget, human_bytes(size), f"at most {human_bytes(budget)}")


@rule
def wastes_at_most(trial: Trial, spare: int) -> Found:
    """Sum the bytes, in any layer, that the own lines made useless; a package manager's books not."""
    found = [
        one
        for one in ledger(trial.attempt).claims
        if one.wasted_by is not None and not one.wasted_by.base and not one.path.startswith(_BOOKS)
    ]
    wasted = sum(one.bytes for one in found)
    largest = max(found, key=lambda one: one.bytes, default=None)
    by = f", the most by {largest.wasted_by.where}: /{largest.path}" if largest and largest.wasted_by else ""
    return Found(wasted <= spare, f"{human_bytes(wasted)} wasted{by}", f"at most {human_bytes(spare)}")


@rule
def layers_at_most(trial: Trial, limit: int) -> Found:
    """Count the layers on top of the base."""
    own = trial.own(trial.attempt)
    made_by = f": {', '.join(row.where for row, _ in own)}" if own else ""
    return Found(
        len(own) <= limit,
        f"{count(len(own), 'layer')}{made_by}",
        f"at most {count(limit, 'layer')} on top of the base",
    )


@rule
def runs_again_at_most(trial: Trial, path: str, limit: int, *, more: str = "\n# {}\n") -> Found:
    """Edit a file of the context, build again, and count the RUN steps that the cache did not spare."""
    _, again = trial.ran_again(path, more)
    lines = f": line {', '.join(str(step.line) for step in again)}" if again else ""
    return Found(
        len(again) <= limit, f"{count(len(again), 'RUN step')}{lines}", f"at most {count(limit, 'RUN step')}"
    )


@rule
def settings(trial: Trial, wanted: Mapping[str, str]) -> Found:
    """Ask a container of the attempt for its folder, its user and variables, with no command of the image."""
    script = 'echo "folder=$(pwd)"; echo "user=$(id -u)"; env'
    found = ran(trial.attempt, ["sh", "-c", script], engine=trial.engine)
    lines = set(found.output.splitlines())
    config = trial.attempt.image.config.get("config") or {}
    lines |= {f"port={port.removesuffix('/tcp')}" for port in config.get("ExposedPorts") or {}}
    lines |= {f"label {name}={value}" for name, value in (config.get("Labels") or {}).items()}
    faults = []
    for name, value in wanted.items():
        if f"{name}={value}" not in lines:
            has = sorted(line.partition("=")[2] for line in lines if line.startswith(f"{name}="))
            faults.append(f"{name} is {', '.join(has) or 'not set'}, not {value}")
    if found.exit_code and faults:
        faults = [ended(found)]
    said = ", ".join(f"{name} {value}" for name, value in wanted.items())
    return Found(not faults, "; ".join(faults) or said, said)


def ran(build: Build, argv: Sequence[str] | None, *, engine: Engine) -> Ran:
    """Run a command in an image, None for its own; one that cannot be started has ended with code 127."""
    try:
        return engine.run(build.image.id, argv, entrypoint=argv is None)
    except RunTimeoutError:
        return Ran(124, "it was stopped, it took too long")
    except DockerlabError as error:
        return Ran(127, error.message)
