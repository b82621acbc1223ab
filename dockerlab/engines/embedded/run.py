"""RUN: the command line, its environment, and the mounts that are there while it runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dockerlab.dockerfile import Instruction
from dockerlab.engines.embedded import durable
from dockerlab.engines.embedded.buildcache import Sharing
from dockerlab.engines.embedded.copy import Checksum, Digest, Source, checksums
from dockerlab.engines.embedded.instructions import DEFAULT_PATH, PROXY_ARGS, State, unsupported
from dockerlab.engines.embedded.sandbox import Command, Mount
from dockerlab.engines.embedded.store import Store
from dockerlab.engines.embedded.users import run_user
from dockerlab.errors import BuildError, DockerfileError
from dockerlab.filesystem import Tree, join

SHARING: Mapping[str, Sharing] = {"shared": "shared", "private": "private", "locked": "locked"}

MOUNT_KEYS = (
    *("type", "target", "dst", "destination", "source", "src", "from", "id", "sharing", "size"),
    *("ro", "readonly", "rw", "readwrite", "required", "mode", "uid", "gid", "env"),
)

Bound = Mapping[str, Sequence[Checksum]]  # target of a bind mount -> its files

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
class MountSpec:
    """One --mount flag, read."""

    type: str
    target: str
    source: str
    origin: str | None  # from=: a stage or an image
    id: str
    sharing: Sharing
    read_only: bool
    required: bool
    variable: str | None  # env=: a secret as an environment variable
    mode: int | None
    uid: int
    gid: int

    @property
    def kept(self) -> str:
        """Return the options that the cache key covers: not a cache's id, nor how it is shared."""
        words = [self.type, "ro" if self.read_only and self.type != "bind" else ""]
        words += ["rw" if not self.read_only and self.type == "bind" else ""]
        words += [f"id={self.id}" if self.type == "secret" else "", "required" if self.required else ""]
        words += [f"env={self.variable}" if self.variable else ""]
        words += [f"mode={self.mode:04o}" if self.mode is not None else ""]
        words += [f"uid={self.uid}" if self.uid else "", f"gid={self.gid}" if self.gid else ""]
        return " ".join(word for word in words if word)

    @property
    def shown(self) -> str:
        """Return what is said of the mount when it changed."""
        return f"{self.kept} {self.source}".strip()


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


def read(one: Instruction, state: State) -> Run:
    """Return what a RUN instruction asks for."""
    argv, script, script_path = _argv(one, state)
    network = one.flag("network") or "default"
    if network not in ("default", "none", "host"):
        raise DockerfileError(f'--network is "{network}"', line=one.line, hint="Use default, none or host.")
    if one.flag("security") is not None:
        raise unsupported(one, f"RUN --security={one.flag('security')}")
    specs = tuple(_mount(value, one, state) for value in one.flag_values("mount"))
    env = state.variables
    env.setdefault("PATH", DEFAULT_PATH)
    declared = [f"{name}={state.variables.get(name, '')}" for name in state.args]
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
    )


def _argv(one: Instruction, state: State) -> tuple[tuple[str, ...], str | None, str]:
    if one.json:
        return one.args, None, ""
    if one.shebang is not None:
        path = f"{PIPES}/{one.shebang.name}"
        return (*state.shell, path), one.shebang.content, path
    return (*state.shell, one.script or ""), None, ""


def _mount(value: str, one: Instruction, state: State) -> MountSpec:
    fields: dict[str, str] = {}
    for part in value.split(","):
        name, equals, text = part.partition("=")
        fields[name.strip().lower()] = state.expand(text, one.line) if equals else "true"
    unknown = [name for name in fields if name not in MOUNT_KEYS]
    if unknown:
        raise DockerfileError(
            f'--mount has an unknown key "{unknown[0]}"',
            line=one.line,
            hint=f"There are {', '.join(MOUNT_KEYS)}.",
        )
    if "$" in value.partition("from=")[2].partition(",")[0]:
        raise DockerfileError(
            "--mount=from= takes no variable", line=one.line, hint="Name a stage: FROM $IMAGE AS tools."
        )
    kind = fields.pop("type", "bind")
    if kind not in ("bind", "cache", "tmpfs", "secret"):
        raise unsupported(one, f"RUN --mount=type={kind}")
    target = next((fields[name] for name in ("target", "dst", "destination") if name in fields), "")
    source = fields.get("source") or fields.get("src") or ""
    name = fields.get("id") or (Path(source).name if kind == "secret" and source else "")
    if kind == "secret":
        name = name or Path(target).name
        if not target and "env" not in fields:
            target = f"/run/secrets/{name}"
    if not target and "env" not in fields:
        raise DockerfileError(f"--mount={value} has no target", line=one.line, hint="Add target=/folder.")
    if target and not target.startswith("/"):
        target = f"{state.workdir.rstrip('/')}/{target}"
    sharing: Sharing | None = SHARING.get(fields.get("sharing", "shared"))
    if sharing is None:
        raise DockerfileError(
            f'sharing is "{fields["sharing"]}"', line=one.line, hint="Use shared, private or locked."
        )
    return MountSpec(
        kind,
        target,
        source,
        fields.get("from"),
        name or target,
        sharing,
        _is_true(fields, "readonly", "ro") or (kind == "bind" and not _is_true(fields, "rw", "readwrite")),
        _is_true(fields, "required"),
        fields.get("env"),
        int(fields["mode"], 8) if "mode" in fields else None,
        int(fields.get("uid", "0")),
        int(fields.get("gid", "0")),
    )


