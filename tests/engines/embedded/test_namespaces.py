"""The namespace sandbox: its layers against BuildKit's, what it allows, and that it leaves nothing."""

from __future__ import annotations

import io
import json
import os
import select
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

from dockerlab.errors import BuildError, EngineError, ImageError
from dockerlab.image.filesystem import Entry
from dockerlab.image.layer import EMPTY_LAYER, BlobLayer
from dockerlab.image.tar_writer import LayerWriter, in_order

if sys.platform != "linux":
    pytest.skip("namespaces are a Linux feature", allow_module_level=True)

from dockerlab.engines.embedded import sandbox as sandboxes
from dockerlab.engines.embedded.sandbox import syscalls
from dockerlab.engines.embedded.sandbox.contract import Command, Mount, Sandbox
from dockerlab.engines.embedded.sandbox.namespaces.namespaces import NamespaceSandbox
from dockerlab.engines.embedded.sandbox.namespaces.overlay_snapshot import snapshot
from dockerlab.engines.embedded.sandbox.namespaces.overlay_unpack import unpack

ENV = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
TOOLS = (
    "sh cat chmod chown cp dd grep id ln ls mkdir mkfifo mknod mount mv rm setcap sleep stat touch unshare"
)
WAIT = 20.0  # seconds before a wait for something that takes milliseconds is given up

COMMANDS = [
    "true",
    "touch /x && rm /x",
    "touch /old/x && rm /old/x",
    "chmod 644 /old/a",
    "echo a > /old/a",
    "touch /old/alink",
    "rm -rf /old/sub && mkdir /old/sub",
    "mv /old /old2",
    "rm -rf /usr/share && echo f > /usr/share",
    "mkfifo /p && mknod /c c 1 3 && mknod /b b 7 3",
    "echo 1 > /h1 && ln /h1 /h2 && mkdir /zz && ln /h1 /zz/h0 && ln /h1 /a0",
    "echo x > /etc/hosts; echo y > /etc/resolv.conf; rm /etc/hosts; mv /etc/hosts /x; echo z > /etc/hostname",
    "mkdir -p /usr/new/deep && rm -rf /usr/new",
    "chmod 700 / ; chmod 755 /; chmod 700 /home; chown 5:6 /home",
    "rm /etc/group; echo 3 > /etc/group; ln -s /nowhere /link; ln -s é /ü",
    "dd if=/dev/zero of=/sparse bs=1 count=1 seek=1048575",
    "echo x > /cap && { ! setcap cap_net_raw+ep /cap 2>/dev/null || ln /cap /cap2; }",
    "rm -rf /proc /dev /sys /etc; true",
    "chmod 4755 /home; umask > /umask; id > /id; ls /sys > /dev/null; cat > /stdin",
    "stat -c '%A %h %u:%g %s %t,%T %N' /dev/* > /devices",  # ls -l would have told the minute
    "mount -t tmpfs x /tmp || echo refused; mknod /wh c 0 0 || echo refused; unshare -r true || echo refused",
]


def _refused() -> str | None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return NamespaceSandbox(Path(folder)).probe()


