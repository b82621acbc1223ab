"""dockerlab.dockerfile.parser: the parser, checked against BuildKit's own (the `dockerfile` package)."""

from __future__ import annotations

from typing import Any

import dockerfile as oracle
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from dockerlab.dockerfile.parser import (
    Dockerfile,
    Instruction,
    decode,
    expand,
    nanoseconds,
    parse,
    parse_trigger,
)
from dockerlab.errors import DockerfileError

TRICKY = [
    "FROM a\nRUN foo \\ \n  # c\n\n  bar \\\\\nRUN x",
    "FROM a\nRUN foo \\\\ \nRUN b\\\r\n c\r\n",
    '#escape=`\nFROM a\nRUN a `\n b\nENV x=`"a\nCOPY c:\\a\\ d',
    "FROM a\nRUN <<A cat <<-'B'\nx\nA\n\ty\n\tB\n",
    "FROM a\nRUN cat <<A <<B\r\nx\r\nA\r\ny\r\nB\r\n",
    "FROM a\nCOPY --from=b --chown='1 2' <<\"E\" <<F /x\n$x\nE\nf\nF",
    'FROM a\nHEALTHCHECK --interval=3s   cmd  ["a", "b"]\nHEALTHCHECK none',
    "FROM a\nLABEL a=\"x y\" 'b c'=d\\ e f=\nENV q  x  y 'z'\nARG a b=c\\\n d",
    'FROM a\nCMD [ "a"\nCMD ["\\ud800x", "\\ud83d\\ude00"]\nENTRYPOINT []\nCMD [\'a\']',
    '\ufeffFROM a\nRUN --mount=type=cache,target=/x --mount=type=bind,src="a b" -- --x y\n',
    f"FROM a\nRUN {'x' * 65_531}\n",
    "\\\n\nFROM a",
    "FROM a\n\\\n# c\nRUN x\n",
    "FROM a\nRUN x\\\n#c \\\n y\\",
    "FROM a\nRUN  a\x0bb\nUSER  a b \nVOLUME a  b\nEXPOSE 1 2\tx",
    'FROM a\nRUN echo "x <<E\nRUN y',
    "FROM a\nADD <<E<F x\nRUN y",
    "FROM a\nRUN a\x1c\nRUN \x1cb",
    "FROM a\nENV \xa0a=b\xa0c=d",
    "# escape = `\r\nFROM a\nRUN x`\n y",
    " # escape=`\nFROM a\nRUN x`\n y",
    "FROM a\nRUN cat <<~E\nx\n~E\n",
    "FROM a\nRUN <<E\nx\n E\nE \nE",
    "FROM a\nRUN <<$E\nx\n$E",
    "FROM a\nRUN 3<<E cat <<''\nx\nE\n",
    "arg V=1\nfrom --platform=linux/amd64 a:$V as Build\nrun echo hi\nFROM build",
    "FROM a\nONBUILD RUN a  \\\n b\nONBUILD COPY --from=x a b\nMAINTAINER  me  <x>",
    'FROM a\nRUN [ -f /x ] && echo y\nSHELL ["/bin/sh",\t"-c"]\nVOLUME ["/a b"]\nSTOPSIGNAL 9',
    "FROM a\n\n# c\n   RUN x # not a comment\n\t\nWORKDIR /a b",
    'FROM a\nRUN cat <<E | tr a b && cat <<-"F G" >x\n1\nE\n\t\t2\n\tF G\n',
    'FROM a\nRUN --mount=type=secret,id=a\\ b --network="no"ne x',
]


def _instructions(parsed: Dockerfile) -> list[Instruction]:
    found = list(parsed.args)
    for stage in parsed.stages:
        found += [stage.from_, *stage.instructions]
    return found


def _mine(text: str) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for item in _instructions(parse(text)):
        keyword, args, flags, is_json, heredocs = (
            item.keyword,
            item.args,
            item.flags,
            item.json,
            item.heredocs,
        )
        inner = None
        if keyword == "ONBUILD":
            trigger = parse_trigger(args[0])
            inner, args, heredocs, is_json, flags = trigger.keyword, trigger.args, (), False, ()
        elif keyword in ("ENV", "LABEL"):
            args = tuple(half for pair in args for half in pair.split("=", 1))
        shown = tuple(f"--{name}={value}" if value else f"--{name}" for name, value in flags)
        rows.append(
            (
                keyword,
                item.line,
                item.end_line,
                inner,
                is_json,
                args,
                shown,
                [(h.name, h.raw) for h in heredocs],
            )
        )
    return rows


