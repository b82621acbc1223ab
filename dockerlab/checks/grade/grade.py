"""A folder of learners' progress files, read as a class; the files are only ever read.

Nothing is left out in silence: each file that is not graded, and each that was joined with another, is a
`Remark` with its name and what to do about it. Of homes full of other files, the others are counted.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dockerlab.checks.grade.learner_names import name_of_path, tidy
from dockerlab.checks.manifest import lessons
from dockerlab.checks.progress import (
    FILE_NAME,
    VERSION,
    ExerciseRecord,
    Progress,
    read_progress,
)
from dockerlab.errors import GradeError, ProgressError, ProgressVersionError
from dockerlab.printable import printable
from dockerlab.units import count

LARGEST = 5_000_000  # bytes; the file of a whole course is about 50 kB
NAMED = 10  # files that are something else, each with its name; of more the number


@dataclass(frozen=True)
class Remark:
    """What is to be said of a file: what was found, and what to do."""

    file: str  # relative to the folder that is graded
    found: str
    to_do: str
    other: bool = False  # it looks like a file that has nothing to do with the course

    def __str__(self) -> str:
        return f"{self.file}: {self.found}. {self.to_do}"


@dataclass(frozen=True)
class Learner:
    """One learner: the best that is known of each exercise, out of these files."""

    name: str
    files: tuple[str, ...]
    exercises: Mapping[str, ExerciseRecord]

    def of(self, exercise: str) -> ExerciseRecord:
        """Return what is known of an exercise."""
        return self.exercises.get(exercise, ExerciseRecord())

    @property
    def passed(self) -> int:
        """How many exercises are passed."""
        return sum(record.passed for record in self.exercises.values())

    @property
    def last(self) -> str | None:
        """When the last check was (ISO 8601, UTC), or None."""
        return max(filter(None, map(last_time, self.exercises.values())), default=None)


@dataclass(frozen=True)
class Grades:
    """A class: learners by name, the exercises in the course's order, and what is to be said of files."""

    learners: tuple[Learner, ...]
    exercises: tuple[str, ...]
    remarks: tuple[Remark, ...]

    def counts(self, exercise: str) -> Counter[str]:
        """Return how many learners passed an exercise, attempted it, or did not begin."""
        return Counter(state(learner.of(exercise)) for learner in self.learners)

    @property
    def finding(self) -> str:
        """Say where the class is stuck, without a full stop."""
        total = count(len(self.learners), "learner")
        stuck = {name: self.counts(name)[ATTEMPTED] for name in self.exercises}
        if most := max(stuck.values(), default=0):
            where = listed([name for name, number in stuck.items() if number == most])
            stops = "stops" if sum(number == most for number in stuck.values()) == 1 else "each stop"
            return f"{where} {stops} the most: {most} of {total} tried and did not pass"
        tried = {name: _tries(self.learners, name) for name in self.exercises}
        if hardest := max(tried.values(), default=0):
            where = listed([name for name, tries in tried.items() if tries == hardest])
            return f"Nobody is stuck; {where} took the most tries, {hardest:.1f} on average until it passed"
        return f"Of {total}, nobody has checked an exercise yet"


PASSED, ATTEMPTED, OPEN = "passed", "attempted", "not"


def state(record: ExerciseRecord) -> str:
    """Return "passed", "attempted" (checked, or a hint opened) or "not"."""
    return PASSED if record.passed else ATTEMPTED if record.tries or record.hints else OPEN


def last_time(record: ExerciseRecord) -> str | None:
    """Return when an exercise was last checked (ISO 8601, UTC), or None."""
    at = (record.last or {}).get("at")
    return str(at) if at else record.passed_at


def measured(record: ExerciseRecord) -> str:
    """Return what the last check measured, rule by rule, with the targets of those not met."""
    rules = (record.last or {}).get("rules")
    said = []
    for one in rules if isinstance(rules, list) else []:
        if isinstance(one, Mapping):
            target = "" if one.get("passed") is True else f" (target: {one.get('target')})"
            said.append(f"{one.get('rule')}: {one.get('measured')}{target}")
    return "; ".join(said)