REFUSED = _refused()
needs_namespaces = pytest.mark.skipif(REFUSED is not None, reason=f"no namespaces here: {REFUSED}")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> BlobLayer:
    """Return a layer with a shell and tools of this machine, without /etc/hosts, /proc, /dev and /sys."""
    folder = tmp_path_factory.mktemp("base")
    root = folder / "root"
    wanted: set[str] = set()
    for tool in TOOLS.split():
        path = shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        if path is None:
            continue
        target = root / "bin" / tool
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
        listed = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
        wanted.update(word for word in listed.split() if word.startswith("/"))
    for library in wanted:
        (root / library[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, root / library[1:])
    for name in ("home", "tmp", "root", "old/sub", "usr/share/doc", "etc"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    for name, text in {
        "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
        "etc/group": "root:x:0:\n",
        "old/a": "a\n",
        "old/sub/b": "b\n",
        "usr/share/doc/k": "keep\n",
    }.items():
        (root / name).write_text(text)
    (root / "old/alink").hardlink_to(root / "old/a")
    (root / "old/sym").symlink_to("a")
    tar = folder / "base.tar"
    with tar.open("wb") as out:
        writer = LayerWriter(out)
        snapshot(root, writer)
        writer.close()
    return BlobLayer(tar, writer.digest)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[NamespaceSandbox]:
    """Return a sandbox that must have tidied up after itself when the test ends."""
    work = tmp_path / "work"
    yield NamespaceSandbox(work)
    assert not list((work / "runs").iterdir()) if (work / "runs").exists() else True


def shell(sandbox: Sandbox, layers: list[BlobLayer], script: str, **more: object) -> tuple[int, str, bytes]:
    """Run a shell script; return its exit code, what it printed, and the layer."""
    out, said = io.BytesIO(), bytearray()
    timeout = more.pop("timeout", 60.0)
    command = Command(("/bin/sh", "-c", script), ENV, **more)  # type: ignore[arg-type]
    code = sandbox.run(layers, command, output=said.extend, layer=out, timeout=timeout)  # type: ignore[arg-type]
    return code, said.decode(), out.getvalue()


def members(tar: bytes) -> list[tuple[object, ...]]:
    """Return all that must be equal in two layers made at different times."""
    with tarfile.open(fileobj=io.BytesIO(tar), errors="surrogateescape") as archive:
        return [
            (
                member.name,
                member.type,
                oct(member.mode),
                (member.uid, member.gid, member.uname, member.gname),
                # Docker's whiteouts keep a stray link name where overlay made them hard links of each other.
                member.linkname if member.issym() or member.islnk() else "",
                (member.devmajor, member.devminor),
                sorted(member.pax_headers.items()),
                content.read() if member.isreg() and (content := archive.extractfile(member)) else b"",
            )
            for member in archive
        ]


def stored(tar: bytes, folder: Path) -> BlobLayer:
    """Keep a layer in a file."""
    import hashlib

    digest = hashlib.sha256(tar).hexdigest()
    path = folder / digest
    path.write_bytes(tar)
    return BlobLayer(path, f"sha256:{digest}")


class Loose:
    """A layer of any entries, as a hostile archive may hold them."""

    diff_id = "sha256:" + "0" * 64
    size_tar = size_unpacked = 0

    def __init__(self, *entries: Entry, content: bytes = b"") -> None:
        self.entries = entries
        self.content = content

    def open(self, entry: Entry) -> io.BytesIO:
        """Return the one content all files have."""
        return io.BytesIO(self.content)

    def open_tar(self) -> io.BytesIO:
        """Return nothing: unpacking goes by the entries."""
        return io.BytesIO()

    def size_compressed(self) -> int:
        """Return nothing of interest."""
        return 0


def _docker(*arguments: str, stdin: bytes = b"") -> bytes:
    return subprocess.run(
        ["docker", *arguments], input=stdin, capture_output=True, check=True, timeout=280
    ).stdout


def _docker_answers() -> bool:
    try:
        return (
            subprocess.run(["docker", "info"], capture_output=True, timeout=30, check=False).returncode == 0
        )
    except (OSError, subprocess.TimeoutExpired):
        return False


@pytest.fixture(scope="module")
def theirs(base: BlobLayer) -> Iterator[list[bytes]]:
    """Return the layers BuildKit makes of COMMANDS, each on top of the one before."""
    if not _docker_answers():
        pytest.skip("no Docker daemon to compare with")
    name = f"dockerlab-test-namespaces-{os.getpid()}"
    with base.open_tar() as tar:
        _docker("import", "-", f"{name}-base", stdin=tar.read())
    try:
        recipe = f"FROM {name}-base\n" + "".join(f"RUN {command}\n" for command in COMMANDS)
        _docker("buildx", "build", "--no-cache", "-q", "-t", name, "-", stdin=recipe.encode())
        archive = _docker("save", name)
        _docker("rmi", name)
    finally:
        _docker("rmi", f"{name}-base")
    with tarfile.open(fileobj=io.BytesIO(archive)) as outer:
        names = json.load(outer.extractfile("manifest.json"))[0]["Layers"]  # type: ignore[arg-type]
        yield [outer.extractfile(name).read() for name in names[1:]]  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def ours(base: BlobLayer, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Return the layers the sandbox makes of COMMANDS, each on top of the one before."""
    folder = tmp_path_factory.mktemp("ours")
    sandbox = NamespaceSandbox(folder / "work")
    layers, tars = [base], []
    for command in COMMANDS:
        code, said, tar = shell(sandbox, layers, command)
        assert code == 0, said
        tars.append(tar)
        layers.append(stored(tar, folder))
    return tars


@pytest.mark.docker
@needs_namespaces
@pytest.mark.parametrize("number", range(len(COMMANDS)), ids=COMMANDS)
def test_same_layer_as_buildkit(number: int, ours: list[bytes], theirs: list[bytes]) -> None:
    """A RUN makes the layer BuildKit makes: same members in the same order, same metadata and content."""
    assert members(ours[number]) == members(theirs[number])


@needs_namespaces
def test_a_run_that_changes_nothing_gives_the_empty_layer(base: BlobLayer, sandbox: NamespaceSandbox) -> None:
    """Where the image has /etc/hosts, /proc and the like, nothing of ours is in the layer."""
    _, _, tar = shell(sandbox, [base], "mkdir -p /etc && echo > /x")
    top = Loose(*[Entry(name, "dir", 0o755) for name in ("dev", "etc", "proc", "sys")])
    top.entries += tuple(Entry(f"etc/{name}", "file") for name in ("hosts", "resolv.conf"))
    _, _, tar = shell(sandbox, [base, top], "true")  # type: ignore[list-item]
    assert tar == bytes(1024)
    assert (sandbox._unpacked / EMPTY_LAYER.partition(":")[2]).is_dir()


@needs_namespaces
def test_the_layer_of_a_run_is_unpacked_already(
    base: BlobLayer, sandbox: NamespaceSandbox, tmp_path: Path
) -> None:
    """The upper folder is kept as the new layer's unpacked folder, so the next RUN reads no tar."""
    _, _, tar = shell(sandbox, [base], "echo new > /new")
    layer = stored(tar, tmp_path)
    layer.path.unlink()
    assert shell(sandbox, [base, layer], "cat /new")[:2] == (0, "new\n")


@needs_namespaces
def test_a_failed_run_makes_no_layer(base: BlobLayer, sandbox: NamespaceSandbox) -> None:
    """The exit code comes back, and nothing is written to the layer."""
    assert shell(sandbox, [base], "echo x > /x; exit 300") == (44, "", b"")
    assert shell(sandbox, [base], "sh -c 'kill -9 $$'; exit $?")[0] == 137


@needs_namespaces
@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("/nope",), 'exec: "/nope": no such file or directory\n'),
        (("nope",), 'exec: "nope": executable file not found in $PATH\n'),
        (("/etc/passwd",), 'exec: "/etc/passwd": permission denied\n'),
    ],
)
def test_what_cannot_be_executed_is_exit_code_1(
    argv: tuple[str, ...], said: str, base: BlobLayer, sandbox: NamespaceSandbox
) -> None:
    """A program that is missing or no program ends the RUN with BuildKit's exit code, and says why."""
    out = bytearray()
    assert sandbox.run([base], Command(argv, ENV), output=out.extend, layer=None) == 1
    assert out.decode() == said


