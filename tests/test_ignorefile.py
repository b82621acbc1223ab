"""dockerlab.ignorefile: .dockerignore patterns, checked against BuildKit itself where there is one."""

from __future__ import annotations

import random
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from dockerlab.context import Context
from dockerlab.errors import ContextError
from dockerlab.ignorefile import parse_ignore_file

TREE = [
    "a",
    "b.pyc",
    "A.PYC",
    "[x]",
    "x",
    "!keep",
    "a b",
    "#hash",
    "d/a",
    "d/b.pyc",
    "d/e/a",
    "d/e/b.pyc",
    "d/e/f/g",
    "node/x.js",
    "node/y/x.js",
    "node/y/z.md",
    "src/d/a",
    "src/1",
    "src/e.tar.gz",
    "é.txt",
    "d1/d",
    "w/.hidden",
    ".git/config",
]

CASES = [
    "*.pyc",
    "**/*.pyc",
    "d",
    "d/",
    "/d",
    "./d",
    "d/*",
    "d/**",
    "d/**/a",
    "**/a",
    "**a",
    "**",
    "*",
    "*\n!d/e/a",
    "**\n!**/*.js",
    "node\n!node/y/z.md",
    "node\n!node/y",
    "node/*\n!node/y",
    "d\n!d/e\nd/e/f",
    "*.md\n!z.md\n*.js",
    "[^a]",
    "[!a]",
    "[a-d]*",
    "d?",
    "\\[x\\]",
    "\\!keep",
    "!keep",
    "#hash",
    "\\#hash",
    " #hash",
    ".",
    "/",
    "..",
    "../d",
    "d/../x",
    "/../x",
    "// d",
    "a b",
    "  a  ",
    "a\r\nd/a\r",
    "\ufeffa",
    "**/e/**",
    "**/e",
    "*/*",
    "*/*/*",
    "d/**/*",
    "***",
    "**/**",
    "**/.*",
    ".*",
    "\\d",
    "\\d*",
    "[\\d]*",
    "[[:alpha:]]*",
    "?.txt",
    "d+",
    "e.tar",
    "src/e.tar.gz",
    "*.tar.*",
    "x^",
    "^x*",
    "A*",
    "a*\n!a",
    "*\n!*/b.pyc",
    "*\n!*/\nd",
    "*\n!.",
    "d\n!d",
    "d/e\n!d/e/f/g\n",
    "! d\nd",
    "**/d\n!src/**",
    "*\n!**/f/*",
    "a|d/*",
    "*|d",
    "{a}*",
    "d{1}*",
    "d{0}?",
    "{1}*",
]


def _patterns(seed: int) -> str:
    """Make a random ignore file from pieces that mean something."""
    pick = random.Random(seed)
    parts = [
        "*",
        "**",
        "?",
        "a",
        "d",
        "e",
        "src",
        "node",
        "*.pyc",
        "[a-e]",
        "[^a]",
        "x.js",
        "y",
        "b*",
        ".*",
        "f",
        "*.*",
        "a|d",
        "[x\\]]",
        "d+",
        "^d",
    ]
    lines = []
    for _ in range(pick.randint(1, 5)):
        line = "/".join(pick.choice(parts) for _ in range(pick.choice([1, 1, 2, 2, 3])))
        lines.append(pick.choice(["", "", "!", "/"]) + line + pick.choice(["", "", "", "/"]))
    return "\n".join(lines)


def _buildx() -> str | None:
    """Return why BuildKit cannot be asked here, or None."""
    if shutil.which("docker") is None:
        return "no docker command"
    for command in (["docker", "version"], ["docker", "buildx", "inspect"]):
        if subprocess.run(command, capture_output=True, timeout=60).returncode:
            return f"{' '.join(command)} failed"
    return None


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """For each ignore file, the paths that BuildKit sends: one build, one named context for each."""
    reason = _buildx()
    if reason:
        pytest.skip(f"needs BuildKit: {reason}")
    root = tmp_path_factory.mktemp("ignore")
    files = [*CASES, *map(_patterns, range(60))]
    lines = ["FROM scratch"]
    arguments = []
    for number, text in enumerate(files):
        folder = root / f"c{number}"
        for path in TREE:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(path)
        (folder / "empty").mkdir()
        (folder / ".dockerignore").write_text(text, newline="")
        lines.append(f"COPY --from=c{number} . /c{number}/")
        arguments.append(f"--build-context=c{number}={folder}")
    (root / "main").mkdir()
    found: dict[str, set[str]] = {text: set() for text in files}
    size = 60  # layers: below the limit of an overlay mount
    for start in range(0, len(files), size):
        (root / "main" / "Dockerfile").write_text("\n".join([lines[0], *lines[1 + start : 1 + start + size]]))
        out = root / "out.tar"
        command = ["docker", "buildx", "build", "-q", f"--output=type=tar,dest={out}"]
        command += [*arguments[start : start + size], str(root / "main")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr
        with tarfile.open(out) as tar:
            for name in tar.getnames():
                top, _, rest = name.strip("/").partition("/")
                if rest:
                    found[files[int(top[1:])]].add(rest)
    return found


def _ours(text: str, folder: Path) -> set[str]:
    for path in TREE:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(path)
    (folder / "empty").mkdir()
    (folder / ".dockerignore").write_text(text, newline="")
    return set(Context.folder(folder).tree())


@pytest.mark.parametrize("number", range(len(CASES) + 60))
def test_same_as_buildkit(number: int, sent: dict[str, set[str]], tmp_path: Path) -> None:
    """BuildKit and dockerlab leave the same paths of a folder for this ignore file."""
    text = [*CASES, *map(_patterns, range(60))][number]
    assert _ours(text, tmp_path) == sent[text]


@pytest.mark.parametrize(
    "bad", ["[a", "[]a]", "a\\", "[-x]", "[b-a]", "!", "!/", "[a-]", "\\q", "*{2}", "a{1001}*", "|{2}*"]
)
def test_a_bad_pattern_names_file_and_line(bad: str) -> None:
    """A pattern that Go refuses is a ContextError naming the file and the line."""
    with pytest.raises(ContextError, match=r"web\.dockerignore line 2"):
        parse_ignore_file(f"# fine\n{bad}\n", name="web.dockerignore")


def test_comments_and_blank_lines_are_no_patterns() -> None:
    """A line that starts with # and a blank line make no pattern; # after a space does."""
    assert [pattern.text for pattern in parse_ignore_file("#a\n\n  \n #b\n").patterns] == ["#b"]
