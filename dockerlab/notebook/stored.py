"""What builds store, and what of it a pull moves: files by the line that stored them, sizes side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch

from dockerlab.analysis.history import rows
from dockerlab.analysis.sizes import missing_layers
from dockerlab.engines.results import Build
from dockerlab.image.filesystem import Entry
from dockerlab.units import count, human_bytes, human_share
from dockerlab.widgets.table import Table


def files(x: Build, *paths: str, folders: bool = False) -> Table:
    """List what the layers of a build hold on top of its base: files, links and whiteouts, line by line.

    With `paths` only what lies at or below one of these, or matches it as a pattern ("*.deb"); `folders`
    lists their own entries too. `.data` holds the entries.
    """
    wanted = [path.strip("/") for path in paths]
    shown: list[tuple[str, str, str, str]] = []
    found: list[Entry] = []
    for row in rows(x):
        if row.base or row.layer is None:
            continue
        held = [
            entry
            for entry in x.image.layers[row.layer - 1].entries
            if (folders or entry.kind != "dir") and _is_wanted(entry.path, wanted)
        ]
        line, text = str(row.line or ""), row.text
        if not held and not wanted:
            shown.append((line, text, "nothing" if folders else "no file", ""))
        for entry in held:
            shown.append((line, text, *_said(entry)))
            line = text = ""  # said once, above the first of its entries
        found += held
    where = f" at {', '.join(paths)}" if paths else ""
    size = human_bytes(sum(entry.size for entry in found))
    caption = f"{x.name} stores {count(len(found), 'entry', 'entries')}{where}, {size}"
    if not found:
        caption = f"{x.name} stores nothing{where}"
    columns = ("line", "instruction", "in its layer", "bytes")
    return Table(
        caption,
        columns,
        tuple(shown),
        right=("line", "bytes"),
        code=("instruction",),
        paths=("in its layer",),
        data=tuple(found),
    )


def _is_wanted(path: str, wanted: Sequence[str]) -> bool:
    return not wanted or any(
        path == one or path.startswith(f"{one}/") or fnmatch(path, one) for one in wanted
    )


def _said(entry: Entry) -> tuple[str, str]:
    if entry.kind in ("whiteout", "opaque"):
        return f"whiteout: {entry.path} is gone", f"{entry.size:,}"
    return f"{entry.path}/" if entry.kind == "dir" else entry.path, f"{entry.size:,}"


def sizes(*builds: Build, own: bool = False) -> Table:
    """Put the unpacked bytes of builds side by side, and how much smaller each is than the first.

    `own` compares what stands on top of the bases, and leaves the bases out. `.data` holds the bytes
    compared, by name.
    """
    compared = {build.name: build.size_added if own else build.image.size_unpacked for build in builds}
    first, last = builds[0].name, builds[-1].name
    shown = []
    for build in builds:
        whole = () if own else (human_bytes(build.image.size_unpacked),)
        added = (str(build.layers_added), human_bytes(build.size_added))
        than_first = "" if build is builds[0] else _smaller(compared[first], compared[build.name])
        shown.append((build.name, *added, *whole, than_first))
    became = f"{human_bytes(compared[first])} became {human_bytes(compared[last])}"
    what = "on top of the base" if own else "in all"
    return Table(
        f"{first} to {last}: {became} {what}, {_smaller(compared[first], compared[last])}",
        ("build", "layers added", "on top of the base", *(() if own else ("in all",)), f"than {first}"),
        tuple(shown),
        right=("layers added", "on top of the base", "in all", f"than {first}"),
        data=compared,
    )


def _smaller(was: int, now: int) -> str:
    if now == was:
        return "the same"
    word = "less" if now < was else "more"
    return f"{human_share(abs(was - now), was)} {word}" if was else f"{human_bytes(now)} {word}"


@dataclass(frozen=True)
class Pull:
    """What a pull moves: layers, the files in them, and their bytes unpacked and compressed."""

    layers: int
    files: int
    unpacked: int
    compressed: int


def pulls(*builds: Build, held: Sequence[Build] = ()) -> Table:
    """Say what a machine that has a build's base, and the builds `held`, must pull for each of these builds.

    Compressed bytes are what travels; they are measured, which takes a moment the first time. `.data` holds a
    Pull by name.
    """
    found = {build.name: _pull(build, held) for build in builds}
    least = min(found, key=lambda name: found[name].compressed)
    there = f"the base and {', '.join(build.name for build in held)}" if held else "the base"
    size = human_bytes(found[least].compressed)
    return Table(
        f"To a machine that has {there}: the smallest pull is {least}, {size}",
        ("build", "layers to pull", "files in them", "compressed"),
        tuple(
            (name, str(pull.layers), f"{pull.files:,}", human_bytes(pull.compressed))
            for name, pull in found.items()
        ),
        right=("layers to pull", "files in them", "compressed"),
        data=found,
    )


def _pull(build: Build, held: Sequence[Build]) -> Pull:
    below = {layer.diff_id for layer in build.image.layers[: build.image.base_layers]}
    lacking = [layer for layer in missing_layers(build, held) if layer.diff_id not in below]
    return Pull(
        layers=len(lacking),
        files=sum(entry.kind == "file" for layer in lacking for entry in layer.entries),
        unpacked=sum(layer.size_unpacked for layer in lacking),
        compressed=sum(layer.size_compressed() for layer in lacking),
    )
