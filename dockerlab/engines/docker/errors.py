"""What Docker says when a build fails, as the error a learner can act on."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dockerlab.dockerfile.hints import after_failed_run, near_base
from dockerlab.dockerfile.parser import Dockerfile, Instruction
from dockerlab.errors import (
    BuildError,
    ContextError,
    DockerfileError,
    DockerlabError,
    RegistryError,
    RunError,
)

_EXIT = re.compile(r"exit code: (\d+)|returned a non-zero code: (\d+)")
_PARSE = re.compile(r"(?:dockerfile )?parse error (?:on )?line (\d+): (.*)", re.S | re.I)
_MISSING = re.compile(r'"(?P<path>/[^"]*)": not found|stat (?P<stat>\S+): file does not exist')
_DAMAGED = re.compile(r"unexpected EOF$|archive/tar: |unhandled tar header type")
_LINE = re.compile(r"^\S*?:(\d+)$")
_UNREACHABLE = re.compile(
    r"no such host|dial tcp|i/o timeout|connection refused|network is unreachable|TLS handshake"
    r"|request canceled|deadline exceeded|server misbehaving|EOF$",
    re.I,
)
_REFUSED = re.compile(
    r"pull access denied|manifest unknown|not found: manifest|repository does not exist|insufficient_scope"
    r"|: not found$|manifest for \S+ not found",
    re.I,
)


def build_error(
    message: str,
    dockerfile: Dockerfile,
    *,
    at: Instruction | None,
    log: Sequence[str] = (),
    began: bool = True,
) -> DockerlabError:
    """Return the error for Docker's `message`; `at` is the instruction that failed, when it is known.

    `began` is False when Docker refused before any step began.
    """
    text = message.strip().removeprefix("ERROR: ").removeprefix("failed to solve: ").strip()
    line = at.line if at else None
    parse = _PARSE.search(text)
    if parse:
        return DockerfileError(parse[2].strip(), line=int(parse[1]), hint="Mend that line and build again.")
    code = _EXIT.search(text)
    if code:
        number = int(code[1] or code[2])
        return RunError(
            f"{at.text if at else 'A command'} ended with exit code {number}",
            exit_code=number,
            log=tuple(log),
            line=line,
            hint=after_failed_run(at.text if at else "", log),
        )
    missing = _MISSING.search(text)
    if missing and at is not None and at.keyword in ("COPY", "ADD"):
        path = (missing["path"] or missing["stat"]).lstrip("/")
        where = at.flag("from") or "the build context"
        return ContextError(
            f'"{path}" is not in {where}', line=line, hint="Look at the path and at .dockerignore."
        )
    if at is not None and at.keyword == "ADD" and _DAMAGED.search(text):
        hint = "Make it again, or copy it as it is with COPY."
        return BuildError(f"an archive of {at.text} is damaged: {_short(text)}", line=line, hint=hint)
    if text.endswith("string field contains invalid UTF-8"):
        hint = "Rename it, or leave it out of what is copied."
        return ContextError("Docker cannot send a file whose name is not UTF-8", line=line, hint=hint)
    if "no source files were specified" in text and at is not None:
        return ContextError(
            f"{at.text} matches no file", line=line, hint="Look at the path and at .dockerignore."
        )
    if "max depth exceeded" in text:
        hint = "Join RUN lines, or COPY the result into a new stage."
        return BuildError("the image has more layers than Docker can stack", line=line, hint=hint)
    if "no space left on device" in text:
        hint = "See what fills the disk with `docker system df`."
        return BuildError("no space is left where Docker keeps its images", line=line, hint=hint)
    if "docker/dockerfile" in text and dockerfile.syntax and (_unreachable(text) or _REFUSED.search(text)):
        return RegistryError(
            f"the syntax image {dockerfile.syntax} cannot be fetched",
            line=1,
            hint="Remove the `# syntax=` line: Docker's built-in Dockerfile reader does without it.",
        )
    if "toomanyrequests" in text.lower() or "rate limit" in text.lower():
        hint = "Wait, log in with `docker login`, or use a mirror."
        return RegistryError("the registry allows no more pulls from this address now", line=line, hint=hint)
    meant = near_base(at.args[0]) if at is not None and at.keyword == "FROM" and at.args else ""
    if _REFUSED.search(text) and (at is None or at.keyword in ("FROM", "COPY")):
        hint = meant or "Look at the name and tag, or log in with `docker login`."
        return RegistryError(f"the image is not in its registry: {_short(text)}", line=line, hint=hint)
    if _unreachable(text):
        hint = meant or "Check the network, or build on an image that `docker images` lists."
        return RegistryError(f"the registry cannot be reached: {_short(text)}", line=line, hint=hint)
    if not began and at is not None:
        return DockerfileError(_short(text), line=line, hint="Mend that line and build again.")
    return BuildError(_short(text) or "Docker did not say why the build failed", line=line)


def line_in(text: Sequence[str]) -> int | None:
    """Return the line of the Dockerfile that buildx marks in what it prints after a failure."""
    for at, row in enumerate(text[:-1]):
        match = _LINE.match(row)
        if match and text[at + 1].startswith("-----"):
            return int(match[1])
    return None


def instruction_at(dockerfile: Dockerfile, line: int | None) -> Instruction | None:
    """Return the instruction that covers a line."""
    everything = [*dockerfile.args]
    for stage in dockerfile.stages:
        everything += stage.lines
    return next((one for one in everything if line is not None and one.line <= line <= one.end_line), None)


def _unreachable(text: str) -> bool:
    return _UNREACHABLE.search(text) is not None


def _short(text: str) -> str:
    """Return the first line without the command that Docker repeats in it, its end when it is long."""
    first = text.splitlines()[0] if text else ""
    first = first.rpartition(" did not complete successfully: ")[2]
    return first if len(first) <= 200 else "..." + first[-197:]
