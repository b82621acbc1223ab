"""Exercise 01: the same files, the same settings, and no layer that is empty or stores a file once more.

Right is whatever makes each file once, with its name and its mode: COPY to the right name, a bind mount, a
stage to take the result from. One RUN for all that follows a COPY is too late.
"""

from __future__ import annotations

from dataclasses import replace

from dockerlab.analysis.ledger import blame, ledger
from dockerlab.checks.rules import Found, answers, layers_at_most, rule, same_files, settings
from dockerlab.checks.trial import Files, Trial
from dockerlab.checks.verdict import Verdict
from dockerlab.image.filesystem import Entry, Tree
from dockerlab.units import human_bytes

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
CONTEXT: Files = {
    "show.sh": SCRIPT,
    "draft.txt": "A line of the book.\n" * 75_000,
    "notes.txt": "A note that nobody needs any more.\n" * 30_000,
}

APP = "app"
LAYERS = 3  # on top of the base

BUILD, LOOK, INSIDE, WHY = "Build", "Look", "Open the layers", "Why"  # headings of lesson 01


def rules(trial: Trial) -> list[Verdict]:
    """Measure that files, settings and command are those of the starter, and what the layers cost."""
    trial.unsquashed()
    word = f"{trial.draw.getrandbits(32):08x}"
    lines = "".join(f"{trial.draw.getrandbits(64)}\n" for _ in range(trial.draw.randint(5, 50)))
    edits: Files = {
        "show.sh": f'#!/bin/sh\necho "{word} $(pwd) $(wc -l < book.txt): $(head -n 2 book.txt)"\n',
        "draft.txt": lines,
    }
    wanted = {"label title": "A book", "port": "8080", "folder": f"/{APP}"}
    return [
        answers("A container shows how the book opens", BUILD, trial, [None], edits=edits),
        _nothing_else(f"/{APP} holds the same files: names, modes and content", INSIDE, trial, edits),
        settings("Label, port and folder are still settings of the image", LOOK, trial, wanted),
        layers_at_most(f"At most {LAYERS} layers on top of the base", LOOK, trial, LAYERS),
        _none_empty("Each of them brings something new that a container can see", INSIDE, trial),
        _stored_once("They store each byte of these files once, and nothing else", WHY, trial),
    ]


@rule
def _nothing_else(trial: Trial, edits: Files) -> Found:
    """Compare the folder both ways, and every mode."""
    same = same_files("", "", trial, [APP], edits=edits, modes="same", owners=True)
    found, wanted = (build.image.tree() for build in (trial.again(edits), trial.model(edits)))
    more = [f"/{path} is there too" for path in found.walk(APP) if path not in wanted]
    more += [f"/{path} is a link" for path in wanted.walk(APP) if (one := found.get(path)) and one.entry.link]
    return Found(
        same.passed and not more, ", ".join(more) or same.measured, f"/{APP} as the starter makes it"
    )


@rule
def _none_empty(trial: Trial) -> Found:
    """Look for layers that bring nothing a container could see; a folder's new time is nothing."""
    tree, idle = Tree(), []
    mine = {row.number for row, _ in trial.own(trial.attempt)}
    for row, layer in trial.rows(trial.attempt):
        if row.number in mine and not any(_brings(entry, tree) for entry in layer.entries):
            idle.append(row.where)
        tree.apply(layer.entries, layer)
    return Found(
        not idle,
        f"nothing new from {', '.join(idle)}" if idle else "each brings something",
        "each brings something",
    )


def _brings(entry: Entry, below: Tree) -> bool:
    if entry.kind in ("whiteout", "opaque") or not entry.path:
        return False
    node = below.get(entry.path)
    return node is None or entry.size > 0 or replace(entry, mtime=0) != replace(node.entry, mtime=0)


@rule
def _stored_once(trial: Trial) -> Found:
    """Compare what the layers store with what a container sees of it: the files of the starter's folder."""
    tree = trial.starter.image.tree()
    needed = sum(node.entry.size for path in tree.walk(APP) if (node := tree.get(path)))
    stored = sum(layer.size_unpacked for _, layer in trial.own(trial.attempt))
    wasted = [blame(flow) for flow in ledger(trial.attempt).flows() if not flow.wasted_by.base]
    return Found(
        stored <= needed,
        "; ".join([f"{stored:,} bytes ({human_bytes(stored)})", *wasted]),
        f"at most {needed:,} bytes ({human_bytes(needed)})",
    )
