"""Which lines of a stage must stay below which others, read from their text.

Conservative: two lines keep their order unless it is known that neither can see what the other does. A
learner who knows better says so with `needs`.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import starmap

from dockerlab.analysis.built_stages import known_path, known_word
from dockerlab.analysis.packages import FOLDERS, install_of
from dockerlab.analysis.shell import Words, commands
from dockerlab.dockerfile.instruction import COPIES
from dockerlab.dockerfile.mounts import mount_fields
from dockerlab.dockerfile.parser import Instruction
from dockerlab.dockerfile.scope import Scope

PASSIVE = frozenset(
    {"LABEL", "CMD", "ENTRYPOINT", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ONBUILD", "MAINTAINER", "VOLUME"}
)

# Commands that read nothing of the working folder, whatever their arguments.
_BLIND = {
    *("apt-get", "apt", "apk", "dnf", "microdnf", "yum", "zypper", "apt-mark", "dpkg-reconfigure"),
    *("useradd", "groupadd", "adduser", "addgroup", "usermod", "update-ca-certificates", "ldconfig"),
    *("true", "false", ":", "echo", "printf", "sleep", "set", "export", "locale-gen", "id", "whoami"),
}
# Commands about a package manager's own store and settings.
_STORE = re.compile(r"(npm|yarn|pnpm|pip3?) (cache|store|config) ")
# Where tools look for settings, programs and libraries that no command names.
_SYSTEM = re.compile(r"/$|/(etc|bin|sbin|lib\w*|root)(/|$)|/usr(/(?!src)|$)|/var(/(?!www)|$)")
# Variables by which tools are configured without being named in a command.
_SETTINGS = re.compile(
    r"PATH|HOME|LANG|LC_|TZ|PIP_|PYTHON|APT_|DEBIAN_|UCF_|NPM_|npm_|NODE_|YARN_|GO|CGO_|BUNDLE_|GEM_|CARGO_"
    r"|RUST|JAVA_|MAVEN_|LD_|CC$|CXX$|CFLAGS|MAKE|.*_proxy$|.*_PROXY$|SHELL$|SOURCE_DATE_EPOCH"
)


def predecessors(
    lines: Iterable[tuple[Instruction, Scope]], needs: Mapping[int, Sequence[int]] | None = None
) -> dict[int, frozenset[int]]:
    """Return for each line's index those that must stay above it, directly or through others.

    Each line comes with what is in force above it. `needs` is by Dockerfile line and replaces what is read
    from the text for that line.
    """
    places = [_Place.of(instruction, scope) for instruction, scope in lines]
    by_line = {place.instruction.line: index for index, place in enumerate(places)}
    direct: dict[int, set[int]] = {}
    for index, place in enumerate(places):
        line = place.instruction.line
        if needs is not None and line in needs:
            direct[index] = {by_line[need] for need in needs[line]}
        else:
            direct[index] = {above for above in range(index) if _tied(places, above, index)}
    return {index: frozenset(_closure(index, direct)) for index in direct}


def _closure(index: int, direct: Mapping[int, set[int]]) -> set[int]:
    seen: set[int] = set()
    todo = [*direct[index]]
    while todo:
        above = todo.pop()
        if above not in seen and above != index:
            seen.add(above)
            todo += direct[above]
    return seen


@dataclass(frozen=True)
class _Place:
    """A line, the working folder in force there, and the paths it writes; "/" is one that is not known."""

    instruction: Instruction
    workdir: str
    dest: str = ""  # of a COPY or ADD what it writes, of a WORKDIR the folder
    names: tuple[str, ...] = ()  # last parts of a COPY's sources; "" for a whole folder
    relative: bool = False  # the line depends on the working folder

    @classmethod
    def of(cls, instruction: Instruction, scope: Scope) -> _Place:
        workdir, keyword = scope.workdir, instruction.keyword
        if keyword in (*COPIES, "WORKDIR"):
            written = instruction.args[-1]
            to = known_word(written, scope)
            names = tuple(_name(known_word(source, scope) or "") for source in instruction.args[:-1])
            relative = to is None or not to.startswith("/")
            return cls(instruction, workdir, known_path(written, scope), names, relative)
        return cls(instruction, workdir, relative=keyword == "RUN" and reads(instruction) is None)


def _name(source: str) -> str:
    base = posixpath.basename(source.rstrip("/"))
    if base in FOLDERS:
        return base
    return "" if source.endswith("/") or base in (".", "..") or "." not in base else base


def reads(run: Instruction) -> tuple[str, ...] | None:
    """Return the files of the working folder that a RUN reads; None when it may be any."""
    if run.json or run.heredocs or run.script is None or not all(starmap(_harmless, run.flags)):
        return None
    script = re.sub(r"\d?>+\s*(/[^\s;&|]+|&\d)", " ", run.script)
    if any(mark in script for mark in ("$(", "`", "<", ">", "./", "../")):
        return None
    files: list[str] = []
    for words in commands(script):
        read = _command_reads(words)
        if read is None:
            return None
        files += read
    return tuple(files)


def _harmless(flag: str, value: str) -> bool:
    """Tell whether a RUN's flag shows it no files that a line above could have made."""
    kind = (mount_fields(value).get("type") or "bind").lower() if flag == "mount" else ""
    return flag == "network" or kind in ("cache", "secret", "tmpfs")


