from __future__ import annotations

import io
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from dockerlab.engines.embedded import sandbox as sandboxes
from dockerlab.engines.embedded.bases.debian import KEYRING, mirrors
from dockerlab.engines.embedded.sandbox.contract import Command, Mount
from dockerlab.engines.embedded.sandbox.proot import debian_proot, proot
from dockerlab.engines.embedded.sandbox.proot.mountpoints import Bind
from dockerlab.engines.embedded.sandbox.proot.patched_proot import mended
from dockerlab.engines.embedded.sandbox.proot.worktree import WorkTree
from dockerlab.errors import EngineError
from dockerlab.image.filesystem import Entry
from dockerlab.image.layer import BlobLayer
from tests.engines.embedded.host_root_image import PATH, base_layer, blob
from tests.engines.embedded.killed import below

OLD = 1_600_000_000


class Lab:
    """A base layer, a sandbox on it, and what its last RUN said."""

    def __init__(self, folder: Path, base: BlobLayer) -> None:
        self.folder = folder
        self.layers = [base]
        self.sandbox = proot.ProotSandbox(folder / "work")
        self.said = b""
        self.code = 0

    def run(
        self, script: str, *, keep: bool = True, timeout: float | None = 60, **more: object
    ) -> list[Entry]:
        """RUN a shell script; return the entries of its layer, which goes on top when `keep`."""
        out, self.said = io.BytesIO(), b""
        command = Command(("/bin/sh", "-c", script), {"PATH": PATH}, **more)  # type: ignore[arg-type]
        self.code = self.sandbox.run(self.layers, command, output=self._hear, layer=out, timeout=timeout)
        if self.code or not out.getvalue():
            return []
        made = blob(out.getvalue(), self.folder)
        if keep:
            self.layers.append(made)
        return list(made.entries)

    def _hear(self, data: bytes) -> None:
        self.said += data

    def names(self, script: str, **more: object) -> list[str]:
        """Return "kind path" of each entry."""
        return [f"{entry.kind} {entry.path}" for entry in self.run(script, **more)]  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def why_not(tmp_path_factory: pytest.TempPathFactory) -> str | None:
    """Why proot does not work here, or None."""
    return proot.probe(tmp_path_factory.mktemp("probe"))


@pytest.fixture
def lab(tmp_path: Path, why_not: str | None) -> Lab:
    """A base layer with files of several owners, modes and kinds in /d."""
    if why_not:
        pytest.skip(why_not)
    extra = {
        "d/a": (Entry("d/a", "file", 0o644, 33, 44, OLD, 2), b"a\n"),
        "d/b": (Entry("d/b", "file", 0o4755, 0, 0, OLD, 2), b"b\n"),
        "d/secret": (Entry("d/secret", "file", 0, 5, 6, OLD, 2), b"s\n"),
        "d/twin": (Entry("d/twin", "hardlink", link="d/a"), b""),
        "d/null": (Entry("d/null", "char", 0o666, mtime=OLD, device=(1, 3)), b""),
    }
    base = base_layer(tmp_path, extra)
    if base is None:
        pytest.skip("this host lacks one of the core tools a test image is made of")
    return Lab(tmp_path, base)


def test_nothing_changed_makes_an_empty_layer(lab: Lab) -> None:
    """A RUN that changes nothing gives a layer without entries, and sees the image's files."""
    assert lab.names("cat /d/a") == []
    assert (lab.code, lab.said) == (0, b"a\n")