@needs_namespaces
def test_a_program_without_its_interpreter_is_named_with_its_path(
    base: BlobLayer, sandbox: NamespaceSandbox, tmp_path: Path
) -> None:
    """A program in $PATH whose loader is not there is not missing itself: its path is said, as by runc."""
    _, _, tar = shell(sandbox, [base], "echo '#!/none' > /bin/half; chmod 755 /bin/half")
    made = stored(tar, tmp_path)
    for name in ("half", "/bin/half"):
        out = bytearray()
        assert sandbox.run([base, made], Command((name,), ENV), output=out.extend, layer=None) == 1
        assert out.decode() == "exec /bin/half: no such file or directory\n"


@needs_namespaces
def test_identity_of_the_command(base: BlobLayer, sandbox: NamespaceSandbox) -> None:
    """It is process 1 of its own session, with Docker's capabilities, a filter and no ignored signals.

    Not even those that were ignored here, of which 32 is one that the C library lets nobody set.
    """
    ignored = (signal.SIGHUP, 32)
    for number in ignored:
        syscalls.libc.syscall(
            syscalls.SYSCALLS["rt_sigaction"], number, (1).to_bytes(32, sys.byteorder), None, 8
        )
    try:
        _, said, _ = shell(
            sandbox, [base], "echo $$; grep -E '^(Cap|Seccomp:|NSsid|SigIgn|NoNew)' /proc/self/status"
        )
    finally:
        for number in ignored:
            syscalls.libc.syscall(syscalls.SYSCALLS["rt_sigaction"], number, bytes(32), None, 8)
    fields = dict(line.split(":\t") for line in said.splitlines()[1:])
    assert said.splitlines()[0] == "1"
    assert fields["NSsid"] == "1"
    assert {fields[name] for name in ("CapPrm", "CapEff", "CapBnd")} == {"00000000a80425fb"}
    assert {fields[name] for name in ("CapInh", "CapAmb", "SigIgn")} == {"0000000000000000"}
    assert (fields["Seccomp"], fields["NoNewPrivs"]) == ("2", "0")


