"""Running commands in namespaces of our own, on an overlay mount whose upper folder becomes the layer."""

from __future__ import annotations

import errno
import marshal
import os
import re
import selectors
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from dockerlab.engines.embedded.sandbox import syscalls
from dockerlab.engines.embedded.sandbox.contract import Command
from dockerlab.engines.embedded.sandbox.namespaces import fork_server as helpers
from dockerlab.engines.embedded.sandbox.namespaces.overlay_snapshot import snapshot
from dockerlab.engines.embedded.sandbox.namespaces.overlay_unpack import (
    in_user_namespace,
    is_opaque_root,
    make_opaque,
    unpack,
)
from dockerlab.engines.embedded.store.durable import (
    claimed_folder,
    clear_temporaries,
    locked,
    plain_errors,
    remove_tree,
)
from dockerlab.errors import BuildError, EngineError, StoreError, StoreFullError
from dockerlab.image.image import Layer
from dockerlab.image.tar_writer import LayerWriter
from dockerlab.interrupt import ended_by

if TYPE_CHECKING:
    from dockerlab.engines.embedded.sandbox.namespaces.runner import Bind, Spec

MAX_LAYERS = 500  # overlay's own limit (OVL_MAX_STACK)
_HOSTS = "127.0.0.1\tlocalhost %s\n::1\tlocalhost ip6-localhost ip6-loopback\n"
_FILE_FLAGS = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
_KILL_TIMEOUT = 10.0  # seconds for the helper to end everything; killing takes milliseconds
_PROBE_TIMEOUT = 30.0
_CHUNK = 1 << 16
# Hard links, renames and chmod give what BuildKit's give.
_OPTIONS = "index=off,metacopy=off"
_NO_REDIRECTS = {False: ",redirect_dir=off", True: ",userxattr"}  # by whether in a user namespace
_NO_SYNC = ",volatile"  # dpkg syncs a lot, for nothing here: see _prepare
_NO_SYNC_SINCE = (5, 10)  # Linux


class NamespaceSandbox:
    """Runs commands as Docker does: their own mounts, processes and host name, on stacked layers.

    `work` is a folder it keeps: `unpacked/` holds one folder per layer, `runs/` what is under way. The
    network is the host's, or none.
    """

    name = "namespaces"

    def __init__(self, work: Path) -> None:
        self._unpacked = work / "unpacked"
        self._runs = work / "runs"
        self._ready = False

    def run(
        self,
        layers: Sequence[Layer],
        command: Command,
        *,
        output: Callable[[bytes], None],
        layer: BinaryIO | None,
        timeout: float | None = None,
    ) -> int:
        """Run `command` on `layers`; see Sandbox.run.

        Raises EngineError when the sandbox cannot be set up, StoreError when the disk cannot take the files.
        """
        with ExitStack() as stack:
            with self._plain_errors():
                self._prepare()
                folder = stack.enter_context(claimed_folder(self._runs))
                spec = self._spec(folder, self._stack(folder, layers), command)
            code = _execute(spec, command.stdin, output=output, timeout=timeout)
            if code == 0 and layer is not None:
                with self._plain_errors():
                    writer = LayerWriter(layer)
                    snapshot(folder / "upper", writer)
                    writer.close()
                    # The next RUN needs this layer unpacked, and here it is (sockets included, as in Docker).
                    self._adopt(folder / "upper", writer.digest)
        return code

    def probe(self) -> str | None:
        """Try it for real; return None when it works, else why it does not."""
        if not syscalls.effective_capabilities() >> syscalls.CAP_SYS_ADMIN & 1:
            return "this process may not mount file systems (it lacks CAP_SYS_ADMIN)"
        said = bytearray()
        try:
            with self._plain_errors():
                self._prepare()
                with claimed_folder(self._runs) as folder:
                    make_opaque(str(folder))  # refused where the file system keeps no attributes
            # There is nothing to execute: that it is looked for in the new root proves every step before.
            self.run([], Command(("/probe",), {}), output=said.extend, layer=None, timeout=_PROBE_TIMEOUT)
        except StoreFullError:
            raise  # no other sandbox would have more room
        except (EngineError, StoreError) as error:
            return error.message
        except TimeoutError as error:
            return str(error)
        return None if said.startswith(b"exec: ") else f"it said {said.decode(errors='replace')!r}"

    def _plain_errors(self) -> AbstractContextManager[None]:
        return plain_errors(self._unpacked.parent, "unpacked layers")

    def _prepare(self) -> None:
        if self._ready:
            return
        for folder in (self._unpacked, self._runs):
            folder.mkdir(parents=True, exist_ok=True)
        # Nothing here is ever synced to disk, which would cost more than most commands do: the store has the
        # layers, and after a restart of the machine they are unpacked again.
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
        mark = self._unpacked / ".boot"
        with locked(self._unpacked.parent / "unpacked.lock", exclusive=True):
            if not mark.exists() or mark.read_text() != boot:
                for item in self._unpacked.iterdir():
                    remove_tree(item)
                mark.write_text(boot)
        clear_temporaries(self._runs)
        self._ready = True

    def _stack(self, folder: Path, layers: Sequence[Layer]) -> str:
        """Fill `folder` for an overlay mount on these layers; return the mount's options, relative to it."""
        lowers: list[Path] = []
        for layer in reversed(layers):
            lower = self._lower(layer)
            # The same layer twice: overlay refuses it, and all that the deeper one has, the upper one shows.
            if lower not in lowers:
                lowers.append(lower)
            if is_opaque_root(lower):
                break
        if len(lowers) > MAX_LAYERS:
            raise BuildError(
                f"This RUN has {len(lowers)} layers below it; the kernel can stack {MAX_LAYERS}.",
                hint="Join some instructions, or start from a flattened image: FROM scratch, COPY --from.",
            )
        for name in ("upper", "work", "merged", "none"):
            _make_folder(folder / name)
        # Numbers, because the options of a mount must fit one page of memory.
        for number, lower in enumerate(lowers):
            (folder / str(number)).symlink_to(Path("..", "..", "unpacked", lower.name))
        stack = ":".join(str(number) for number in range(len(lowers))) or "none"
        return f"lowerdir={stack},upperdir=upper,workdir=work,{_options()}"

    def _lower(self, layer: Layer) -> Path:
        """Return a layer's unpacked folder, made on first need; several processes may do so at once."""
        place = self._place(layer.diff_id)
        if not place.is_dir():
            with claimed_folder(self._runs) as folder:
                _make_folder(folder / "layer")
                unpack(layer, folder / "layer")
                self._adopt(folder / "layer", layer.diff_id)
        return place

    def _place(self, diff_id: str) -> Path:
        return self._unpacked / diff_id.removeprefix("sha256:")

    def _adopt(self, folder: Path, diff_id: str) -> None:
        """Make a folder the unpacked one of a layer, unless another process was quicker."""
        try:
            folder.rename(self._place(diff_id))
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise

    def _spec(self, folder: Path, options: str, command: Command) -> Spec:
        (folder / "hosts").write_text(_HOSTS % command.hostname)
        resolver = Path("/etc/resolv.conf")
        (folder / "resolv.conf").write_bytes(resolver.read_bytes() if resolver.exists() else b"")
        binds: list[Bind] = []
        for name in ("hosts", "resolv.conf"):
            (folder / name).chmod(0o644)
            binds.append(_bind(folder / name, f"/etc/{name}", read_only=True, flags=_FILE_FLAGS))
        for mount in command.mounts:
            if mount.source is not None and not mount.source.exists():
                raise BuildError(f"What is to be mounted on {mount.target} is not there: {mount.source}")
            mount.give_away()
            size = "" if mount.size is None else f",size={mount.size}"
            bind = _bind(
                mount.source, mount.target, read_only=mount.read_only, flags=syscalls.MS_NODEV, size=size
            )
            binds.append(bind)
        return {
            "folder": str(folder.resolve()),
            "options": options,
            "argv": list(command.argv),
            "env": dict(command.env),
            "cwd": command.cwd,
            "uid": command.uid,
            "gid": command.gid,
            "groups": list(command.groups),
            "network": command.network,
            "hostname": command.hostname,
            "binds": binds,
        }