def test_a_new_file_comes_with_its_folder(lab: Lab) -> None:
    """A changed entry is in the layer with its parent folders; a new file is the RUN user's."""
    entries = lab.run("echo hi > /d/new", uid=12, gid=13)
    assert [(e.path, e.kind, e.uid, e.gid, e.size) for e in entries] == [
        ("d", "dir", 0, 0, 0),
        ("d/new", "file", 12, 13, 3),
    ]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("rm /d/a", ["dir d", "whiteout d/a"]),
        ("rm -r /d", ["whiteout d"]),
        ("rm -r /d; mkdir /d; echo > /d/x", ["dir d", "opaque d", "file d/x"]),
        ("rm /d/a; mkdir /d/a", ["dir d", "dir d/a", "opaque d/a"]),
        ("rm -r /d; echo > /d", ["file d"]),
        ("mkdir /n; mv /d/a /n/a", ["dir d", "whiteout d/a", "dir n", "file n/a"]),
        ("echo x > /d/y; rm /d/y", ["dir d"]),
        ("chmod 700 /d", ["dir d"]),
        ("chmod 600 /d/a", ["dir d", "file d/a"]),
        ("touch /d/a", ["dir d", "file d/a"]),
        ("echo a > /d/a", ["dir d", "file d/a"]),
        ("chown 0:0 /d/b", ["dir d", "file d/b"]),
        ("ln /d/b /d/c; ln -s b /d/l", ["dir d", "file d/b", "hardlink d/c", "symlink d/l"]),
        ("ln /tmp/none /d/c || mknod /d/p p", ["dir d", "fifo d/p"]),
    ],
)
def test_changes_are_those_of_an_overlay(lab: Lab, script: str, expected: list[str]) -> None:
    """Each kind of change gives the entries that an overlay mount's upper folder has."""
    assert lab.names(script) == expected


def test_moved_files_keep_their_owner(lab: Lab) -> None:
    """A file that is moved keeps the owner it has in the layers below."""
    entries = {entry.path: entry for entry in lab.run("mv /d /e")}
    assert (entries["e/a"].uid, entries["e/a"].gid) == (33, 44)
    assert entries["e/null"].kind == "char"
    assert entries["e/null"].device == (1, 3)


def test_chown_is_recorded(lab: Lab) -> None:
    """A chown goes to the layer, by absolute path, relative path and descriptor, and clears setuid bits."""
    script = (
        "cd /d; chown 7 a; chown -R 8:9 /etc; install -o 10 -g 11 a new; chown 12 b; touch x; chown -h 1:2 x"
    )
    entries = {entry.path: entry for entry in lab.run(script)}
    owners = {path: (entry.uid, entry.gid) for path, entry in entries.items()}
    assert owners["d/a"] == (7, 44)
    assert owners["etc"] == owners["etc/passwd"] == (8, 9)
    assert owners["d/new"] == (10, 11)
    assert (entries["d/b"].uid, entries["d/b"].mode) == (12, 0o755)


def test_a_file_replaced_by_its_copy_keeps_its_owner(lab: Lab) -> None:
    """A tool that gives its new file the owner it saw and renames it (useradd, sed -i) keeps the true one."""
    entries = {e.path: e for e in lab.run("cd /d; sed -i s/a/z/ a; sed -i s/b/z/ b")}
    assert (entries["d/a"].uid, entries["d/a"].gid) == (33, 44)
    assert (entries["d/b"].uid, entries["d/b"].gid) == (0, 0)


def test_chown_to_our_own_number(lab: Lab) -> None:
    """A chown to the number of the user who runs the lab is told from one to root."""
    me, group = os.getuid(), os.getgid()
    entries = {e.path: e for e in lab.run(f"cd /d; echo > r; echo > m; chown 0:0 r; chown {me}:{group} m")}
    assert (entries["d/r"].uid, entries["d/r"].gid) == (0, 0)
    assert (entries["d/m"].uid, entries["d/m"].gid) == (me, group)


def test_an_inode_number_used_again_is_another_file(lab: Lab) -> None:
    """A recorded owner does not pass to a later file that gets the inode number."""
    script = "for i in 1 2 3 4 5 6 7 8; do echo > /d/t$i; chown 99 /d/t$i; rm /d/t$i; echo > /d/f$i; done"
    assert {entry.uid for entry in lab.run(script) if entry.path.startswith("d/f")} == {0}


