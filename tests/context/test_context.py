"""dockerlab.context.context: what a build sees of a folder or of files from memory."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
from pathlib import Path

import pytest

from dockerlab.context import files as disk
from dockerlab.context.context import FIXED_MTIME, Context, File
from dockerlab.errors import ContextError
from dockerlab.image.filesystem import Entry, Tree

needs_posix = pytest.mark.skipif(os.name == "nt", reason="needs POSIX modes and symlinks")


def _folder(root: Path) -> Path:
    (root / "app" / "sub").mkdir(parents=True)
    (root / "app" / "main.py").write_text("print(1)\n")
    (root / "app" / "sub" / "deep.txt").write_text("deep")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    for path in [*root.rglob("*"), root]:
        os.utime(path, (1_600_000_000.75, 1_600_000_000.75))
    return root


def _read(context: Context, path: str, tree: Tree | None = None) -> bytes:
    content = (tree or context.tree()).read(path)
    assert content is not None
    return content


def _entry(context: Context, path: str) -> Entry:
    node = context.tree().get(path)
    assert node is not None
    return node.entry


def _shape(tree: Tree) -> dict[str, tuple[object, ...]]:
    nodes = ((path, tree.get(path)) for path in tree)
    return {
        path: (node.entry.kind, node.entry.mode, node.entry.mtime, node.entry.size, node.entry.link)
        for path, node in nodes
        if node is not None
    }


@needs_posix
def test_a_folder_shows_modes_whole_seconds_and_no_owner(tmp_path: Path) -> None:
    """Entries have the real mode and size, the time in whole seconds, and belong to 0:0."""
    tree = Context.folder(_folder(tmp_path)).tree()
    node = tree.get("run.sh")
    assert node is not None
    entry = node.entry
    assert (entry.kind, entry.mode, entry.size, entry.mtime) == ("file", 0o755, 10, 1_600_000_000)
    assert (entry.uid, entry.gid) == (0, 0)
    assert sorted(tree) == ["app", "app/main.py", "app/sub", "app/sub/deep.txt", "run.sh"]


@needs_posix
def test_symlinks_stay_and_sockets_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A symlink is sent as it is, even a dangling one; a fifo is sent; a socket is not."""
    (tmp_path / "link").symlink_to("../nowhere/./x")
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)  # a socket's name must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
    tree = Context.folder(tmp_path).tree()
    link = tree.get("link")
    assert link is not None
    assert link.entry.link == "../nowhere/./x"
    assert sorted(tree) == ["link", "pipe"]


def test_the_dockerfile_s_own_ignore_file_goes_first() -> None:
    """<Dockerfile name>.dockerignore replaces .dockerignore; all_files() looks past both."""
    files = {"a": "", "b": "", ".dockerignore": "a\n.dockerignore", "web.dockerignore": "b"}
    assert sorted(Context.files(files).tree()) == ["b", "web.dockerignore"]
    web = Context.files(files, dockerfile="web")
    assert sorted(web.tree()) == [".dockerignore", "a", "web.dockerignore"]
    assert len(web.all_files()) == 4


def test_an_ignored_folder_stays_for_a_file_brought_back(tmp_path: Path) -> None:
    """The parents of a re-included file are listed, its ignored neighbours are not."""
    root = _folder(tmp_path)
    (root / ".dockerignore").write_text("*\n!app/sub/deep.txt\n")
    assert list(Context.folder(root).tree()) == ["app", "app/sub", "app/sub/deep.txt"]


@needs_posix
def test_an_unreadable_folder_matters_only_if_it_is_sent(tmp_path: Path) -> None:
    """A folder that cannot be read is an error with a hint, unless .dockerignore leaves it out."""
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    (tmp_path / "shut").mkdir(mode=0)
    try:
        with pytest.raises(ContextError, match="cannot read shut"):
            Context.folder(tmp_path).tree()
        (tmp_path / ".dockerignore").write_text("shut")
        assert list(Context.folder(tmp_path).tree()) == [".dockerignore"]
    finally:
        (tmp_path / "shut").chmod(0o700)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """A context that is not there, or is a file, is a ContextError with a hint."""
    with pytest.raises(ContextError, match="does not exist") as caught:
        Context.folder(tmp_path / "nope")
    assert caught.value.hint
    (tmp_path / "file").write_text("")
    with pytest.raises(ContextError, match="is not a folder"):
        Context.folder(tmp_path / "file")


def test_files_from_memory_have_folders_and_a_fixed_time() -> None:
    """In-memory files bring their folders, keep their mode, and always have the same time."""
    context = Context.files({"app/main.py": "é", "./run.sh": File("x", 0o755)})
    assert _shape(context.tree()) == {
        "app": ("dir", 0o755, FIXED_MTIME, 0, ""),
        "app/main.py": ("file", 0o644, FIXED_MTIME, 2, ""),
        "run.sh": ("file", 0o755, FIXED_MTIME, 1, ""),
    }
    assert _read(context, "app/main.py") == "é".encode()


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "", ".", "a\0b"])
def test_a_path_outside_is_refused(path: str) -> None:
    """In-memory files cannot lie outside the context."""
    with pytest.raises(ContextError):
        Context.files({path: ""})