def _command_reads(words: Words) -> Sequence[str] | None:
    name, *rest = words
    if name in _BLIND:
        return None if any(word.startswith(".") for word in rest) else ()
    if name in ("rm", "mkdir", "chmod", "chown", "touch", "ln"):
        paths = [word for word in rest if not word.startswith("-")]
        known = all(path.startswith("/") for path in paths[1 if name in ("chmod", "chown") else 0 :])
        return () if known else None
    if _STORE.match(" ".join(words)):
        return ()
    install = install_of(words)
    if install is None or not install.manager.pure or install.local or {"wheel", "download"} & set(rest):
        return None
    if install.manager.lists:
        return [posixpath.basename(path.rstrip("/")) for path in install.files]
    return (*install.manager.manifests, *install.manager.folders)


def _tied(places: Sequence[_Place], above: int, below: int) -> bool:
    """Tell whether exchanging two lines could change what either does."""
    pair = {places[above].instruction.keyword, places[below].instruction.keyword}
    for setter, user in ((places[above], places[below]), (places[below], places[above])):
        if _sets_for(setter, user):
            return True
    if pair == {"RUN"}:
        return True
    if pair <= set(COPIES):
        return _overlap(places[above].dest, places[below].dest)
    if "RUN" in pair and pair & set(COPIES):
        return _run_and_copy(places, above, below)
    return (len(pair) == 1 and bool(pair & PASSIVE)) or pair == {"CMD", "ENTRYPOINT"}


def _sets_for(setter: _Place, user: _Place) -> bool:
    """Tell whether a line sets what another one goes by."""
    instruction, keyword = setter.instruction, user.instruction.keyword
    if instruction.keyword in ("ARG", "ENV"):
        return _uses(instruction, user.instruction)
    if instruction.keyword == "SHELL":
        return keyword in ("RUN", "CMD", "ENTRYPOINT", "SHELL", "HEALTHCHECK")
    if instruction.keyword == "USER":
        return keyword in ("RUN", "WORKDIR", "USER")
    if instruction.keyword == "VOLUME":
        return keyword in ("RUN", "WORKDIR", *COPIES)
    if instruction.keyword != "WORKDIR":
        return False
    if keyword == "RUN" and (reads(user.instruction) or _mentions(user.instruction, setter.dest)):
        return True
    return keyword == "WORKDIR" or user.relative or (keyword in COPIES and _overlap(user.dest, setter.dest))


def _run_and_copy(places: Sequence[_Place], above: int, below: int) -> bool:
    copied, at = places[above], places[below]
    if at.instruction.keyword != "RUN":
        copied, at = at, copied
        owner = copied.instruction.flag("chown") or ""
        if owner and not re.fullmatch(r"\d+(:\d+)?", owner):
            return True  # the RUN may be what makes that user
    run = at.instruction
    if _mentions(run, copied.dest) or _SYSTEM.match(copied.dest):
        return True
    files = reads(run)
    if files is None:
        return True
    if not files or not _overlap(copied.dest, at.workdir):
        return False
    if any(_supplies(copied.names, file) for file in files):
        return True
    # A folder may bring the file too: it counts when no other COPY names it.
    others = [place.names for place in places if place.instruction.keyword in COPIES and place is not copied]
    return "" in copied.names and not any(_supplies(names, file) for names in others for file in files)


def _supplies(names: Sequence[str], file: str) -> bool:
    return any(name and fnmatch.fnmatchcase(file, name) for name in names)


def _uses(setter: Instruction, user: Instruction) -> bool:
    """Tell whether a line may see a variable: by name, or as a setting that a command reads by itself."""
    names = setter.names
    if user.keyword in ("ARG", "ENV") and set(names) & set(user.names):
        return True
    if user.mentions(names):
        return True
    if user.keyword != "RUN":
        return False
    return reads(user) is None or any(_SETTINGS.match(name) for name in names)


def _mentions(run: Instruction, path: str) -> bool:
    return path != "/" and any(
        _overlap(path, posixpath.normpath(word)) for word in _paths(run.script or " ".join(run.args))
    )


def _paths(text: str) -> Iterator[str]:
    for word in re.findall(r"/[^\s\"';|&()<>=:*?\[]*", text):
        if word.strip("/"):
            yield word


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other.rstrip('/')}/") or other.startswith(f"{one.rstrip('/')}/")
