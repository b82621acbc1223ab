"""RUN --mount: the flag, what the cache key has of it, and what it shows while the command runs."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from dockerlab.dockerfile import Instruction
from dockerlab.engines.embedded import durable
from dockerlab.engines.embedded.buildcache import Sharing
from dockerlab.engines.embedded.instructions import State, unsupported
from dockerlab.engines.embedded.sandbox import Mount
from dockerlab.engines.embedded.store import Store
from dockerlab.engines.sources import Checksum, Digest, Source, checksums
from dockerlab.errors import BuildError, DockerfileError
from dockerlab.filesystem import Tree, join

SHARING: Mapping[str, Sharing] = {"shared": "shared", "private": "private", "locked": "locked"}

MOUNT_KEYS = (
    *("type", "target", "dst", "destination", "source", "src", "from", "id", "sharing", "size"),
    *("ro", "readonly", "rw", "readwrite", "required", "mode", "uid", "gid", "env"),
)

Bound = Mapping[str, Sequence[Checksum]]  # target of a bind mount -> its files

TreeOf = Callable[[str | None], tuple[Tree, str]]  # a from= (None: the build context) -> its files, its name


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
    size: int | None  # bytes a tmpfs may hold

    @property
    def kept(self) -> str:
        """Return the options that the cache key covers: not a cache's id, nor how it is shared."""
        words = [self.type, "ro" if self.read_only and self.type != "bind" else ""]
        words += ["rw" if not self.read_only and self.type == "bind" else ""]
        words += [f"id={self.id}" if self.type == "secret" else "", "required" if self.required else ""]
        words += [f"env={self.variable}" if self.variable else ""]
        words += [f"mode={self.mode:04o}" if self.mode is not None else ""]
        words += [f"size={self.size}" if self.size is not None else ""]
        words += [f"uid={self.uid}" if self.uid else "", f"gid={self.gid}" if self.gid else ""]
        return " ".join(word for word in words if word)

    @property
    def shown(self) -> str:
        """Return what is said of the mount when it changed."""
        return f"{self.kept} {self.source}".strip()


def read_mount(value: str, one: Instruction, state: State, namespace: str) -> MountSpec:
    """Return what one --mount flag of a RUN asks for; the id of a cache is one in `namespace`."""
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
    if "size" in fields and kind != "tmpfs":
        raise DockerfileError(
            f"--mount=type={kind} takes no size", line=one.line, hint="Leave it out: it is for type=tmpfs."
        )
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
    name = f"{namespace}/{name or target}" if namespace and kind == "cache" else name
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
        _bytes(fields["size"], one.line) if "size" in fields else None,
    )


def _bytes(text: str, line: int) -> int:
    """Return a size such as 64m, 1.5 GB or 1024 in bytes; a unit is a power of 1024, as in Docker."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?", text, re.IGNORECASE)
    if found is None:
        raise DockerfileError(f'size is "{text}"', line=line, hint="Write bytes, or a unit: size=64m.")
    return int(float(found[1]) * 1024 ** " kmgtp".index(found[2].lower() or " "))


def _is_true(fields: Mapping[str, str], *names: str) -> bool:
    return any(fields.get(name, "false").lower() in ("true", "1", "") for name in names)


def bound_files(mounts: Sequence[MountSpec], tree_of: TreeOf, digest: Digest) -> Bound:
    """Return, by target, the files each bind mount shows, as the cache key sees them."""
    found = {}
    for mount in mounts:
        if mount.type == "bind":
            tree, where = tree_of(mount.origin)
            found[mount.target] = checksums(Source(tree, mount.source or "/", where), digest)
    return found


def prepare(
    spec: MountSpec,
    place: Path,
    stack: ExitStack,
    store: Store,
    tree_of: TreeOf,
    secrets: Mapping[str, bytes],
    empty: Callable[[str], bool],
) -> Mount:
    """Make what the mount shows, at `place` where it needs one; `stack` undoes it."""
    if spec.type == "tmpfs":
        return Mount("tmpfs", spec.target, size=spec.size)
    if spec.type == "secret":
        place.write_bytes(secrets[spec.id])
        place.chmod(spec.mode if spec.mode is not None else 0o400)
        _own(place, spec.uid, spec.gid)
        return Mount("bind", spec.target, place, read_only=True)
    if spec.type == "cache":
        mount = store.cache_mount(spec.id, sharing=spec.sharing, emptied=empty(spec.id))
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