@needs_namespaces
def test_another_user(base: BlobLayer, sandbox: NamespaceSandbox) -> None:
    """USER has its groups and no capability, may not write what is root's, and may write to /dev/stdout."""
    script = "id -u; id -G; grep CapEff /proc/self/status; touch /x; echo said > /dev/stdout; touch /tmp/mine"
    code, said, tar = shell(sandbox, [base], script, uid=1000, gid=100, groups=(5, 6))
    assert code == 0
    words = said.split()
    assert words[:6] == ["1000", "100", "5", "6", "CapEff:", "0000000000000000"]
    assert "denied" in said
    assert said.endswith("said\n")
    assert [(name, owner[:2]) for name, _, _, owner, *_ in members(tar) if name == "tmp/mine"] == [  # type: ignore[index]
        ("tmp/mine", (1000, 100))
    ]


@needs_namespaces
def test_environment_folder_and_input(base: BlobLayer, sandbox: NamespaceSandbox) -> None:
    """The environment is exactly the given one, the working folder is made, large input arrives."""
    data = b"0123456789abcde\n" * 8192
    said = bytearray()
    command = Command(("/bin/sh", "-c", "pwd; echo $A$HOME; cat"), {"A": "é\udcff"}, cwd="/new/é", stdin=data)
    out = io.BytesIO()
    assert sandbox.run([base], command, output=said.extend, layer=out) == 0
    assert bytes(said) == "/new/é\né".encode() + b"\xff\n" + data
    assert ("new/é", tarfile.DIRTYPE, "0o755") in [item[:3] for item in members(out.getvalue())]


@needs_namespaces
def test_without_network_there_is_only_loopback(base: BlobLayer, sandbox: NamespaceSandbox) -> None:
    """`network=False` leaves one interface, lo, and it is up."""
    _, said, _ = shell(sandbox, [base], "ls /sys/class/net; cat /sys/class/net/lo/flags", network=False)
    assert said.split() == ["lo", "0x9"]


@needs_namespaces
def test_mounts_are_there_and_leave_nothing(
    base: BlobLayer, sandbox: NamespaceSandbox, tmp_path: Path
) -> None:
    """Bind mounts and tmpfs show up, read-only ones refuse writing, and made mount points are taken away."""
    source, cache = tmp_path / "secret", tmp_path / "cache"
    source.write_text("s3cret\n")
    cache.mkdir()
    mounts = (
        Mount("bind", "/run/secrets/one", source, read_only=True),
        Mount("bind", "/var/cache/x/y", cache),
        Mount("bind", "/kept/file", source),
        Mount("tmpfs", "/usr/share"),
        Mount("tmpfs", "/t/a"),
    )
    script = (
        "cat /run/secrets/one; echo x > /run/secrets/one; rm -rf /run; "
        "echo y > /var/cache/x/y/z; touch /kept/mine; "
        "stat -c %a /usr/share /t/a; ls /usr/share; echo z > /usr/share/z; true"
    )
    code, said, tar = shell(sandbox, [base], script, mounts=mounts)
    assert code == 0
    assert said.startswith("s3cret\n")
    assert "Read-only file system" in said
    assert said.endswith("755\n1777\n")
    assert source.read_text() == "s3cret\n"
    assert (cache / "z").read_text() == "y\n"
    names = [item[0] for item in members(tar)]
    assert names == ["dev", "etc", "kept", "kept/mine", "proc", "sys"]


