"""RUN: the command line, its environment, and the mounts that are there while it runs."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from dockerlab.dockerfile import Instruction
from dockerlab.engines.embedded import buildargs, durable
from dockerlab.engines.embedded.instructions import State, unsupported
from dockerlab.engines.embedded.layerstep import LayerStep
from dockerlab.engines.embedded.mounts import Bound, MountSpec, TreeOf, bound_files, prepare, read_mount
from dockerlab.engines.embedded.proxies import proxied
from dockerlab.engines.embedded.request import Request
from dockerlab.engines.embedded.sandbox import Command, Mount, Sandbox
from dockerlab.engines.embedded.sandbox.docker_defaults import DEFAULT_PATH, HOSTNAME
from dockerlab.engines.embedded.store import Store
from dockerlab.engines.embedded.users import run_user
from dockerlab.engines.sources import Digest
from dockerlab.errors import BuildError, DockerfileError, RunError
from dockerlab.image import Layer

_FULL = (
    "The disk is full: free some with `dockerlab prune`, or set DOCKERLAB_HOME to a folder on a larger one."
)
PIPES = "/dev/pipes"  # where BuildKit puts a heredoc that starts with #!


class Lines:
    """Bytes in, whole lines of text out; a carriage return starts the line over, as a terminal shows it."""

    def __init__(self, line: Callable[[str], None]) -> None:
        self._line = line
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        for text in whole:
            self._emit(text)

    def end(self) -> None:
        """Pass on a last line that no newline ended."""
        if self._rest:
            self._emit(self._rest)
            self._rest = b""

    def _emit(self, text: bytes) -> None:
        self._line(text.rstrip(b"\r").rpartition(b"\r")[2].decode("utf-8", "replace"))


@dataclass(frozen=True)
class Run:
    """A RUN, ready to be keyed and run."""

    argv: tuple[str, ...]
    shown: str  # as the history shows it
    env: Mapping[str, str]
    cwd: str
    user: str
    mounts: tuple[MountSpec, ...]
    network: bool
    script: str | None  # content of a heredoc that starts with #!
    script_path: str = ""
    hostname: str = ""

    def inputs(self, parent: str, bound: Bound) -> dict[str, Any]:
        """Return the named inputs of the step, for people. `bound` holds the files of each bind mount.

        A secret's value and a cache mount's content are no part of it.
        """
        return {
            "instruction": "RUN",
            "command": list(self.argv),
            "script": self.script,
            "environment": dict(self.env),
            "user": self.user,
            "working folder": self.cwd,
            "network": self.network,
            **({"host name": self.hostname} if self.hostname else {}),
            "mounts": {mount.target or mount.id: mount.shown for mount in self.mounts},
            "bound files": {one.path: one.text for files in bound.values() for one in files},
            "parent": parent,
        }

    def identity(self, parent: str, bound: Bound) -> dict[str, Any]:
        """Return what the cache key covers, which is what BuildKit's does.

        Beside `inputs` the order of variables counts; of a bind mount only the content does, not its path.
        """
        return {
            **self.inputs(parent, {}),
            "environment": list(self.env.items()),
            "mounts": [[mount.target, mount.kept] for mount in self.mounts],
            "bound files": {
                target: [[one.name, one.text] for one in files] for target, files in bound.items()
            },
        }


@dataclass(frozen=True)
class Room:
    """What a RUN is done with."""

    store: Store
    sandbox: Callable[[], Sandbox]
    tree_of: TreeOf
    digest: Digest
    empty: Callable[[str], bool]  # whether the cache mount of an id starts empty
    on_line: Callable[[str], None]


def run_step(one: Instruction, state: State, request: Request, room: Room) -> LayerStep:
    """RUN command: the sandbox runs it on top of the layers so far; what changed is the layer."""
    run = read(one, state, request.build_args, network=request.options.network)
    bound = bound_files(run.mounts, room.tree_of, room.digest)
    log: list[str] = []

    def say(text: str) -> None:
        log.append(text)
        room.on_line(text)

    def execute() -> Layer:
        lines = Lines(say)
        with (
            command(
                run,
                state,
                room.store,
                room.tree_of,
                request.secrets,
                build_args=request.build_args,
                empty=room.empty,
                line=one.line,
            ) as ready,
            room.store.new_layer() as out,
        ):
            code = room.sandbox().run(state.layers, ready, output=lines.feed, layer=out)
            lines.end()
            if code:
                raise _run_failed(one, code, log)
            return out.commit()

    inputs, identity = run.inputs(state.key, bound), run.identity(state.key, bound)
    return LayerStep(inputs, execute, run.shown, log, identity=identity)


def read(one: Instruction, state: State, build_args: Mapping[str, str], *, network: str) -> Run:
    """Return what a RUN instruction asks for; `network` is for one that has the default."""
    argv, script, script_path = _argv(one, state)
    asked = one.flag("network") or "default"
    if asked == "host":
        raise DockerfileError(
            "--network=host is not allowed: BuildKit wants --allow network.host for it",
            line=one.line,
            hint="Leave it out: a RUN reaches the network without it.",
        )
    if asked not in ("default", "none"):
        raise DockerfileError(f'--network is "{asked}"', line=one.line, hint="Use default or none.")
    network = network if asked == "default" else asked
    for name in ("security", "device"):
        if one.flag(name) is not None:
            raise unsupported(one, f"RUN --{name}={one.flag(name)}")
    namespace = build_args.get(buildargs.CACHE_NAMESPACE, "")
    specs = tuple(read_mount(value, one, state, namespace) for value in one.flag_values("mount"))
    env = state.variables
    env.setdefault("PATH", DEFAULT_PATH)
    declared = [f"{name}={env.get(name, value)}" for name, value in state.declared.items()]
    shown = " ".join([*([f"|{len(declared)}", *declared] if declared else []), *argv])
    return Run(
        argv,
        f"RUN {shown} # buildkit",
        env,
        state.workdir,
        str(state.config.get("User") or ""),
        specs,
        network != "none",
        script,
        script_path,
        build_args.get(buildargs.HOSTNAME, ""),
    )


def _argv(one: Instruction, state: State) -> tuple[tuple[str, ...], str | None, str]:
    if one.json:
        return one.args, None, ""
    if one.shebang is not None:
        path = f"{PIPES}/{one.shebang.name}"
        return (*state.shell, path), one.shebang.content, path
    return (*state.shell, one.script or ""), None, ""


@contextmanager
def command(
    run: Run,
    state: State,
    store: Store,
    tree_of: TreeOf,
    secrets: Mapping[str, bytes],
    *,
    build_args: Mapping[str, str],
    empty: Callable[[str], bool],
    line: int,
) -> Iterator[Command]:
    """Yield the command with its mounts in place; what was made for it is gone afterwards.

    `empty` tells of a cache mount's id whether the mount starts empty, whatever earlier builds left there.
    """
    user = run_user(state.tree, run.user)
    env = dict(run.env)
    env.setdefault("HOME", user.home)
    env = proxied(env, build_args)
    with ExitStack() as stack:
        mounts = []
        # There may be secrets in it: of `tmp` the next process removes what a killed one left.
        with durable.plain_errors(store.root):
            folder = stack.enter_context(durable.claimed_folder(store.root / "tmp"))
        for index, spec in enumerate(run.mounts):
            if spec.type == "secret":
                secret = secrets.get(spec.id)
                if secret is None and spec.required:
                    raise BuildError(
                        f'the secret "{spec.id}" was not given',
                        line=line,
                        hint=f"Pass it to the build: --secret id={spec.id},src=FILE.",
                    )
                if secret is None:
                    continue
                if spec.variable:
                    env[spec.variable] = secret.decode("utf-8", "replace")  # as in BuildKit
                if not spec.target:
                    continue
            mounts.append(prepare(spec, folder / str(index), stack, store, tree_of, secrets, empty))
        if run.script is not None:
            path = folder / "script"
            path.write_text(run.script, encoding="utf-8")
            path.chmod(0o755)
            mounts.append(Mount("bind", run.script_path, path, read_only=True))
        yield Command(
            run.argv,
            env,
            run.cwd,
            user.uid,
            user.gid,
            user.groups,
            tuple(mounts),
            network=run.network,
            hostname=run.hostname or HOSTNAME,
        )


def _run_failed(one: Instruction, code: int, log: Sequence[str]) -> RunError:
    full = any(os.strerror(errno.ENOSPC) in line for line in log)
    return RunError(
        f"{one.text} ended with exit code {code}",
        exit_code=code,
        log=tuple(log),
        line=one.line,
        hint=_FULL if full else "Mend that line and build again: the steps above it are cached.",
    )
