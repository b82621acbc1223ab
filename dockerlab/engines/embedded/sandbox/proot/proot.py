"""RUN without namespaces: proot, on a work tree of real files.

For hosts that allow neither mounts nor namespaces (Binder: an ordinary user, no new privileges, Docker's
seccomp filter). Layers come out as under an overlay mount, owners included. It is no security boundary, and:

- inside a RUN every file looks as if it were the RUN user's; only the layer has the true owners
- a chown to the very number of our own user counts as one to the RUN's user, unless the command is one
  of chown, chgrp, install, or a user tool, and says it
- what a process that changed its user makes (su, gosu) belongs to the RUN's user
- files only opened for writing and not changed (lock files) are not in the layer, and a new folder that was
  renamed has no opaque mark: an overlay has both, and the image is the same without
- a copy that keeps owners (cp -a, a backup like /etc/shadow-) has the RUN's user, which is what it saw
- file capabilities (setcap) and supplementary groups are not kept
- root may write anywhere whatever the modes say, as ever; so may other users in folders of root's
- without network, the loopback interface is gone too
- commands run on one processor: system calls are far quicker so, and `nproc` says 1
- with a proot 5.1 that `mended` does not know (on aarch64), posix_spawn may kill parent or child
- an ordinary user cannot make a device: mknod leaves an empty file that is a device in the layer
"""

from __future__ import annotations

import base64
import json
import os
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

from dockerlab.dockerfile.scope import DEFAULT_PATH
from dockerlab.engines.embedded.sandbox import bpf as seccomp
from dockerlab.engines.embedded.sandbox.contract import Command
from dockerlab.engines.embedded.sandbox.proot import debian_proot, treepool
from dockerlab.engines.embedded.sandbox.proot import supervisor as supervise
from dockerlab.engines.embedded.sandbox.proot.mountpoints import Bind, MountPoints, binds
from dockerlab.engines.embedded.sandbox.proot.owners import Recorded
from dockerlab.engines.embedded.sandbox.proot.patched_proot import mended
from dockerlab.engines.embedded.sandbox.proot.treediff import Differ, write_layer
from dockerlab.engines.embedded.sandbox.proot.treescan import scan
from dockerlab.engines.embedded.sandbox.proot.worktree import WorkTree
from dockerlab.engines.embedded.store.durable import claimed_folder, clear_temporaries, plain_errors
from dockerlab.errors import EngineError
from dockerlab.image.filesystem import Tree
from dockerlab.image.image import Layer
from dockerlab.interrupt import ended_by

NOT_FOUND = 127  # what a shell says of a command that is not there
END_SECONDS = 15.0  # how long the supervisor may take to end every process
HOST_TOOLS = ("bin", "lib", "lib64", "usr", "proc", "dev")  # what a shell needs, for the probe
_PROBE_SECONDS = 20.0


@dataclass(frozen=True)
class Tool:
    """A proot: this host's, or one that was fetched and needs its own loader before it."""

    path: str
    version: tuple[int, ...]
    before: tuple[str, ...] = ()
    holds: bool = False  # whether a command is known to end with its proot, whatever ends that
    origin: str = ""  # as a user is told

    @property
    def environment(self) -> dict[str, str]:
        """What proot needs to see every call before the kernel's filter does.

        From 5.2 on it handles only the calls it must; then chown would reach the supervisor with the path as
        the guest wrote it, and a relative one could not be resolved.
        """
        return {"PROOT_NO_SECCOMP": "1"} if self.version >= (5, 2) else {}


def find_proot(work: Path) -> Tool:
    """Return this host's proot where its faults are mended or it has none, else Debian's, fetched once.

    Where that cannot be had, the host's is used as it is. Raises EngineError where there is none either.
    """
    path = shutil.which("proot")
    host = None if path is None else _tool(path, work, origin=path)
    if host is not None and (host.holds or host.version >= (5, 2)):
        return host
    try:
        program = debian_proot.fetch(work)
    except EngineError:
        if host is None:
            raise
        return host
    before = debian_proot.started_by(program)
    return _tool(str(program), work, before=before, origin="Debian's, fetched by dockerlab")