@needs_namespaces
def test_symlinks_of_the_image_do_not_lead_a_mount_out(
    base: BlobLayer, sandbox: NamespaceSandbox, tmp_path: Path
) -> None:
    """A mount point below a symlink to the host's path lands inside the image."""
    outside = tmp_path / "outside"
    outside.mkdir()
    top = Loose(Entry("srv", "symlink", 0o777, link=str(outside)), Entry("up", "symlink", link="../../../.."))
    mounts = (Mount("tmpfs", "/srv/in"), Mount("tmpfs", "/up/in2"))
    code, said, _ = shell(sandbox, [base, top], "ls -d /srv/in /in2", mounts=mounts)  # type: ignore[list-item]
    assert (code, said) == (0, "/in2\n/srv/in\n")
    assert not list(outside.iterdir())


def _running(token: str) -> list[str]:
    found = []
    for item in Path("/proc").iterdir():
        try:
            if item.name.isdigit() and token.encode() in (item / "cmdline").read_bytes():
                found.append(item.name)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


class StopError(Exception):
    """Raised in the middle of a RUN."""


@needs_namespaces
@pytest.mark.parametrize("kind", [KeyboardInterrupt, StopError])
def test_an_exception_ends_every_process(
    kind: type[BaseException], base: BlobLayer, sandbox: NamespaceSandbox
) -> None:
    """Ctrl-C, or an error in whoever gets the output, kills the command and its background processes."""
    token = uuid.uuid4().hex

    def stop(data: bytes) -> None:
        raise kind

    script = f"sh -c 'sleep 300; : {token}' & trap : TERM INT; echo go; sleep 300; : {token}"
    with pytest.raises(kind):
        sandbox.run([base], Command(("/bin/sh", "-c", script), ENV), output=stop, layer=io.BytesIO())
    assert not _running(token)


@needs_namespaces
def test_a_timeout_ends_every_process(base: BlobLayer, sandbox: NamespaceSandbox) -> None:
    """After `timeout` seconds TimeoutError is raised and nothing is left, even of one that keeps printing."""
    token = uuid.uuid4().hex
    for script in (f"sleep 300; : {token}", f"while :; do echo {token}; done"):
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            shell(sandbox, [base], script, timeout=0.3)
        assert time.monotonic() - began < WAIT
        assert not _running(token)


@needs_namespaces
def test_background_processes_end_with_the_command(base: BlobLayer, sandbox: NamespaceSandbox) -> None:
    """A RUN is over when its first process is, whatever it started."""
    token = uuid.uuid4().hex
    code, said, _ = shell(sandbox, [base], f"sh -c 'sleep 300; : {token}' & echo done")
    assert (code, said) == (0, "done\n")
    assert not _running(token)


@needs_namespaces
def test_a_killed_builder_takes_its_run_along(base: BlobLayer, tmp_path: Path) -> None:
    """SIGKILL of the process that builds ends the command too; the next sandbox removes what was left."""
    token = uuid.uuid4().hex
    work = tmp_path / "work"
    program = (
        "import sys; from pathlib import Path\n"
        "from dockerlab.engines.embedded.sandbox.contract import Command\n"
        "from dockerlab.engines.embedded.sandbox.namespaces.namespaces import NamespaceSandbox\n"
        "from dockerlab.image.layer import BlobLayer\n"
        "work, path, diff_id, script = sys.argv[1:]\n"
        "def say(data): sys.stdout.buffer.write(data); sys.stdout.flush()\n"
        "NamespaceSandbox(Path(work)).run([BlobLayer(Path(path), diff_id)],\n"
        f"    Command(('/bin/sh', '-c', script), {ENV!r}), output=say, layer=None)\n"
    )
    builder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            program,
            str(work),
            str(base.path),
            base.diff_id,
            f"echo up; sleep 300; : {token}",
        ],
        stdout=subprocess.PIPE,
    )
    with builder:
        assert builder.stdout is not None
        assert builder.stdout.readline() == b"up\n"
        builder.send_signal(signal.SIGKILL)
    give_up = time.monotonic() + WAIT
    while _running(token):
        assert time.monotonic() < give_up, "the command outlived its builder"
    assert len(list((work / "runs").iterdir())) == 1
    assert shell(NamespaceSandbox(work), [base], "true")[0] == 0
    assert not list((work / "runs").iterdir())