def _theirs(text: str) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for item in oracle.parse_string(text):
        values = tuple(item.value)
        if item.cmd == "HEALTHCHECK":
            values = (values[0].upper(), *values[1:])
        heredocs = [(doc.name, doc.content) for doc in item.heredocs]
        inner = item.sub_cmd and item.sub_cmd.upper()
        rows.append(
            (
                item.cmd.upper(),
                item.start_line,
                item.end_line,
                inner,
                item.json,
                values,
                tuple(item.flags),
                heredocs,
            )
        )
    return rows


@pytest.mark.parametrize("text", TRICKY)
def test_tricky_files_parse_as_buildkit_does(text: str) -> None:
    """Keywords, lines, flags, JSON form, values and heredocs equal those of BuildKit's parser."""
    assert _mine(text) == _theirs(text)


_word = st.text(alphabet="ab=$\"'\\{}<-é,", min_size=1, max_size=6)
_blank = st.sampled_from([" ", "  ", "\t", " \\\n", " \\ \n  # c\n ", " \\\n\n", "\\\r\n "])
_flags = {
    "RUN": ["", "--mount=type=tmpfs,target=/x --mount='type=cache,id=a b' ", "--network=none ", "-- "],
    "run": ["", "--network=\\none\t"],
    "COPY": ["", "--from=b ", "--chown='a b' --link ", '--exclude="x y" --exclude=z '],
    "ADD": ["", "--checksum=x  "],
}
_keyword = st.sampled_from(
    ["RUN", "run", "CMD", "COPY", "ADD", "ENV", "LABEL", "ARG", "ENTRYPOINT", "VOLUME", "USER"]
)
_value = st.one_of(
    _word,
    st.sampled_from(
        ["k", "'a b'", '["a", "b"]', '["a"', "x\\ y", "[]", "#c", "--x", "<<E", "<<-'E'", '3<<"E"']
    ),
)
_pair = st.builds("{}={}".format, st.sampled_from(["k", "'a b'", "x.y"]), _value)
_bodies = ["x\nE", "\t x\\\n\nE", "# c\n E\nE", "E"]


@st.composite
def _files(draw: st.DrawFn) -> str:
    lines = ["FROM a AS b"]
    for _ in range(draw(st.integers(1, 4))):
        keyword = draw(_keyword)
        parts = [keyword, " ", draw(st.sampled_from(_flags.get(keyword, [""])))]
        values = draw(st.lists(_pair if keyword in ("ENV", "LABEL") else _value, min_size=1, max_size=4))
        for value in values:
            parts += [value, draw(_blank)]
        parts.append("end=" if keyword in ("ENV", "LABEL") else "end")
        lines.append("".join(parts))
        if keyword in ("RUN", "run", "COPY", "ADD"):
            lines += [draw(st.sampled_from(_bodies)) for value in values if "<<" in value]
        lines += draw(st.sampled_from([[], [], ["# c"], ["", " "]]))
    return draw(st.sampled_from(["\n", "\n", "\r\n"])).join(lines)


@given(_files())
@settings(max_examples=400, deadline=None)
@example("FROM a AS b\nRUN <<E <<E\nx\nE\nE")
def test_generated_files_parse_as_buildkit_does(text: str) -> None:
    """What we accept, BuildKit reads the same; what its parser refuses, we refuse."""
    try:
        mine = _mine(text)
    except DockerfileError:
        return
    theirs = _theirs(text)
    # This version drops what follows a JSON array; since moby/buildkit#5107 that is the shell form.
    assume(
        all(
            row[4] == other[4] or not row[5][0].startswith("[")
            for row, other in zip(mine, theirs, strict=False)
        )
    )
    assert mine == theirs


@given(st.one_of(st.text(max_size=80), st.text(alphabet="FROM ar\n\\<E#=`\"'[]$\t\r-", max_size=80)))
@settings(max_examples=400, deadline=None)
def test_any_text_parses_or_raises_with_a_line(text: str) -> None:
    """Whatever the text, the outcome is a Dockerfile or a DockerfileError that has a line in the file."""
    line: int | None = 1
    try:
        parse(text)
    except DockerfileError as error:
        line = error.line
    assert line is not None
    assert 1 <= line <= text.count("\n") + 1