def _is_true(fields: Mapping[str, str], *names: str) -> bool:
    return any(fields.get(name, "false").lower() in ("true", "1", "") for name in names)


TreeOf = Callable[[str | None], tuple[Tree, str]]  # a from= (None: the build context) -> its files, its name


def bound_files(run: Run, tree_of: TreeOf, digest: Digest) -> Bound:
    """Return, by target, the files each bind mount shows, as the cache key sees them."""
    found = {}
    for mount in run.mounts:
        if mount.type == "bind":
            tree, where = tree_of(mount.origin)
            found[mount.target] = checksums(Source(tree, mount.source or "/", where), digest)
    return found


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

    `empty` tells of a cache mount's id whether the mount starts empty, whatever earlier builds left there;
    one with a from= never does, as in BuildKit.
    Proxy settings come from the build arguments, declared or not, else from our own environment.
    """
    user = run_user(state.tree, run.user)
    env = dict(run.env)
    env.setdefault("HOME", user.home)
    for name in PROXY_ARGS:
        for variant in (name, name.lower()):
            value = build_args.get(variant, os.environ.get(variant))
            if value is not None:
                env.setdefault(variant, value)
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
                    env[spec.variable] = secret.decode()
                if not spec.target:
                    continue
            mounts.append(_prepare(spec, folder / str(index), stack, store, tree_of, secrets, empty))
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
        )


def _prepare(
    spec: MountSpec,
    place: Path,
    stack: ExitStack,
    store: Store,
    tree_of: TreeOf,
    secrets: Mapping[str, bytes],
    empty: Callable[[str], bool],
) -> Mount:
    if spec.type == "tmpfs":
        return Mount("tmpfs", spec.target)
    if spec.type == "secret":
        place.write_bytes(secrets[spec.id])
        place.chmod(spec.mode if spec.mode is not None else 0o400)
        _own(place, spec.uid, spec.gid)
        return Mount("bind", spec.target, place, read_only=True)
    if spec.type == "cache":
        emptied = spec.origin is None and empty(spec.id)
        mount = store.cache_mount(spec.id, sharing=spec.sharing, emptied=emptied)
        source = stack.enter_context(mount)
        if spec.origin is not None and not any(source.iterdir()):
            tree, _ = tree_of(spec.origin)
            checkout(tree, tree.resolve(spec.source), source)
        if spec.mode is not None:
            source.chmod(spec.mode)
        if spec.uid or spec.gid:
            _own(source, spec.uid, spec.gid)
        return Mount("bind", spec.target, source, read_only=spec.read_only)
    tree, where = tree_of(spec.origin)
    top = tree.resolve(spec.source)
    if not tree.is_dir(top) and top not in tree:
        raise BuildError(f'"{spec.source}" is not in {where}', hint="Look at the path and at .dockerignore.")
    with durable.plain_errors(store.root):
        checkout(tree, top, place)
    return Mount("bind", spec.target, place, read_only=spec.read_only)


def checkout(tree: Tree, top: str, place: Path) -> None:
    """Write what `tree` holds at `top` to the real path `place`, owners too where that is allowed."""
    node = tree.get(top)
    if node is not None and node.entry.kind == "file":
        with node.origin.open(node.entry) as source, place.open("wb") as out:
            shutil.copyfileobj(source, out, 1 << 20)
        place.chmod(node.entry.mode)
        _own(place, node.entry.uid, node.entry.gid)
    elif node is not None and node.entry.kind == "symlink":
        place.symlink_to(node.entry.link)
    elif tree.is_dir(top):
        place.mkdir(exist_ok=True)
        for name in tree.children(top):
            checkout(tree, join(top, name), place / name)
        place.chmod(node.entry.mode if node is not None else 0o755)
        if node is not None:
            _own(place, node.entry.uid, node.entry.gid)


def _own(path: Path, uid: int, gid: int) -> None:
    if os.geteuid() == 0:
        os.chown(path, uid, gid, follow_symlinks=False)
