"""What a RUN's mounts show while its command runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from dockerlab.dockerfile.mounts import MountSpec
from dockerlab.engines.cache.copy_sources import Digest
from dockerlab.engines.cache.inputs import Origin, Origins
from dockerlab.engines.embedded.sandbox.contract import Mount, Owned, Sandbox
from dockerlab.engines.embedded.store import durable
from dockerlab.engines.embedded.store.store import Store
from dockerlab.errors import BuildError
from dockerlab.image.filesystem import CHUNK, Tree, join


@dataclass(frozen=True)
class RunResources:
    """What a RUN is done with."""

    store: Store
    sandbox: Callable[[], Sandbox]
    origins: Origins
    digest: Digest
    empty: Callable[[str], bool]  # whether the cache mount of an id starts empty
    on_line: Callable[[str], None]


def prepare(
    spec: MountSpec, place: Path, stack: ExitStack, resources: RunResources, secrets: Mapping[str, bytes]
) -> Mount:
    """Make what the mount shows, at `place` where it needs one; `stack` undoes it."""
    if spec.type == "tmpfs":
        return Mount("tmpfs", spec.target, read_only=spec.read_only, size=spec.size)
    if spec.type == "secret":
        place.write_bytes(secrets[spec.id])
        place.chmod(spec.mode if spec.mode is not None else 0o400)
        return Mount("bind", spec.target, place, read_only=True, owners=_owned("", spec.uid, spec.gid))
    if spec.type == "cache":
        return _cache(spec, stack, resources)
    origin = resources.origins(spec.origin)
    tree = _known(origin)
    top = tree.resolve(spec.source)
    if not tree.is_dir(top) and top not in tree:
        raise BuildError(
            f'"{spec.source}" is not in {origin.where}', hint="Look at the path and at .dockerignore."
        )
    with durable.plain_errors(resources.store.root):
        owners = checkout(tree, top, place)
    return Mount("bind", spec.target, place, read_only=spec.read_only, owners=owners)


def refuse_hidden(mounts: Sequence[Mount], tree: Tree, *, line: int) -> None:
    """Refuse a mount in a read-only one that has no place for it."""
    places = [(f"{tree.resolve(mount.target)}/", mount) for mount in mounts]
    for place, mount in places:
        for above, outer in places:
            inside = (
                place.removeprefix(above).rstrip("/") if place != above and place.startswith(above) else ""
            )
            if inside and outer.read_only and outer.source and not os.path.lexists(outer.source / inside):
                raise BuildError(
                    f"there is no place for the mount on {mount.target}: {outer.target} is mounted read-only",
                    line=line,
                    hint=f"Mount {outer.target} with rw, or put {inside} there.",
                )


def _cache(spec: MountSpec, stack: ExitStack, resources: RunResources) -> Mount:
    """Mount the folder of a cache: one of the id, of what it starts with and of its mode and owner."""
    origin = resources.origins(spec.origin) if spec.origin is not None else None
    parts = [spec.id, spec.owned, f"{origin.key} {spec.source}" if origin is not None else ""]
    identity = "\n".join(part for part in parts if part)
    held = resources.store.cache_mount(identity, sharing=spec.sharing, emptied=resources.empty(identity))
    folder = stack.enter_context(held)
    owners: tuple[Owned, ...] = ()
    with suppress(PermissionError):  # it was given away already: it has what it starts with, and its mode
        if origin is not None and not any(folder.iterdir()):
            tree = _known(origin)
            owners = checkout(tree, tree.resolve(spec.source), folder)
        if spec.owned:
            folder.chmod(0o755 if spec.mode is None else spec.mode)
    if spec.owned:
        owners += _owned("", spec.uid, spec.gid)
    return Mount("bind", spec.target, folder, read_only=spec.read_only, owners=owners)


def _known(origin: Origin) -> Tree:
    assert origin.tree is not None, f"{origin.where} is here"
    return origin.tree


def checkout(tree: Tree, top: str, place: Path, inside: str = "") -> tuple[Owned, ...]:
    """Write what `tree` holds at `top` to the real path `place`; return whose it is to be."""
    node = tree.get(top)
    owners = _owned(inside, node.entry.uid, node.entry.gid) if node is not None else ()
    if node is not None and node.entry.kind == "file":
        with node.origin.open(node.entry) as source, place.open("wb") as out:
            shutil.copyfileobj(source, out, CHUNK)
        place.chmod(node.entry.mode)
    elif node is not None and node.entry.kind == "symlink":
        place.symlink_to(node.entry.link)
    elif tree.is_dir(top):
        place.mkdir(exist_ok=True)
        for name in tree.children(top):
            owners += checkout(tree, join(top, name), place / name, join(inside, name))
        place.chmod(node.entry.mode if node is not None else 0o755)
    return owners


def _owned(path: str, uid: int | None, gid: int | None) -> tuple[Owned, ...]:
    return (Owned(path, uid or 0, gid or 0),) if uid or gid else ()
