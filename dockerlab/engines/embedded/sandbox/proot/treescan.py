"""What lies in a tree of real files: every path, with a key that changes whenever the file does."""

# ruff: noqa: PTH101,PTH118
# Thousands of paths a RUN: Path objects would cost more than the calls.

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

Key = tuple[int, int, int, int, int]  # mtime_ns, ctime_ns, size, inode, mode


@dataclass(frozen=True, slots=True)
class Seen:
    """A path as the last scan found it."""

    key: Key
    links: int  # names the inode has
    device: int  # of the file system it is on

    @property
    def mode(self) -> int:
        """The mode with its file type."""
        return self.key[4]

    @property
    def inode(self) -> int:
        """The inode number."""
        return self.key[3]

    @property
    def is_dir(self) -> bool:
        """Tell whether it is a folder itself."""
        return stat.S_ISDIR(self.key[4])


def key_of(found: os.stat_result) -> Key:
    """Return the change key of a file: no same-size rewrite keeps it, since ctime cannot be set."""
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_mode)


@dataclass(slots=True)
class Scan:
    """Every path of a tree, and the folders that had to be opened (path, mode) because they kept us out."""

    found: dict[str, Seen]
    opened: list[tuple[str, int]]


def scan(root: str, *, skip: frozenset[str] = frozenset()) -> Scan:
    """Look at every path below `root` but those in `skip` and what is below them; follow no symlink.

    Folders whose mode keeps even their owner out stay open until `adopt`; their key has the true mode.
    """
    result = Scan({}, [])
    todo = [""]
    while todo:
        folder = todo.pop()
        prefix = f"{folder}/" if folder else ""
        with os.scandir(os.path.join(root, folder)) as listing:
            for item in listing:
                path = prefix + item.name
                if path in skip:
                    continue
                status = item.stat(follow_symlinks=False)
                result.found[path] = Seen(key_of(status), status.st_nlink, status.st_dev)
                if stat.S_ISDIR(status.st_mode):
                    todo.append(path)
                    if status.st_mode & 0o700 != 0o700:
                        os.chmod(item.path, 0o700)
                        result.opened.append((path, stat.S_IMODE(status.st_mode)))
    return result
