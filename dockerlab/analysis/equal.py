"""Which files of different layers hold the same content, found by reading as little of them as will do."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from dockerlab.image.filesystem import CHUNK, Entry
from dockerlab.image.image import Layer
from dockerlab.image.layer import ContentReader

_SAMPLE = 128  # bytes read from the middle before files are compared whole; heads are often alike
_MANY = 16  # more files than this are told apart by digest: comparing each with each would take too long

_File = tuple[int, Entry]  # the position of the layer, and the file in it


def same_contents(layers: Sequence[Layer]) -> dict[int, int]:
    """Return a number for each file (by the id() of its entry) whose content other layers may have too.

    Files have the same number when, and only when, their content is the same. A file that is left out has a
    content that no other layer has.
    """
    found: dict[int, int] = {}
    with ExitStack() as opened:
        readers = [opened.enter_context(ContentReader(layer)) for layer in layers]
        number = 0
        for alike in _alike(layers, readers):
            for same in _parted(alike, readers):
                found.update((id(entry), number) for _, entry in same)
                number += 1
    return found


def _alike(layers: Sequence[Layer], readers: Sequence[ContentReader]) -> Iterator[list[_File]]:
    """Yield files of equal size and sample that are in more than one layer."""
    sizes: defaultdict[int, list[_File]] = defaultdict(list)
    for index, layer in enumerate(layers):
        for entry in layer.entries:
            if entry.kind == "file" and entry.size:
                sizes[entry.size].append((index, entry))
    for size, files in sizes.items():
        if not _in_several(files):
            continue
        middle = max(0, size - _SAMPLE) // 2
        samples: defaultdict[bytes, list[_File]] = defaultdict(list)
        for file in files:
            index, entry = file
            samples[readers[index].read(entry, middle, _SAMPLE)].append(file)
        yield from filter(_in_several, samples.values())


def _in_several(files: list[_File]) -> bool:
    return files[0][0] != files[-1][0]  # they stand in the order of their layers


def _parted(files: list[_File], readers: Sequence[ContentReader]) -> Iterator[list[_File]]:
    """Part files of equal size and sample by their whole content."""
    if files[0][1].size <= _SAMPLE:
        yield files
        return
    if len(files) > _MANY:
        digests: dict[bytes, list[_File]] = {}
        for index, entry in files:
            sha = hashlib.sha256()
            for place in range(0, entry.size, CHUNK):
                sha.update(readers[index].read(entry, place, CHUNK))
            digests.setdefault(sha.digest(), []).append((index, entry))
        yield from digests.values()
        return
    classes: list[list[_File]] = []
    for file in files:
        home = next((some for some in classes if _equal(file, some[0], readers)), None)
        if home is None:
            classes.append([file])
        else:
            home.append(file)
    yield from classes


def _equal(one: _File, other: _File, readers: Sequence[ContentReader]) -> bool:
    (here, mine), (there, theirs) = one, other
    return all(
        readers[here].read(mine, place, CHUNK) == readers[there].read(theirs, place, CHUNK)
        for place in range(0, mine.size, CHUNK)
    )
