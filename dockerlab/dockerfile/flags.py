"""The keywords of a Dockerfile and the --flags each may have.

Source: BuildKit, frontend/dockerfile/instructions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from dockerlab.dockerfile.expansion import SPACES
from dockerlab.dockerfile.hints import near
from dockerlab.errors import DockerfileError

FlagKind = Literal["text", "texts", "bool"]

# Every keyword, and the flags it knows. "texts" may be given several times.
KEYWORDS: Mapping[str, Mapping[str, FlagKind]] = {
    "ADD": {
        "chown": "text",
        "chmod": "text",
        "link": "bool",
        "keep-git-dir": "bool",
        "checksum": "text",
        "unpack": "bool",
        "exclude": "texts",
    },
    "ARG": {},
    "CMD": {},
    "COPY": {
        "from": "text",
        "chown": "text",
        "chmod": "text",
        "link": "bool",
        "parents": "bool",
        "exclude": "texts",
    },
    "ENTRYPOINT": {},
    "ENV": {},
    "EXPOSE": {},
    "FROM": {"platform": "text"},
    "HEALTHCHECK": {
        "interval": "text",
        "timeout": "text",
        "start-period": "text",
        "start-interval": "text",
        "retries": "text",
    },
    "LABEL": {},
    "MAINTAINER": {},
    "ONBUILD": {},
    "RUN": {"mount": "texts", "network": "text", "security": "text", "device": "texts"},
    "SHELL": {},
    "STOPSIGNAL": {},
    "USER": {},
    "VOLUME": {},
    "WORKDIR": {},
}


def split_flags(text: str) -> tuple[list[str], str]:
    """Take the leading --flags off; quotes and backslashes in them are the lexer's plain ones."""
    flags: list[str] = []
    at, end = 0, len(text)
    while True:
        while at < end and text[at] in SPACES:
            at += 1
        if not text.startswith("--", at):
            return flags, text[at:]
        word: list[str] = []
        quote = ""
        quoted = False
        while at < end and (quote or text[at] not in SPACES):
            char = text[at]
            at += 1
            if char == quote:
                quote = ""
            elif not quote and char in "'\"":
                quote, quoted = char, True
            elif char == "\\":
                word.append(text[at : at + 1])
                at += 1
            else:
                word.append(char)
        flag = "".join(word)
        if flag == "--":
            return flags, text[at:]
        if flag or quoted:
            flags.append(flag)


def checked_flags(keyword: str, words: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return (name, value) of each flag; raises DockerfileError for one that `keyword` does not have."""
    known = KEYWORDS[keyword]
    flags: list[tuple[str, str]] = []
    for word in words:
        name, equals, value = word.removeprefix("--").partition("=")
        kind = known.get(name)
        if kind is None:
            meant = near(name, known, cutoff=0.5)
            hint = f"Did you mean --{meant}?" if meant else _flags_hint(keyword, known)
            raise DockerfileError(f"{keyword} has no flag --{name}", hint=hint)
        if kind != "texts" and any(name == earlier for earlier, _ in flags):
            raise DockerfileError(f"--{name} is given twice", hint=f"Keep one --{name}.")
        if kind == "bool":
            if equals and value.lower() not in ("true", "false"):
                raise DockerfileError(f"--{name} is {value!r}", hint=f"Write --{name}, or --{name}=false.")
        elif not equals:
            raise DockerfileError(
                f"--{name} has no value", hint=f"Write --{name}=VALUE, without a space around the =."
            )
        flags.append((name, value))
    return tuple(flags)


def _flags_hint(keyword: str, known: Mapping[str, FlagKind]) -> str:
    if not known:
        return f"{keyword} takes no flags."
    return f"{keyword} knows " + ", ".join(f"--{name}" for name in known) + "."
