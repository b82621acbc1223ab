"""A disk that is full, a store that cannot be written, and clocks that jump."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dockerlab.context.context import Context
from dockerlab.engines.embedded import EmbeddedEngine
from dockerlab.engines.embedded import sandbox as sandboxes
from dockerlab.engines.embedded.bases.pull import pull
from dockerlab.engines.embedded.store.store import Store
from dockerlab.errors import EngineError, RunError, StoreError, StoreFullError
from dockerlab.image.platform import here
from tests.engines.embedded.host_root_image import base_layer
from tests.engines.embedded.store_contents import content, wrong_in_layout
from tests.engines.embedded.test_registry import Fake, digest
from tests.engines.embedded.test_store import layer_tar, put_layer

MUCH = 12_000_000  # bytes that an action needs
ROOM = 6_000_000  # bytes it is left with
WRITE_MUCH = "for one in 1 2 3 4 5 6 7 8 9; do cat /usr/bin/* >> /big || exit 1; done"


def mounted(folder: Path, *options: str) -> None:
    """Mount something on a new folder; skip where that is not allowed."""
    folder.mkdir()
    done = subprocess.run(["mount", *options, folder], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting needs root: {done.stderr.strip()}")


@pytest.fixture(params=["namespaces", "proot"])
def sandbox(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Choose a sandbox; skip where it does not work."""
    name: str = request.param
    monkeypatch.setenv("DOCKERLAB_SANDBOX", name)
    try:
        sandboxes.choose(tmp_path / "trial")
    except EngineError as error:
        pytest.skip(error.message)
    return name


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Give a disk of its own."""
    folder = tmp_path / "disk"
    mounted(folder, "-t", "tmpfs", "-o", "size=200m", "tmpfs")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def with_base(root: Path, folder: Path) -> EmbeddedEngine:
    """Make a store with the image base:1."""
    base = base_layer(folder)
    if base is None:
        pytest.skip("this host lacks one of the core tools a test image is made of")
    engine = EmbeddedEngine(root)
    with engine.store.new_layer() as new, base.open_tar() as tar:
        new.write(tar.read())
        layer = new.commit()
    config = {"architecture": here().architecture, "os": "linux", "config": {"Env": ["PATH=/usr/bin:/bin"]}}
    engine.store.put_image({**config, "history": [{}]}, [layer], reference="base:1")
    return engine


def fill(disk: Path) -> Path:
    """Fill a disk up but for a little room; return the file to remove."""
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free - ROOM)
    return ballast


class Actions:
    """Each way to write much into the store on `disk`, or beside it."""

    def __init__(self, disk: Path, folder: Path) -> None:
        self.engine = with_base(disk / "store", folder)
        self.disk = disk
        self.engine.build("FROM base:1\nRUN true\n")  # what is needed once is there
        self.fake = Fake()
        big = layer_tar({"big": os.urandom(MUCH)})
        self.fake.image(big, digest(big))
        self.engine.store.put_image(
            {"history": [{}]}, [put_layer(self.engine.store, {"wide": bytes(MUCH)})], reference="wide:1"
        )
        other = Store(folder / "other")
        other.put_image({"history": [{}]}, [put_layer(other, {"big": os.urandom(MUCH)})], reference="big:1")
        other.save(["big:1"], folder / "big.tar")
        self.archive = folder / "big.tar"

    def copy(self) -> None:
        """COPY of a big file."""
        context = Context.files({"big": os.urandom(MUCH)})
        self.engine.build("FROM base:1\nCOPY big /\n", context=context, tag="copied:1")

    def run(self) -> None:
        """A RUN that writes much."""
        self.engine.build(f"FROM base:1\nRUN {WRITE_MUCH}\n", tag="ran:1")

    def pull(self) -> None:
        """A big layer from a registry."""
        pull(self.fake.reference, self.engine.store)

    def load(self) -> None:
        """A big layer from an archive."""
        self.engine.load(self.archive)

    def save(self) -> None:
        """An archive on the disk that is full."""
        self.engine.save(["wide:1"], self.disk / "saved.tar")


@pytest.mark.parametrize(
    ("sandbox", "action"),
    [*(("namespaces", action) for action in ("copy", "run", "pull", "load", "save")), ("proot", "run")],
    indirect=["sandbox"],
)
def test_a_full_disk_is_said_and_got_over(disk: Path, tmp_path: Path, sandbox: str, action: str) -> None:
    """Out of space in any action: the error says so and what to do, the store is right, room is all it needs.

    Nothing half done is left, so that the room is what it was before.
    """
    actions = Actions(disk, tmp_path)
    store = actions.engine.store
    ballast = fill(disk)
    before = {row.reference for row in store.images()}
    with pytest.raises((StoreFullError, RunError)) as caught:
        getattr(actions, action)()
    assert "space" in caught.value.message or "disk is full" in caught.value.hint
    assert "dockerlab prune" in caught.value.hint
    assert {row.reference for row in store.images()} == before
    assert wrong_in_layout(store.root) == store.validate() == []
    assert list((store.root / "tmp").iterdir()) == []
    assert {path.name for path in disk.iterdir()} == {"store", "ballast"}
    ballast.unlink()
    getattr(actions, action)()
    assert wrong_in_layout(store.root) == store.validate() == []
    actions.fake.server.shutdown()
    actions.fake.server.server_close()


def test_no_room_at_all(disk: Path, tmp_path: Path, sandbox: str) -> None:
    """With not one byte left images are read, builds and prunes end in a StoreFullError or do their work."""
    actions = Actions(disk, tmp_path)
    store = actions.engine.store
    kept = content(store.image("base:1"))
    with (disk / "ballast").open("wb", buffering=0) as file:
        while shutil.disk_usage(disk).free:
            file.write(bytes(1 << 20))
    assert content(EmbeddedEngine(store.root).image("base:1")) == kept
    for text in ("FROM base:1\nRUN : again\n", "FROM base:1\nWORKDIR /x\n", "FROM base:1\nENV X=1\n"):
        with pytest.raises((StoreFullError, RunError)) as caught:
            EmbeddedEngine(store.root).build(text, tag="x:1")
        assert "dockerlab prune" in caught.value.hint
    assert store.validate() == []
    (disk / "ballast").unlink()
    EmbeddedEngine(store.root).build("FROM base:1\nRUN : again\n", tag="x:1")
    assert store.validate() == []


@contextmanager
def read_only(root: Path, folder: Path) -> Iterator[Path]:
    """Give the store at `root` where it cannot be written: by a mount as root, by its mode as a user."""
    if os.geteuid():
        for path in (root, *root.rglob("*")):
            path.chmod(path.stat().st_mode & ~0o222)
        try:
            yield root
        finally:
            for path in (root, *root.rglob("*")):
                path.chmod(path.stat().st_mode | 0o200)
        return
    mounted(folder, "--bind", str(root))
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_store_that_cannot_be_written_is_read(tmp_path: Path) -> None:
    """Images of a read-only store are listed, read, saved and checked; a build says why it cannot be."""
    engine = with_base(tmp_path / "store", tmp_path)
    engine.build("FROM base:1\nWORKDIR /x\n", tag="app:1")
    kept = content(engine.image("app:1"))
    shutil.rmtree(engine.store.root / "index")
    (engine.store.root / "index").mkdir()
    with read_only(engine.store.root, tmp_path / "fixed") as root:
        fixed = EmbeddedEngine(root)
        assert [row.reference for row in fixed.images()] == ["app:1", "base:1"]
        assert content(fixed.image("app:1")) == kept
        assert fixed.store.validate() == []
        fixed.save(["app:1"], tmp_path / "app.tar")
        actions: list[Callable[[], object]] = [
            lambda: fixed.build("FROM base:1\nWORKDIR /y\n", tag="app:2"),
            lambda: fixed.build("FROM base:1\nWORKDIR /x\n", tag="app:2"),
            lambda: fixed.build("FROM base:1\nRUN true\n", tag="app:2"),
            lambda: fixed.remove("app:1"),
            lambda: fixed.store.tag("app:1", "app:3"),
            fixed.prune,
        ]
        for act in actions:
            with pytest.raises(StoreError, match="cannot be used") as caught:
                act()
            assert caught.value.hint == "Set DOCKERLAB_HOME to a folder you can write to."
    assert EmbeddedEngine(tmp_path / "other").load(tmp_path / "app.tar") == ["app:1"]


@pytest.mark.parametrize("jump", [-40, 40], ids=["back 40 years", "on 40 years"])
def test_a_clock_that_jumps(jump: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandbox: str) -> None:
    """After a jump no step takes negative time, only what is the same is cached, and no image is lost."""
    engine = with_base(tmp_path / "store", tmp_path)
    text = "FROM base:1\nCOPY a /\nRUN cat /a > /b\n"
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "a").write_text("one")
    engine.build(text, context=Context.folder(folder), tag="app:1")
    now = time.time
    offset = 0.0

    def jumping() -> float:
        nonlocal offset
        offset = jump * 365.25 * 86_400 - offset  # there and back again on every look
        return now() + offset

    monkeypatch.setattr(time, "time", jumping)
    again = engine.build(text, context=Context.folder(folder), tag="app:1")
    assert [step.cached for step in again.steps if step.cached is not None] == [True, True]
    (folder / "a").write_text("two")
    os.utime(folder / "a", (now() + jump * 3e7, now() + jump * 3e7))
    other = engine.build(text, context=Context.folder(folder), tag="app:2")
    assert [step.cached for step in other.steps if step.cached is not None] == [False, False]
    assert other.image.tree().read("b") == b"two"
    assert all(step.seconds >= 0 for step in (*again.steps, *other.steps))
    assert other.seconds >= 0
    engine.prune()
    assert {row.reference for row in engine.images()} == {"base:1", "app:1", "app:2"}
    assert engine.store.validate() == []
    assert engine.build(text, context=Context.folder(folder), tag="app:2").image.tree().read("b") == b"two"


def test_a_file_changed_while_the_clock_stands_still(tmp_path: Path) -> None:
    """Other content of the same length and with the same time of change is seen."""
    engine = EmbeddedEngine(tmp_path / "store")
    (tmp_path / "context").mkdir()
    file = tmp_path / "context" / "a"
    for number in range(20):
        file.write_text(f"{number:03}")
        os.utime(file, (1e9, 1e9))
        context = Context.folder(tmp_path / "context")
        built = engine.build("FROM scratch\nCOPY a /\n", context=context, tag="x:1")
        assert built.image.tree().read("a") == f"{number:03}".encode()
