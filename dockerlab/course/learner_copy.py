"""The learner's own copy of the course: every notebook without outputs, theirs to run and to change.

A file beside the notebooks, `.layer-lab.json`, notes a digest of each as it was brought:

    {"version": 1, "brought": {"notebooks/00-start-here.ipynb": "sha256 of its cells", ...}}

What a learner changed is told from it, and so is a folder that is no copy. Each file is written in one
step, the record last: a copy that was interrupted, or made twice at once, is finished by bringing it again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count as numbers
from pathlib import Path
from typing import Any

from dockerlab.checks.manifest import course_folder, start
from dockerlab.checks.progress import COPY_RECORD, FILE_NAME, write_whole
from dockerlab.course.course_map import course_map
from dockerlab.errors import StartError
from dockerlab.printable import LINES, printable
from dockerlab.units import count

VERSION = 1
FOLDERS = ("notebooks", "exercises", "solutions")
README = f"""# The layer lab: your copy

These notebooks are yours: run them, change them, break them. `dockerlab start` brings new and corrected
lessons and leaves what you changed. To begin a notebook anew, delete it and run `dockerlab start` again.
Checked exercises are noted in `{FILE_NAME}`, beside this page.

"""


@dataclass
class LearnerCopy:
    """What was done to a copy; paths are seen from its folder."""

    folder: Path
    new: list[str] = field(default_factory=list)
    corrected: list[str] = field(default_factory=list)  # replaced; the learner had changed no cell of it
    kept: list[str] = field(default_factory=list)  # changed by the learner, and left
    beside: dict[str, str] = field(default_factory=dict)  # changed by both: its path -> that of the new one
    gone: list[str] = field(default_factory=list)  # no longer in the course, and left

    @property
    def first(self) -> Path:
        """Where a learner begins."""
        return self.folder / start()

    def __str__(self) -> str:
        lines = [f"{self.folder} is your copy of the course. Progress is kept in {self.folder / FILE_NAME}."]
        if self.new:
            lines.append(f"New: {count(len(self.new), 'file')}.")
        if self.corrected:
            lines.append(f"Corrected: {', '.join(self.corrected)}.")
        if self.kept:
            lines.append(f"Changed by you and left as they are: {', '.join(self.kept)}.")
        for mine, theirs in self.beside.items():
            lines.append(f"Corrected, and changed by you: {mine} is left as it is, the new one is {theirs}.")
        if self.gone:
            lines.append(f"No longer in the course, left as they are: {', '.join(self.gone)}.")
        return printable("\n".join(lines), keep=LINES)


def bring(folder: Path) -> LearnerCopy:
    """Make the copy in `folder`, or bring what is new and corrected into the one that is there.

    A notebook that was only run is replaced when its lesson is corrected. Where the learner changed a cell
    too, theirs stays and the new one lies beside it. Raises StartError where the folder is something else,
    or cannot be written.
    """
    copy = LearnerCopy(folder)
    try:
        brought = _brought(folder)
        record = {}
        for path, text in _course():
            _bring(copy, path, text, before=brought.get(path))
            record[path] = _digest(path, text)
        copy.gone = [path for path in brought if path not in record and (folder / path).exists()]
        if record != brought:
            _write_record(folder, record)
    except OSError as error:
        raise StartError(
            f"{error.filename or folder} cannot be written or read: {error.strerror or error}.",
            hint="Name a folder that is yours: dockerlab start FOLDER.",
        ) from error
    return copy


def _bring(copy: LearnerCopy, path: str, text: str, *, before: str | None) -> None:
    """Put one file where it belongs; `before` is the digest of what was brought last time."""
    target = copy.folder / path
    new = _digest(path, text)
    if not target.exists():
        write_whole(target, text)
        copy.new.append(path)
        return
    mine = _digest(path, target.read_bytes().decode(errors="replace"))
    if mine == new:
        return
    if mine == before:
        write_whole(target, text)
        copy.corrected.append(path)
    elif new == before:
        copy.kept.append(path)
    else:
        name = _put_beside(target, path, text)
        copy.beside[path] = (target.parent / name).relative_to(copy.folder).as_posix()


def _put_beside(target: Path, path: str, text: str) -> str:
    """Write the new one under the first name that is free, or holds it already, and return that name."""
    names = (f"{target.stem}-corrected{f'-{n}' if n > 1 else ''}{target.suffix}" for n in numbers(1))
    for name in names:
        beside = target.with_name(name)
        if not beside.exists():
            write_whole(beside, text)
            return name
        if _digest(path, beside.read_bytes().decode(errors="replace")) == _digest(path, text):
            return name
    raise AssertionError


def _course() -> Iterator[tuple[str, str]]:
    """Yield the path and the text of each file of a copy."""
    for folder in FOLDERS:
        for path in sorted((course_folder() / folder).glob("*.ipynb")):
            yield f"{folder}/{path.name}", without_outputs(path.read_text(encoding="utf-8"))
    yield "README.md", f"{README}{course_map()}\n"


def without_outputs(text: str) -> str:
    """Return a notebook's text as it is before anybody ran it."""
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _brought(folder: Path) -> Mapping[str, str]:
    """Return what the folder's record holds, begun here where it is new; StartError if it is no copy."""
    record = folder / COPY_RECORD
    # Listed before the record is looked for: who makes the copy at the same time writes that first.
    names = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    try:
        found: Mapping[str, str] = json.loads(record.read_text(encoding="utf-8"))["brought"]
        return dict(found)
    except FileNotFoundError:
        pass
    except (ValueError, TypeError, KeyError):
        return {}  # damaged: whatever differs counts as changed by the learner
    if foreign := next((name for name in names if not name.startswith(f".{COPY_RECORD}.")), None):
        raise StartError(
            f"{folder} holds something else already ({foreign}), so no copy of the course was made in it.",
            hint="Name a folder that is new or empty: dockerlab start FOLDER.",
        )
    _write_record(folder, {})  # from now on it is a copy, whatever comes between
    return {}


def _write_record(folder: Path, brought: Mapping[str, str]) -> None:
    write_whole(folder / COPY_RECORD, json.dumps({"version": VERSION, "brought": brought}, indent=1) + "\n")


def _digest(path: str, text: str) -> str:
    """Return what changes when a learner writes something: running a notebook alone does not change it."""
    said: Any = text
    if path.endswith(".ipynb"):
        try:
            said = [[cell["cell_type"], "".join(cell["source"])] for cell in json.loads(text)["cells"]]
        except (ValueError, TypeError, KeyError):
            said = text  # no notebook any more
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()
