"""Namespaces for an ordinary user: true owners, everything ended, nothing left (see tests/ordinary.sh)."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockerlab.context.context import Context, File
from dockerlab.engines.embedded import EmbeddedEngine, user_namespace
from dockerlab.engines.embedded import sandbox as sandboxes
from dockerlab.engines.embedded.sandbox.contract import Command, Mount, Owned
from dockerlab.engines.embedded.sandbox.namespaces.rootless import RootlessSandbox
from dockerlab.engines.embedded.store.durable import remove_tree
from dockerlab.errors import BuildError, ImageError
from dockerlab.image.filesystem import Entry
from dockerlab.image.layer import BlobLayer
from dockerlab.interrupt import Cancel, cancellable

from .test_namespaces import ENV, WAIT, Loose, StopError, _running, base, members, shell, stored

__all__ = ["base"]


def _refused() -> str | None:
    import tempfile

    if os.geteuid() == 0:
        return "root has namespaces of its own; tests/ordinary.sh is somebody else"
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "work"
        try:
            return RootlessSandbox(work).probe()
        finally:
            remove_tree(work)


REFUSED = _refused()
pytestmark = pytest.mark.skipif(REFUSED is not None, reason=f"no user namespace here: {REFUSED}")


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Path]:
    """Return a folder for sandboxes; no RUN may have left anything in it, and its files are not all ours."""
    folder = tmp_path / "work"
    yield folder
    runs = folder / "rootless" / "runs"
    left = list(runs.iterdir()) if runs.exists() else []
    remove_tree(folder)
    assert not left


@pytest.fixture
def sandbox(work: Path) -> RootlessSandbox:
    """Return the sandbox."""
    return RootlessSandbox(work)


def test_it_is_what_an_ordinary_user_gets(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where user namespaces work they are chosen, by "auto" and by "namespaces", and no better is named."""
    for asked in ("auto", "namespaces"):
        monkeypatch.setenv("DOCKERLAB_SANDBOX", asked)
        found, why = sandboxes.explain(work)
        assert (found.name, why) == ("user namespace", "")