def test_users_who_are_not_root_cannot_chown(lab: Lab) -> None:
    """Under USER, chown to someone else is refused and the files look like the user's."""
    lab.run("id -u; id -g; chown 0 /tmp || echo refused", uid=1234, gid=1235, keep=False)
    assert lab.said.split()[:2] == [b"1234", b"1235"]
    assert lab.said.endswith(b"refused\n")


def test_devices_are_in_the_layer(lab: Lab) -> None:
    """Mknod of a device, which a user cannot do, is a device in the layer."""
    entries = {entry.path: entry for entry in lab.run("mknod /d/zero c 1 5; mknod /d/disk b 8 1")}
    assert (entries["d/zero"].kind, entries["d/zero"].device) == ("char", (1, 5))
    assert (entries["d/disk"].kind, entries["d/disk"].device) == ("block", (8, 1))


def test_modes_that_keep_everyone_out(lab: Lab) -> None:
    """Files and folders of mode 0 are read, changed, stored and removed like any other."""
    entries = {
        e.path: e for e in lab.run("cat /d/secret; mkdir -p /z/y; echo x > /z/y/f; chmod 0 /z/y/f /z/y /z")
    }
    assert lab.said == b"s\n"
    assert [entries[path].mode for path in ("z", "z/y", "z/y/f")] == [0, 0, 0]
    assert lab.names("true") == []
    assert lab.names("rm -r /z") == ["whiteout z"]


KILLED = """if True:
    import sys
    from pathlib import Path
    from dockerlab.engines.embedded.sandbox.contract import Command
    from dockerlab.engines.embedded.sandbox.proot.proot import ProotSandbox
    from dockerlab.image.layer import BlobLayer
    work, base, diff_id, script = sys.argv[1:]
    def say(data):
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    command = Command(("/bin/sh", "-c", script), {"PATH": "/usr/bin:/bin"})
    ProotSandbox(Path(work)).run([BlobLayer(Path(base), diff_id)], command, output=say, layer=None)
"""


@pytest.mark.parametrize("victim", ["builder", "supervisor", "proot"])
def test_no_command_goes_on_outside(lab: Lab, victim: str, tmp_path: Path) -> None:
    """Whichever process is killed, the command ends with it, and never meets the machine's own files."""
    if not lab.sandbox.holds:
        pytest.skip("this proot is not one whose code is known")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    loop = f"while :; do echo x > {outside}/x; rm -f {outside}/x {outside}/kept; done"
    script = f"mkdir -p {outside}; echo up; {loop}"
    base = lab.layers[0]
    assert isinstance(base, BlobLayer)
    for _ in range(3):
        builder = subprocess.Popen(
            [sys.executable, "-c", KILLED, lab.folder / "work", base.path, base.diff_id, script],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[3],
        )
        assert builder.stdout is not None
        assert builder.stdout.readline() == b"up\n"
        (supervisor,) = below(builder.pid, depth=1)
        (tracer,) = below(supervisor, depth=1)
        started = []
        for pid in below(builder.pid):
            with suppress(ProcessLookupError):
                started.append(os.pidfd_open(pid))
        os.kill({"builder": builder.pid, "supervisor": supervisor, "proot": tracer}[victim], signal.SIGKILL)
        builder.communicate(timeout=60)
        for handle in started:
            assert select.select([handle], [], [], 30)[0], "a process goes on"
            os.close(handle)
        assert [path.name for path in outside.iterdir()] == ["kept"]


def test_a_signal_to_all_is_refused(lab: Lab) -> None:
    """A signal to every process of this user, here the one that does nothing, does not leave the RUN."""
    lab.run("kill -s 0 -- $$ && ! kill -s 0 -- -1")
    assert (lab.code, b"not permitted" in lab.said) == (0, True), lab.said


