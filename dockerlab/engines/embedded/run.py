"""RUN: the command line, its environment, and the mounts that are there while it runs."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from dockerlab.dockerfile.hints import after_failed_run
from dockerlab.dockerfile.parser import Instruction
from dockerlab.engines.cache.inputs import Run, read_run, run_inputs
from dockerlab.engines.embedded import mirror
from dockerlab.engines.embedded.build_request import Request
from dockerlab.engines.embedded.mounts import RunResources, prepare, refuse_hidden
from dockerlab.engines.embedded.proxies import proxied
from dockerlab.engines.embedded.sandbox.contract import Command, Mount
from dockerlab.engines.embedded.sandbox.docker_defaults import HOSTNAME
from dockerlab.engines.embedded.state import StageState, unsupported
from dockerlab.engines.embedded.step import LayerStep
from dockerlab.engines.embedded.store import durable
from dockerlab.engines.embedded.users import run_user
from dockerlab.errors import BuildError, RunError
from dockerlab.image.image import Layer

_FULL = (
    "The disk is full: free some with `dockerlab prune`, or set DOCKERLAB_HOME to a folder on a larger one."
)


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


def run_step(
    instruction: Instruction, state: StageState, request: Request, resources: RunResources
) -> LayerStep:
    """RUN command: the sandbox runs it on top of the layers so far; what changed is the layer."""
    for name in ("security", "device"):
        if instruction.flag(name) is not None:
            raise unsupported(instruction, f"RUN --{name}={instruction.flag(name)}")
    run = read_run(instruction, state, request.build_args, network=request.options.network)
    if any(mount.type == "ssh" and mount.required for mount in run.mounts):
        raise unsupported(instruction, "RUN --mount=type=ssh,required: it forwards no agent")
    inputs = run_inputs(run, resources.origins, resources.digest, parent=state.key)
    log: list[str] = []

    def say(text: str) -> None:
        log.append(text)
        resources.on_line(text)

    def execute() -> Layer:
        lines = Lines(say)
        with (
            command(run, state, request, resources, line=instruction.line) as ready,
            resources.store.new_layer() as out,
        ):
            code = resources.sandbox().run(state.layers, ready, output=lines.feed, layer=out)
            lines.end()
            if code:
                raise _run_failed(instruction, code, log)
            return out.commit()

    declared = [f"{name}={run.env.get(name, value)}" for name, value in state.declared.items()]
    shown = " ".join([*([f"|{len(declared)}", *declared] if declared else []), *run.argv])
    return LayerStep(inputs, execute, f"RUN {shown} # buildkit", log)


@contextmanager
def command(
    run: Run, state: StageState, request: Request, resources: RunResources, *, line: int
) -> Iterator[Command]:
    """Yield the command with its mounts in place; what was made for it is gone afterwards."""
    user = run_user(state.tree, run.user)
    env = dict(run.env)
    env.setdefault("HOME", user.home)
    env = proxied(env, request.build_args)
    with ExitStack() as stack:
        mounts = []
        # There may be secrets in it: of `tmp` the next process removes what a killed one left.
        with durable.plain_errors(resources.store.root):
            folder = stack.enter_context(durable.claimed_folder(resources.store.root / "tmp"))
        for index, spec in enumerate(run.mounts):
            if spec.type == "secret":
                secret = request.secrets.get(spec.id)
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
            if spec.type == "ssh":
                env.setdefault("SSH_AUTH_SOCK", spec.target)  # as BuildKit does without an agent
                continue
            mounts.append(prepare(spec, folder / str(index), stack, resources, request.secrets))
        if run.script is not None:
            path = folder / "script"
            path.write_text(run.script, encoding="utf-8")
            path.chmod(0o755)
            mounts.append(Mount("bind", run.script_path, path, read_only=True))
        kept = mirror.folder(resources.store) if run.network != "none" else None
        if kept is not None:
            variables, settings = stack.enter_context(mirror.serving(kept, folder / "apt.conf"))
            env = {**variables, **env}
            mounts.append(settings)
        refuse_hidden(mounts, state.tree, line=line)
        yield Command(
            run.argv,
            env,
            state.absolute("."),
            user.uid,
            user.gid,
            user.groups,
            tuple(mounts),
            network=run.network != "none",
            hostname=run.hostname or HOSTNAME,
        )


def _run_failed(instruction: Instruction, code: int, log: Sequence[str]) -> RunError:
    full = any(os.strerror(errno.ENOSPC) in line for line in log)
    return RunError(
        f"{instruction.text} ended with exit code {code}",
        exit_code=code,
        log=tuple(log),
        line=instruction.line,
        hint=_FULL if full else after_failed_run(instruction.text, log),
    )
