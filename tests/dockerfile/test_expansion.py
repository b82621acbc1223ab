"""Quotes, escapes and variables, checked against BuildKit itself where there is one."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dockerlab.dockerfile.expansion import expand, expand_heredoc, expand_words
from dockerlab.errors import DockerfileError

ENV = {
    "x": "hello",
    "path": "/usr/local/lib/libx.tar.gz",
    "empty": "",
    "sp": "one  two",
    "dol": "$0",
    "uni": "çé",
}

WORDS = [
    "plain",
    "'$x'",
    '"$x"',
    '"a \\" b"',
    "a\\ b",
    "\\$x",
    '"\\$x \\n \\\\"',
    "'a\\b'",
    "$x$x",
    "$x.y",
    "${x}y",
    "$xy",
    "[$nope]",
    "$",
    '"$ 5"',
    "$1a",
    "$@$*",
    "${x:-d}",
    "${empty:-d}",
    "${empty-d}",
    "${nope-d}",
    "${nope:-a$x}",
    "${nope:-${nope:-deep}}",
    '${nope:-"a}b"}',
    "${x:+alt}",
    "${empty:+alt}",
    "${empty+alt}",
    "${nope+alt}",
    "${x:?no}",
    "${empty?no}",
    "${path#*/}",
    "${path##*/}",
    "${path%.*}",
    "${path%%.*}",
    "${path%.t?r.gz}",
    "${path#nothing}",
    "${path/lib/LIB}",
    "${path//lib/LIB}",
    "${path//[l]/_}",
    "${path//\\//_}",
    "${path/l*b/-}",
    "${path//lib/$dol}",
    "${path/lib/$dol}",
    "${nope/a/b}",
    "${x//l/}",
    "${uni#?}",
    "${x%\\*}",
    "${sp}",
    '"${sp:-a}"',
    "a'b'\"c\"d",
    "''",
    "${nope:-'a b'}",
    "${x:#h}",
]
BODIES = ["$x", "'$x' \"$x\"", "\\$x", "a\\nb", "${nope:-d}", "\\\\", "it's $5.00", "${path##*/}"]


def _ask_buildkit(folder: Path) -> dict[str, str]:
    """Let BuildKit expand every word into a file, and every heredoc body too."""
    lines = ["FROM scratch", *(f"ENV {name}='{value}'" for name, value in ENV.items())]
    lines += [f"ENV r{at}={word}" if word else "" for at, word in enumerate(WORDS)]
    names = [f"w{at}" for at in range(len(WORDS))]
    lines.append("COPY " + " ".join(f"<<{name}" for name in names) + " /out/")
    for at, name in enumerate(names):
        lines += [f"[$r{at}]", name]
    names = [f"b{at}" for at in range(len(BODIES))]
    lines.append("COPY " + " ".join(f"<<{name}" for name in names) + " /out/")
    for name, body in zip(names, BODIES, strict=True):
        lines += [body, name]
    (folder / "Dockerfile").write_text("\n".join(lines))
    out = folder / "out.tar"
    command = ["docker", "buildx", "build", "-q", f"--output=type=tar,dest={out}", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found = {}
    with tarfile.open(out) as tar:
        for member in tar:
            stream = tar.extractfile(member)
            if stream is not None:
                found[Path(member.name).name] = stream.read().decode()
    return found


@pytest.mark.docker
def test_same_as_buildkit(tmp_path: Path) -> None:
    """ENV values and heredoc bodies expand to what BuildKit makes of them."""
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "version"], capture_output=True).returncode:
        pytest.skip("needs BuildKit: no docker daemon")
    found = _ask_buildkit(tmp_path)
    env = dict(ENV)
    for at, word in enumerate(WORDS):
        env[f"r{at}"] = expand(word, ENV)
    assert {word: f"[{env[f'r{at}']}]\n" for at, word in enumerate(WORDS)} == {
        word: found[f"w{at}"] for at, word in enumerate(WORDS)
    }
    assert {body: expand_heredoc(f"{body}\n", env) for body in BODIES} == {
        body: found[f"b{at}"] for at, body in enumerate(BODIES)
    }


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("a  b", ["a", "b"]),
        ("'a  b' c", ["a  b", "c"]),
        ("$sp", ["one", "two"]),
        ('"$sp"', ["one  two"]),
        ("a\\ b", ["a b"]),
        ("''", []),
        ("$nope a", ["a"]),
        ("a\\", ["a"]),
    ],
)
def test_words_split_outside_quotes_only(word: str, words: list[str]) -> None:
    """Bare spaces split, those of a variable too; quoted and escaped ones do not."""
    assert expand_words(word, ENV) == words


def test_the_escape_directive_changes_the_escape() -> None:
    """With the backtick as escape, a backslash is a plain character."""
    assert expand("c:\\a`$x", ENV, escape="`") == "c:\\a$x"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("'a", "single quote"),
        ('"a', "double quote"),
        ("${x", "no matching }"),
        ("${x:-a", "no matching }"),
        ("${}", "bad substitution"),
        ("${:x}", "bad substitution"),
        ("${x!y}", "unknown modifier"),
        ("${x:y}", "unknown modifier"),
        ("${nope:?give it}", "nope: give it"),
        ("${empty:?}", "must not be empty"),
        ("${nope?}", "must be set"),
        ("${x/a", "no matching /"),
        ("${x#\\a}", "is not an escape"),
        ("${a:-" * 200, "nested"),
    ],
)
def test_what_is_wrong_is_said(word: str, said: str) -> None:
    """A word that cannot be expanded raises DockerfileError, without a line and with a next step."""
    with pytest.raises(DockerfileError) as caught:
        expand(word, ENV)
    assert said in caught.value.message
    assert caught.value.line is None
    assert caught.value.hint


@given(st.text(alphabet="$x{}:-+?#%/'\"\\ a*", max_size=25))
@settings(max_examples=300, deadline=None)
def test_any_word_expands_or_raises(word: str) -> None:
    """No text makes the lexer fail in another way than DockerfileError."""
    try:
        expanded = expand(word, ENV)
    except DockerfileError:
        return
    assert isinstance(expanded, str)
