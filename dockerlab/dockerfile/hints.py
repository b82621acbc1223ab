"""The next step to offer, where several places find the same fault: a misspelt word, no package lists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

# Base images that many Dockerfiles begin with: only to know a misspelt name by.
_OFFICIAL = (
    *("alpine", "amazonlinux", "archlinux", "busybox", "centos", "debian", "eclipse-temurin", "fedora"),
    *("golang", "httpd", "mariadb", "mysql", "nginx", "node", "openjdk", "perl", "php", "postgres"),
    *("python", "redis", "rockylinux", "ruby", "rust", "scratch", "ubuntu"),
)
NO_CONTEXT = (
    "The build context is empty. Name the files in the first line of the cell, "
    "%%dockerfile NAME --context FILES, or build a folder that has them."
)
_NO_PACKAGE = re.compile(r"Unable to locate package|has no installation candidate")
_UPDATE = re.compile(r"\bapt(?:-get)?\b[^&;|]*\bupdate\b")


def near(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the known word that `word` is most like, or None where none is like it."""
    import difflib  # here: few commands need it, and each would be the longer for it

    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)), None)


def near_option(word: str, known: Iterable[str]) -> str:
    """Ask whether another option was meant, as a sentence; "" where none is like `word`."""
    found = near(word.partition("=")[0], [one for one in known if one.startswith("--")])
    return f"Did you mean {found}?" if found else ""


def near_base(reference: str, known: Iterable[str] = ()) -> str:
    """Ask whether another base image was meant, one of `known` or an official one; "" where none is like it.

    Another version of a known one is no slip of the pen.
    """
    name, colon, tag = reference.partition(":")
    known = list(known)
    names = {*_OFFICIAL, *(one.partition(":")[0] for one in known)}
    if name not in names:
        other = near(name, names, cutoff=0.7)
        return f"Did you mean {other}{colon}{tag}?" if other else ""
    found = near(reference, known, cutoff=0.8)
    another_version = found is None or re.sub(r"\d", "", found) == re.sub(r"\d", "", reference)
    return "" if another_version else f"Did you mean {found}?"


def after_failed_run(instruction: str, log: Sequence[str]) -> str:
    """Return what to do about a RUN that failed; `instruction` is its text, `log` what it printed."""
    if any(map(_NO_PACKAGE.search, log)):
        if not _UPDATE.search(instruction):
            return (
                "No package lists were fetched in this RUN: "
                "write `apt-get update && ` before `apt-get install`."
            )
        return "Look at the name of the package: the lists that were fetched do not have it."
    return "Mend that line and build again: the steps above it are cached."