def test_layers_pile_up_and_fall_back(lab: Lab) -> None:
    """The next RUN sees the layers it is given, whatever ran before in the same tree."""
    lab.run("echo 1 > /d/n; rm /d/b; chmod 711 /d")
    lab.run("echo 2 > /d/n")
    lab.run("cat /d/n; ls /d", keep=False)
    assert lab.said.split() == [b"2", b"a", b"n", b"null", b"secret", b"twin"]
    lab.layers = lab.layers[:1]
    assert lab.names("ls /d; stat -c %a /d") == []
    assert lab.said.split() == [b"a", b"b", b"null", b"secret", b"twin", b"755"]


def test_a_failed_run_leaves_nothing(lab: Lab) -> None:
    """The exit code comes back, no layer is written, and the next RUN does not see what was done."""
    assert lab.run("echo > /d/half; rm /d/a; exit 7") == []
    assert lab.code == 7
    assert lab.names("ls /d/a; ls /d/half || true") == []


def test_a_command_that_is_not_there(lab: Lab) -> None:
    """A command that the image does not have ends with 127 and is named."""
    said: list[bytes] = []
    command = Command(("nosuch",), {"PATH": PATH})
    assert lab.sandbox.run(lab.layers, command, output=said.append, layer=None) == 127
    assert said == [b"nosuch: not found in the image\n"]


def test_a_signal_is_128_and_its_number(lab: Lab) -> None:
    """A process of the RUN that a signal ends gives the shell's 128 + number."""
    lab.run("sh -c 'kill -9 $$'; exit $?")
    assert lab.code == 137


def test_what_runs_on_in_the_background_is_ended(lab: Lab) -> None:
    """A RUN ends with its command: what that left running is killed."""
    begun = time.monotonic()
    lab.run("sleep 100 & echo $!")
    assert time.monotonic() - begun < 20
    assert not Path(f"/proc/{int(lab.said)}").exists()