def test_a_file_cannot_be_a_folder_too() -> None:
    """A name is a file or a folder, not both."""
    with pytest.raises(ContextError, match="a is a file"):
        Context.files({"a": "", "a/b": ""})
    with pytest.raises(ContextError, match="is not a folder"):
        Context.files({"a": ""}).edited({"a/b": ""})
    with pytest.raises(ContextError, match="is a folder"):
        Context.files({"a/b": ""}).edited({"a": ""})


@needs_posix
def test_edits_lie_over_the_folder_and_leave_it_alone(tmp_path: Path) -> None:
    """edited() makes a new context and keeps modes; the disk and the old context are untouched."""
    root = _folder(tmp_path)
    before = Context.folder(root)
    after = before.edited({"run.sh": "new", "app/sub": None, "extra/x": b"1"})
    assert sorted(after.tree()) == ["app", "app/main.py", "extra", "extra/x", "run.sh"]
    shape = _shape(after.tree())
    assert shape["run.sh"] == ("file", 0o755, FIXED_MTIME, 3, "")
    assert shape["app"][2] == FIXED_MTIME
    assert _shape(before.edited({"app/main.py": "2"}).tree())["app"][2] == 1_600_000_000
    assert (root / "run.sh").read_text() == "#!/bin/sh\n"
    assert "app/sub/deep.txt" in before.tree()
    again = after.edited({"app/sub/new": "n", "extra/x": None})
    assert sorted(again.tree()) == ["app", "app/main.py", "app/sub", "app/sub/new", "run.sh"]


def test_removing_what_is_not_there_is_an_error() -> None:
    """A mistyped name in an edit is told, not ignored."""
    with pytest.raises(ContextError, match="cannot remove nope"):
        Context.files({"a": ""}).edited({"nope": None})


@needs_posix
def test_a_materialised_copy_is_the_tree(tmp_path: Path) -> None:
    """The temporary folder has the tree's files, modes, times and links, and is gone afterwards."""
    root = _folder(tmp_path)
    (root / "link").symlink_to("app/main.py")
    (root / ".dockerignore").write_text("app/sub\n.dockerignore\nDockerfile")
    (root / "Dockerfile").write_text("FROM a")
    (root / "app").chmod(0o555)
    context = Context.folder(root).edited({"run.sh": "new"})
    with context.materialised() as copy:
        assert copy != root
        assert _shape(Context.folder(copy).tree()) == _shape(context.tree())
        assert sorted(Context.folder(copy).all_files()) == sorted(
            [*context.tree(), ".dockerignore", "Dockerfile"]
        )
    assert not copy.exists()
    (root / "app").chmod(0o755)


def test_an_unedited_folder_materialises_as_itself(tmp_path: Path) -> None:
    """A folder without edits needs no copy."""
    with Context.folder(tmp_path).materialised() as folder:
        assert folder == tmp_path.resolve()


def test_a_digest_is_the_sha256_of_the_content(tmp_path: Path) -> None:
    """digest() is right from disk and memory, and reads a file again only when it changed."""
    file = tmp_path / "a"
    file.write_bytes(b"one")
    context = Context.folder(tmp_path)

    def digest(context: Context) -> str:
        return context.digest(_entry(context, "a"))

    first = digest(context)
    assert first == f"sha256:{hashlib.sha256(b'one').hexdigest()}"
    assert digest(Context.files({"a": "one"})) == first
    hits = disk.file_digest.cache_info().hits
    assert digest(context) == first
    assert disk.file_digest.cache_info().hits == hits + 1
    replaced = tmp_path / "new"
    replaced.write_bytes(b"two")
    replaced.replace(file)
    assert digest(context) == f"sha256:{hashlib.sha256(b'two').hexdigest()}"
    listed = _entry(context, "a")
    file.unlink()
    with pytest.raises(ContextError, match="cannot read a"):
        context.digest(listed)


def test_a_file_that_grows_while_read_is_told(tmp_path: Path) -> None:
    """open() refuses a file whose size is no longer the one listed, and one that is gone."""
    file = tmp_path / "a"
    file.write_text("one")
    context = Context.folder(tmp_path)
    node = context.tree().get("a")
    assert node is not None
    file.write_text("longer")
    with pytest.raises(ContextError, match="from 3 to 6 bytes"):
        context.open(node.entry)
    file.unlink()
    with pytest.raises(ContextError, match="cannot read a"):
        context.open(node.entry)


@needs_posix
def test_on_windows_every_mode_is_0755(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file system has no modes, entries get 0755, as Docker's client sends them."""
    monkeypatch.setattr(disk, "ON_WINDOWS", True)
    tree = Context.folder(_folder(tmp_path)).tree()
    assert {node.entry.mode for path in tree if (node := tree.get(path))} == {0o755}
    assert stat.S_IMODE((tmp_path / "app" / "main.py").stat().st_mode) != 0o755