@needs_namespaces
def test_many_at_once_on_a_new_work_folder(base: BlobLayer, sandbox: NamespaceSandbox) -> None:
    """Runs in several threads, all unpacking the same layer, do not disturb each other."""
    results: list[tuple[int, str]] = []

    def one(number: int) -> None:
        results.append(
            shell(NamespaceSandbox(sandbox._runs.parent), [base], f"echo {number} > /n; cat /n")[:2]
        )

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    assert sorted(results) == [(0, f"{number}\n") for number in range(4)]


@needs_namespaces
def test_500_layers_can_be_stacked_and_one_more_is_refused(
    base: BlobLayer, sandbox: NamespaceSandbox
) -> None:
    """The kernel's limit is reached, and beyond it the error says so; equal layers count once."""
    import hashlib

    def one(number: int) -> Loose:
        layer = Loose(Entry(f"layer-{number}", "file"))
        layer.diff_id = f"sha256:{hashlib.sha256(str(number).encode()).hexdigest()}"
        return layer

    layers = [base, *[one(number) for number in range(500)]]
    code, said, _ = shell(sandbox, [*layers[:500], layers[7]], "ls / | grep -c ^layer-")  # type: ignore[list-item]
    assert (code, said) == (0, "499\n")
    with pytest.raises(BuildError, match="501 layers"):
        shell(sandbox, layers, "true")  # type: ignore[arg-type]


@needs_namespaces
def test_after_a_restart_layers_are_unpacked_again(base: BlobLayer, sandbox: NamespaceSandbox) -> None:
    """Unpacked folders are never synced to disk, so those of an earlier boot are not trusted."""
    shell(sandbox, [base], "true")
    unpacked = sandbox._unpacked / base.diff_id.partition(":")[2]
    (unpacked / "etc" / "passwd").write_text("lost in a power cut")
    (sandbox._unpacked / ".boot").write_text("an earlier one")
    code, said, _ = shell(NamespaceSandbox(sandbox._runs.parent), [base], "cat /etc/passwd")
    assert (code, said) == (0, "root:x:0:0:root:/root:/bin/sh\n")


@needs_namespaces
def test_unpacking_and_reading_back_gives_the_same_bytes(ours: list[bytes], tmp_path: Path) -> None:
    """Whiteouts, opaque folders, devices, links, capabilities, owners and times survive unpacking."""
    for number, tar in enumerate(ours):
        folder = tmp_path / str(number)
        folder.mkdir()
        layer = stored(tar, tmp_path)
        unpack(layer, folder)
        out = io.BytesIO()
        writer = LayerWriter(out)
        snapshot(folder, writer)
        writer.close()
        assert writer.digest == layer.diff_id, COMMANDS[number]


@needs_namespaces
@pytest.mark.parametrize(
    "entries",
    [
        [Entry("../evil", "file", size=1)],
        [Entry("a/../../evil", "file", size=1)],
        [Entry("..", "dir")],
        [Entry("out", "symlink", link="../outside"), Entry("out/evil", "file", size=1)],
        [Entry("out", "symlink", link="../outside"), Entry("out", "opaque")],
        [Entry("f", "file"), Entry("f/evil", "file", size=1)],
        [Entry("evil", "hardlink", link="../outside/there")],
        [Entry("out", "symlink", link="../outside"), Entry("evil", "hardlink", link="out/there")],
        [Entry("evil", "hardlink", link="missing")],
        [Entry("d", "dir", xattrs=(("trusted.overlay.redirect", b"/"),))],
    ],
)
def test_a_member_that_leads_out_is_refused(entries: list[Entry], tmp_path: Path) -> None:
    """Paths with "..", through symlinks, and links to what the layer lacks are ImageErrors."""
    folder, outside = tmp_path / "layer", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (outside / "there").write_text("host")
    with pytest.raises(ImageError):
        unpack(Loose(*entries, content=b"x"), folder)
    assert [item.name for item in outside.iterdir()] == ["there"]
    assert not (tmp_path / "evil").exists()


