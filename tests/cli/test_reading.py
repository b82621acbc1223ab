"""Reading does not write: every verb of the command on a store that cannot be written."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dockerlab.cli.parser import COMMANDS
from dockerlab.context.context import Context, File
from dockerlab.engines.embedded import EmbeddedEngine
from dockerlab.engines.embedded.store.store import Store
from dockerlab.errors import EngineError, StoreError
from dockerlab.registry.server import Registry

if sys.platform != "linux":
    pytest.skip("the embedded engine is for Linux", allow_module_level=True)

DOCKERFILE = 'FROM tools:1\nCOPY a.txt /a.txt\nRUN ["/bin/sh", "-c", "echo b > /b.txt"]\n'
READS = {  # each verb that needs no writing, as it is used on the image app:1
    "doctor": ["--verify"],
    "build": ["--tag", "app:1", "--file", "{context}/Dockerfile", "{context}"],
    "history": ["app:1"],
    "images": [],
    "save": ["app:1", "--output", "{elsewhere}/app.tar"],
    "push": ["app:1", "{registry}/app:1"],
    "run": ["app:1", "/bin/sh", "-c", "read line < /b.txt; echo $line"],
    "ledger": ["app:1"],
    "compare": ["app:1", "tools:1"],
    "advise": ["app:1"],
    "explore": ["app:1"],
    "why": ["app:1"],
}
WRITES = {  # the others, and what a store that cannot be written makes of them
    "load": ["--input", "{elsewhere}/new.tar"],
    "rm": ["app:1"],
    "prune": [],
    "bundle": ["drop"],
}
NO_STORE = {"start", "grade", "bases"}  # the last makes one of its own


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a store that has app:1, its context, and an archive of another image."""
    program = shutil.which("busybox")
    if program is None:
        pytest.skip("needs a statically linked busybox (busybox-static)")
    folder = tmp_path_factory.mktemp("reading")
    (folder / "context").mkdir()
    (folder / "context" / "a.txt").write_text("a\n")
    (folder / "context" / "Dockerfile").write_text(DOCKERFILE)
    (folder / "elsewhere").mkdir()
    engine = EmbeddedEngine(folder / "store")
    try:
        _ = engine.sandbox
    except EngineError as error:
        pytest.skip(error.message)
    context = Context.files({"busybox": File(Path(program).read_bytes(), mode=0o755)})
    engine.build("FROM scratch\nCOPY busybox /bin/sh\n", context=context, tag="tools:1")
    engine.build(DOCKERFILE, context=Context.folder(folder / "context"), tag="app:1")
    other = EmbeddedEngine(folder / "other")
    other.build("FROM scratch\nCOPY a /a\n", context=Context.files({"a": "a\n"}), tag="new:1")
    other.save(["new:1"], folder / "elsewhere" / "new.tar")
    return folder


def contents(store: Path) -> dict[str, tuple[int, int]]:
    """Return every path with its size and time."""
    return {str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in store.rglob("*")}


@pytest.fixture(scope="module")
def verb(made: Path) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """Return what runs one verb while nobody can write the store: root by a mount, others by their modes."""
    store = made / "store"
    for path in store.glob("index/*"):
        path.unlink()  # so that reading would like to keep something
    gc.collect()  # what the builds held they let go now
    before = contents(store)
    environment = {
        **os.environ,
        "DOCKERLAB_ENGINE": "embedded",
        "DOCKERLAB_HOME": str(store),
        "XDG_CACHE_HOME": str(made / "cache"),
    }
    registry = Registry()
    prefix: list[str] = []
    if os.geteuid() == 0:
        closed = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
        prefix = ["unshare", "--mount", "--propagation", "private", "sh", "-c", closed, str(store)]

    def run(name: str, options: list[str]) -> subprocess.CompletedProcess[str]:
        places = {"context": made / "context", "elsewhere": made / "elsewhere", "registry": registry.address}
        words = [word.format(**places) for word in options]
        command = [*prefix, sys.executable, "-m", "dockerlab", name, *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    folders = [store, *(path for path in store.rglob("*") if path.is_dir() and not path.is_symlink())]
    folders = [folder for folder in folders if not prefix and folder.stat().st_uid == os.geteuid()]
    for folder in folders:
        folder.chmod(folder.stat().st_mode & ~0o222)
    try:
        yield run
        assert contents(store) == before
    finally:
        registry.close()
        for folder in folders:
            folder.chmod(folder.stat().st_mode | 0o200)


def test_every_verb_is_here() -> None:
    """A new verb must be said to read or to write."""
    assert {*READS, *WRITES, *NO_STORE} == COMMANDS.keys()


@pytest.mark.parametrize("name", READS)
def test_a_verb_that_reads_does_not_write(
    name: str, verb: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """What only reads, a build that is all cached and a run included, needs no right to write the store."""
    done = verb(name, READS[name])
    assert done.returncode == 0, done.stdout + done.stderr
    if name == "run":
        assert done.stdout == "b\n"
    if name == "build":
        assert "3 of 3" in done.stdout + done.stderr or "cached" in done.stdout + done.stderr


@pytest.mark.parametrize("name", WRITES)
def test_a_verb_that_writes_says_what_to_do(
    name: str, verb: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """What must write ends with one line that names the store and the next step."""
    done = verb(name, WRITES[name])
    assert done.returncode == 1
    assert done.stderr.startswith("error: The image store in ")
    assert "DOCKERLAB_HOME" in done.stderr


def test_a_new_store_is_private_and_one_in_a_given_folder_is_not(tmp_path: Path) -> None:
    """A store that is made is its owner's alone; in a folder that is there, others read what they may."""
    (tmp_path / "given").mkdir(mode=0o755)
    before = os.umask(0o022)
    try:
        for name, mode in (("own", 0o700), ("given", 0o755)):
            engine = EmbeddedEngine(tmp_path / name)
            engine.build("FROM scratch\nCOPY a /a\n", context=Context.files({"a": "a\n"}), tag="a:1")
            assert engine.image("a:1").layers[0].size_unpacked == 2
            assert (tmp_path / name).stat().st_mode & 0o777 == mode
            files = [
                path for path in (tmp_path / name).rglob("*") if path.is_file() and "kept" not in path.parts
            ]
            assert any(path.parent.name == "index" for path in files)
            assert {path.stat().st_mode & 0o777 for path in files} == {0o644}
    finally:
        os.umask(before)


def test_an_index_file_of_another_user_is_not_needed(tmp_path: Path) -> None:
    """Where the file that keeps a layer's entries may not be read, the layer is."""
    engine = EmbeddedEngine(tmp_path / "store")
    engine.build("FROM scratch\nCOPY a /a\n", context=Context.files({"a": "a\n"}), tag="a:1")
    assert engine.image("a:1").layers[0].entries
    (kept,) = (tmp_path / "store" / "index").iterdir()
    kept.unlink()
    kept.mkdir()  # root reads any file; a folder is none to anybody
    assert [entry.path for entry in EmbeddedEngine(tmp_path / "store").image("a:1").layers[0].entries] == [
        "a"
    ]


def test_a_store_that_is_not_there_and_cannot_be_made_is_an_error() -> None:
    """Where there is no store and none can be made, the error says so."""
    with pytest.raises(StoreError, match="/proc/nowhere"):
        Store(Path("/proc/nowhere"))