def grade(folder: Path, *, ignore: Iterable[Path] = ()) -> Grades:
    """Read every progress file in a folder and the folders in it; `ignore` names files of our own.

    Raises GradeError when there is no such folder, or no progress file in it.
    """
    if not folder.is_dir():
        raise GradeError(f"There is no folder {folder}.", hint="Give the folder with the learners' files.")
    read: dict[str, Progress] = {}
    remarks: list[Remark] = []
    ours = {os.path.realpath(path) for path in ignore}
    for path in _files(folder, remarks):
        name = _shown(path, folder)
        if os.path.realpath(path) in ours:
            continue
        found = _read(path, name)
        if isinstance(found, Remark):
            remarks.append(found)
        else:
            read[name] = found
    if not read:
        told = "".join(f"\n{remark}" for remark in _counted(remarks))
        raise GradeError(
            f"There is no progress file in {folder} that can be read.{told}",
            hint="A learner hands in progress.json, which is beside the course's README.",
        )
    learners = _learners(read, remarks)
    remarks += _twins(learners)
    known = list(lessons())
    others = {name for learner in learners for name in learner.exercises} - set(known)
    ordered = sorted(_counted(remarks), key=lambda remark: remark.file)
    return Grades(tuple(learners), (*known, *sorted(others)), tuple(ordered))


def _counted(remarks: Sequence[Remark]) -> list[Remark]:
    """Return the remarks; where many files are something else, one that counts them instead of theirs."""
    others = [remark.file for remark in remarks if remark.other]
    if len(others) <= NAMED:
        return list(remarks)
    found = f"no progress files, not read: {listed(others)}"
    to_do = "If a learner's is among them, call it progress.json."
    return [
        *(remark for remark in remarks if not remark.other),
        Remark(f"{len(others):,} other files", found, to_do),
    ]


def _files(folder: Path, remarks: list[Remark]) -> Iterator[Path]:
    """Yield the files of a folder and those below, by name; links to folders are not followed."""

    def refused(error: OSError) -> None:
        name = _shown(Path(error.filename or folder), folder)
        found = f"the folder cannot be read: {error.strerror}"
        remarks.append(Remark(name, found, "Give yourself the right to, and grade again."))

    for where, below, names in os.walk(folder, onerror=refused):
        for name in below:
            if Path(where, name).is_symlink():
                found = "a link to a folder, not followed"
                remarks.append(
                    Remark(_shown(Path(where, name), folder), found, "Copy the folder itself here.")
                )
        below[:] = sorted(name for name in below if name != "__MACOSX" and not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):  # what systems put there: .DS_Store, ._progress.json
                yield Path(where, name)


def _shown(path: Path, folder: Path) -> str:
    """Return a file's path within the folder, so that any terminal and any file can take it."""
    return printable(path.relative_to(folder).as_posix())


def _read(path: Path, name: str) -> Progress | Remark:
    suffix = path.suffix.lower()
    called_so = FILE_NAME.removesuffix(".json") in path.stem.lower()
    if suffix in {".zip", ".tar", ".gz", ".tgz", ".7z", ".rar"}:
        return Remark(name, "an archive, not read", "Unpack it here and grade again.")
    if suffix != ".json":
        to_do = "If it is one, give its name the ending .json."
        return Remark(name, "not a .json file, not read", to_do, other=True)
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            return Remark(name, "not an ordinary file, not read", "Ask for the file itself.")
        if about.st_size == 0:
            return Remark(name, "empty", "Ask for it again; the download may have failed.")
        if about.st_size > LARGEST:
            found = "too large to be a progress file, not read"
            return Remark(name, found, "Ask for progress.json.", other=not called_so)
        return read_progress(path)
    except ProgressVersionError as error:
        newer = isinstance(error.version, int) and error.version > VERSION
        to_do = "Update dockerlab and grade again." if newer else "Ask for one of this version of the course."
        return Remark(name, f"of version {error.version}, and this dockerlab reads {VERSION}", to_do)
    except ProgressError as error:
        cause = error.__cause__
        another = isinstance(cause, KeyError | TypeError | AttributeError)  # JSON, of something else
        why = f"there is no {cause} in it" if isinstance(cause, KeyError) else str(cause).rstrip(".")
        found = f"damaged, or no progress file ({why})"
        return Remark(name, found, "Ask for it again, as it lies on disk.", other=another and not called_so)
    except OSError as error:
        return Remark(
            name, f"cannot be read: {error.strerror}", "Give yourself the right to, and grade again."
        )