@needs_namespaces
def test_the_later_of_two_members_counts(tmp_path: Path) -> None:
    """Repeated names, a file for a folder, and a whiteout beside what replaces it unpack as Docker does."""
    unpack(
        Loose(
            Entry("a", "dir", 0o700),
            Entry("a/b", "file", size=1),
            Entry("a", "dir", 0o711, mtime=5),
            Entry("c", "dir"),
            Entry("c/d", "file", size=1),
            Entry("c", "symlink", link="x"),
            Entry("w", "whiteout"),
            Entry("w", "dir", 0o755),
            content=b"x",
        ),
        tmp_path,
    )
    out = io.BytesIO()
    snapshot(tmp_path, LayerWriter(out))
    writer = LayerWriter(out)
    snapshot(tmp_path, writer)
    writer.close()
    assert [(item[0], item[2]) for item in members(out.getvalue())] == [
        ("a", "0o711"),
        ("a/b", "0o644"),
        ("c", "0o777"),
        ("w", "0o755"),
        ("w/.wh..wh..opq", "0o755"),
    ]


@needs_namespaces
def test_an_opaque_root_hides_all_below(base: BlobLayer, sandbox: NamespaceSandbox) -> None:
    """A marker in the root, which overlay itself ignores, hides every lower layer."""
    lower = Loose(Entry("hidden", "file"))
    top = Loose(Entry("", "opaque"), *in_order(base.entries), content=b"")
    top.diff_id = "sha256:" + "1" * 64
    top.open = base.open  # type: ignore[method-assign, assignment]
    code, said, _ = shell(sandbox, [lower, top], "ls /hidden || echo gone")  # type: ignore[list-item]
    assert (code, said.splitlines()[-1]) == (0, "gone")


def test_choose_wants_a_known_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A misspelt DOCKERLAB_SANDBOX is an EngineError that lists the names."""
    monkeypatch.setenv("DOCKERLAB_SANDBOX", "docker")
    with pytest.raises(EngineError, match='is "docker"') as caught:
        sandboxes.choose(tmp_path)
    assert "auto, namespaces or proot" in caught.value.hint


def test_choose_names_the_package_when_nothing_works(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without namespaces and without proot the error says what to install."""
    monkeypatch.setenv("DOCKERLAB_SANDBOX", "proot")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match="proot") as caught:
        sandboxes.choose(tmp_path)
    assert "apt-get install proot" in caught.value.hint


@needs_namespaces
def test_choose_prefers_namespaces(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where namespaces work they are what RUN uses."""
    monkeypatch.delenv("DOCKERLAB_SANDBOX", raising=False)
    assert sandboxes.choose(tmp_path).name == "namespaces"


@needs_namespaces
def test_a_sandbox_is_named_without_trying_it_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What was found by trying is remembered for its name alone, and only under the same conditions."""
    monkeypatch.delenv("DOCKERLAB_SANDBOX", raising=False)
    assert sandboxes.name(tmp_path) == "namespaces"

    def fail(work: Path) -> None:
        raise AssertionError("it was tried again")

    monkeypatch.setattr(sandboxes, "choose", fail)
    assert sandboxes.name(tmp_path) == "namespaces"
    monkeypatch.setenv("DOCKERLAB_SANDBOX", "proot")
    with pytest.raises(AssertionError, match="tried again"):
        sandboxes.name(tmp_path)
    (tmp_path / "found").write_text("cut sh")
    monkeypatch.delenv("DOCKERLAB_SANDBOX")
    with pytest.raises(AssertionError, match="tried again"):
        sandboxes.name(tmp_path)


def _nursery(pid: int) -> list[int]:
    """Return the processes below `pid` that fork the helpers of RUNs."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            words = (path.parent / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid and b"runner.serve" in words:
            found.append(int(path.parent.name))
    return found


@needs_namespaces
def test_runs_share_one_process_that_forks_and_a_killed_one_is_replaced(
    base: BlobLayer, sandbox: NamespaceSandbox
) -> None:
    """All RUNs of a process are forked from one; they run as before when somebody has killed it."""
    assert shell(sandbox, [base], "echo one")[:2] == (0, "one\n")
    (first,) = _nursery(os.getpid())
    assert shell(sandbox, [base], "echo two")[:2] == (0, "two\n")
    assert _nursery(os.getpid()) == [first]
    ended = os.pidfd_open(first)
    os.kill(first, signal.SIGKILL)
    assert select.select([ended], [], [], WAIT)[0]
    os.close(ended)
    assert shell(sandbox, [base], "echo three")[:2] == (0, "three\n")
    (second,) = _nursery(os.getpid())
    assert second != first
