"""ADD of a Git repository: its files at one commit.

Source: BuildKit, source/git (how a ref is found and fetched).
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from dockerlab.context.context import Context
from dockerlab.engines.embedded.store import durable
from dockerlab.engines.results import Note, OnEvent
from dockerlab.errors import BuildError, EngineError
from dockerlab.image.filesystem import Node, Tree

PATIENCE = 600.0  # seconds for one command of git
_COMMIT = re.compile(r"[0-9a-f]{40}")
# Neither the user's settings nor the machine's count, as in BuildKit, and nothing asks for a password.
_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
}


@dataclass(frozen=True)
class _Address:
    url: str
    ref: str  # a branch, a tag or a commit; "HEAD" where none is named
    subdir: str

    @classmethod
    def read(cls, word: str) -> _Address:
        url, _, fragment = word.partition("#")
        ref, _, subdir = fragment.partition(":")
        return cls(url, ref or "HEAD", subdir.strip("/"))


def repository_tree(
    word: str, *, keep_git_dir: bool, checksum: str | None, kept: Path, on_event: OnEvent
) -> Tree:
    """Return the files of `URL#REF:SUBDIR`, all of the commit's date, with its submodules.

    `checksum` is the commit it has to be, or how that begins. `kept` is a folder for what was fetched: no
    commit is fetched twice. Raises BuildError, and EngineError where git is not installed.
    """
    if shutil.which("git") is None:
        raise EngineError(
            "ADD of a Git repository needs git, which is not installed.", hint="Install the package git."
        )
    address = _Address.read(word)
    commit = address.ref if _COMMIT.fullmatch(address.ref) else _find(address)
    if checksum is not None and not (len(checksum) >= 7 and commit.startswith(checksum)):
        raise BuildError(
            f"{word} is at the commit {commit}, not {checksum}", hint="Look at it, then correct --checksum."
        )
    name = hashlib.sha256(f"{address.url} {commit} {keep_git_dir}".encode()).hexdigest()
    root = kept / f"git-{name}"
    if not root.is_dir():
        on_event(Note(f"Fetching {address.url} at {commit[:12]}"))
        with durable.plain_errors(kept), durable.claimed_folder(kept) as folder:
            _fetch(address, commit, folder / "files")
            date = int(_git(folder / "files", "show", "--no-patch", "--format=%ct", "HEAD"))
            if not keep_git_dir:
                durable.remove_tree(folder / "files" / ".git")
            os.utime(folder / "files", (date, date))
            if not root.is_dir():
                (folder / "files").rename(root)
    top = root / address.subdir
    if not top.is_dir() or not top.resolve().is_relative_to(root.resolve()):
        raise BuildError(f"{word} has no folder {address.subdir}", hint="Look at the repository.")
    date = int(root.stat().st_mtime)
    tree = Context.folder(top).all_files()
    nodes = {path: node for path in tree if (node := tree.get(path)) is not None}
    return Tree({path: Node(replace(node.entry, mtime=date), node.origin) for path, node in nodes.items()})


def _find(address: _Address) -> str:
    """Ask which commit a ref is; a branch goes before a tag, as in `git checkout`."""
    listed = _git(None, "ls-remote", "--", address.url, address.ref, f"{address.ref}^{{}}")
    found = {name: commit for commit, name in (line.split("\t") for line in listed.splitlines())}
    ref = address.ref.removeprefix("refs/")
    for name in (address.ref, f"refs/heads/{ref}", f"refs/{ref}", f"refs/tags/{ref}"):
        for peeled in (f"{name}^{{}}", name):
            if peeled in found:
                return found[peeled]
    raise BuildError(
        f"{address.url} has no branch or tag {address.ref}",
        hint="Look at the repository, and correct the name.",
    )


def _fetch(address: _Address, commit: str, folder: Path) -> None:
    folder.mkdir()
    _git(folder, "init", "--quiet")
    _git(folder, "remote", "add", "origin", address.url)
    try:
        _git(folder, "fetch", "--quiet", "--depth=1", "origin", commit)
    except BuildError:
        # Not every server gives a commit that no branch ends in.
        _git(folder, "fetch", "--quiet", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*")
    _git(folder, "checkout", "--quiet", commit)
    if (folder / ".gitmodules").is_file():
        _git(folder, "submodule", "update", "--quiet", "--init", "--recursive", "--depth=1")
        for inner in list(folder.rglob(".git")):
            if inner.parent != folder:
                durable.remove_tree(inner)


def _git(folder: Path | None, *words: str) -> str:
    command = ["git", "-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false", *words]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **_ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=PATIENCE,
        )
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode("utf-8", "replace").strip().splitlines() or [
            f"exit code {error.returncode}"
        ]
        raise BuildError(
            f"git {words[0]} failed: {said[-1]}", hint="Check the address and the network."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise BuildError(
            f"git {words[0]} took more than {PATIENCE:.0f} s", hint="Check the network."
        ) from error
    return done.stdout.decode("utf-8", "replace")
