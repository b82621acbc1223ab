"""What a RUN has mounted under proot, and the places for it in a work tree: there during the RUN only."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dockerlab.engines.embedded.sandbox.contract import Mount
from dockerlab.engines.embedded.sandbox.proot.treescan import Scan, key_of
from dockerlab.engines.embedded.sandbox.proot.worktree import WorkTree
from dockerlab.errors import BuildError
from dockerlab.image.filesystem import Tree

HOST_FOLDERS = ("/proc", "/dev", "/sys")
HOST_FILES = ("/etc/resolv.conf", "/etc/hosts")


@dataclass(frozen=True)
class Bind:
    """A host path seen at `target`, a path of the image with its symlinks resolved (no leading slash)."""

    source: Path
    target: str
    nested: bool = False  # it lies in another mount: nothing of it is in the image


def binds(tree: WorkTree, below: Tree, mounts: Sequence[Mount]) -> list[Bind]:
    """Return what to bind; outer targets first.

    A guest that removes or writes what is bound does so to the host's: what must not change is copied. A
    read-write source is bound itself, since caches are big.
    """
    found = [Bind(Path(path), below.resolve(path)) for path in HOST_FOLDERS if Path(path).is_dir()]
    for name in HOST_FILES:
        if Path(name).is_file():
            copy = tree.scratch / Path(name).name
            shutil.copyfile(name, copy)
            found.append(Bind(copy, below.resolve(name)))
    ours = len(found)
    targets = {id(mount): below.resolve(mount.target) for mount in mounts}
    for number, mount in enumerate(sorted(mounts, key=lambda item: targets[id(item)].count("/"))):
        if os.geteuid() == 0:
            mount.give_away()
        place = tree.scratch / f"mount-{number}"
        target = targets[id(mount)]
        if mount.kind == "tmpfs" or mount.source is None:
            place.mkdir()
            place.chmod(0o1777)
        elif not mount.read_only:
            place = mount.source
        elif mount.source.is_dir():
            shutil.copytree(mount.source, place, symlinks=True)
        else:
            shutil.copy2(mount.source, place)
        # Never one of the host's own: a mount point made in its /dev would be made on the machine.
        outer = next((bind for bind in reversed(found[ours:]) if target.startswith(f"{bind.target}/")), None)
        if outer is not None:
            _make_inside(outer.source, target[len(outer.target) + 1 :], folder=place.is_dir())
        found.append(Bind(place, target, nested=outer is not None))
    return found


def _make_inside(outer: Path, path: str, *, folder: bool) -> None:
    """Make a mount point in another mount, as a container's runtime does; it follows no symlink there."""
    place = outer
    for part in path.split("/"):
        if place.is_symlink():
            raise BuildError(f"the mount point {path} lies behind a symlink of another mount")
        if not place.exists():
            place.mkdir()
        place /= part
    if not place.exists() and not place.is_symlink():
        place.mkdir() if folder else place.touch()


class MountPoints:
    """The targets that the image lacks: made before the RUN, gone after it without a trace.

    proot would make and remove them itself, and their folder would look changed.
    """

    def __init__(self, tree: WorkTree, wanted: Sequence[Bind]) -> None:
        self._tree = tree
        self._parents: list[str] = []  # made for a target; what the RUN writes there stays
        self._made: list[str] = []
        for bind in wanted:
            if bind.target and not bind.nested and bind.target not in tree.held:
                self._make(bind)

    @property
    def made(self) -> frozenset[str]:
        """The targets that belong to no layer."""
        return frozenset(self._made)

    def _make(self, bind: Bind) -> None:
        missing = []
        path = bind.target.rpartition("/")[0]
        while path and not (path in self._tree.held or path in self._parents or path in self._made):
            missing.append(path)
            path = path.rpartition("/")[0]
        held = self._tree.held.get(path)
        for parent in reversed(missing):
            (self._tree.root / parent).mkdir()
            self._parents.append(parent)
        place = self._tree.root / bind.target
        if bind.source.is_dir():
            place.mkdir(exist_ok=True)
        elif not place.exists():
            place.touch()
        self._made.append(bind.target)
        if held is not None:
            folder = self._tree.root / path
            os.utime(folder, ns=(held.key[0], held.key[0]))
            held.key = key_of(folder.stat())

    def remove(self, seen: Scan) -> None:
        """Take them away after the RUN's scan; the scan then says how the folders are."""
        for path in reversed(self._made):
            place = self._tree.root / path
            if place.is_dir() and not place.is_symlink():
                shutil.rmtree(place)
            else:
                place.unlink(missing_ok=True)
            self._settle(path, seen)
        for path in reversed(self._parents):
            empty = path in seen.found and not any((self._tree.root / path).iterdir())
            if empty:
                (self._tree.root / path).rmdir()
                del seen.found[path]
                self._settle(path, seen)

    def _settle(self, path: str, seen: Scan) -> None:
        """Give the folder of what was removed its time back, and note its change key."""
        parent = path.rpartition("/")[0]
        if parent in seen.found:
            old = seen.found[parent]
            folder = self._tree.root / parent
            os.utime(folder, ns=(old.key[0], old.key[0]))
            now = key_of(folder.stat())
            held = self._tree.held.get(parent)
            if held is not None and held.key == old.key:
                held.key = (*now[:4], old.key[4])
            seen.found[parent] = replace(old, key=(*now[:4], old.key[4]))