def _tool(path: str, work: Path, *, before: tuple[str, ...] = (), origin: str) -> Tool:
    text = subprocess.run(
        [*before, path, "--version"], capture_output=True, text=True, check=False, timeout=10
    ).stdout
    match = re.search(r"(\d+)\.(\d+)\.(\d+)", text)
    version = tuple(int(part) for part in match.groups()) if match else (5, 4, 0)
    copy = mended(path, work / "proot-mended", before=before) if version < (5, 2) else path
    told = f"{origin}, {'.'.join(map(str, version))}{', mended' if copy != path else ''}"
    return Tool(copy, version, before, holds=copy != path, origin=told)


class ProotSandbox:
    """Runs commands under proot in work trees below `work` (see the module for what it cannot do).

    Raises EngineError when proot is missing or this processor is not known.
    """

    name = "proot"

    def __init__(self, work: Path) -> None:
        self._trees = work / "proot"
        self._tool = find_proot(work)
        self.holds = self._tool.holds
        self.origin = self._tool.origin
        self._machine = seccomp.machine()

    def run(
        self,
        layers: Sequence[Layer],
        command: Command,
        *,
        output: Callable[[bytes], None],
        layer: BinaryIO | None,
        timeout: float | None = None,
    ) -> int:
        """Run `command` on `layers`; see `Sandbox.run`."""
        below = Tree.stacked((item.entries, item) for item in layers)
        with ExitStack() as stack:
            with self._plain_errors():
                borrowed = treepool.borrow(self._trees, [item.diff_id for item in layers])
                tree = stack.enter_context(borrowed)
                tree.move(layers, below)
            if not _findable(below, command):
                output(f"{command.argv[0]}: not found in the image\n".encode())
                return NOT_FOUND
            with self._plain_errors():
                tree.begin()
                (tree.root / below.resolve(command.cwd)).mkdir(parents=True, exist_ok=True)  # as runc does
                wanted = binds(tree, below, command.mounts)
                points = MountPoints(tree, wanted)
                clock = tree.scratch / "clock"
                clock.touch()
                began = supervise.birth(str(clock)) or clock.stat().st_ctime_ns
            result = self._supervised(tree, command, wanted, output=output, timeout=timeout)
            with self._plain_errors():
                for mount in command.mounts:
                    if mount.kind == "bind" and not mount.read_only and mount.source is not None:
                        _put_back(mount.source)
                seen = scan(str(tree.root), skip=points.made)
                points.remove(seen)
                code = _exit_code(result["status"])
                if code != 0 or layer is None:
                    tree.adopt(seen, tree.changed(seen.found), diff_id=None, entries=())
                    return code
                user = (command.uid, command.gid)
                differ = Differ(tree, below, seen, recorded=Recorded.read(result), user=user, began=began)
                changes = differ.changes()
                diff_id = write_layer(layer, tree, changes, seen)
                tree.adopt(seen, set(changes.paths), diff_id=diff_id, entries=changes.entries)
            return 0

    def _plain_errors(self) -> AbstractContextManager[None]:
        return plain_errors(self._trees.parent, "work tree")

    def _supervised(
        self,
        tree: WorkTree,
        command: Command,
        wanted: Sequence[Bind],
        *,
        output: Callable[[bytes], None],
        timeout: float | None,
    ) -> dict[str, Any]:
        request_file, result_file = tree.scratch / "request.json", tree.scratch / "result.json"
        program = seccomp.program(self._machine, network=command.network)
        request = {
            "argv": [*self._tool.before, self._tool.path, *self._arguments(tree, command, wanted)],
            "env": {**command.env, **self._tool.environment},
            "filter": base64.b64encode(program).decode(),
            "seccomp": self._machine.numbers["seccomp"],
            "calls": {
                self._machine.numbers[name]: name
                for name in (*seccomp.CHOWNS, *seccomp.MKNODS)
                if name in self._machine.numbers
            },
            "root": str(tree.root),
            "uid": command.uid,
            "gid": command.gid,
            "result": str(result_file),
        }
        with self._plain_errors():
            request_file.write_text(json.dumps(request), encoding="utf-8")
        with _stdin(tree, command.stdin) as stdin:
            life_read, life_write = os.pipe()
            life = open(life_write, "wb", buffering=0)  # noqa: SIM115, PTH123 - closed below, or by a stop
            try:
                process = subprocess.Popen(
                    [sys.executable, "-I", "-S", supervise.__file__, str(request_file), str(life_read)],
                    stdin=stdin,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    pass_fds=(life_read,),
                    start_new_session=True,
                )
            finally:
                os.close(life_read)
        try:
            with ended_by(life.close):
                _pump(process, output, timeout)
                process.wait()
        finally:
            life.close()
            _end(process)
        try:
            return dict(json.loads(result_file.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError):
            with self._plain_errors():
                result_file.write_bytes(bytes(1 << 16))  # a full disk is one reason, and tells itself so
        raise EngineError(
            f"What watches over proot ended with exit code {process.returncode} and no result.",
            hint="Run it again; if it happens again, use Docker for this Dockerfile.",
        )

    def _arguments(self, tree: WorkTree, command: Command, wanted: Sequence[Bind]) -> list[str]:
        identity = ["-0"] if (command.uid, command.gid) == (0, 0) else ["-i", f"{command.uid}:{command.gid}"]
        options = [*identity, "-r", str(tree.root), "-w", command.cwd]
        for bind in wanted:
            options += ["-b", f"{bind.source}:/{bind.target}"]
        return [*options, *command.argv]


def probe(work: Path) -> str | None:
    """Try a real RUN under proot; return why it does not work here, or None when it does."""
    try:
        sandbox = ProotSandbox(work)
    except EngineError as error:
        return str(error)
    probes = work / "probes"
    with ExitStack() as stack:
        with plain_errors(work, "work tree"):
            probes.mkdir(parents=True, exist_ok=True)
            clear_temporaries(probes)
            tree = WorkTree(stack.enter_context(claimed_folder(probes)))
            tree.load()
        said: list[bytes] = []
        shell = Command(("/bin/sh", "-c", "echo $((6 * 7)); chown 7:7 /; exit 3"), {"PATH": DEFAULT_PATH})
        host = [Bind(Path("/") / name, name) for name in HOST_TOOLS if (Path("/") / name).exists()]
        try:
            result = sandbox._supervised(tree, shell, host, output=said.append, timeout=_PROBE_SECONDS)
        except (EngineError, OSError) as error:
            return f"proot does not work here: {error}"
        text = b"".join(said).decode(errors="replace").strip()
        if _exit_code(result["status"]) != 3 or text != "42":
            return f"proot does not work here: {text or 'it said nothing'}"
        if [row[:2] for row in result["owners"].values()] != [[7, 7]]:
            return "proot works here, but the kernel did not report a chown (seccomp user notification)."
    return None


def _findable(tree: Tree, command: Command) -> bool:
    name = command.argv[0]
    if "/" in name:
        places = [name if name.startswith("/") else f"{command.cwd}/{name}"]
    else:
        folders = command.env.get("PATH", DEFAULT_PATH).split(":") if name else []
        places = [f"{folder}/{name}" for folder in folders]
    mounted = tuple(mount.target.rstrip("/") + "/" for mount in command.mounts)
    return any(place.startswith(mounted) or tree.resolve(place) in tree for place in places)


def _put_back(source: Path) -> None:
    """Make a folder again that the guest removed: a mount point cannot be removed."""
    if not source.exists():
        source.mkdir(parents=True)


@contextmanager
def _stdin(tree: WorkTree, data: bytes) -> Iterator[int | IO[bytes]]:
    if not data:
        yield subprocess.DEVNULL
        return
    path = tree.scratch / "stdin"
    path.write_bytes(data)
    with path.open("rb") as stream:
        yield stream


def _pump(process: subprocess.Popen[bytes], output: Callable[[bytes], None], timeout: float | None) -> None:
    """Hand on output until every process has closed it. Raises TimeoutError after `timeout` seconds."""
    if process.stdout is None:
        raise EngineError("the supervisor has no output pipe")
    deadline = None if timeout is None else time.monotonic() + timeout
    handle = process.stdout.fileno()
    while True:
        left = None if deadline is None else deadline - time.monotonic()
        if (left is not None and left <= 0) or not select.select([handle], [], [], left)[0]:
            raise TimeoutError(f"the command ran for more than {timeout:g} seconds")
        data = os.read(handle, 1 << 16)
        if not data:
            return
        output(data)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Wait for the supervisor to end every process, which it does once its life pipe is closed."""
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    finally:
        if process.stdout is not None:
            process.stdout.close()


def _exit_code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code