def _bind(source: Path | None, target: str, *, read_only: bool, flags: int, size: str = "") -> Bind:
    return {
        "source": None if source is None else str(source.resolve()),
        "target": target,
        "folder": source is None or source.is_dir(),
        "read_only": read_only,
        "flags": flags,
        "nested": False,
        "size": size,
    }


def _options() -> str:
    version = tuple(int(part) for part in re.findall(r"\d+", os.uname().release)[:2])
    return _OPTIONS + _NO_REDIRECTS[in_user_namespace()] + (_NO_SYNC if version >= _NO_SYNC_SINCE else "")


def _make_folder(path: Path) -> None:
    path.mkdir()
    path.chmod(0o755)  # it is some image's root: whoever runs there must get in, whatever our umask is


def _execute(spec: Spec, stdin: bytes, *, output: Callable[[bytes], None], timeout: float | None) -> int:
    """Start the helper, pass on what it prints, return the command's exit code; whatever happens, end it."""
    deadline = None if timeout is None else time.monotonic() + timeout
    with ExitStack() as stack:
        request = stack.enter_context(_memory_file(marshal.dumps(dict(spec))))
        nothing = stack.enter_context(Path(os.devnull).open("rb"))
        standard_input = stack.enter_context(_memory_file(stdin)) if stdin else nothing
        printed, printed_end = stack.enter_context(_pipe())
        status, status_end = stack.enter_context(_pipe())
        leash_end, leash = stack.enter_context(_pipe())
        helper = stack.enter_context(
            helpers.start(
                stdin=standard_input.fileno(),
                output=printed_end.fileno(),
                request=request.fileno(),
                status=status_end.fileno(),
                leash=leash_end.fileno(),
            )
        )
        try:
            for end in (printed_end, status_end, leash_end):
                end.close()
            with ended_by(leash.close):
                _pass_on(printed, output, deadline, timeout)
                helper.wait()
        finally:
            leash.close()
            helper.wait(_KILL_TIMEOUT)
        return _exit_code(status.read())


def _pass_on(
    stream: BinaryIO, output: Callable[[bytes], None], deadline: float | None, timeout: float | None
) -> None:
    """Hand over what comes until the stream ends: then the last process of the command is gone."""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while True:
            left = None if deadline is None else deadline - time.monotonic()
            if not selector.select(left if left is None else max(left, 0)):
                raise TimeoutError(f"the command did not end within {timeout:g} seconds")
            data = os.read(stream.fileno(), _CHUNK)
            if not data:
                return
            output(data)
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"the command did not end within {timeout:g} seconds")


def _exit_code(said: bytes) -> int:
    word, _, rest = said.decode("utf-8", "replace").partition(" ")
    if word == "exit":
        return int(rest)
    reason = rest or "its helper process was killed"
    raise EngineError(
        f"The sandbox for RUN could not be set up: {reason}.",
        hint="Set DOCKERLAB_SANDBOX=proot to run commands without namespaces (needs the package proot).",
    )


def _memory_file(data: bytes) -> BinaryIO:
    file = os.fdopen(os.memfd_create("dockerlab", os.MFD_CLOEXEC), "r+b")
    file.write(data)
    file.seek(0)
    return file


@contextmanager
def _pipe() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as read_end, os.fdopen(writer, "wb") as write_end:
        yield read_end, write_end