@pytest.mark.parametrize(
    ("text", "line", "said", "hint"),
    [
        ("", 1, "no instruction", "FROM"),
        ("# only\n\n", 1, "no instruction", "FROM"),
        ("ARG A=1\n", 1, "no FROM", "FROM"),
        ("\nRUN x\n", 2, "before any FROM", "FROM"),
        ("FROM a\nRUNN x", 2, "RUNN", "RUN?"),
        ("FROM a\nCOPPY x y", 2, "COPPY", "COPY?"),
        ("FROM a\nRUN x\n  && y", 3, "&&", "escape character"),
        ("FROM a\nRUN\xa0x", 2, "unknown instruction", "space"),
        ("FROM", 1, "no arguments", "FROM debian"),
        ("FROM a b", 1, "2 arguments", "AS"),
        ("FROM a AS 1x", 1, "1x", "letter"),
        ("FROM a\nCOPY x", 2, "no destination", "COPY"),
        ("FROM a\nCOPY --fro=x a b", 2, "--fro", "--from?"),
        ("FROM a\nENV --x a=b", 2, "no flag --x", "no flags"),
        ("FROM a\nCOPY --from a b", 2, "--from has no value", "--from=VALUE"),
        ("FROM a\nCOPY --link=1 a b", 2, "--link", "--link=false"),
        ("FROM a\nCOPY --from=a --from=b a b", 2, "twice", "one"),
        ("FROM a\nCOPY a <<E\nE", 2, "destination", "<<EOF"),
        ("FROM a\nRUN <<E\nx\n\nRUN y", 2, "never ends", "E on a line"),
        ("FROM a\nENV x", 2, "no value", "ENV x=value"),
        ("FROM a\nENV a=b c", 2, "'c'", "quotes"),
        ("FROM a\nENV =b", 2, "without a name", "NAME=value"),
        ("FROM a\nARG =b", 2, "no name", "NAME=value"),
        ("FROM a\nSHELL /bin/bash -c", 2, "JSON", '["/bin/bash"'),
        ("FROM a\nSHELL []", 2, "JSON", "SHELL"),
        ("FROM a\nRUN []", 2, "empty", "RUN"),
        ("FROM a\nRUN [1]", 2, "no string", "Quote"),
        ('FROM a\nVOLUME [" "]', 2, "empty", "VOLUME"),
        ("FROM a\nONBUILD ONBUILD RUN x", 2, "ONBUILD", "RUN"),
        ("FROM a\nONBUILD FROM x", 2, "FROM", "RUN"),
        ("FROM a\nONBUILD RUNN x", 2, "RUNN", "RUN?"),
        ("FROM a\nHEALTHCHECK x", 2, "X", "CMD"),
        ("FROM a\nHEALTHCHECK NONE x", 2, "NONE", "alone"),
        ("FROM a\nHEALTHCHECK CMD", 2, "no command", "curl"),
        ("FROM a\nHEALTHCHECK --interval=5 CMD x", 2, "'5'", "30s"),
        ("FROM a\nHEALTHCHECK --interval=5us CMD x", 2, "below 1ms", "1ms"),
        ("FROM a\nHEALTHCHECK --retries=-1 CMD x", 2, "-1", "0 or more"),
        ("# escape=x\nFROM a", 1, "'x'", "`"),
        ("# escape=`\n# escape=`\nFROM a", 2, "twice", "first"),
        (f"FROM a\nRUN {'x' * 65_536}", 2, "65535", "Split"),
    ],
)
def test_an_error_has_line_finding_and_next_step(text: str, line: int, said: str, hint: str) -> None:
    """Each mistake is named with its line, what was found, and what to do."""
    with pytest.raises(DockerfileError) as caught:
        parse(text)
    assert caught.value.line == line
    assert said in caught.value.message
    assert hint in caught.value.hint


def test_stages_are_found_by_name_and_number() -> None:
    """A stage is found by its name in any case, or by its number; its platform and base stay as written."""
    parsed = parse("ARG V=1\nFROM --platform=$P a:$V AS Build\nRUN x\nFROM b\n")
    assert [stage.name for stage in parsed.stages] == ["build", None]
    assert parsed.stage("BUILD") is parsed.stage("0") is parsed.stages[0]
    assert parsed.stage("2") is None
    twice = parse("FROM a AS x\nFROM x AS X\nFROM c\n")
    assert twice.stage("x") is twice.stages[1]  # the later one, as in BuildKit
    assert twice.stage("x", above=twice.stages[1]) is twice.stages[0]
    assert twice.stage("1", above=twice.stages[1]) is None
    assert (parsed.stages[0].base, parsed.stages[0].platform) == ("a:$V", "$P")
    assert [arg.args for arg in parsed.args] == [("V=1",)]


