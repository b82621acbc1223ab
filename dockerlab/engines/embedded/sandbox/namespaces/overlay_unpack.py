"""Unpacking a layer into a folder that overlay can stack.

Its form (kernel documentation, filesystems/overlayfs): a whiteout is a character device 0:0, an opaque folder
has the extended attribute trusted.overlay.opaque=y. In a user namespace that is user.overlay.opaque=y, and an
empty file with an attribute stands for a device, as none can be made. What reads it is overlay_snapshot.py.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from dockerlab.errors import ImageError
from dockerlab.image.filesystem import CHUNK, Entry, Kind
from dockerlab.image.image import Layer

DEVICE = "user.dockerlab.device"  # of what stands for one: "char 1 3"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@cache
def in_user_namespace() -> bool:
    """Tell whether the ids of this process are not the machine's own (user_namespaces(7), uid_map)."""
    return Path("/proc/self/uid_map").read_text().split() != ["0", "0", "4294967295"]


def private_prefix() -> str:
    """Return what the extended attributes begin with that overlay keeps for itself."""
    return "user.overlay." if in_user_namespace() else "trusted.overlay."


def make_opaque(folder: int | str) -> None:
    """Let a folder hide what is below it."""
    os.setxattr(folder, f"{private_prefix()}opaque", b"y")


def unpack(layer: Layer, folder: Path) -> None:
    """Unpack a layer into the empty `folder`, in overlay form, with owners, times and attributes.

    Nothing outside `folder` can be reached: every folder on the way is opened without following symlinks.
    Raises ImageError for a member that would need it, and OSError when the disk cannot hold the layer.
    """
    with _Unpacker(folder) as unpacker:
        for entry in layer.entries:
            unpacker.add(entry, layer)
        unpacker.finish()


def is_opaque_root(folder: Path) -> bool:
    """Tell whether an unpacked layer hides all layers below it; overlay ignores that mark on a root."""
    return is_opaque(str(folder))


def is_opaque(place: str) -> bool:
    """Tell whether a folder in overlay form is opaque."""
    try:
        return os.getxattr(place, f"{private_prefix()}opaque", follow_symlinks=False) == b"y"
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.ENOTSUP):
            return False
        raise


def marked_device(place: str) -> tuple[Kind, tuple[int, int]] | None:
    """Return the device that a file stands for in a user namespace, None where it is a file."""
    if not in_user_namespace():
        return None
    try:
        kind, major, minor = os.getxattr(place, DEVICE, follow_symlinks=False).decode().split()
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.ENOTSUP):
            return None
        raise
    return ("char" if kind == "char" else "block"), (int(major), int(minor))


