"""Rules that exercises share. Each measures an image, or what it does when it runs, and returns one Verdict.

`rule` is the sentence the learner reads, `look` the heading of the lesson to look at again. Paths are as in a
layer: no slash in front. None of them reads the Dockerfile's text, so that every way that works is right.
"""

from __future__ import annotations

import hashlib
import json
import secrets as randomness
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import BinaryIO

from dockerlab.analysis.history import Row, layer_rows
from dockerlab.checks.verdict import Verdict
from dockerlab.context.context import Context, File
from dockerlab.engines.results import Build, Engine, Ran, Step
from dockerlab.errors import BuildError, DockerlabError, ImageNotFoundError, RunTimeoutError
from dockerlab.image.filesystem import CHUNK, Entry
from dockerlab.image.image import Layer
from dockerlab.units import count, human_bytes

_SHOWN = 60  # characters of an output that a verdict shows


def same_output(
    attempt: Build, starter: Build, *, engine: Engine, argv: Sequence[str], rule: str, look: str
) -> Verdict:
    """Run a command in both images: it must end and print as it does in the starter's.

    Put something random in `argv`, so that a script that prints one answer does not pass for the program.
    """
    wanted = ran(starter, argv, engine=engine)
    if wanted.exit_code:
        raise DockerlabError(
            f"{argv[0]} does not run in the starter's image, so there is nothing to compare with: "
            f"{ended(wanted)}."
        )
    found = ran(attempt, argv, engine=engine)
    return Verdict(rule, found == wanted, ended(found), ended(wanted), look)


def same_file(attempt: Build, starter: Build, *, path: str, rule: str, look: str) -> Verdict:
    """Compare a file of the finished image with the starter's, by content."""
    wanted, found = final_file(starter, path), final_file(attempt, path)
    if wanted is None:
        raise DockerlabError(f"The starter's image has no /{path} to compare with.")
    if found is None:
        measured = f"there is no file /{path}"
    else:
        measured = "the same" if found == wanted else f"/{path} holds {shown(found)}"
    return Verdict(rule, found == wanted, measured, f"/{path} holds {shown(wanted)}", look)


def content_in_no_layer(attempt: Build, starter: Build, *, path: str, rule: str, look: str) -> Verdict:
    """Look in every layer for the content that the starter stores at `path`, whatever it is called there."""
    layer, entry = next(
        (layer, entry)
        for layer in reversed(starter.image.layers)
        for entry in reversed(layer.entries)
        if entry.path == path and entry.kind == "file"
    )
    wanted = _digest(layer, entry)
    found = [
        (row, other)
        for row, holder in rows_of_layers(attempt)
        for other in holder.entries
        if other.kind == "file" and other.size == entry.size and _digest(holder, other) == wanted
    ]
    return Verdict(rule, not found, _stored(found), "in no layer", look)


def path_in_no_layer(attempt: Build, *, path: str, rule: str, look: str) -> Verdict:
    """Look in every layer for content at `path` or below it; empty files and folders are no content."""
    return nothing_in_layers(
        attempt,
        unwanted=lambda entry: entry.path == path or entry.path.startswith(f"{path}/"),
        rule=rule,
        look=look,
    )


def nothing_in_layers(attempt: Build, *, unwanted: Callable[[Entry], bool], rule: str, look: str) -> Verdict:
    """Look in every layer for content that `unwanted` picks; empty files and folders are no content."""
    found = [
        (row, entry)
        for row, layer in rows_of_layers(attempt)
        for entry in layer.entries
        if entry.size and unwanted(entry)
    ]
    return Verdict(rule, not found, _stored(found), "in no layer", look)


def bytes_at_most(attempt: Build, *, budget: int, rule: str, look: str) -> Verdict:
    """Compare the content of all layers, the base's too, with a budget in bytes (unpacked).

    The base counts because an image that was fattened before it became the base would be free otherwise.
    """
    size = attempt.image.size_unpacked
    return Verdict(rule, size <= budget, human_bytes(size), f"at most {human_bytes(budget)}", look)


def layers_at_most(attempt: Build, *, limit: int, rule: str, look: str) -> Verdict:
    """Count all layers of the image, the base's too."""
    layers, base = len(attempt.image.layers), attempt.image.base_layers
    measured = f"{count(layers, 'layer')} in all" + (f", {base} from the base" if base else "")
    return Verdict(rule, layers <= limit, measured, f"at most {count(limit, 'layer')} in all", look)


def runs_again_at_most(
    attempt: Build,
    *,
    engine: Engine,
    context: Mapping[str, str | bytes | File],
    path: str,
    limit: int,
    rule: str,
    look: str,
) -> Verdict:
    """Edit a file of the context, build again, and count the RUN steps that the cache did not spare."""
    again = [
        step for step in _rebuilt(attempt, engine=engine, context=context, path=path) if step.keyword == "RUN"
    ]
    lines = f": line {', '.join(str(step.line) for step in again)}" if again else ""
    measured = f"{count(len(again), 'RUN step')}{lines}"
    return Verdict(rule, len(again) <= limit, measured, f"at most {count(limit, 'RUN step')}", look)