def test_heredoc_content_and_source_are_exact() -> None:
    """Heredoc bodies keep every character; <<- drops leading tabs from content, not from raw."""
    text = "FROM a\nCOPY <<-'A' <<B \\\n /d/\n\t\tx \\\n\tA\n $y\n\nB\nRUN z"
    copy, run = parse(text).stages[0].instructions
    first, second = copy.heredocs
    assert (first.content, first.raw, first.expand, first.chomp) == ("x \\\n", "\t\tx \\\n", False, True)
    assert (second.content, second.expand, second.chomp) == (" $y\n\n", True, False)
    assert copy.args == ("<<-'A'", "<<B", "/d/")
    assert copy.heredoc("<<-'A'") is first
    assert copy.heredoc("/d/") is None
    assert copy.source == text[7:-6]
    assert copy.text == "COPY <<-'A' <<B  /d/"
    assert (copy.end_line, run.line) == (8, 9)


@pytest.mark.parametrize(
    ("text", "script", "shebang"),
    [
        ("RUN <<E\na\nb\nE", "a\nb\n", False),
        ("RUN <<-E\n\ta\nE", "a\n", False),
        ("RUN <<E\n#!/bin/x\nE", "/dev/pipes/E", True),
        ("RUN <<-E\n\t#!/bin/x\nE", "#!/bin/x\n", False),
        ("RUN cat <<-E\n\ta\n\tE", "cat <<-E\n\ta\nE", False),
        ("RUN cat <<E <<F\na\nE\nF", "cat <<E <<F\na\nE\nF", False),
        ("RUN a  \\\n   && b", "a     && b", False),
        ('RUN ["a"]', None, False),
    ],
)
def test_script_is_what_the_shell_gets(text: str, script: str | None, shebang: bool) -> None:
    """A lone heredoc is the script; with a command, the shell gets command, body and delimiter."""
    (run,) = parse(f"FROM a\n{text}").stages[0].instructions
    assert run.script == script
    assert (run.shebang is not None) == shebang


def test_flags_keep_their_order_and_repeat() -> None:
    """--mount and --exclude may repeat; a bare boolean flag has the value ""."""
    text = "FROM a\nCOPY --link --exclude=x --exclude=y --parents=false a b"
    (copy,) = parse(text).stages[0].instructions
    assert copy.flags == (("link", ""), ("exclude", "x"), ("exclude", "y"), ("parents", "false"))
    assert (copy.flag("link"), copy.flag("from")) == ("", None)
    assert copy.flag_values("exclude") == ("x", "y")
    assert copy.enabled("link")
    assert not copy.enabled("parents")


def test_the_old_env_form_expands_as_one_value() -> None:
    """`ENV key some value` gives one pair whose value keeps its inner spaces and loses its quotes."""
    (env,) = parse("FROM a\nENV key some  'other  value' $x\n").stages[0].instructions
    key, _, value = env.args[0].partition("=")
    assert (key, expand(value, {"x": "1"})) == ("key", "some  other  value 1")


def test_onbuild_holds_its_instruction_with_heredocs() -> None:
    """The text an ONBUILD stores parses again to the same instruction, heredoc included."""
    (onbuild,) = parse("FROM a\nONBUILD RUN <<E\nhi\nE\n").stages[0].instructions
    assert onbuild.args == ("RUN <<E\nhi\nE",)
    assert parse_trigger(onbuild.args[0]).script == "hi\n"


def test_bytes_are_utf8_with_or_without_a_mark() -> None:
    """A byte order mark is dropped; bytes that are not UTF-8 may stand in comments only."""
    assert parse(decode(b"\xef\xbb\xbfFROM a\r\n# \xe9\r\n")).stages[0].base == "a"
    with pytest.raises(DockerfileError, match=r"line 2.*not UTF-8"):
        parse(decode(b"FROM a\nRUN \xe9\n"))
    with pytest.raises(DockerfileError, match="UTF-16"):
        decode("FROM a".encode("utf-16"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("30s", 30 * 10**9),
        ("1m30.5s", 905 * 10**8),
        ("1h", 3600 * 10**9),
        ("0", 0),
        (".5ms", 500_000),
        ("-1s", -(10**9)),
    ],
)
def test_durations_are_go_s(text: str, value: int) -> None:
    """A HEALTHCHECK duration is read as Go reads it."""
    assert nanoseconds(text) == value
