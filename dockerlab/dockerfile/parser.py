"""Dockerfile text -> instructions and stages; flags, heredocs, ARG and ENV expansion.

Source: BuildKit, frontend/dockerfile/parser; https://docs.docker.com/reference/dockerfile/.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from dockerlab.dockerfile.arguments import Line, parse_line
from dockerlab.dockerfile.expansion import SPACES, expand, expand_heredoc, expand_words
from dockerlab.dockerfile.instruction import Heredoc, Instruction, heredocs_in, nanoseconds
from dockerlab.errors import DockerfileError

__all__ = [
    "Dockerfile",
    "Heredoc",
    "Instruction",
    "Stage",
    "decode",
    "expand",
    "expand_heredoc",
    "expand_words",
    "nanoseconds",
    "parse",
    "parse_trigger",
]

MAX_LINE = 65_535  # bytes: BuildKit reads no longer line

_DIRECTIVE = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*", re.ASCII)
_DIRECTIVES = ("syntax", "escape", "check")
_STAGE_NAME = re.compile(r"[a-z][a-z0-9._-]*", re.ASCII)


@dataclass(frozen=True)
class Stage:
    """One FROM and what follows it."""

    index: int
    name: str | None  # lower case
    base: str  # the FROM argument as written (may hold $ARG)
    platform: str | None  # as written
    instructions: tuple[Instruction, ...]  # without the FROM itself
    from_: Instruction

    @property
    def lines(self) -> tuple[Instruction, ...]:
        """Return the FROM and what follows it."""
        return (self.from_, *self.instructions)


@dataclass(frozen=True)
class Dockerfile:
    """A parsed Dockerfile."""

    text: str
    escape: str  # "\\" or "`"
    args: tuple[Instruction, ...]  # ARGs before the first FROM
    stages: tuple[Stage, ...]
    syntax: str | None = None  # the value of `# syntax=`
    check: str | None = None  # the value of `# check=`

    @property
    def all_args(self) -> tuple[Instruction, ...]:
        """Return the ARGs of the file, those of its stages too."""
        lines = (instruction for stage in self.stages for instruction in stage.instructions)
        return (*self.args, *(instruction for instruction in lines if instruction.keyword == "ARG"))

    def stage(self, name_or_index: str, *, above: Stage | None = None) -> Stage | None:
        """Return the stage of that name (case does not matter) or 0-based number, or None.

        Of several with the name it is the last; with `above` only those that come before that stage count.
        """
        stages = self.stages[: above.index if above is not None else None]
        for stage in reversed(stages):
            if stage.name == name_or_index.lower():
                return stage
        if re.fullmatch(r"\d{1,9}", name_or_index, re.ASCII) and int(name_or_index) < len(stages):
            return stages[int(name_or_index)]
        return None


def decode(data: bytes) -> str:
    """Return the text of a Dockerfile's bytes (UTF-8, with or without a byte order mark).

    Bytes that are not UTF-8 pass through for comments; parse() refuses them in an instruction. Raises
    DockerfileError for UTF-16, which Windows editors may write.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DockerfileError("the file is UTF-16", line=1, hint="Save it as UTF-8.")
    return data.decode("utf-8", "surrogateescape")


def parse(text: str) -> Dockerfile:
    """Parse a whole Dockerfile; every DockerfileError it raises has a line."""
    reader = _Reader(text)
    instructions = reader.instructions()
    if not instructions:
        raise DockerfileError(
            "there is no instruction in the file", line=1, hint="Begin with FROM, as FROM debian:12-slim."
        )
    args: list[Instruction] = []
    stages: list[Stage] = []
    for instruction in instructions:
        if instruction.keyword == "FROM":
            stages.append(_stage(instruction, len(stages)))
        elif stages:
            stages[-1] = replace(stages[-1], instructions=(*stages[-1].instructions, instruction))
        elif instruction.keyword == "ARG":
            args.append(instruction)
        else:
            hint = "Begin with FROM, as FROM debian:12-slim; only ARG may stand above it."
            raise DockerfileError(
                f"{instruction.keyword} comes before any FROM", line=instruction.line, hint=hint
            )
    if not stages:
        raise DockerfileError(
            "there is no FROM", line=args[-1].end_line, hint="Add one, as FROM debian:12-slim."
        )
    return Dockerfile(
        text=text,
        escape=reader.escape,
        args=tuple(args),
        stages=tuple(stages),
        syntax=reader.directives.get("syntax"),
        check=reader.directives.get("check"),
    )


def parse_trigger(text: str) -> Instruction:
    """Parse one instruction on its own: what an ONBUILD of the base image holds. Its line is 1."""
    instructions = _Reader(text).instructions()
    if len(instructions) != 1:
        raise DockerfileError(f"{len(instructions)} instructions where one was expected: {text!r}", line=1)
    return instructions[0]