def secret_nowhere(attempt: Build, *, secret: bytes, rule: str, look: str) -> Verdict:
    """Search every layer, the history and the configuration for the bytes of a secret, packed files not."""
    places = [
        f"{row.where}{_file_with(layer, secret)}"
        for row, layer in rows_of_layers(attempt)
        if _holds(layer, secret)
    ]
    text = secret.decode("utf-8", "surrogateescape")
    if any(text in row.created_by for row in attempt.image.history):
        places.append("the history")
    if text in json.dumps(attempt.image.config.get("config") or {}, ensure_ascii=False):
        places.append("the configuration")
    return Verdict(rule, not places, ", ".join(dict.fromkeys(places)) or "nowhere", "nowhere", look)


def ran(build: Build, argv: Sequence[str] | None, *, engine: Engine) -> Ran:
    """Run a command in an image, None for its own; one that cannot be started has ended with code 127."""
    try:
        return engine.run(build.image.id, argv)
    except RunTimeoutError:
        return Ran(124, "it was stopped, it took too long")
    except DockerlabError as error:
        return Ran(127, error.message)


def base_name_of(build: Build, engine: Engine) -> str:
    """Return the name under which this very build can be a base.

    Raises BuildError where another build has that name now: no engine builds FROM an id.
    """
    name = build.image.reference
    with suppress(ImageNotFoundError):
        if name is not None and engine.image(name).id == build.image.id:
            return name
    raise BuildError(
        "Another build has the name of this image now, so it cannot be checked.",
        hint="Run the cell of your Dockerfile again, then this one.",
    )


def final_file(build: Build, path: str) -> bytes | None:
    """Return the content of a file as a container of the image sees it, symbolic links followed, or None."""
    tree = build.image.tree()
    try:
        node = tree.get(tree.resolve(path))
    except OSError:  # links that lead round in a circle
        return None
    if node is None or node.entry.kind != "file":
        return None
    with node.origin.open(node.entry) as file:
        return file.read()


def rows_of_layers(build: Build) -> Iterator[tuple[Row, Layer]]:
    """Yield each layer with its row of the history, lowest first."""
    yield from zip(layer_rows(build), build.image.layers, strict=True)


def own_layers(attempt: Build, starter: Build) -> list[tuple[Row, Layer]]:
    """List the layers that are not of the starter's base, with their rows: on another base, all of them."""
    base = {layer.diff_id for layer in starter.image.layers[: starter.image.base_layers]}
    return [(row, layer) for row, layer in rows_of_layers(attempt) if layer.diff_id not in base]


def _rebuilt(
    attempt: Build, *, engine: Engine, context: Mapping[str, str | bytes | File], path: str
) -> list[Step]:
    """Build the attempt's Dockerfile once more with a comment added to one file; return the steps that ran.

    The comment is new each time: an edit that an earlier check made is in the cache.
    """
    before = context[path]
    file = before if isinstance(before, File) else File(before)
    edited = File(file.data + f"\n# {randomness.token_hex(8)}\n".encode(), file.mode)
    builds = [
        engine.build(attempt.dockerfile, context=Context.files(files), builder=attempt.builder)
        for files in (context, {**context, path: edited})
    ]
    return [step for step in builds[-1].steps if step.cached is False]


def _digest(layer: Layer, entry: Entry) -> str:
    digest = hashlib.sha256()
    with layer.open(entry) as file:
        for chunk in _chunks(file):
            digest.update(chunk)
    return digest.hexdigest()


def _holds(layer: Layer, wanted: bytes) -> bool:
    with layer.open_tar() as tar:
        return _in(tar, wanted)


def _in(file: BinaryIO, wanted: bytes) -> bool:
    tail = b""
    for chunk in _chunks(file):
        if wanted in tail + chunk:
            return True
        tail = chunk[-len(wanted) :]
    return False


def _file_with(layer: Layer, wanted: bytes) -> str:
    """Name the first file of a layer that holds these bytes; nothing where they are in a name."""
    for entry in layer.entries:
        if entry.kind == "file":
            with layer.open(entry) as file:
                if _in(file, wanted):
                    return f" (/{entry.path})"
    return ""


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: file.read(CHUNK), b"")


def _stored(found: Sequence[tuple[Row, Entry]]) -> str:
    """Say how much is stored, under which path, and by which lines."""
    if not found:
        return "in no layer"
    size = human_bytes(sum(entry.size for _, entry in found))
    lines = ", ".join(dict.fromkeys(row.where for row, _ in found))
    largest = max((entry for _, entry in found), key=lambda entry: entry.size)
    more = f" and {count(len(found) - 1, 'more file')}" if len(found) > 1 else ""
    return f"{size} stored by {lines}: /{largest.path}{more}"


def ended(result: Ran) -> str:
    """Say what a command printed, and its exit code unless that is 0."""
    printed = shown(result.output.encode()) if result.output.strip() else "nothing"
    return f"prints {printed}" if result.exit_code == 0 else f"exit code {result.exit_code}, prints {printed}"


def shown(content: bytes) -> str:
    """Quote a text in one line, cut where it is long."""
    text = " ".join(content.decode("utf-8", "replace").split())
    return repr(text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…")