def test_without_newuidmap_it_is_proot_and_says_why(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the ids cannot be set up the next sandbox is chosen, and both reasons are told."""
    if (proot := shutil.which("proot")) is None:
        pytest.skip("needs proot")
    monkeypatch.setenv("DOCKERLAB_SANDBOX", "auto")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(user_namespace, "_idle", [])
    (tmp_path / "proot").symlink_to(proot)
    found, why = sandboxes.explain(work)
    assert found.name == "proot"
    assert "CAP_SYS_ADMIN" in why
    assert "newuidmap" in why


OWNERS = """
mkdir /d && chown 5:6 /d && echo a > /d/a && chown 65534:1 /d/a && chmod 600 /d/a && chmod 4711 /d/a
ln -s a /d/l && chown -h 7:8 /d/l && mkfifo /d/p && chown 9 /d/p
rm /old/a && rm -rf /usr/share && mkdir -p /usr/share && echo x > /usr/share/x
"""


def test_owners_are_true(sandbox: RootlessSandbox, base: BlobLayer, tmp_path: Path) -> None:
    """A layer has every owner, mode, whiteout and opaque folder, and unpacked anew it shows them."""
    code, said, tar = shell(sandbox, [base], OWNERS)
    assert (code, said) == (0, "")
    found = {name: (mode, owner[:2]) for name, _, mode, owner, *_ in members(tar)}  # type: ignore[index]
    assert found["d"] == ("0o755", (5, 6))
    assert found["d/a"] == ("0o4711", (65534, 1))
    assert found["d/l"] == ("0o777", (7, 8))
    assert found["d/p"] == ("0o644", (9, 0))
    assert {"old/.wh.a", "usr/share/.wh..wh..opq"} <= found.keys()
    layer, elsewhere = stored(tar, tmp_path), RootlessSandbox(tmp_path / "elsewhere")
    _, said, _ = shell(elsewhere, [base, layer], "stat -c '%n %u:%g %a' /d/*; ls /old /usr/share")
    remove_tree(tmp_path / "elsewhere")
    assert said == "/d/a 65534:1 4711\n/d/l 7:8 777\n/d/p 9:0 644\n/old:\nalink\nsub\nsym\n\n/usr/share:\nx\n"


def test_what_another_user_makes_is_that_users(sandbox: RootlessSandbox, base: BlobLayer) -> None:
    """USER has its groups, may not write what is root's, and what it closes to others is in the layer."""
    script = "id -G; touch /x; echo mine > /tmp/mine; chmod 600 /tmp/mine; chown 5 /tmp/mine"
    code, said, tar = shell(sandbox, [base], f"{script}; true", uid=1000, gid=100, groups=(5,))
    assert code == 0
    assert said.startswith("100 5\n")
    assert "denied" in said
    assert "not permitted" in said
    assert [(mode, owner[:2]) for name, _, mode, owner, *_ in members(tar) if name == "tmp/mine"] == [  # type: ignore[index]
        ("0o600", (1000, 100))
    ]


def test_devices_of_a_layer_stay_devices(sandbox: RootlessSandbox, base: BlobLayer) -> None:
    """A device below is an empty file in a RUN and the same device in the layer; none can be made anew."""
    device = Loose(Entry("node", "char", 0o600, 3, 4, device=(1, 3)))
    code, said, tar = shell(sandbox, [base, device], "chmod 640 /node; mknod /new c 1 3 || stat -c %F /node")  # type: ignore[list-item]
    assert code == 0
    assert said.endswith("regular empty file\n")
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        node = archive.getmember("node")
    assert (node.type, node.mode, node.uid, node.gid) == (tarfile.CHRTYPE, 0o640, 3, 4)
    assert (node.devmajor, node.devminor) == (1, 3)


def test_mounts_have_the_owners_they_are_given(
    sandbox: RootlessSandbox, base: BlobLayer, tmp_path: Path
) -> None:
    """A mount is the command's user's where it says so, and what is written to a cache can be removed."""
    cache, secret = tmp_path / "cache", tmp_path / "secret"
    cache.mkdir()
    secret.write_text("s3cret\n")
    secret.chmod(0o400)
    mounts = (
        Mount("bind", "/cache", cache, owners=(Owned("", 1000, 100),)),
        Mount("bind", "/secret", secret, read_only=True, owners=(Owned("", 1000, 0),)),
    )
    script = "cat /secret; mkdir -m 700 /cache/d; touch /cache/d/f; stat -c %u:%g /cache/d"
    code, said, _ = shell(sandbox, [base], script, uid=1000, gid=100, mounts=mounts)
    assert (code, said) == (0, "s3cret\n1000:100\n")
    with pytest.raises(PermissionError):
        shutil.rmtree(cache)
    remove_tree(cache)
    assert not cache.exists()
    remove_tree(secret)


def test_errors_come_out_as_they_are(sandbox: RootlessSandbox, base: BlobLayer) -> None:
    """A hostile layer, a missing source and a command that takes too long are what they are with root."""
    marked = Loose(Entry("d", "dir", xattrs=(("user.overlay.redirect", b"/"),)))
    with pytest.raises(ImageError, match=r"user\.overlay\.redirect"):
        shell(sandbox, [base, marked], "true")  # type: ignore[list-item]
    with pytest.raises(BuildError, match="is not there"):
        shell(sandbox, [base], "true", mounts=(Mount("bind", "/x", Path("/nowhere/at/all")),))
    with pytest.raises(TimeoutError):
        shell(sandbox, [base], "sleep 300", timeout=0.3)
    assert shell(sandbox, [base], "echo still; exit 3") == (3, "still\n", b"")


@pytest.mark.parametrize("kind", [KeyboardInterrupt, StopError])
def test_an_exception_ends_every_process(
    kind: type[BaseException], sandbox: RootlessSandbox, base: BlobLayer
) -> None:
    """Ctrl-C, or an error in whoever gets the output, ends all that the RUN started; the next RUN works."""
    token = uuid.uuid4().hex

    def stop(data: bytes) -> None:
        raise kind

    script = f"sh -c 'sleep 300; : {token}' & trap : TERM INT; echo go; sleep 300; : {token}"
    with pytest.raises(kind):
        sandbox.run([base], Command(("/bin/sh", "-c", script), ENV), output=stop, layer=io.BytesIO())
    assert not _running(token)
    assert shell(sandbox, [base], "echo next")[:2] == (0, "next\n")


def test_a_stop_from_another_thread_ends_it(sandbox: RootlessSandbox, base: BlobLayer) -> None:
    """The stop button ends a RUN that prints nothing, as Ctrl-C does."""
    token, stop, started = uuid.uuid4().hex, Cancel(), threading.Event()

    def press() -> None:
        assert started.wait(WAIT)
        stop()

    thread = threading.Thread(target=press)
    thread.start()
    command = Command(("/bin/sh", "-c", f"echo go; sleep 300; : {token}"), ENV)
    with pytest.raises(KeyboardInterrupt), cancellable(stop):
        sandbox.run([base], command, output=lambda _: started.set(), layer=None)
    thread.join(WAIT)
    assert not _running(token)


def test_a_killed_builder_takes_its_run_along(work: Path, base: BlobLayer) -> None:
    """SIGKILL of the process that builds ends the command, silent as it is, and nothing stays."""
    token = uuid.uuid4().hex
    program = (
        "import sys; from pathlib import Path\n"
        "from dockerlab.engines.embedded.sandbox.contract import Command\n"
        "from dockerlab.engines.embedded.sandbox.namespaces.rootless import RootlessSandbox\n"
        "from dockerlab.image.layer import BlobLayer\n"
        "work, path, diff_id, script = sys.argv[1:]\n"
        "def say(data): sys.stdout.buffer.write(data); sys.stdout.flush()\n"
        "RootlessSandbox(Path(work)).run([BlobLayer(Path(path), diff_id)],\n"
        f"    Command(('/bin/sh', '-c', script), {ENV!r}), output=say, layer=None)\n"
    )
    words = [str(work), str(base.path), base.diff_id, f"echo up; sleep 300; : {token}"]
    with subprocess.Popen([sys.executable, "-c", program, *words], stdout=subprocess.PIPE) as builder:
        assert builder.stdout is not None
        assert builder.stdout.readline() == b"up\n"
        builder.send_signal(signal.SIGKILL)
    give_up = time.monotonic() + WAIT
    while _running(token) or any((work / "rootless" / "runs").iterdir()):
        assert time.monotonic() < give_up, "the command outlived its builder, or left something"


def test_a_process_that_was_killed_is_replaced(sandbox: RootlessSandbox, base: BlobLayer) -> None:
    """Somebody may kill the process inside while it waits: the next RUN has a new one."""
    assert shell(sandbox, [base], "echo one")[:2] == (0, "one\n")
    for _, process in user_namespace._idle:
        process._process.kill()
        process._process.wait()
    assert shell(sandbox, [base], "echo two")[:2] == (0, "two\n")


def test_a_prune_takes_away_what_others_own(tmp_path: Path) -> None:
    """Unpacked layers and cache mounts with files of other ids go with a prune, like anything else."""
    program = shutil.which("busybox")
    if program is None:
        pytest.skip("needs a statically linked busybox (busybox-static)")
    engine = EmbeddedEngine(tmp_path / "store")
    dockerfile = (
        'FROM scratch\nCOPY busybox /bin/sh\nRUN --mount=type=cache,target=/c ["/bin/sh", "-c", '
        '"mkdir -m 700 /x /c/d; : > /x/f; : > /c/d/f; chown -R 5:6 /x /c/d"]\n'
    )
    context = Context.files({"busybox": File(Path(program).read_bytes(), mode=0o755)})
    built = engine.build(dockerfile, context=context, tag="owned")
    assert engine.sandbox.name == "user namespace"
    made = [entry for entry in built.image.layers[-1].entries if entry.path.startswith("x")]
    assert [(entry.path, entry.uid, entry.gid) for entry in made] == [("x", 5, 6), ("x/f", 5, 6)]
    unpacked = tmp_path / "store" / "work" / "rootless" / "unpacked"
    assert len(list(unpacked.glob("?*"))) > 1
    del built, made
    assert engine.store.prune(all=True) > 0
    assert [path.name for path in unpacked.iterdir()] == [".boot"]
    assert not list((tmp_path / "store" / "mounts").iterdir())
    remove_tree(tmp_path / "store")
