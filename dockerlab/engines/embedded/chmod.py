"""--chmod: an octal number, or changes such as u+x,go=rX to the mode that each file has.

Source: the Dockerfile reference, "COPY --chmod"; BuildKit reads symbolic modes as setmode(3) of BSD does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dockerlab.errors import DockerfileError

_WHO = {"u": 0o4700, "g": 0o2070, "o": 0o007, "a": 0o6777}
_BITS = {"r": 0o444, "w": 0o222, "x": 0o111, "s": 0o6000, "t": 0o1000}
_SHIFT = {"u": 6, "g": 3, "o": 0}
_NEW_FOLDER = 0o755


@dataclass(frozen=True)
class _Change:
    """One step of a symbolic mode: bits set ("="), added or taken away where `who` has them."""

    op: str
    who: int
    what: int | str  # bits; "u", "g", "o": the bits those have; "X": x, of folders and of programs

    def applied(self, mode: int, original: int, *, folder: bool) -> int:
        where, what = self.who, self.what
        if what == "X":
            bits = 0o111 if folder or original & 0o111 else 0
        elif isinstance(what, str):
            where &= 0o777
            bits = (mode >> _SHIFT[what] & 7) * 0o111
        else:
            bits = what
        if self.op == "-":
            return mode & ~(where & bits)
        return (mode & ~where if self.op == "=" else mode) | (where & bits)


@dataclass(frozen=True)
class Chmod:
    """What a --chmod asks for."""

    octal: int | None
    changes: tuple[_Change, ...] = ()

    def of(self, mode: int, *, folder: bool) -> int:
        """Return the mode of the copy of a file that has `mode`."""
        if self.octal is not None:
            return self.octal
        original = mode
        for change in self.changes:
            mode = change.applied(mode, original, folder=folder)
        return mode

    @property
    def new_folder(self) -> int:
        """The mode of a folder made on the way there: a number counts for it too, under the umask 022."""
        return _NEW_FOLDER if self.octal is None else self.octal & _NEW_FOLDER


def read_chmod(text: str, line: int) -> Chmod:
    """Return what the value of a --chmod means; raises DockerfileError."""
    if re.fullmatch("0*[0-7]{1,4}", text):
        return Chmod(int(text, 8))
    clauses = text.split(",")
    if not all(re.fullmatch("[ugoa]*([-+=][rwxXstugo]*)+", clause) for clause in clauses):
        raise DockerfileError(
            f'--chmod is "{text}"',
            line=line,
            hint="Write an octal number such as 755, or changes such as u+x,go=rX.",
        )
    return Chmod(None, tuple(change for clause in clauses for change in _changes(clause)))


def _changes(clause: str) -> Iterator[_Change]:
    letters, *_ = re.split("[-+=]", clause)
    named = 0
    for letter in letters:
        named |= _WHO[letter]
    for op, rest in re.findall("([-+=])([^-+=]*)", clause):
        # s and t do not concern others. t is nobody's: "u=rwt" clears it and what "u=rw" does, "=t" only it.
        known = re.sub("[st]", "", rest) if named == _WHO["o"] else rest
        who = (named | (_BITS["t"] if "t" in known else 0)) or _WHO["a"]
        bits, copied = 0, False
        for letter in known:
            if letter in _SHIFT:
                if bits:
                    yield _Change(op, who, bits)
                yield _Change(op, who, letter)
                bits, copied = 0, True
            elif letter != "X":
                bits |= _BITS[letter]
        if bits or (op == "=" and not copied):
            yield _Change(op, who, bits)
        if "X" in known:
            yield _Change("-" if op == "-" else "+", who, "X")
