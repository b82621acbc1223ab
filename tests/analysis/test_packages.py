"""The table of package managers: each row is usable, and what it says of commands and files holds."""

from __future__ import annotations

import re

import pytest

from dockerlab.analysis.dependencies import reads as read_by
from dockerlab.analysis.packages import CACHES, MANAGERS, Install, Manager, install_of, is_manifest, reads
from dockerlab.analysis.shell import commands, script_of
from dockerlab.dockerfile.parser import parse

BY_NAME = {manager.name: manager for manager in MANAGERS}


@pytest.mark.parametrize("manager", MANAGERS, ids=lambda manager: manager.name)
def test_every_row_is_usable(manager: Manager) -> None:
    """Each pattern of a row compiles; whoever installs says what it reads or leaves; names are used once."""
    for pattern in (
        manager.installs,
        manager.suffixes,
        manager.settings,
        manager.inside,
        manager.lists,
        manager.books,
    ):
        re.compile(pattern, re.MULTILINE)
    for cache in manager.caches:
        assert not re.compile(cache.paths).match("")
        assert cache.code.endswith(("-cache", "-lists", "-archives"))
    assert manager.caches
    assert bool(manager.first) == bool(manager.installs and manager.manifests)
    assert [one.name for one in MANAGERS].count(manager.name) == 1


def test_no_path_is_two_caches() -> None:
    """A path that one pattern matches no other one does, so that no order of the table matters."""
    for path in (
        *("var/lib/apt/lists/x", "var/cache/apt/archives/a.deb", "root/.cache/pip/a", "opt/conda/pkgs/a"),
        *(
            "root/.npm/_cacache/x",
            "root/.cache/yarn/x",
            "root/.local/share/pnpm/store/v3/x",
            "root/.cache/uv/x",
        ),
        *("root/.cache/pypoetry/cache/x", "usr/local/bundle/cache/x.gem", "root/.composer/cache/x"),
        *("go/pkg/mod/x", "usr/local/cargo/registry/x", "root/.m2/repository/x", "root/.gradle/caches/x"),
        *("root/.nuget/packages/x", "var/cache/apk/x", "var/cache/dnf/x.rpm", "var/cache/zypp/x"),
        *("var/cache/pacman/pkg/x", "root/.ivy2/cache/x", "root/.cabal/packages/x", "root/.cache/ccache/x"),
    ):
        assert len([cache for cache in CACHES if re.match(cache.paths, path)]) == 1, path


def install(command: str) -> Install:
    """Read one command."""
    (words,) = commands(command)
    found = install_of(words)
    assert found is not None
    return found


WORDS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "pip install -r a.txt -c b.txt flask": ("pip", ("flask",), ("a.txt", "b.txt"), ()),
    "pip install -rdev.txt --requirement=b.txt": ("pip", (), ("dev.txt", "b.txt"), ()),
    "pip install -i https://example.com/simple -t /out x==1": ("pip", ("x==1",), (), ()),
    "pip install -e ./lib 'x @ file:///y' -e git+https://e.com/z": (
        *("pip", ("git+https://e.com/z",), ()),
        ("./lib", "x @ file:///y"),
    ),
    "/opt/venv/bin/python -m pip install 'a b' .[dev]": ("pip", ("a b",), (), (".[dev]",)),
    "uv pip install --system -r r.txt": ("pip", (), ("r.txt",), ()),
    "uv sync --frozen": ("uv", (), (), ()),
    "conda install -y -c conda-forge numpy": ("conda", ("numpy",), (), ()),
    "conda env create -f environment.yml": ("conda", (), ("environment.yml",), ()),
    "npm --prefix web ci --omit=dev": ("npm", (), (), ()),
    "npm install -g typescript ./tool": ("npm", ("typescript",), (), ("./tool",)),
    "apt-get -o Acquire::Retries=3 install -y -t bookworm-backports tree ./x.deb": (
        *("apt", ("tree",), ()),
        ("./x.deb",),
    ),
    "apk add --no-cache --virtual .deps gcc": ("apk", ("gcc",), (), ()),
    "go install example.com/x@latest": ("go", ("example.com/x@latest",), (), ()),
}


@pytest.mark.parametrize("command", WORDS)
def test_what_the_words_of_an_install_are(command: str) -> None:
    """Packages, lists of packages and local paths are told apart; values of flags are none of them."""
    found = install(command)
    assert (found.manager.name, found.packages, found.files, found.local) == WORDS[command]


