"""What is known of package managers: what installs, which files that reads, what it leaves behind and where.

The table is packages.toml: one for all advice and for the order of lines.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from dockerlab.analysis.shell import Words
from dockerlab.analysis.toml import tomllib

_ANY = r"(?:.*/)?"  # for "~/"
_FLAGS = r"(?:-\S+ (?:(?!run )[^-\s]\S* )??)*"  # for "-* "


@dataclass(frozen=True)
class Cache:
    """Files that an install leaves and no program reads, and how to keep them out of the image."""

    code: str  # of the finding
    what: str
    paths: str
    change: str
    note: str = ""


@dataclass(frozen=True)
class Manager:
    """One package manager. Without `installs` only its caches are known."""

    name: str
    installs: str = ""  # a command that fetches packages; group `rest`: the words that may name them
    manifests: Sequence[str] = ()  # what such an install reads of the working folder
    folders: Sequence[str] = ()  # and folders of it
    suffixes: str = ""  # and files wherever they lie, by the end of their names
    settings: str = ""  # and places where it looks for settings
    first: str = ""  # the COPY to have above the install
    inside: str = ""  # what in a manifest names a path of the project: the install needs more than manifests
    lists: str = ""  # flags that name a file or folder of packages to read
    pure: bool = False  # it reads nothing else of the working folder; with `lists` only what is named
    caches: tuple[Cache, ...] = ()
    books: str = ""  # its own database, which every install writes anew

    def lists_in(self, name: str) -> bool:
        """Tell whether a file of that name lists packages for it."""
        return any(fnmatch.fnmatchcase(name, manifest) for manifest in self.manifests)


def _manager(row: Mapping[str, Any]) -> Manager:
    caches = tuple(
        Cache(**{**cache, "paths": cache["paths"].replace("~/", _ANY)}) for cache in row.get("caches", ())
    )
    installs = row.get("installs", "").replace("-* ", _FLAGS)
    return Manager(**{**row, "installs": installs, "caches": caches})


_TABLE = resources.files(__package__).joinpath("packages.toml").read_text(encoding="utf-8")
MANAGERS = tuple(_manager(row) for row in tomllib.loads(_TABLE)["manager"])
CACHES = tuple(cache for manager in MANAGERS for cache in manager.caches)
BOOKS = re.compile("|".join(manager.books for manager in MANAGERS if manager.books))
FOLDERS = frozenset(folder for manager in MANAGERS for folder in manager.folders)
# Flags whose value, the next word, names no package.
_VALUED = re.compile(
    r"-[ticnporwXC]$|--(index-url|extra-index-url|trusted-host|target|prefix|root|name|channel|repository|dir"
    r"|filter|python|platform|retries|timeout|registry|wheel-dir|virtual|version|install-dir)$"
)
_LOCAL = re.compile(
    r"\.{0,2}/|\.{1,2}(\[.*)?$|file:|.* @ file:|[^:@]+/$|.*\.(whl|deb|apk|rpm|tgz|tar\.gz|gem|txt|list)$"
    r"|`|\$\(|\$.*(whe?e?l|path|dir|file|src|dist|root|home|/)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Install:
    """One command that installs: by which manager, and what its words name."""

    manager: Manager
    packages: tuple[str, ...]  # names that it fetches
    files: tuple[
        str, ...
    ]  # lists and folders of packages that it is told to read: -r FILE, --find-links FOLDER
    local: tuple[str, ...]  # paths that it installs
    script: str | None = None  # the path of the script it stands in

    @property
    def fetches(self) -> bool:
        """Tell whether it installs anything that is not in the build context."""
        return bool(self.packages or self.files) or not self.local


def install_of(words: Words) -> Install | None:
    """Read a simple command as an install, or return None."""
    words = (words[0].rpartition("/")[2], *words[1:])
    text = " ".join(words)
    for manager in MANAGERS:
        match = re.fullmatch(manager.installs, text, re.DOTALL) if manager.installs else None
        if match is None:
            continue
        if match.groupdict().get("rest") is None:
            return Install(manager, (), (), ())
        told = len(text[: match.start("rest")].rstrip())
        first = next(at for at in range(len(words) + 1) if len(" ".join(words[:at])) >= told)
        found = _named(manager, words[first:])
        silent = not (found.packages or found.files or found.local)
        return None if silent and not manager.manifests else found  # `xargs apt-get install`
    return None


def _named(manager: Manager, words: Words) -> Install:
    packages: list[str] = []
    files: list[str] = []
    local: list[str] = []
    left = iter(words)
    for word in left:
        told = re.match(manager.lists, word) if manager.lists else None
        if word in ("-e", "--editable"):
            path = next(left, ".")
            (packages if "://" in path and not path.startswith("file:") else local).append(path)
        elif told is not None:
            files.append(word[told.end() :] or next(left, ""))
        elif word.startswith("-"):
            if _VALUED.match(word):
                next(left, None)
        else:
            (local if _LOCAL.match(word) else packages).append(word)
    return Install(manager, tuple(packages), tuple(files), tuple(local))


def reads(manager: Manager, path: str) -> bool:
    """Tell whether an install by this manager reads a file, by its path."""
    *folders, name = path.split("/")
    return (
        bool(set(folders) & set(manager.folders))
        or manager.lists_in(name)
        or bool(manager.suffixes and re.search(rf"(?:{manager.suffixes})$", name))
        or bool(manager.settings and re.match(manager.settings, path))
    )


def is_manifest(name: str) -> bool:
    """Tell whether a name, or a wildcard as COPY takes it, is of a file that lists dependencies."""
    return bool(name.strip("*?")) and any(
        fnmatch.fnmatchcase(name, known) or fnmatch.fnmatchcase(known, name)
        for manager in MANAGERS
        for known in manager.manifests
    )
