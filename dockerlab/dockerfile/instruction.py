"""Instruction and Heredoc: what one instruction of a Dockerfile is.

Source: BuildKit, frontend/dockerfile: parser (heredocs) and dockerfile2llb (what a RUN hands to the shell).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from dockerlab.dockerfile.expansion import heredoc_delimiter, heredoc_words
from dockerlab.errors import DockerfileError

COPIES = ("COPY", "ADD")
LAYERS = ("RUN", *COPIES, "WORKDIR")  # what makes a layer

_HEREDOC = re.compile(r"(\d*)<<(-?)([^<]*)", re.ASCII)
_DURATION = re.compile(r"[-+]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)", re.ASCII)
_UNITS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}


@dataclass(frozen=True)
class Heredoc:
    """A `<<NAME` document. `content` ends in a newline unless empty."""

    name: str  # the delimiter, without quotes: "EOF"
    content: str  # with <<- leading tabs already removed
    expand: bool  # False when the delimiter was quoted
    chomp: bool  # <<-
    raw: str = ""  # the content as written, tabs kept


@dataclass(frozen=True)
class Instruction:
    """One instruction. What `args` holds depends on the keyword:

    - RUN, CMD, ENTRYPOINT, shell form: one string, the text BuildKit puts after `/bin/sh -c` (for a RUN with
      heredocs the command line alone: `script` joins the two). JSON form (`json`): the items.
    - SHELL: the JSON items. VOLUME: the JSON items or the words. EXPOSE: the words.
    - COPY, ADD: the sources, then the destination. A heredoc source stays the word `<<EOF`; see `heredoc()`.
    - ENV, LABEL: "key=value" for each pair, as written. Split at the first "=", then expand() both sides.
      The old form `ENV key some value` gives ("key=some value",), which expands the same way.
    - ARG: "NAME" or "NAME=value", as written; split and expanded as ENV is.
    - FROM: (base,) or (base, "AS", name), as written.
    - USER, WORKDIR, STOPSIGNAL, MAINTAINER: one string, the rest of the line.
    - ONBUILD: one string, the inner instruction with its heredocs, for parse_trigger().
    - HEALTHCHECK: ("NONE",), or "CMD" and then as CMD has it.
    """

    keyword: str  # upper case: "RUN"
    line: int  # 1-based first line
    end_line: int  # 1-based last line, heredocs included
    source: str  # exactly as written, continuations and heredocs included
    text: str  # for showing: one line, continuations joined, comments inside dropped
    flags: tuple[tuple[str, str], ...]  # (("from", "build"), ("link", "")) in order
    args: tuple[str, ...]
    json: bool  # exec/JSON form
    heredocs: tuple[Heredoc, ...] = ()

    def flag(self, name: str) -> str | None:
        """Return the value of the first flag `--name`, "" for one without a value, or None."""
        return next((value for flag, value in self.flags if flag == name), None)

    def flag_values(self, name: str) -> tuple[str, ...]:
        """Return the values of every `--name`, in order (--mount, --exclude)."""
        return tuple(value for flag, value in self.flags if flag == name)

    def enabled(self, name: str) -> bool:
        """Tell whether the boolean flag `--name` (--link, --parents ...) is on; `--name=false` is off."""
        value = self.flag(name)
        return value is not None and value.lower() != "false"

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names that an ARG, ENV or LABEL sets, as written."""
        return tuple(word.partition("=")[0] for word in self.args)

    def mentions(self, names: Iterable[str]) -> bool:
        """Tell whether the text has one of these names in it as a word."""
        return any(re.search(rf"\b{re.escape(name)}\b", self.source) for name in names)

    def heredoc(self, word: str) -> Heredoc | None:
        """Return the heredoc that a COPY or ADD source ("<<EOF") names, or None for an ordinary source."""
        found = parse_heredoc(word)
        if found is None:
            return None
        return next((doc for doc in reversed(self.heredocs) if doc.name == found.name), None)

    @property
    def script(self) -> str | None:
        """The text a shell-form RUN, CMD or ENTRYPOINT hands to `sh -c`, heredocs joined; None in JSON form.

        A lone `RUN <<EOF` gives the body, or a path if that has a `shebang`; `RUN cmd <<EOF` the command
        line, the body and the delimiter.
        """
        if self.json or self.keyword not in ("RUN", "CMD", "ENTRYPOINT") or not self.args:
            return None
        if not self.heredocs:
            return self.args[0]
        if self.shebang is not None:
            return f"/dev/pipes/{self.shebang.name}"
        if parse_heredoc(self.args[0]) is not None:
            return self.heredocs[0].content
        return self.args[0] + "".join(f"\n{doc.raw}{doc.name}" for doc in self.heredocs)

    @property
    def shebang(self) -> Heredoc | None:
        """The heredoc of a `RUN <<EOF` whose body starts with `#!`.

        BuildKit puts its content, mode 0755, at /dev/pipes/NAME; `script` is then that path.
        """
        if self.keyword != "RUN" or not self.heredocs or parse_heredoc(self.args[0]) is None:
            return None
        return self.heredocs[0] if self.heredocs[0].raw.startswith("#!") else None


def is_url(word: str) -> bool:
    """Tell whether ADD downloads `word`."""
    return word.startswith(("http://", "https://"))


def is_git(word: str) -> bool:
    """Tell whether ADD would clone `word`."""
    return bool(re.match(r"(git@|git://|ssh://)|https?://[^#?]+\.git(#.*)?$", word))


def parse_heredoc(word: str) -> Heredoc | None:
    """Read a word as a heredoc mark ("<<EOF", "<<-'EOF'", "3<<EOF"), without content; None: it is none."""
    match = _HEREDOC.fullmatch(word)
    if not match or not match.group(3):
        return None
    try:
        found = heredoc_delimiter(match.group(3))
    except DockerfileError:
        return None
    return found and Heredoc(name=found[0], content="", expand=found[1], chomp=match.group(2) == "-")


def heredocs_in(line: str) -> list[Heredoc]:
    """Return the heredocs that a RUN, COPY or ADD line opens, in order, still without content."""
    return [doc for doc in map(parse_heredoc, heredoc_words(line)) if doc is not None]


def nanoseconds(duration: str) -> int:
    """Return a Go duration ("1m30s", "500ms", "0") in nanoseconds; raises DockerfileError."""
    if not _DURATION.fullmatch(duration):
        raise DockerfileError(
            f"{duration!r} is not a duration", hint="Write one with units, as 30s, 1m30s or 500ms."
        )
    total = 0
    for whole, fraction, unit in re.findall(r"(\d*)\.?(\d*)([a-zµμ]+)", duration):
        total += int((whole + fraction) or "0") * _UNITS[unit] // 10 ** len(fraction)
    return -total if duration.startswith("-") else total
