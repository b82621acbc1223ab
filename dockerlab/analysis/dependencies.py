"""Which lines of a stage must stay below which others, read from their text.

Conservative: two lines keep their order unless it is known that neither can see what the other does. A
learner who knows better says so with `needs`.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence

from dockerlab.analysis.packages import FOLDERS, install_of
from dockerlab.dockerfile.parser import Instruction

PASSIVE = frozenset(
    {"LABEL", "CMD", "ENTRYPOINT", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ONBUILD", "MAINTAINER", "VOLUME"}
)
_COPIES = ("COPY", "ADD")

# Commands that read nothing of the working folder, whatever their arguments.
_BLIND = {
    *("apt-get", "apt", "apk", "dnf", "microdnf", "yum", "zypper", "apt-mark", "dpkg-reconfigure"),
    *("useradd", "groupadd", "adduser", "addgroup", "usermod", "update-ca-certificates", "ldconfig"),
    *("true", "false", ":", "echo", "printf", "sleep", "set", "export", "locale-gen", "id", "whoami"),
}
# Commands about a package manager's own store and settings.
_STORE = re.compile(r"(npm|yarn|pnpm|pip3?) (cache|store|config) .*")
_PIP = re.compile(r"(python3? -m )?pip3? install\b(.*)")
# Where tools look for settings, programs and libraries that no command names.
_SYSTEM = re.compile(r"/$|/(etc|bin|sbin|lib\w*|root)(/|$)|/usr(/(?!src)|$)|/var(/(?!www)|$)")
# Variables by which tools are configured without being named in a command.
_SETTINGS = re.compile(
    r"PATH|HOME|LANG|LC_|TZ|PIP_|PYTHON|APT_|DEBIAN_|UCF_|NPM_|npm_|NODE_|YARN_|GO|CGO_|BUNDLE_|GEM_|CARGO_"
    r"|RUST|JAVA_|MAVEN_|LD_|CC$|CXX$|CFLAGS|MAKE|.*_proxy$|.*_PROXY$|SHELL$|SOURCE_DATE_EPOCH"
)


def predecessors(
    lines: Sequence[Instruction], needs: Mapping[int, Sequence[int]] | None = None
) -> dict[int, frozenset[int]]:
    """Return for each line's index those that must stay above it, directly or through others.

    `needs` is by Dockerfile line and replaces what is read from the text for that line.
    """
    by_line = {one.line: index for index, one in enumerate(lines)}
    settings = [_Where.of(lines, index) for index in range(len(lines))]
    found: dict[int, set[int]] = {}
    for index, one in enumerate(lines):
        if needs is not None and one.line in needs:
            direct = {by_line[line] for line in needs[one.line]}
        else:
            direct = {above for above in range(index) if _tied(lines, above, index, settings=settings)}
        found[index] = direct
    return {index: frozenset(_closure(index, found)) for index in found}


def _closure(index: int, direct: Mapping[int, set[int]]) -> set[int]:
    seen: set[int] = set()
    todo = [*direct[index]]
    while todo:
        one = todo.pop()
        if one not in seen and one != index:
            seen.add(one)
            todo += direct[one]
    return seen


class _Where:
    """The working folder in force at a line, and the paths a COPY writes, all absolute ("/" first)."""

    def __init__(self, workdir: str, dest: str, names: tuple[str, ...], *, relative: bool) -> None:
        self.workdir = workdir
        self.dest = dest  # of a COPY or ADD
        self.names = names  # last parts of its sources; "" for a whole folder
        self.relative = relative  # the line depends on the working folder

    @classmethod
    def of(cls, lines: Sequence[Instruction], index: int) -> _Where:
        workdir = "/"
        for one in lines[:index]:
            if one.keyword == "WORKDIR":
                workdir = posixpath.normpath(posixpath.join(workdir, one.args[0]))
        one = lines[index]
        if one.keyword in _COPIES:
            to = one.args[-1]
            dest = posixpath.normpath(posixpath.join(workdir, to))
            names = tuple(_name(word) for word in one.args[:-1])
            return cls(workdir, dest, names, relative=not to.startswith("/"))
        if one.keyword == "WORKDIR":
            return cls(workdir, "", (), relative=not one.args[0].startswith("/"))
        return cls(workdir, "", (), relative=one.keyword == "RUN" and reads(one) is None)


def _name(source: str) -> str:
    base = posixpath.basename(source.rstrip("/"))
    if base in FOLDERS:
        return base
    return "" if source.endswith("/") or base in (".", "..") or "." not in base else base


def reads(run: Instruction) -> tuple[str, ...] | None:
    """Return the files of the working folder that a RUN reads; None when it may be any."""
    if run.json or run.heredocs or run.script is None or not all(map(_harmless, run.flags)):
        return None
    found: list[str] = []
    script = re.sub(r"\d?>+\s*(/[^\s;&|]+|&\d)", " ", run.script)
    for command in re.split(r"&&|\|\||;|\||\n", script):
        words = re.sub(r"^(\w+=\S*\s+)+", "", " ".join(command.split()))
        if not words:
            continue
        if any(mark in words for mark in ("$(", "`", "<", ">", "./", "../")):
            return None
        of = _command_reads(words)
        if of is None:
            return None
        found += of
    return tuple(found)


def _harmless(flag: tuple[str, str]) -> bool:
    """Tell whether a RUN's flag shows it no files that a line above could have made."""
    name, value = flag
    return name == "network" or (
        name == "mount" and re.search(r"type=(cache|secret|tmpfs)\b", value) is not None
    )