def _learners(read: Mapping[str, Progress], remarks: list[Remark]) -> list[Learner]:
    """Return the learners by name; files that give one name are one learner's."""
    named = {file: tidy(progress.learner or "") for file, progress in read.items()}
    below = Counter(folder for file in read for folder in Path(file).parents)
    by_name: dict[str, list[str]] = defaultdict(list)
    shown: dict[str, str] = {}
    for file in read:
        alone = [folder for folder in Path(file).parents if below[folder] == 1 and folder != Path()]
        name = named[file] or tidy(name_of_path(file, own=alone[-1] if alone else None)) or file
        key = unicodedata.normalize("NFKC", name).casefold()
        shown.setdefault(key, name)
        by_name[key].append(file)
        if not named[file]:
            to_do = "They choose one with lab.progress(name=...); or rename the file."
            remarks.append(Remark(file, f'holds no name, so it is called "{name}" after its path', to_do))
    learners = []
    for key, files in by_name.items():
        if len(files) > 1:
            to_do = "If they are two people's, let one choose another name."
            what = (
                f'one of {len(files)} files of "{shown[key]}", joined: each pass, else the last try, counts'
            )
            remarks += [Remark(file, what, to_do) for file in files]
        learners.append(Learner(shown[key], tuple(files), _joined([read[file] for file in files])))
    return sorted(learners, key=lambda one: one.name.casefold())


def _joined(files: Sequence[Progress]) -> dict[str, ExerciseRecord]:
    """Return the best record of each exercise: the first pass, or where none passed the last try."""
    best: dict[str, ExerciseRecord] = {}
    for progress in files:
        for name, record in progress.exercises.items():
            best[printable(name)] = _better(best.get(printable(name), record), record)
    return best


def _better(one: ExerciseRecord, other: ExerciseRecord) -> ExerciseRecord:
    if one.passed != other.passed:
        return one if one.passed else other
    if one.passed:
        return min(one, other, key=lambda record: record.passed_at or "")
    return max(one, other, key=lambda record: (last_time(record) or "", record.tries, record.hints))


def _twins(learners: Sequence[Learner]) -> Iterator[Remark]:
    """Yield a remark on files of different learners that hold the same checks, made in the same second."""
    same: dict[tuple[tuple[str, str | None, str], ...], list[Learner]] = defaultdict(list)
    for learner in learners:
        if learner.last:
            checks = ((name, last_time(one), measured(one)) for name, one in learner.exercises.items())
            same[tuple(sorted(checks, key=lambda check: check[0]))].append(learner)
    for group in same.values():
        for learner in group if len(group) > 1 else ():
            others = listed([f'"{other.name}"' for other in group if other is not learner])
            found = f"holds the same checks, made in the same seconds, as {others}"
            yield Remark(learner.files[0], found, "Handed in twice, or worked together: ask them.")


def _tries(learners: Sequence[Learner], exercise: str) -> float:
    tries = [learner.of(exercise).tries for learner in learners if learner.of(exercise).passed]
    return sum(tries) / len(tries) if tries else 0


def listed(names: Sequence[str]) -> str:
    """Return names as a sentence has them; of many, the first three and how many more."""
    if len(names) > 3:
        return f"{', '.join(names[:3])} and {len(names) - 3} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else list(names))
