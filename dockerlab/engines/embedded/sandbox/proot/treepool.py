"""Which work tree a RUN gets: one per RUN at a time, the one that is closest to what it needs."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dockerlab.engines.embedded.sandbox.proot.worktree import WorkTree, remove_tree
from dockerlab.errors import StoreError

_MAX_TREES = 64


@contextmanager
def borrow(folder: Path, stack: Sequence[str]) -> Iterator[WorkTree]:
    """Lock a free tree below `folder` for the block: the one nearest to `stack`, or a new one.

    The lock is the kernel's (flock): a process that dies gives it up, and the tree's dirty mark tells.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = sorted(path.name for path in folder.glob("tree-*"))
    names.sort(key=lambda name: -_shared(folder / name, stack))
    names += [f"tree-{number}" for number in range(_MAX_TREES) if f"tree-{number}" not in names]
    for name in names:
        home = folder / name
        home.mkdir(exist_ok=True)
        lock = os.open(home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            tree = WorkTree(home)
            tree.load()
            try:
                yield tree
            except (OSError, StoreError):
                remove_tree(tree.root)  # the disk did not take it all: what it took is worth more as room
                raise
            finally:
                remove_tree(tree.scratch)  # there may be a secret in it
            return
        finally:
            os.close(lock)
    raise BlockingIOError(f"all {_MAX_TREES} work trees below {folder} are in use")


def _shared(home: Path, stack: Sequence[str]) -> int:
    """Return how many of the lowest layers of `stack` a tree shows."""
    try:
        shown = (home / "stack").read_text(encoding="utf-8").split()
    except FileNotFoundError:
        return 0
    shared = 0
    for one, other in zip(shown, stack, strict=False):
        if one != other:
            break
        shared += 1
    return shared