def _command_reads(words: str) -> Sequence[str] | None:
    name, _, rest = words.partition(" ")
    if name in _BLIND:
        return [] if not re.search(r"(^| )\.", rest) else None
    if name in ("rm", "mkdir", "chmod", "chown", "touch", "ln", "cd"):
        paths = [word for word in rest.split() if not word.startswith("-")]
        known = all(path.startswith("/") for path in paths[1 if name in ("chmod", "chown") else 0 :])
        return [] if known and name != "cd" else None
    pip = _PIP.fullmatch(words)
    if pip is not None:
        return _pip_reads(pip[2].split())
    if _STORE.fullmatch(words):
        return []
    install = install_of(tuple(words.split()))
    if install is None or not install.manager.pure or install.local:
        return None
    return (*install.manager.manifests, *install.manager.folders)


def _pip_reads(words: Sequence[str]) -> Sequence[str] | None:
    found = []
    left = iter(words)
    for word in left:
        if word in ("-r", "--requirement", "-c", "--constraint"):
            found.append(posixpath.basename(next(left, "")))
        elif word in ("-e", "--editable", ".") or word.startswith((".", "/", "file:")):
            return None
    return found


def _tied(lines: Sequence[Instruction], above: int, below: int, *, settings: Sequence[_Where]) -> bool:
    """Tell whether exchanging two lines could change what either does."""
    one, other = lines[above], lines[below]
    pair = {one.keyword, other.keyword}
    for setter, user in ((one, other), (other, one)):
        if setter.keyword in ("ARG", "ENV") and _uses(setter, user):
            return True
        if setter.keyword == "SHELL" and user.keyword in ("RUN", "CMD", "ENTRYPOINT", "SHELL", "HEALTHCHECK"):
            return True
        if setter.keyword == "USER" and user.keyword in ("RUN", "WORKDIR", "USER"):
            return True
        if setter.keyword == "VOLUME" and user.keyword in ("RUN", "WORKDIR", *_COPIES):
            return True
        if setter.keyword == "WORKDIR":
            where = settings[below if user is other else above]
            if user.keyword == "WORKDIR" or where.relative:
                return True
            if user.keyword in _COPIES and _overlap(where.dest, _folder(lines, setter, settings)):
                return True
            if user.keyword == "RUN" and (reads(user) or _mentions(user, _folder(lines, setter, settings))):
                return True
    if pair == {"RUN"}:
        return True
    if pair <= set(_COPIES):
        return _overlap(settings[above].dest, settings[below].dest)
    if "RUN" in pair and pair & set(_COPIES):
        copy, run = (above, below) if one.keyword in _COPIES else (below, above)
        return _run_and_copy(lines, copy, run, settings)
    return (len(pair) == 1 and one.keyword in PASSIVE) or pair == {"CMD", "ENTRYPOINT"}


def _folder(lines: Sequence[Instruction], workdir: Instruction, settings: Sequence[_Where]) -> str:
    index = next(i for i, one in enumerate(lines) if one is workdir)
    return posixpath.normpath(posixpath.join(settings[index].workdir, workdir.args[0]))


def _run_and_copy(lines: Sequence[Instruction], copy: int, run: int, settings: Sequence[_Where]) -> bool:
    copied, where = settings[copy], settings[run]
    one = lines[run]
    owner = lines[copy].flag("chown") or ""
    if owner and not re.fullmatch(r"\d+(:\d+)?", owner) and run < copy:
        return True  # the RUN may be what makes that user
    if _mentions(one, copied.dest) or "$" in copied.dest or _SYSTEM.match(copied.dest):
        return True
    files = reads(one)
    if files is None:
        return True
    if not files or not _overlap(copied.dest, where.workdir):
        return False
    if any(_supplies(copied.names, file) for file in files):
        return True
    # A folder may bring the file too: it counts when no other COPY names it.
    others = [settings[i].names for i, line in enumerate(lines) if line.keyword in _COPIES and i != copy]
    return "" in copied.names and not any(_supplies(names, file) for names in others for file in files)


def _supplies(names: Sequence[str], file: str) -> bool:
    return any(name and fnmatch.fnmatchcase(file, name) for name in names)


def _uses(setter: Instruction, user: Instruction) -> bool:
    """Tell whether a line may see a variable: by name, or as a setting that a command reads by itself."""
    names = {word.partition("=")[0] for word in setter.args}
    if user.keyword in ("ARG", "ENV") and names & {word.partition("=")[0] for word in user.args}:
        return True
    text = " ".join([user.source, *(doc.content for doc in user.heredocs)])
    if any(re.search(rf"\b{re.escape(name)}\b", text) for name in names):
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
