"""Dockerfile text -> instructions and stages; flags, heredocs, ARG and ENV expansion."""

# CONTRACT (helper H1 fills this in; keep names and meanings, add what is needed):
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Heredoc:
    name: str  # the delimiter: "EOF"
    content: str  # with <<- leading tabs already removed
    expand: bool  # False when the delimiter was quoted
    chomp: bool  # <<-


@dataclass(frozen=True)
class Instruction:
    keyword: str  # upper case: "RUN"
    line: int  # 1-based first line
    end_line: int  # 1-based last line, heredocs included
    source: str  # exactly as written, continuations and heredocs included
    text: str  # for showing: one line, continuations joined, comments inside dropped
    flags: tuple[tuple[str, str], ...]  # (("from", "build"), ("link", "")) in order
    args: tuple[str, ...]  # JSON items; or words (COPY, ENV pairs as "k=v" ...); shell form RUN/CMD: one string
    json: bool  # exec/JSON form
    heredocs: tuple[Heredoc, ...] = ()

    def flag(self, name: str) -> str | None: ...


@dataclass(frozen=True)
class Stage:
    index: int
    name: str | None
    base: str  # the FROM argument as written (may hold $ARG)
    platform: str | None
    instructions: tuple[Instruction, ...]  # without the FROM itself
    from_: Instruction


@dataclass(frozen=True)
class Dockerfile:
    text: str
    escape: str  # "\\" or "`"
    args: tuple[Instruction, ...]  # ARGs before the first FROM
    stages: tuple[Stage, ...]

    def stage(self, name_or_index: str) -> Stage | None: ...


def parse(text: str) -> Dockerfile: ...


def expand(word: str, env: Mapping[str, str], *, escape: str = "\\") -> str:
    """BuildKit's shell lexer, ProcessWord: quotes removed, $x ${x} ${x:-d} ${x:+d} ${x:?e} ${x#p} ${x%p} ${x/a/b}."""
    ...


def expand_words(word: str, env: Mapping[str, str], *, escape: str = "\\") -> list[str]:
    """ProcessWords: as expand(), then split on unquoted white space."""
    ...