@pytest.mark.parametrize(
    "command",
    [
        *(
            "yarn --version",
            "yarn build",
            "bundle exec rake",
            "go build ./...",
            "npm run install",
            "make install",
        ),
        *("pip --version", "pip freeze", "apt-get update", "xargs apt-get install -y", "conda clean -afy"),
        *("pacman -Scc --noconfirm", "cargo build", "dotnet build", "install -m 755 a b"),
    ],
)
def test_what_is_no_install(command: str) -> None:
    """Other commands of the same programs install nothing."""
    (words,) = commands(command)
    assert install_of(words) is None


SHELL: dict[str, list[str]] = {
    "a && b || c; d | e & f\ng": ["a", "b", "c", "d", "e", "f", "g"],
    "if a; then b; elif c; then d; else e; fi": ["a", "b", "c", "d", "e", "fi"],
    "for x in 1 2; do a $x; done": ["for x in 1 2", "a $x", "done"],
    "(a; { b; }) && ! c": ["a", "b", "c"],
    "A=1 B='2 3' env -u X C=4 sudo -E -u me nice -n 5 timeout -k 1 30 a b": ["a b"],
    "sh -c 'a \"b c\" && d'": ["a b c", "d"],
    'bash -o pipefail -exc "a; b"': ["a", "b"],
    "su - me -c 'a b'": ["a b"],
    "eval a b": ["a b"],
    "conda run -n base --no-capture-output a b && poetry run c": ["a b", "c"],
    "a > /out 2>&1 < /in >> log": ["a /in"],
    "a # b; c\nd#e": ["a", "d#e"],
    "a \\\n  b": ["a b"],
    "cat <<X > f\nnot a command\nX\nb": ["cat", "b"],
    "bash -e <<'X'\na\nX\nb": ["bash -e", "a", "b"],
    'a $(b; c) "${d:-e f}" `g; h`': ["a $(b; c) ${d:-e f} `g; h`"],
    "a 'unclosed": ["a unclosed"],
    "": [],
}


@pytest.mark.parametrize("text", SHELL)
def test_simple_commands_of_a_shell_text(text: str) -> None:
    """Commands are found wherever a shell would run them, and texts that it would not run are none."""
    assert [" ".join(words) for words in commands(text)] == SHELL[text]


@pytest.mark.parametrize(
    ("command", "path"),
    [("./a.sh x", "./a.sh"), ("bash -eu a.sh", "a.sh"), (". ./env", "./env"), ("a x/y", None), ("sh", None)],
)
def test_which_script_a_command_runs(command: str, path: str | None) -> None:
    """A script is run by its path, or given to a shell."""
    (words,) = commands(command)
    assert script_of(words) == path


@pytest.mark.parametrize(
    ("manager", "path", "expected"),
    [
        ("npm", "app/patches/a.patch", True),
        ("npm", "app/src/a.js", False),
        ("pip", "srv/requirements/prod.txt", True),
        ("pip", "srv/app/main.py", False),
        ("apt", "etc/apt/sources.list.d/x.list", True),
        ("apt", "app/main.c", False),
        ("nuget", "src/App/App.csproj", True),
    ],
)
def test_which_files_an_install_reads(manager: str, path: str, *, expected: bool) -> None:
    """By name, by folder, by the end of the name or by the place of settings."""
    assert reads(BY_NAME[manager], path) is expected


def test_lists_of_packages_by_name_and_wildcard() -> None:
    """Names and the wildcards people write for them are lists; sources and `*` are not."""
    named = ["package*.json", "go.*", "requirements-dev.txt", "Gemfile*", "pom.xml", "*.csproj", ".npmrc"]
    assert [name for name in named if not is_manifest(name)] == []
    assert [name for name in ("*", "src", "main.py", "a.json", "index.js") if is_manifest(name)] == []


def test_the_order_of_lines_goes_by_the_same_table() -> None:
    """What `npm ci` is said to read when lines change places is the table's row."""
    run = parse("FROM x\nRUN npm ci && npm cache clean --force\n").stages[0].instructions[0]
    assert set(read_by(run) or ()) == {*BY_NAME["npm"].manifests, *BY_NAME["npm"].folders}
    assert read_by(parse("FROM x\nRUN npm ci ./lib\n").stages[0].instructions[0]) is None
