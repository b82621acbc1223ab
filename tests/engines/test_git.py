"""ADD of a Git repository gives the files of one commit, on both engines."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockerlab.engines.results import Build, Engine
from dockerlab.errors import BuildError, DockerlabError, EngineError
from tests.loopback import free_port, running

NAME = "dockerlab/test-engine-git:1"
WHEN = 1_600_000_000


def git(folder: Path, *words: str) -> str:
    """Run git, with a name and a date that are always the same."""
    who = {f"GIT_{one}_{what}": "a@b" for one in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    when = {f"GIT_{one}_DATE": f"{WHEN} +0000" for one in ("AUTHOR", "COMMITTER")}
    done = subprocess.run(
        ["git", *words],
        cwd=folder,
        env={**os.environ, **who, **when},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


class Served:
    """A repository that `git daemon` serves: two commits on main, a tag on the first, a branch of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        self.url = f"git://127.0.0.1:{port}/app.git"
        self.work = folder / "app.git"
        self.work.mkdir(parents=True)
        git(self.work, "init", "--quiet", "--initial-branch=main")
        (self.work / "sub").mkdir()
        (self.work / "sub" / "run.sh").write_text("#!/bin/sh\n")
        (self.work / "sub" / "run.sh").chmod(0o755)
        (self.work / "link").symlink_to("sub/run.sh")
        self.first = self.commit("version", "1")
        git(self.work, "tag", "-a", "v1", "-m", "one")
        self.second = self.commit("version", "2")
        git(self.work, "branch", "side", "v1")

    def commit(self, name: str, text: str) -> str:
        """Commit a file; return the commit."""
        (self.work / name).write_text(text)
        git(self.work, "add", "--all")
        git(self.work, "commit", "--quiet", "-m", text)
        return git(self.work, "rev-parse", "HEAD")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """Serve a repository on loopback."""
    if shutil.which("git") is None or not Path(git(tmp_path, "--exec-path"), "git-daemon").exists():
        pytest.skip("needs git and its daemon")
    port = free_port()
    made = Served(tmp_path / "served", port)
    command = ["git", "daemon", "--export-all", f"--base-path={made.work.parent}", "--reuseaddr"]
    with running([*command, "--listen=127.0.0.1", f"--port={port}"], port):
        yield made


def files(build: Build) -> dict[str, tuple[str, int, bytes | str]]:
    """Return kind, mode and content of everything in an image but .git."""
    tree = build.image.tree()
    found: dict[str, tuple[str, int, bytes | str]] = {}
    for path in tree:
        node = tree.get(path)
        if node is None or "/.git" in f"/{path}":
            continue
        content = tree.read(path) if node.entry.kind == "file" else node.entry.link
        found[path] = (node.entry.kind, node.entry.mode, content or "")
    return found


def test_a_repository_s_files_are_copied(each_engine: Engine, served: Served) -> None:
    """All files of the default branch go into the folder, with their modes, and no .git."""
    built = each_engine.build(f"FROM scratch\nADD {served.url} /src\n", tag=NAME)
    assert files(built) == {
        "src": ("dir", 0o755, ""),
        "src/link": ("symlink", 0o777, "sub/run.sh"),
        "src/sub": ("dir", 0o755, ""),
        "src/sub/run.sh": ("file", 0o755, b"#!/bin/sh\n"),
        "src/version": ("file", 0o644, b"2"),
    }
    assert built.image.tree().get("src/.git") is None
    assert built.image.history[-1].created_by == f"ADD {served.url} /src # buildkit"


@pytest.mark.parametrize("ref", ["v1", "side", "refs/tags/v1", "refs/heads/side", "the first commit"])
def test_a_ref_and_a_folder(ref: str, each_engine: Engine, served: Served) -> None:
    """A branch, a tag or a commit is taken, and after a colon a folder of it."""
    ref = served.first if ref == "the first commit" else ref
    text = f"FROM scratch\nADD {served.url}#{ref} /all\nADD {served.url}#{ref}:sub /sub\n"
    built = each_engine.build(text, tag=NAME)
    found = files(built)
    assert found["all/version"] == ("file", 0o644, b"1")
    assert found["sub/run.sh"] == ("file", 0o755, b"#!/bin/sh\n")
    assert "sub/version" not in found


