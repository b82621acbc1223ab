"""Exercise 01: the same files, the same settings, and no layer that is empty or stores a file once more.

Right is whatever makes each file once, with its name and its mode: COPY to the right name, a bind mount, a
stage to take the result from. One RUN for all that follows a COPY is too late.
"""

from __future__ import annotations

import secrets as randomness
from collections.abc import Iterator, Mapping
from dataclasses import replace

from dockerlab.analysis.history import Row
from dockerlab.analysis.ledger import blame, ledger
from dockerlab.checks.rules import own_layers, ran, rows_of_layers
from dockerlab.checks.verdict import Verdict
from dockerlab.context.context import Context, File
from dockerlab.engines.results import Build, Engine
from dockerlab.errors import BuildError, ContextError
from dockerlab.image.filesystem import Entry, Node, Tree
from dockerlab.image.image import Layer
from dockerlab.units import count, human_bytes

STARTER = """\
FROM debian:trixie-slim
LABEL title="A book"
WORKDIR /app
COPY show.sh draft.txt notes.txt ./
RUN ls -l
RUN chmod 755 show.sh
RUN mv draft.txt book.txt
RUN rm notes.txt
WORKDIR /app
EXPOSE 8080
CMD ["./show.sh"]
"""
SCRIPT = '#!/bin/sh\necho "$(pwd) opens with: $(head -n 1 book.txt)"\n'
CONTEXT: Mapping[str, str | bytes | File] = {
    "show.sh": SCRIPT,
    "draft.txt": "A line of the book.\n" * 75_000,
    "notes.txt": "A note that nobody needs any more.\n" * 30_000,
}

APP, DRAFT = "app", "draft.txt"
LAYERS = 3  # on top of the base

BUILD, LOOK, INSIDE, WHY = "Build", "Look", "Open the layers", "Why"  # headings of lesson 01


def rules(attempt: Build, starter: Build, engine: Engine) -> list[Verdict]:
    """Measure that files, settings and command are those of the starter, and what the layers cost."""
    own = own_layers(attempt, starter)
    return [
        _shows_another_book(attempt, engine),
        _same_files(attempt, starter),
        _same_settings(attempt, starter),
        _few_layers(own),
        _none_empty(attempt, own),
        _stored_once(attempt, starter, own),
    ]


def _shows_another_book(attempt: Build, engine: Engine) -> Verdict:
    """Build once more with another first line, so that a command that prints the known one does not pass."""
    opening = f"Chapter {randomness.token_hex(4)}"
    context = Context.files({**CONTEXT, DRAFT: f"{opening}\nThe end.\n"})
    try:
        again = engine.build(attempt.dockerfile, context=context, builder=attempt.builder)
        said = ran(again, None, engine=engine).output.strip()
    except (BuildError, ContextError) as error:
        said = error.message
    wanted = f"/{APP} opens with: {opening}"
    return Verdict("A container shows how the book opens", said == wanted, said[-80:], wanted, BUILD)


def _same_files(attempt: Build, starter: Build) -> Verdict:
    wanted, found = starter.image.tree(), attempt.image.tree()
    paths = dict.fromkeys([APP, *wanted.walk(APP), *found.walk(APP)])
    faults = [fault for path in paths if (fault := _fault(path, found.get(path), wanted.get(path)))]
    return Verdict(
        f"/{APP} holds the same files: names, modes and content",
        not faults,
        ", ".join(faults) or "the same",
        ", ".join(f"/{path} ({node.entry.mode:o})" for path in paths if (node := wanted.get(path))),
        INSIDE,
    )


def _fault(path: str, found: Node | None, wanted: Node | None) -> str | None:
    """Say how a path of the attempt differs from the starter's, or None."""
    if found is None or wanted is None:
        return f"there is no /{path}" if found is None else f"/{path} is there too"
    if (found.entry.kind, found.entry.link) != (wanted.entry.kind, wanted.entry.link):
        return f"/{path} is a {found.entry.kind}"
    if found.entry.mode != wanted.entry.mode:
        return f"/{path} has mode {found.entry.mode:o}"
    if (found.entry.uid, found.entry.gid) != (wanted.entry.uid, wanted.entry.gid):
        return f"/{path} belongs to {found.entry.uid}:{found.entry.gid}"
    if found.entry.kind == "file" and _content(found) != _content(wanted):
        return f"/{path} holds something else"
    return None


def _content(node: Node) -> bytes:
    with node.origin.open(node.entry) as file:
        return file.read()


def _same_settings(attempt: Build, starter: Build) -> Verdict:
    """Compare the label, the port and the folder; the command is judged by what it prints."""
    wanted, found = (dict(_settings(build)) for build in (starter, attempt))
    missing = [name for name, value in wanted.items() if found.get(name) != value]
    return Verdict(
        "Label, port and folder are still settings of the image",
        not missing,
        f"not as they were: {', '.join(missing)}" if missing else "as they were",
        "as they were",
        LOOK,
    )


def _settings(build: Build) -> Iterator[tuple[str, object]]:
    config = build.image.config.get("config") or {}
    yield "label", (config.get("Labels") or {}).get("title")
    yield "port", "8080/tcp" in (config.get("ExposedPorts") or {})
    yield "folder", config.get("WorkingDir")


def _few_layers(own: list[tuple[Row, Layer]]) -> Verdict:
    made_by = f": {', '.join(row.where for row, _ in own)}" if own else ""
    return Verdict(
        f"At most {LAYERS} layers on top of the base",
        len(own) <= LAYERS,
        f"{count(len(own), 'layer')}{made_by}",
        f"at most {count(LAYERS, 'layer')}",
        LOOK,
    )


def _none_empty(attempt: Build, own: list[tuple[Row, Layer]]) -> Verdict:
    """Look for layers that bring nothing a container could see; a folder's new time is nothing."""
    tree, idle = Tree(), []
    mine = {row.number for row, _ in own}
    for row, layer in rows_of_layers(attempt):
        if row.number in mine and not any(_brings(entry, tree) for entry in layer.entries):
            idle.append(row.where)
        tree.apply(layer.entries, layer)
    return Verdict(
        "Each of them brings something new that a container can see",
        not idle,
        f"nothing new from {', '.join(idle)}" if idle else "each brings something",
        "each brings something",
        INSIDE,
    )


def _brings(entry: Entry, below: Tree) -> bool:
    if entry.kind in ("whiteout", "opaque") or not entry.path:
        return False
    node = below.get(entry.path)
    return node is None or entry.size > 0 or replace(entry, mtime=0) != replace(node.entry, mtime=0)


def _stored_once(attempt: Build, starter: Build, own: list[tuple[Row, Layer]]) -> Verdict:
    """Compare what the layers store with what a container sees of it: the files of the starter's folder."""
    tree = starter.image.tree()
    needed = sum(node.entry.size for path in tree.walk(APP) if (node := tree.get(path)))
    stored = sum(layer.size_unpacked for _, layer in own)
    wasted = [blame(flow) for flow in ledger(attempt).flows() if not flow.wasted_by.base]
    return Verdict(
        "They store each byte of these files once, and nothing else",
        stored <= needed,
        "; ".join([f"{stored:,} bytes ({human_bytes(stored)})", *wasted]),
        f"at most {needed:,} bytes ({human_bytes(needed)})",
        WHY,
    )
