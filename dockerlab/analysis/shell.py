"""The simple commands of a shell text: those in chains, branches, loops, groups and `sh -c` too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

Words = tuple[str, ...]

_TOKEN = re.compile(
    r"""(?P<gap>[ \t\r]+|\\\r?\n|(?<![^\s;&|()])\#[^\n]*)
    |(?P<here><<-?[ \t]*(?P<quote>['"]?)(?P<end>\w+)(?P=quote))
    |(?P<into>\d*(?:>>|>\||>&|>)|&>>?)|(?P<from>\d*(?:<<<|<&|<))
    |(?P<mark>&&|\|\||[;&|\n()])
    |(?P<word>(?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|\$\{[^}]*\}|\$\((?:[^()]|\([^()]*\))*\)|`[^`]*`
        |[^\s;&|()<>'"\\`])+)
    |(?P<odd>.)""",
    re.VERBOSE | re.DOTALL,
)
_QUOTED = re.compile(r"""'([^']*)'|"((?:\\.|[^"\\])*)"|\\(.)""", re.DOTALL)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")
_SHELLS = frozenset({"sh", "bash", "ash", "dash", "zsh", "ksh"})
# Words that stand before a command and change nothing of what it is.
_PASSED = frozenset(
    {
        *("if", "then", "elif", "else", "while", "until", "do", "!", "{", "}", "time", "exec", "command"),
        *("builtin", "nohup", "eatmydata", "fakeroot", "setsid", "RUN"),
    }
)
# Programs that run another: which of their flags take a value, and how many words of their own follow.
_WRAPPERS: dict[str, tuple[frozenset[str], int]] = {
    "sudo": (frozenset({"-u", "-g", "-h", "-p", "-C", "-U", "-r", "-t", "--user", "--group"}), 0),
    "doas": (frozenset({"-u", "-C"}), 0),
    "env": (frozenset({"-u", "-C", "--unset", "--chdir"}), 0),
    "nice": (frozenset({"-n"}), 0),
    "ionice": (frozenset({"-c", "-n"}), 0),
    "stdbuf": (frozenset({"-i", "-o", "-e"}), 0),
    "xargs": (frozenset({"-a", "-n", "-I", "-P", "-d", "-L", "-s", "-E"}), 0),
    "timeout": (frozenset({"-s", "-k", "--signal", "--kill-after"}), 1),
    "flock": (frozenset({"-w", "-E"}), 1),
    "gosu": (frozenset(), 1),
    "su-exec": (frozenset(), 1),
}


_RUNNERS = frozenset({"conda", "mamba", "micromamba", "poetry", "pipenv", "uv", "pdm"})  # and `run`
_ENVIRONMENT = frozenset({"-n", "-p", "--name", "--prefix"})


def commands(text: str) -> tuple[Words, ...]:
    """Return the simple commands of a shell text in order, as words without quotes and redirections.

    Assignments, `sudo`, `env`, `exec` and their like before a command are taken off. What `sh -c`, `su -c`,
    `eval` and a heredoc given to a shell run is looked into. A file that is read from (`<`) counts as a word.
    """
    return tuple(found for words in _simple(text) for found in _unwrapped(list(words)))


def script_of(words: Words) -> str | None:
    """Return the path of the script that a command runs (`./x.sh`, `bash x.sh`, `. ./x.sh`), or None."""
    if words[0] in _SHELLS or words[0] in (".", "source"):
        return next((word for word in words[1:] if not word.startswith(("-", "+"))), None)
    return words[0] if "/" in words[0] else None


def _simple(text: str) -> Iterator[Words]:
    words: list[str] = []
    bodies: list[tuple[str, bool]] = []  # of heredocs still to come: end mark, whether a shell reads it
    skip, at = False, 0
    while (match := _TOKEN.match(text, at)) is not None:
        at = match.end()
        if match["word"]:
            if not skip:
                words.append(_QUOTED.sub(_bare, match["word"]))
            skip = False
        elif match["here"]:
            bodies.append((match["end"], any(word in _SHELLS for word in words)))
        elif match["into"]:
            skip = True
        elif match["mark"]:
            if words:
                yield tuple(words)
            words, skip = [], False
            while match["mark"] == "\n" and bodies:
                end, read = bodies.pop(0)
                body = re.compile(rf"(.*?)^\t*{end}[ \t]*$", re.DOTALL | re.MULTILINE).match(text, at)
                if body is not None:
                    at = body.end()
                    yield from _simple(body[1]) if read else ()
    if words:
        yield tuple(words)


def _bare(quoted: re.Match[str]) -> str:
    single, double, escaped = quoted.groups()
    if single is not None:
        return single
    return re.sub(r"\\(?:\n|([\"\\$`]))", r"\1", double) if double is not None else escaped.strip("\n")


def _unwrapped(words: list[str]) -> Iterator[Words]:
    while words:
        name = words[0].rpartition("/")[2]
        if name in _PASSED or _ASSIGNMENT.match(words[0]):
            del words[0]
        elif name in _WRAPPERS or (name in _RUNNERS and words[1:2] == ["run"]):
            valued, own = _WRAPPERS.get(name, (_ENVIRONMENT, 0))
            del words[: 1 if name in _WRAPPERS else 2]
            while words and (words[0].startswith("-") or _ASSIGNMENT.match(words[0])):
                del words[: 2 if words[0] in valued else 1]
            del words[:own]
        else:
            break
    if not words:
        return
    inner = _inner(words)
    if inner is not None:
        yield from commands(inner)
    else:
        yield tuple(words)


def _inner(words: list[str]) -> str | None:
    """Return the text that a command gives to a shell to run, or None."""
    name = words[0].rpartition("/")[2]
    if name == "eval":
        return " ".join(words[1:])
    if name in _SHELLS or name in ("su", "runuser"):
        for word, text in pairwise(words[1:]):
            if word == "--command" or (word.startswith("-") and word[1:2] != "-" and word.endswith("c")):
                return text
    return None