def _stage(instruction: Instruction, index: int) -> Stage:
    name = instruction.args[2].lower() if len(instruction.args) == 3 else None
    if name is not None and not _STAGE_NAME.fullmatch(name):
        hint = "A name starts with a letter and holds letters, digits, and . _ - only."
        raise DockerfileError(
            f"{instruction.args[2]!r} cannot name a stage", line=instruction.line, hint=hint
        )
    return Stage(index, name, instruction.args[0], instruction.flag("platform"), (), instruction)


class _Reader:
    """Walks the physical lines: directives, comments, continuations, heredocs."""

    def __init__(self, text: str) -> None:
        # Only \n ends a line; a \r before it stays in heredocs and is trimmed elsewhere.
        self.lines = text.removeprefix("\ufeff").split("\n")
        self.last = len(self.lines) - (not self.lines[-1])
        self.at = 0
        self.directives: dict[str, str] = {}
        self.directives_over = False

    @property
    def escape(self) -> str:
        return self.directives.get("escape", "\\")

    def instructions(self) -> list[Instruction]:
        found: list[Instruction] = []
        while self.at < self.last:
            first = self.at
            line = self._next().lstrip(SPACES)
            self._directive(line)
            if line.startswith("#") or not line:
                continue
            joined = self._joined(line)
            try:
                self._check_utf8(joined)
                found.append(self._instruction(parse_line(joined, escape=self.escape), joined, first))
            except DockerfileError as error:
                if error.line is None:
                    error.line = first + 1
                raise
        return found

    def _next(self) -> str:
        line = self.lines[self.at]
        self.at += 1
        # A line of MAX_LINE characters may still be too long in bytes: count those only when it could be.
        if len(line) * 4 > MAX_LINE and len(line.encode("utf-8", "surrogatepass")) > MAX_LINE:
            hint = "Split it with the escape character, or COPY the long text as a file."
            raise DockerfileError(f"the line is longer than {MAX_LINE} bytes", line=self.at, hint=hint)
        return line.rstrip("\r")

    def _directive(self, line: str) -> None:
        if self.directives_over:
            return
        match = _DIRECTIVE.fullmatch(line)
        name = match.group(1).lower() if match else ""
        if match is None or name not in _DIRECTIVES:
            self.directives_over = True
            return
        if name in self.directives:
            raise DockerfileError(
                f"the {name} directive is given twice", line=self.at, hint="Keep the first one."
            )
        value = match.group(2)
        if name == "escape" and value not in ("\\", "`"):
            raise DockerfileError(
                f"the escape directive is {value!r}", line=self.at, hint="It may be \\ or ` only."
            )
        self.directives[name] = value

    def _joined(self, line: str) -> str:
        """Join the continuation lines to `line`, the first of them."""
        parts: list[str] = []
        while True:
            kept, goes_on = self._without_escape(line)
            parts.append(kept)
            while goes_on and self.at < self.last:
                line = self._next()
                bare = line.lstrip(SPACES)
                if bare and not bare.startswith("#"):
                    break
            else:
                return "".join(parts)

    def _without_escape(self, line: str) -> tuple[str, bool]:
        """Take the continuation mark off the end; an escaped mark (two in a row) is none."""
        bare = line.rstrip(" \t")
        if not bare.endswith(self.escape) or bare.endswith(self.escape * 2):
            return line, False
        return bare[:-1], True

    def _check_utf8(self, text: str) -> None:
        if any("\ud800" <= char <= "\udfff" for char in text):
            raise DockerfileError(
                "the instruction holds bytes that are not UTF-8", hint="Save the file as UTF-8."
            )

    def _instruction(self, line: Line, joined: str, first: int) -> Instruction:
        heredocs: tuple[Heredoc, ...] = ()
        if line.takes_heredocs:
            heredocs = tuple(self._body(heredoc, first) for heredoc in heredocs_in(joined))
        args = line.args
        if line.keyword == "ONBUILD":
            args = (args[0] + "".join(f"\n{doc.raw}{doc.name}" for doc in heredocs),)
        source = "\n".join(text.rstrip("\r") if at == self.at - 1 else text for at, text in self._span(first))
        return Instruction(
            line.keyword, first + 1, self.at, source, line.text, line.flags, args, line.json, heredocs
        )

    def _span(self, first: int) -> list[tuple[int, str]]:
        return list(enumerate(self.lines[first : self.at], first))

    def _body(self, heredoc: Heredoc, first: int) -> Heredoc:
        body: list[str] = []
        while self.at < self.last:
            line = self._next()
            if (line.lstrip("\t") if heredoc.chomp else line) == heredoc.name:
                raw = "".join(f"{text}\n" for text in body)
                self._check_utf8(raw)
                content = re.sub(r"(?m)^\t+", "", raw) if heredoc.chomp else raw
                return replace(heredoc, content=content, raw=raw)
            body.append(self.lines[self.at - 1])
        hint = f"Put {heredoc.name} on a line of its own, with nothing before or after it."
        raise DockerfileError(f"the heredoc <<{heredoc.name} never ends", line=first + 1, hint=hint)