def test_the_git_folder_is_kept_where_it_is_asked_for(each_engine: Engine, served: Served) -> None:
    """--keep-git-dir leaves .git, at the commit."""
    built = each_engine.build(f"FROM scratch\nADD --keep-git-dir=true {served.url}#v1 /src\n", tag=NAME)
    assert (built.image.tree().read("src/.git/HEAD") or b"").decode().strip() == served.first


def test_a_new_commit_is_what_misses_the_cache(each_engine: Engine, served: Served) -> None:
    """The step is cached while the ref is the same commit, and runs again when it has moved on."""
    text = f"FROM scratch\nADD {served.url}#main /src\n"
    each_engine.build(text, tag=NAME)
    assert each_engine.build(text, tag=NAME).steps[-1].cached
    news = secrets.token_hex(8)  # BuildKit goes by content: what an earlier run committed would be cached
    served.commit("version", news)
    built = each_engine.build(text, tag=NAME)
    assert built.steps[-1].cached is False
    assert files(built)["src/version"][2] == news.encode()


@pytest.fixture
def embedded(each_engine: Engine) -> Engine:
    """Return the embedded engine alone: what follows is of newer BuildKits, or ours."""
    if each_engine.name != "embedded":
        pytest.skip("of the embedded engine")
    return each_engine


def test_a_commit_is_checked(embedded: Engine, served: Served) -> None:
    """--checksum is the commit, or how it begins; another one fails with the line and both."""
    for right in (served.second, served.second[:12]):
        embedded.build(f"FROM scratch\nADD --checksum={right} {served.url} /src\n")
    with pytest.raises(BuildError, match=f"line 2: .* is at the commit {served.second}, not {served.first}"):
        embedded.build(f"FROM scratch\nADD --checksum={served.first} {served.url} /src\n")


def test_a_layer_of_a_commit_is_always_the_same(embedded: Engine, served: Served, tmp_path: Path) -> None:
    """The files have the commit's date, so two stores make the same layer; a commit is fetched once."""
    from dockerlab.engines.embedded import EmbeddedEngine

    text = f"FROM scratch\nADD {served.url}#{served.first}:sub /\n"
    one = embedded.build(text)
    other = EmbeddedEngine(tmp_path / "other").build(text)
    assert one.image.layers[0].diff_id == other.image.layers[0].diff_id
    served.work.rename(served.work.with_name("away.git"))
    assert embedded.build(text, no_cache=True).image.layers[0].diff_id == one.image.layers[0].diff_id


@pytest.mark.parametrize(
    ("fragment", "said"),
    [
        ("#nosuch", "has no branch or tag nosuch"),
        ("#v1:nosuch", "has no folder nosuch"),
        ("#v1:../..", "has no"),
    ],
)
def test_what_is_not_there_is_named(fragment: str, said: str, embedded: Engine, served: Served) -> None:
    """A ref or folder that the repository has not fails with the line."""
    with pytest.raises(DockerlabError, match=f"line 2: .*{said}"):
        embedded.build(f"FROM scratch\nADD {served.url}{fragment} /src\n")


def test_submodules_come_along(embedded: Engine, served: Served) -> None:
    """A submodule's files are there, without its .git."""
    inner = served.work.parent / "inner.git"
    inner.mkdir()
    git(inner, "init", "--quiet", "--initial-branch=main")
    (inner / "deep").write_text("deep")
    git(inner, "add", "deep")
    git(inner, "commit", "--quiet", "-m", "inner")
    address = served.url.replace("app.git", "inner.git")
    git(served.work, "submodule", "--quiet", "add", address, "inner")
    served.commit("version", "4")
    found = embedded.build(f"FROM scratch\nADD {served.url} /src\n").image.tree()
    assert found.read("src/inner/deep") == b"deep"
    assert found.get("src/inner/.git") is None


def test_without_git_it_is_refused_by_name(
    embedded: Engine, served: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where git is not installed the message says so, with the line and what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match=r"line 2: .*needs git, which is not installed"):
        embedded.build(f"FROM scratch\nADD {served.url} /src\n")
