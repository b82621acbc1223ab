"""One logical Dockerfile line -> its keyword, flags and arguments, checked.

Source: BuildKit, frontend/dockerfile/parser (how a line is cut) and frontend/dockerfile/instructions (what is
allowed).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from dockerlab.dockerfile.expansion import SPACES
from dockerlab.dockerfile.flags import KEYWORDS, checked_flags, split_flags
from dockerlab.dockerfile.hints import near
from dockerlab.dockerfile.instruction import COPIES, nanoseconds, parse_heredoc
from dockerlab.errors import DockerfileError

_EXAMPLES = {
    "ADD": "ADD app.tar.gz /app/",
    "ARG": "ARG VERSION=1.0",
    "CMD": 'CMD ["python", "app.py"]',
    "COPY": "COPY app.py /app/",
    "ENTRYPOINT": 'ENTRYPOINT ["python", "app.py"]',
    "ENV": "ENV NAME=value",
    "EXPOSE": "EXPOSE 8080",
    "FROM": "FROM debian:12-slim, or FROM debian:12-slim AS build",
    "HEALTHCHECK": "HEALTHCHECK CMD curl -f http://localhost/",
    "LABEL": "LABEL version=1.0",
    "MAINTAINER": 'LABEL org.opencontainers.image.authors="you"',
    "ONBUILD": "ONBUILD COPY . /app/",
    "RUN": "RUN apt-get update",
    "SHELL": 'SHELL ["/bin/bash", "-c"]',
    "STOPSIGNAL": "STOPSIGNAL SIGTERM",
    "USER": "USER app",
    "VOLUME": "VOLUME /data",
    "WORKDIR": "WORKDIR /app",
}

_BLANKS = re.compile(r"[\t\v\f\r ]+")


@dataclass(frozen=True)
class Line:
    """A logical line cut up: what parse_line() returns before heredocs are read and the whole is checked."""

    keyword: str
    text: str
    flags: tuple[tuple[str, str], ...]
    args: tuple[str, ...]
    json: bool
    inner: Line | None = None  # ONBUILD's instruction

    @property
    def takes_heredocs(self) -> bool:
        """Whether `<<EOF` on this line opens a heredoc."""
        line = self.inner or self
        return line.keyword in ("RUN", "COPY", "ADD") and not line.json


def parse_line(text: str, *, escape: str) -> Line:
    """Cut one logical line into its parts and check them; raises DockerfileError without a line number."""
    text = text.strip(SPACES)
    keyword, _, rest = _partition(text)
    keyword = keyword.upper()
    if keyword not in KEYWORDS:
        raise _unknown(keyword)
    words, rest = split_flags(rest)
    rest = rest.strip(SPACES)
    flags = checked_flags(keyword, words)
    if not rest and keyword not in ("CMD", "ENTRYPOINT", "RUN"):  # these give the shell nothing to do
        raise DockerfileError(f"{keyword} has no arguments", hint=f"Write it as: {_EXAMPLES[keyword]}")
    if keyword == "ONBUILD":
        return _onbuild(text, rest, escape)
    args, is_json = _ARGUMENTS[keyword](rest, keyword, escape)
    line = Line(keyword, text, flags, args, is_json)
    _check(line)
    return line


def _partition(text: str) -> tuple[str, str, str]:
    match = _BLANKS.search(text)
    return (text[: match.start()], match.group(), text[match.end() :]) if match else (text, "", "")


def _unknown(keyword: str) -> DockerfileError:
    if any(char in SPACES for char in keyword):
        hint = "It holds a space that is no ordinary one (pasted from a web page?): type that space again."
        return DockerfileError(f"unknown instruction {keyword!r}", hint=hint)
    meant = near(keyword, KEYWORDS)
    shown = keyword if len(keyword) <= 40 else keyword[:37] + "..."
    if meant:
        return DockerfileError(f"unknown instruction {shown}", hint=f"Did you mean {meant}?")
    return DockerfileError(
        f"unknown instruction {shown!r}",
        hint=f"A line starts with one of {', '.join(KEYWORDS)}; a command that goes on from the line above "
        "needs the escape character (\\) at the end of that line.",
    )


def _onbuild(text: str, rest: str, escape: str) -> Line:
    keyword = _partition(rest)[0].upper()
    if keyword in ("ONBUILD", "FROM", "MAINTAINER"):
        raise DockerfileError(
            f"ONBUILD cannot hold {keyword}", hint="Hold a RUN, COPY, ENV or another such instruction."
        )
    inner = parse_line(rest, escape=escape)
    return Line("ONBUILD", text, (), (rest,), False, inner)


def _json_items(rest: str, keyword: str) -> tuple[str, ...] | None:
    """Return the items of a JSON array of strings; None: it is not JSON, so the shell form."""
    if not rest.startswith("["):
        return None

    def no_constant(name: str) -> None:
        raise ValueError(name)

    try:
        items = json.loads(rest, parse_int=str.__len__, parse_float=len, parse_constant=no_constant)
    except (ValueError, RecursionError):
        return None
    if not all(isinstance(item, str) for item in items):
        raise DockerfileError(
            f"the JSON form of {keyword} holds something that is no string",
            hint=f'Quote every item, as in ["{1}"].',
        )
    # A lone surrogate (\ud800) is no character: Go reads it as the replacement character.
    return tuple(item.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for item in items)


def _command(rest: str, keyword: str, _: str) -> tuple[tuple[str, ...], bool]:
    items = _json_items(rest, keyword)
    return ((rest,), False) if items is None else (items, True)


def _json_or_words(rest: str, keyword: str, _: str) -> tuple[tuple[str, ...], bool]:
    items = _json_items(rest, keyword)
    return (tuple(_BLANKS.split(rest)), False) if items is None else (items, True)


def _blank_split(rest: str, _: str, __: str) -> tuple[tuple[str, ...], bool]:
    return tuple(_BLANKS.split(rest)), False


def _whole(rest: str, _: str, __: str) -> tuple[tuple[str, ...], bool]:
    return (rest,), False


def _health(rest: str, keyword: str, escape: str) -> tuple[tuple[str, ...], bool]:
    kind = re.split(f"[{SPACES}]", rest, maxsplit=1)[0]
    command = rest[len(kind) :].lstrip(SPACES)
    if not command:
        return (kind.upper(),), False
    args, is_json = _command(command, keyword, escape)
    return (kind.upper(), *args), is_json


def _names(rest: str, _: str, escape: str) -> tuple[tuple[str, ...], bool]:
    words = split_words(rest, escape=escape)
    if any(word.startswith("=") for word in words):
        raise DockerfileError("an ARG has no name before its =", hint="Write it as: ARG NAME=value")
    return tuple(words), False


def _pairs(rest: str, keyword: str, escape: str) -> tuple[tuple[str, ...], bool]:
    words = split_words(rest, escape=escape)
    if words and "=" not in words[0]:
        key, blank, value = _partition(rest)
        if not blank:
            raise DockerfileError(f"{keyword} {key} has no value", hint=f"Write it as: {keyword} {key}=value")
        return (f"{key}={value}",), False
    for word in words:
        if "=" not in word:
            hint = f'A value with spaces needs quotes: {keyword} {words[0].partition("=")[0]}="some words".'
            raise DockerfileError(f"{keyword} has the word {word!r} without an =", hint=hint)
        if word.startswith("="):
            raise DockerfileError(
                f"{keyword} has a value without a name: {word!r}", hint=f"Write {keyword} NAME=value."
            )
    return tuple(words), False


def split_words(text: str, *, escape: str) -> list[str]:
    """Split on white space outside quotes; quotes and escapes stay in the words (ENV, LABEL, ARG)."""
    words: list[str] = []
    word: list[str] = []
    quote = ""
    at, end = 0, len(text)
    while at < end:
        char = text[at]
        at += 1
        if not quote and char in SPACES:
            if word:
                words.append("".join(word))
                word = []
            continue
        if char == escape and quote != "'":
            if at == end:
                break
            word += [char, text[at]]
            at += 1
            continue
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        word.append(char)
    return [*words, "".join(word)] if word else words


_ARGUMENTS: dict[str, Callable[[str, str, str], tuple[tuple[str, ...], bool]]] = {
    "ADD": _json_or_words,
    "ARG": _names,
    "CMD": _command,
    "COPY": _json_or_words,
    "ENTRYPOINT": _command,
    "ENV": _pairs,
    "EXPOSE": _blank_split,
    "FROM": _blank_split,
    "HEALTHCHECK": _health,
    "LABEL": _pairs,
    "MAINTAINER": _whole,
    "RUN": _command,
    "SHELL": _command,
    "STOPSIGNAL": _whole,
    "USER": _whole,
    "VOLUME": _json_or_words,
    "WORKDIR": _whole,
}


def _check(line: Line) -> None:
    """Refuse what can be seen to be wrong from the arguments alone."""
    keyword, args = line.keyword, line.args
    example = f"Write it as: {_EXAMPLES[keyword]}"
    if keyword in COPIES:
        if len(args) < 2:
            raise DockerfileError(f"{keyword} has a source but no destination", hint=example)
        if parse_heredoc(args[-1]) is not None:
            raise DockerfileError(
                f"{keyword} has a heredoc as its destination", hint=f"{keyword} <<EOF /path/of/the/file"
            )
    elif keyword == "SHELL" and not (line.json and args):
        raise DockerfileError("SHELL needs a JSON array", hint=example)
    elif not args or (keyword == "VOLUME" and not all(arg.strip(SPACES) for arg in args)):
        if keyword not in ("CMD", "ENTRYPOINT"):
            raise DockerfileError(f"{keyword} has an empty argument", hint=example)
    elif keyword == "FROM" and len(args) != 1 and not (len(args) == 3 and args[1].upper() == "AS"):
        raise DockerfileError(f"FROM has {len(args)} arguments", hint=example + ".")
    elif keyword == "HEALTHCHECK":
        _check_health(line)


def _check_health(line: Line) -> None:
    kind, command = line.args[0], line.args[1:]
    if kind == "NONE" and command:
        raise DockerfileError("HEALTHCHECK NONE takes no arguments", hint="Write HEALTHCHECK NONE alone.")
    if kind == "CMD" and not command:
        raise DockerfileError(
            "HEALTHCHECK CMD has no command", hint=f"Write it as: {_EXAMPLES['HEALTHCHECK']}"
        )
    if kind not in ("NONE", "CMD"):
        raise DockerfileError(
            f"HEALTHCHECK {kind} is unknown", hint="Write HEALTHCHECK CMD command, or HEALTHCHECK NONE."
        )
    for name, value in line.flags:
        if name == "retries":
            if value and not re.fullmatch(r"\+?\d{1,9}", value, re.ASCII):
                raise DockerfileError(
                    f"--retries={value} is not a count", hint="Write a whole number, 0 or more."
                )
        elif value and nanoseconds(value) != 0 and nanoseconds(value) < 10**6:
            raise DockerfileError(
                f"--{name}={value} is below 1ms", hint="Write at least 1ms, or 0 for the default."
            )
