"""Two images, or two builds' steps, as a list of differences in words; [] means equal.

Compared of every layer: path, type, mode, uid, gid, size, content, link target, device, xattrs, whiteouts and
opaque folders, and the order of the members. Modification times only where asked: what a build makes is as
new as the build. Of the config everything but the dates and Docker's own label.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from dockerlab.engines.docker.bases import LABEL
from dockerlab.engines.results import Step
from dockerlab.image.filesystem import Entry
from dockerlab.image.image import Image, Layer

LAYER_KEYWORDS = ("RUN", "COPY", "ADD", "WORKDIR")


def compare_images(
    theirs: Image, ours: Image, *, mtimes: Collection[str] = (), dates: bool = False
) -> list[str]:
    """Return how `ours` differs from `theirs`, BuildKit's."""
    found = list(_history(theirs, ours))
    found += _mapping("config", _settings(theirs), _settings(ours))
    if dates:
        found += _mapping("date", _dates(theirs), _dates(ours))
    if len(theirs.layers) != len(ours.layers):
        found.append(f"{len(theirs.layers)} layers in BuildKit's image, {len(ours.layers)} in ours")
    for number, (one, other) in enumerate(zip(theirs.layers, ours.layers, strict=False), 1):
        found += [f"layer {number}: {words}" for words in compare_layers(one, other, mtimes=mtimes)]
    return found


def compare_layers(theirs: Layer, ours: Layer, *, mtimes: Collection[str] = ()) -> list[str]:
    """Return how one layer differs from another."""
    if theirs.diff_id == ours.diff_id:
        return []
    found: list[str] = []
    first = {(entry.path, _class(entry)): entry for entry in theirs.entries}
    second = {(entry.path, _class(entry)): entry for entry in ours.entries}
    for path, kind in first:
        if (path, kind) not in second:
            found.append(f"{path or '/'} ({first[path, kind].kind}) is missing in ours")
    for path, kind in second:
        if (path, kind) not in first:
            found.append(f"{path or '/'} ({second[path, kind].kind}) is in ours only")
    for name, entry in first.items():
        if name in second:
            found += _entry(theirs, entry, ours, second[name], mtimes)
    if len(first) != len(theirs.entries) or len(second) != len(ours.entries):
        found.append("a path is there twice")
    if not found and list(first) != list(second):
        found.append(f"other order: {_names(first)} in BuildKit's, {_names(second)} in ours")
    return found


def compare_steps(theirs: Sequence[Step], ours: Sequence[Step]) -> list[str]:
    """Return how the cached flags of the steps that make layers differ."""
    first, second = _flags(theirs), _flags(ours)
    return [] if first == second else [f"BuildKit {first}, ours {second}"]


def missed_only(theirs: Sequence[Step], ours: Sequence[Step]) -> bool:
    """Tell whether BuildKit did steps again that we found cached, and that is all that differs.

    BuildKit misses by accident when it builds several images at once; a hit is no accident.
    """
    first, second = _flags(theirs), _flags(ours)
    return (
        first != second
        and [
            other if one.replace(" done", " cached") == other else one
            for one, other in zip(first, second, strict=False)
        ]
        == second
    )


def _flags(steps: Sequence[Step]) -> list[str]:
    return [
        f"{step.stage} {step.keyword} {'cached' if step.cached else 'done'}"
        for step in steps
        if step.keyword in LAYER_KEYWORDS and (step.keyword != "WORKDIR" or step.cached is not None)
    ]


def _class(entry: Entry) -> str:
    return entry.kind if entry.kind in ("whiteout", "opaque") else "entry"


def _names(entries: Mapping[tuple[str, str], Entry]) -> str:
    return " ".join(path + ("" if kind == "entry" else f"({kind})") for path, kind in entries)


def _entry(theirs: Layer, one: Entry, ours: Layer, other: Entry, mtimes: Collection[str]) -> Iterator[str]:
    where = one.path or "/"
    if one.kind != other.kind:
        yield f"{where} is a {one.kind} in BuildKit's, a {other.kind} in ours"
        return
    if one.kind in ("whiteout", "opaque"):
        return
    for name, before, after in (
        ("mode", f"{one.mode:04o}", f"{other.mode:04o}"),
        ("uid", one.uid, other.uid),
        ("gid", one.gid, other.gid),
        ("size", one.size, other.size),
        ("link", one.link, other.link),
        ("device", one.device, other.device),
        ("xattrs", one.xattrs, other.xattrs),
    ):
        if before != after:
            yield f"{where}: {name} {before} in BuildKit's, {after} in ours"
    if one.path in mtimes and one.mtime != other.mtime:
        yield f"{where}: mtime {one.mtime} in BuildKit's, {other.mtime} in ours"
    if one.kind == "file" and one.size == other.size:
        theirs_is, ours_is = _content(theirs, one), _content(ours, other)
        if theirs_is != ours_is:
            yield f"{where}: content {theirs_is[:60]!r} in BuildKit's, {ours_is[:60]!r} in ours"


def _content(layer: Layer, entry: Entry) -> bytes:
    with layer.open(entry) as stream:
        return stream.read()


def _settings(image: Image) -> dict[str, Any]:
    config = {name: value for name, value in (image.config.get("config") or {}).items() if value is not None}
    labels = {name: value for name, value in (config.pop("Labels", None) or {}).items() if name != LABEL}
    if labels:
        config["Labels"] = labels
    outer = {name: image.config.get(name) for name in ("architecture", "os", "variant", "author")}
    return {**config, **{name: value for name, value in outer.items() if value}}


def _dates(image: Image) -> dict[str, Any]:
    rows = {f"history row {number}": row.created for number, row in enumerate(image.history, 1)}
    return {"image": image.config.get("created"), **rows}


def _mapping(what: str, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[str]:
    return [
        f"{what}: {name} is {theirs.get(name, 'missing')} in BuildKit's, {ours.get(name, 'missing')} in ours"
        for name in {**theirs, **ours}
        if theirs.get(name, "missing") != ours.get(name, "missing")
    ]


def _history(theirs: Image, ours: Image) -> Iterator[str]:
    first = [(row.created_by, row.empty, row.comment) for row in theirs.history]
    second = [(row.created_by, row.empty, row.comment) for row in ours.history]
    if len(first) != len(second):
        yield f"history: {len(first)} rows in BuildKit's, {len(second)} in ours: {first} {second}"
    for number, (one, other) in enumerate(zip(first, second, strict=False), 1):
        if one != other:
            yield f"history row {number}: {one} in BuildKit's, {other} in ours"
