"""Whose a file is, where every file on disk is the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dockerlab.engines.embedded.sandbox import supervise
from dockerlab.engines.embedded.sandbox.worktree import Seen
from dockerlab.filesystem import Entry

_SETGID = 0o2000


@dataclass(frozen=True)
class Device:
    """What a faked mknod would have made."""

    block: bool
    major: int
    minor: int


@dataclass(frozen=True)
class Recorded:
    """The chown and mknod calls of one RUN, by "device:inode"; -1 is "not changed"."""

    owners: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)  # uid, gid, birth in ns
    devices: Mapping[str, tuple[int, int, int, int]] = field(
        default_factory=dict
    )  # char, major, minor, birth

    @classmethod
    def read(cls, result: Mapping[str, Any]) -> Recorded:
        """Take the supervisor's result."""
        return cls(
            {key: (row[0], row[1], row[2]) for key, row in result["owners"].items()},
            {key: (row[0], row[1], row[2], row[3]) for key, row in result["devices"].items()},
        )

    def chowned(self, place: str, seen: Seen) -> tuple[int, int] | None:
        """Return the (uid, gid) a chown of the file at `place` set, or None when there was none."""
        row = self.owners.get(f"{seen.device}:{seen.inode}")
        if row is None or supervise.birth(place) != row[2]:
            return None  # another file that got the inode number of one that is gone
        return row[0], row[1]

    def device(self, place: str, seen: Seen) -> Device | None:
        """Return the device that the placeholder at `place` stands for, or None."""
        row = self.devices.get(f"{seen.device}:{seen.inode}")
        if row is None or supervise.birth(place) != row[3]:
            return None
        return Device(row[0] == 0, row[1], row[2])


def owner(
    chowned: tuple[int, int] | None, *, before: Entry | None, folder: Entry | None, user: tuple[int, int]
) -> tuple[int, int]:
    """Return (uid, gid): what a chown said, else as it was, else the RUN's user.

    `before` is the entry of the same file in the layers below, `folder` the new file's folder: a set-group-ID
    folder gives its group to what is made in it (inode(7)).
    """
    if before is not None:
        uid, gid = before.uid, before.gid
    else:
        uid, gid = user
        if folder is not None and folder.mode & _SETGID:
            gid = folder.gid
    if chowned is not None:
        uid = chowned[0] if chowned[0] >= 0 else uid
        gid = chowned[1] if chowned[1] >= 0 else gid
    return uid, gid