@pytest.mark.parametrize("how", ["timeout", "interrupt"])
def test_ending_early_ends_every_process(lab: Lab, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A timeout or Ctrl-C ends every process of the RUN, and the next RUN starts from clean layers."""
    heard = threading.Event()

    def hear(data: bytes) -> None:
        lab.said += data
        if b"go" in lab.said and how == "interrupt":
            heard.set()
            raise KeyboardInterrupt

    monkeypatch.setattr(lab, "_hear", hear)
    error: type[BaseException] = TimeoutError if how == "timeout" else KeyboardInterrupt
    with pytest.raises(error):
        lab.run("echo > /d/half; (sleep 100 & echo $!); echo go; sleep 100", timeout=2)
    monkeypatch.undo()
    assert not Path(f"/proc/{lab.said.split()[0].decode()}").exists()
    assert lab.names("ls /d/half || true") == []


def test_mounts_leave_no_trace(lab: Lab) -> None:
    """A bind or tmpfs target is there during the RUN only; a read-only source is never changed."""
    fixed, cache = lab.folder / "fixed", lab.folder / "cache"
    fixed.mkdir()
    cache.mkdir()
    (fixed / "f").write_text("fixed\n")
    mounts = (
        Mount("bind", "/m/fixed", fixed, read_only=True),
        Mount("bind", "/var/cache/c", cache),
        Mount("tmpfs", "/d/t"),
        Mount("bind", "/run/secrets/s", fixed / "f", read_only=True),
    )
    remove = "rm -rf /m/fixed /run/secrets/s"
    script = f"cat /m/fixed/f /run/secrets/s; {remove}; echo > /var/cache/c/kept; echo > /d/t/x"
    assert lab.names(script, mounts=mounts) == []
    assert lab.said == b"fixed\nfixed\n"
    assert (fixed / "f").read_text() == "fixed\n"
    assert os.listdir(cache) == ["kept"]  # noqa: PTH208
    lab.names("rm -rf /var/cache/c || true", mounts=mounts)
    assert os.listdir(cache) == []  # noqa: PTH208


def test_a_mount_below_the_machine_s_dev_is_not_made_there(lab: Lab) -> None:
    """A script at /dev/pipes, as BuildKit has it, is read; the machine's own /dev stays as it was."""
    script = lab.folder / "script"
    script.write_text("echo it runs\n")
    before = set(Path("/dev").iterdir())
    mount = Mount("bind", "/dev/pipes/EOF", script, read_only=True)
    lab.names("/bin/sh /dev/pipes/EOF", mounts=(mount,))
    assert (lab.code, lab.said) == (0, b"it runs\n")
    assert set(Path("/dev").iterdir()) == before


def test_standard_input_and_environment(lab: Lab) -> None:
    """The command gets its standard input, its folder and just its environment."""
    lab.run("cat; env", stdin=b"in\n", cwd="/d", keep=False)
    assert lab.said.splitlines()[0] == b"in"
    names = {line.split(b"=")[0] for line in lab.said.splitlines()[1:]}
    assert names <= {b"PATH", b"PWD", b"OLDPWD", b"_", b"SHLVL", b"PROOT_NO_SECCOMP"}


def test_two_at_once(lab: Lab) -> None:
    """Two RUNs at the same time have two trees."""
    done: list[int] = []

    def work(name: str, run: Callable[..., int]) -> None:
        command = Command(
            ("/bin/sh", "-c", f"echo > /d/{name}; sleep 0.3; test -e /d/{name}; ls /d"), {"PATH": PATH}
        )
        done.append(run(lab.layers, command, output=lambda data: None, layer=io.BytesIO()))

    threads = [threading.Thread(target=work, args=(name, lab.sandbox.run)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert done == [0, 0]
    assert len(list((lab.folder / "work" / "proot").iterdir())) == 2


SPAWN = """
import os, sys
child = "import sys; sys.stdin.read(); kept = [bytes(5000) for _ in range(3000)]"
bad = 0
for number in range(5):
    read, write = os.pipe()
    os.set_inheritable(read, True)
    actions = [(os.POSIX_SPAWN_DUP2, read, 0), (os.POSIX_SPAWN_CLOSE, write)]
    first = os.posix_spawn(sys.executable, [sys.executable, "-ISc", child], os.environ, file_actions=actions)
    second = os.posix_spawn("/bin/true", ["true"], os.environ)
    kept = [bytes(3000 + number) for _ in range(3000)]
    os.close(read), os.close(write)
    bad += sum(os.waitpid(pid, 0)[1] != 0 for pid in (first, second))
os.stat(".")  # a string in the program's own memory, below 16 MiB
large = [bytes(size << 20) for size in (15, 16, 17)]
print("killed", bad)
"""


def run_on_host(tmp_path: Path, *argv: str) -> tuple[int, str]:
    """Run a program of this machine under proot with the RUN filter; return its exit code and output."""
    folders = [*proot.HOST_TOOLS, sys.base_prefix.lstrip("/")]
    tree = WorkTree(tmp_path / "tree")
    (tmp_path / "tree").mkdir()
    tree.load()
    host = [Bind(Path("/") / name, name) for name in folders if (Path("/") / name).exists()]
    host.append(Bind(tmp_path, "test"))
    said: list[bytes] = []
    sandbox = proot.ProotSandbox(tmp_path / "work")
    command = Command(argv, {"PATH": PATH})
    result = sandbox._supervised(tree, command, host, output=said.append, timeout=60)
    return os.waitstatus_to_exitcode(result["status"]), b"".join(said).decode()


def test_posix_spawn_kills_neither_parent_nor_child(tmp_path: Path, why_not: str | None) -> None:
    """Programs that start others by posix_spawn and then take memory live, as do those they started."""
    if why_not:
        pytest.skip(why_not)
    python = os.path.realpath(sys.executable)
    assert run_on_host(tmp_path, python, "-I", "-S", "-c", SPAWN) == (0, "killed 0\n")


def test_a_static_program_keeps_its_heap(tmp_path: Path, why_not: str | None) -> None:
    """A static program gets memory from brk: those made with an old C library do not start without it."""
    compiler = shutil.which("gcc")
    if why_not or compiler is None:
        pytest.skip(why_not or "no gcc to make a static program")
    source, program = tmp_path / "heap.c", tmp_path / "heap"
    source.write_text("#include <unistd.h>\nint main(void) { return sbrk(1 << 20) == (void *)-1; }\n")
    subprocess.run([compiler, "-w", "-static", "-o", program, source], check=True)
    assert run_on_host(tmp_path, "/test/heap") == (0, "")


def test_a_proot_of_unknown_code_is_used_as_it_is(tmp_path: Path) -> None:
    """A program in which the nine places are not found is not copied."""
    program = tmp_path / "proot"
    program.write_bytes(b"\x80\x78\x18\x00\x74\x00" * 8)
    assert mended(str(program), tmp_path / "copies") == str(program)
    assert not (tmp_path / "copies").exists()


def test_a_proot_that_does_not_work_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a proot that cannot run, no sandbox is chosen, and the error has what the trial said."""
    fake = tmp_path / "bin" / "proot"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho ptrace is not permitted; exit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{PATH}")
    monkeypatch.setenv("DOCKERLAB_SANDBOX", "proot")
    with pytest.raises(EngineError, match="ptrace is not permitted"):
        sandboxes.choose(tmp_path / "work")


def path_without(folder: Path, *missing: str) -> str:
    """Return a PATH with every program of this host but some."""
    folder.mkdir()
    for place in ("/usr/bin", "/bin", "/usr/sbin", "/sbin"):
        for program in Path(place).iterdir():
            link = folder / program.name
            if program.name not in missing and not link.is_symlink():
                link.symlink_to(program)
    return str(folder)


def test_proot_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without proot, and without apt to fetch it by, the probe names the package to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    why = proot.probe(tmp_path / "work")
    assert why is not None
    assert "apt-get install proot" in why


def test_where_there_is_no_proot_debians_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why_not: str | None
) -> None:
    """Debian's proot works with its own loader and libraries, is mended, and is fetched once."""
    if why_not or mirrors() is None or not KEYRING.is_file():
        pytest.skip(why_not or "this host has no Debian mirror")
    monkeypatch.setenv("DOCKERLAB_SANDBOX", "proot")
    monkeypatch.setenv("PATH", path_without(tmp_path / "bin", "proot"))
    assert proot.probe(tmp_path / "work") is None
    monkeypatch.setenv("PATH", path_without(tmp_path / "less", "proot", "apt-get"))
    found, why = sandboxes.explain(tmp_path / "work")
    assert isinstance(found, proot.ProotSandbox)
    assert why.startswith("It is Debian's, fetched by dockerlab, 5.1.0, mended.")
    assert found.holds
    assert [path.name for path in (tmp_path / "work" / "proot-debian").iterdir()] == ["root"]


def test_a_host_proot_with_faults_gives_way_to_debians(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A 5.1 whose code is not known is used as it is only where Debian's cannot be had."""
    fake = tmp_path / "bin" / "proot"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho v5.1.0\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{PATH}")
    theirs = tmp_path / "fetched" / "usr" / "bin" / "proot"
    monkeypatch.setattr(debian_proot, "fetch", lambda work: theirs)
    monkeypatch.setattr(debian_proot, "started_by", lambda program: (str(fake),))
    theirs.parent.mkdir(parents=True)
    theirs.write_text("")
    assert proot.find_proot(tmp_path / "work").path == str(theirs)

    def fail(work: Path) -> Path:
        raise EngineError("no network")

    monkeypatch.setattr(debian_proot, "fetch", fail)
    assert proot.find_proot(tmp_path / "work").path == str(fake)