@dataclass
class _Unpacker:
    """Writes entries below one folder by folder descriptors, the last used one kept open."""

    root: Path
    _root_fd: int = -1
    _open_path: str = ""
    _open_fd: int = -1
    _folders: list[Entry] = field(default_factory=list)

    def __enter__(self) -> _Unpacker:
        self._root_fd = os.open(self.root, _FOLDER)
        return self

    def __exit__(self, *_: object) -> None:
        self._close()
        os.close(self._root_fd)

    def add(self, entry: Entry, layer: Layer) -> None:
        if not entry.path:
            if entry.kind == "opaque":
                make_opaque(self._root_fd)
            return
        if entry.kind == "opaque":
            make_opaque(self._folder(entry.path))
            return
        parent, _, name = entry.path.rpartition("/")
        if name in ("", ".", ".."):
            raise _outside(entry)
        at = self._folder(parent)
        try:
            self._make(entry, layer, name, at)
        except FileExistsError:
            self._replace(entry, layer, name, at)

    def finish(self) -> None:
        """Set the times of folders, last, because filling them changed those."""
        for entry in self._folders:
            parent, _, name = entry.path.rpartition("/")
            at = self._folder(parent)
            if stat.S_ISDIR(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode):
                os.utime(name, (entry.mtime, entry.mtime), dir_fd=at, follow_symlinks=False)

    def _make(self, entry: Entry, layer: Layer, name: str, at: int) -> None:
        kind = entry.kind
        if kind == "file":
            self._write(entry, layer, name, at)
            return
        if kind == "whiteout":
            os.mknod(name, stat.S_IFCHR, 0, dir_fd=at)
        elif kind == "dir":
            os.mkdir(name, 0o700, dir_fd=at)
            self._folders.append(entry)
        elif kind == "symlink":
            os.symlink(entry.link, name, dir_fd=at)
        elif kind == "hardlink":
            self._link(entry, name, at)
            return
        elif kind == "fifo":
            os.mkfifo(name, 0o600, dir_fd=at)
        else:
            _make_device(entry, name, at)
        os.chown(name, entry.uid, entry.gid, dir_fd=at, follow_symlinks=False)
        if kind not in ("symlink", "whiteout"):
            os.chmod(name, entry.mode, dir_fd=at)
        if entry.xattrs and kind != "whiteout":
            # A path through the descriptor is the only way to a symlink's or device's attributes.
            _set_xattrs(f"/proc/self/fd/{at}/{name}", entry)
        if kind != "dir":
            os.utime(name, (entry.mtime, entry.mtime), dir_fd=at, follow_symlinks=False)

    def _write(self, entry: Entry, layer: Layer, name: str, at: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(name, flags, 0o600, dir_fd=at)
        try:
            if entry.size:
                with layer.open(entry) as content:
                    left = entry.size
                    while left:
                        chunk = content.read(min(left, CHUNK))
                        if not chunk:
                            raise ImageError(f"the content of {entry.path!r} ends {left} bytes early")
                        left -= os.write(fd, chunk)
            os.fchown(fd, entry.uid, entry.gid)
            os.fchmod(fd, entry.mode)
            if entry.xattrs:
                _set_xattrs(fd, entry)
            os.utime(fd, (entry.mtime, entry.mtime))
        finally:
            os.close(fd)

    def _link(self, entry: Entry, name: str, at: int) -> None:
        parent, _, target = entry.link.rpartition("/")
        if target in ("", ".", ".."):
            raise _outside(entry)
        with self._kept(at) as here:
            there = self._folder(parent, make=False)
            try:
                os.link(target, name, src_dir_fd=there, dst_dir_fd=here, follow_symlinks=False)
            except FileNotFoundError:
                raise ImageError(
                    f"{entry.path!r} is a hard link to {entry.link!r}, which its layer lacks"
                ) from None

    def _replace(self, entry: Entry, layer: Layer, name: str, at: int) -> None:
        """Put an entry where the same layer already has one; the later one counts, folders are merged."""
        found = os.stat(name, dir_fd=at, follow_symlinks=False)
        hides = stat.S_ISCHR(found.st_mode) and found.st_rdev == 0
        if entry.kind == "whiteout":
            if stat.S_ISDIR(found.st_mode):
                make_opaque(f"/proc/self/fd/{at}/{name}")
            return
        if stat.S_ISDIR(found.st_mode):
            if entry.kind == "dir":
                os.chown(name, entry.uid, entry.gid, dir_fd=at, follow_symlinks=False)
                os.chmod(name, entry.mode, dir_fd=at)
                _set_xattrs(f"/proc/self/fd/{at}/{name}", entry)
                self._folders.append(entry)
                return
            with self._kept(at) as here:
                self._close()
                _remove(name, here)
                self._make(entry, layer, name, here)
            return
        os.unlink(name, dir_fd=at)
        self._make(entry, layer, name, at)
        if hides and entry.kind == "dir":
            make_opaque(f"/proc/self/fd/{at}/{name}")

    @contextmanager
    def _kept(self, fd: int) -> Iterator[int]:
        twin = os.dup(fd)
        try:
            yield twin
        finally:
            os.close(twin)

    def _folder(self, path: str, *, make: bool = True) -> int:
        """Return a descriptor of a folder below the root, made when missing; valid until the next call."""
        if not path:
            return self._root_fd
        if path == self._open_path:
            return self._open_fd
        fd = os.dup(self._root_fd)
        try:
            for name in path.split("/"):
                if name in ("", ".", ".."):
                    raise ImageError(f"{path!r} is not a path inside an image")
                step = _enter(name, fd, path, make=make)
                os.close(fd)
                fd = step
        except BaseException:
            os.close(fd)
            raise
        self._close()
        self._open_path, self._open_fd = path, fd
        return fd

    def _close(self) -> None:
        if self._open_fd >= 0:
            os.close(self._open_fd)
        self._open_path, self._open_fd = "", -1


def _enter(name: str, at: int, path: str, *, make: bool) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=at)
    except FileNotFoundError:
        if not make:
            raise ImageError(f"{path!r} is not in its layer") from None
        os.mkdir(name, 0o755, dir_fd=at)
        os.chmod(name, 0o755, dir_fd=at)
        return os.open(name, _FOLDER, dir_fd=at)
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
        raise ImageError(f"{path!r} leads through {name!r}, which its layer says is no folder") from None


def _make_device(entry: Entry, name: str, at: int) -> None:
    if in_user_namespace():
        fd = os.open(
            name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=at
        )
        try:
            os.setxattr(fd, DEVICE, f"{entry.kind} {entry.device[0]} {entry.device[1]}".encode())
        finally:
            os.close(fd)
        return
    form = stat.S_IFCHR if entry.kind == "char" else stat.S_IFBLK
    os.mknod(name, form | 0o600, os.makedev(*entry.device), dir_fd=at)


def _set_xattrs(target: str | int, entry: Entry) -> None:
    for name, value in entry.xattrs:
        if name.startswith(private_prefix()):
            raise ImageError(f"{entry.path!r} carries {name}, which would change how layers are stacked")
        try:
            if isinstance(target, int):
                os.setxattr(target, name, value)
            else:
                os.setxattr(target, name, value, follow_symlinks=False)
        except OSError as error:
            # As Docker: an image must work on a file system that cannot keep users' own attributes.
            if not name.startswith("user.") or error.errno not in (errno.ENOTSUP, errno.EPERM):
                raise


def _remove(name: str, at: int) -> None:
    """Remove a file, or a folder and all in it, without following symlinks."""
    try:
        os.unlink(name, dir_fd=at)
        return
    except IsADirectoryError:
        pass
    fd = os.open(name, _FOLDER, dir_fd=at)
    try:
        for child in os.listdir(fd):  # noqa: PTH208 - by descriptor, so that no symlink can lead away
            _remove(child, fd)
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=at)


def _outside(entry: Entry) -> ImageError:
    return ImageError(f"{entry.path!r} is not a path inside an image")
