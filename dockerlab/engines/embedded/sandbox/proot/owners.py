"""Whose a file is, where every file on disk is the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dockerlab.engines.embedded.sandbox.proot import supervisor as supervise
from dockerlab.engines.embedded.sandbox.proot.treescan import Seen
from dockerlab.image.filesystem import Entry

_SETGID = 0o2000


@dataclass(frozen=True)
class Device:
    """What a faked mknod would have made."""

    block: bool
    major: int
    minor: int


@dataclass(frozen=True)
class Chowned:
    """What a chown set (-1: nothing).

    `told` is whether the program knew the owner from its command line or an archive, not from a stat, which
    under proot says the RUN's user of every file.
    """

    uid: int
    gid: int
    told: bool = True


@dataclass(frozen=True)
class Recorded:
    """The chown and mknod calls of one RUN, by "device:inode"; -1 is "not changed"."""

    owners: Mapping[str, tuple[int, int, int, bool]] = field(
        default_factory=dict
    )  # uid, gid, birth (ns), told
    devices: Mapping[str, tuple[int, int, int, int]] = field(
        default_factory=dict
    )  # char, major, minor, birth

    @classmethod
    def read(cls, result: Mapping[str, Any]) -> Recorded:
        """Take the supervisor's result."""
        return cls(
            {key: (row[0], row[1], row[2], bool(row[3])) for key, row in result["owners"].items()},
            {key: (row[0], row[1], row[2], row[3]) for key, row in result["devices"].items()},
        )

    def chowned(self, place: str, seen: Seen) -> Chowned | None:
        """Return what a chown of the file at `place` set, or None when there was none."""
        row = self.owners.get(f"{seen.device}:{seen.inode}")
        if row is None or supervise.birth(place) != row[2]:
            return None  # another file that got the inode number of one that is gone
        return Chowned(row[0], row[1], told=row[3])

    def device(self, place: str, seen: Seen) -> Device | None:
        """Return the device that the placeholder at `place` stands for, or None."""
        row = self.devices.get(f"{seen.device}:{seen.inode}")
        if row is None or supervise.birth(place) != row[3]:
            return None
        return Device(row[0] == 0, row[1], row[2])


def owner(
    chowned: Chowned | None,
    *,
    before: Entry | None,
    replaced: Entry | None,
    folder: Entry | None,
    user: tuple[int, int],
) -> tuple[int, int]:
    """Return (uid, gid): what a chown said, else as it was, else the RUN's user.

    `before` is the entry of the same file in the layers below. `replaced` is the one of another file that had
    its name: a tool that writes a new file, gives it the old one's owner by stat and renames it (useradd,
    sed -i) means that one. `folder` is the new file's folder: a set-group-ID folder gives its group to what
    is made in it (inode(7)).
    """
    if before is not None:
        uid, gid = before.uid, before.gid
    else:
        uid, gid = user
        if folder is not None and folder.mode & _SETGID:
            gid = folder.gid
    if chowned is not None:
        uid = chowned.uid if chowned.uid >= 0 else uid
        gid = chowned.gid if chowned.gid >= 0 else gid
        if before is None and replaced is not None and not chowned.told:
            uid = replaced.uid if uid == user[0] else uid
            gid = replaced.gid if gid == user[1] else gid
    return uid, gid
