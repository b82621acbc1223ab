"""A word with one letter wrong is answered with the word that was meant, wherever one may be written."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dockerlab.cli.parser import COMMANDS, make_parser
from dockerlab.dockerfile.flags import KEYWORDS
from dockerlab.dockerfile.hints import after_failed_run, near_base, near_option
from dockerlab.dockerfile.parser import parse
from dockerlab.errors import DockerfileError, OptionError
from dockerlab.notebook.magics import _arguments, _parser

FLAGS = [(keyword, flag) for keyword, flags in KEYWORDS.items() for flag in flags]


def misspelt(word: str) -> Iterator[str]:
    """Yield a word with each of its letters replaced, left out, and swapped with the next."""
    for at in range(len(word)):
        yield word[:at] + "q" + word[at + 1 :]
        yield word[:at] + word[at + 1 :]
        yield word[:at] + word[at + 1 : at + 2] + word[at] + word[at + 2 :]


@pytest.mark.parametrize(("keyword", "flag"), FLAGS)
def test_every_flag_of_every_instruction(keyword: str, flag: str) -> None:
    """The flag is asked for by name; what is spelled like another flag is that flag."""
    for wrong in misspelt(flag):
        if wrong in KEYWORDS[keyword]:
            continue
        with pytest.raises(DockerfileError) as refused:
            parse(f"FROM scratch\n{keyword} --{wrong}=1 a b\n")
        assert refused.value.hint == f"Did you mean --{flag}?", wrong


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_every_instruction(keyword: str) -> None:
    """Of an instruction a letter may be wrong, too."""
    for wrong in misspelt(keyword):
        if wrong in KEYWORDS:
            continue
        with pytest.raises(DockerfileError) as refused:
            parse(f"FROM scratch\n{wrong} a\n")
        assert f"Did you mean {keyword}?" in str(refused.value), wrong


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_every_command(command: str) -> None:
    """What `dockerlab` and its commands do not know is asked back, with the command's own options."""
    parser = make_parser()
    for wrong in misspelt(command):
        if wrong not in COMMANDS and len(command) > 2:  # nothing is like a word of one letter
            with pytest.raises(OptionError, match=r"Did you mean \w+\?"):
                parser.parse_args([wrong])
    with pytest.raises(OptionError, match=r"Did you mean --json\?"):
        parser.parse_args([command, "--jsno", *NEEDED.get(command, ())])


NEEDED = {
    "save": ("-o", "x.tar", "app"),
    "load": ("-i", "x.tar"),
    "bases": ("--into", "x"),
    "grade": ("x",),
    "compare": ("a", "b"),
    "bundle": ("drop",),
} | dict.fromkeys(("history", "run", "why", "push", "ledger", "advise", "explore", "rm", "build"), ("app",))


def test_every_option_of_the_magic() -> None:
    """So does `%%dockerfile`; a word of its own after the name may be the files, without --context."""
    known = [option for option in _parser()._option_string_actions if option.startswith("--")]
    for option in known:
        for wrong in misspelt(option.removeprefix("--")):
            if wrong and f"--{wrong}" not in known:
                assert near_option(f"--{wrong}", known) == f"Did you mean {option}?", wrong
    with pytest.raises(OptionError, match=r"Did you mean --context\?"):
        _arguments("app --contxt files", {})
    with pytest.raises(OptionError, match=r"write --context files"):
        _arguments("app files", {})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("debain:trixie-slim", "debian:trixie-slim"),
        ("debian:trixie-slm", "debian:trixie-slim"),
        ("pyhton:3.11-slim", "python:3.11-slim"),
        ("nod:22-slim", "node:22-slim"),
        ("ubunut", "ubuntu"),
        ("python:3.12-slim", None),
        ("alpine:3.22", None),
        ("registry.example/team/app:1", None),
    ],
)
def test_a_base_that_is_not_there(written: str, meant: str | None) -> None:
    """A misspelt name or tag is known by the bases at hand and by official names; another version is none."""
    said = near_base(written, ["debian:trixie-slim", "python:3.13-slim", "node:22-slim"])
    assert said == (f"Did you mean {meant}?" if meant else "")


@pytest.mark.parametrize(
    ("run", "printed", "said"),
    [
        ("RUN apt-get install -y jq", "E: Unable to locate package jq", "No package lists were fetched"),
        (
            "RUN apt install jq",
            "E: Package 'jq' has no installation candidate",
            "No package lists were fetched",
        ),
        (
            "RUN apt-get -q update && apt-get install jqq",
            "E: Unable to locate package jqq",
            "name of the package",
        ),
        ("RUN ecko", "/bin/sh: 1: ecko: not found", "Mend that line"),
    ],
)
def test_a_run_that_failed(run: str, printed: str, said: str) -> None:
    """A package that cannot be found has a list that was never fetched, or a name that is wrong."""
    assert said in after_failed_run(run, [printed])
