"""Files that survive a crash: written aside, synced, renamed; locked between processes; errors made plain."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dockerlab.errors import EngineError, StoreError, StoreFullError

LOCK_TIMEOUT = 30.0  # seconds; index changes hold the lock for milliseconds
_POLL = 0.01


@contextmanager
def plain_errors(folder: Path, what: str = "image store") -> Iterator[None]:
    """Turn an OSError from writing `what` in `folder` into a StoreError (StoreFullError: out of space)."""
    try:
        yield
    except OSError as error:
        raise store_error(error, folder, what) from error


def store_error(error: OSError, folder: Path, what: str) -> StoreError:
    """Say what an OSError means for the `what` in `folder`, and what to do."""
    where = error.filename if isinstance(error.filename, str) else str(folder)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreFullError(
            f"No space is left for the {what} in {folder} ({_free(folder)} free).",
            hint="Free some with `dockerlab prune`, or set DOCKERLAB_HOME to a folder on a larger disk.",
        )
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return StoreError(
            f"The {what} in {folder} cannot be used: {error.strerror} ({where}).",
            hint="Set DOCKERLAB_HOME to a folder you can write to.",
        )
    return StoreError(
        f"The {what} in {folder} failed: {error.strerror or error} ({where}).",
        hint="Check that folder; `dockerlab prune` clears everything but the images.",
    )


def _free(folder: Path) -> str:
    for place in (folder, *folder.parents):
        if place.exists():
            return f"{shutil.disk_usage(place).free / 1e6:.1f} MB"
    return "unknown"


@contextmanager
def locked(
    path: Path,
    *,
    exclusive: bool,
    timeout: float = LOCK_TIMEOUT,
    busy: Callable[[], Exception] | None = None,
) -> Iterator[None]:
    """Hold an flock on `path` (made when missing), shared or exclusive.

    After `timeout` seconds of waiting raises `busy()`, or a StoreError that names the lock.
    """
    fd = _lock_file(path, exclusive=exclusive)
    try:
        wait_for_lock(fd, exclusive=exclusive, timeout=timeout, busy=busy or (lambda: _busy(path)))
        yield
    finally:
        os.close(fd)


def _lock_file(path: Path, *, exclusive: bool) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        if exclusive or error.errno not in (errno.EROFS, errno.EACCES):
            raise
    # Who only reads a store that cannot be written may still have to wait for one who can write it.
    return os.open(path if path.exists() else path.parent, os.O_RDONLY | os.O_CLOEXEC)


def wait_for_lock(fd: int, *, exclusive: bool, timeout: float, busy: Callable[[], Exception]) -> None:
    """Take the lock on an open file, looking again every 10 ms until `timeout` seconds have passed."""
    deadline = time.monotonic() + timeout
    while not try_lock(fd, exclusive=exclusive):
        if time.monotonic() >= deadline:
            raise busy()
        time.sleep(_POLL)


def try_lock(fd: int, *, exclusive: bool) -> bool:
    """Take the lock on an open file if it is free now; tell whether it was."""
    try:
        fcntl.flock(fd, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _busy(path: Path) -> StoreError:
    return StoreError(
        f"Another process is using the image store and did not let go ({path}).",
        hint="Wait for the other build to end, or stop it, and try again.",
    )


def claim_temporary(folder: Path) -> tuple[int, Path]:
    """Create a file with a new name in `folder` and lock it: while its owner lives, nobody removes it."""
    while True:
        path = folder / secrets.token_hex(8)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        # A cleaner may have found the file before it was locked: then it is gone, and another name is taken.
        if try_lock(fd, exclusive=True) and path.exists():
            return fd, path
        os.close(fd)


@contextmanager
def claimed_folder(folder: Path) -> Iterator[Path]:
    """Make a folder with a new name in `folder` for the block; its lock tells it from one left behind."""
    while True:
        path = folder / secrets.token_hex(8)
        path.mkdir()
        try:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # a cleaner took it for one left behind
        if try_lock(fd, exclusive=True) and path.exists():
            break
        os.close(fd)
    try:
        yield path
    finally:
        remove_tree(path)
        os.close(fd)


def clear_temporaries(folder: Path, pattern: str = "*") -> int:
    """Remove what processes that are gone left in `folder`; return the bytes freed."""
    freed = 0
    for path in list(folder.glob(pattern)):
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            continue  # its owner has just renamed it
        try:
            if try_lock(fd, exclusive=True):
                freed += remove_tree(path)
        finally:
            os.close(fd)
    return freed


def write_whole(path: Path, data: bytes, *, temporary: Path, sync: bool = True) -> None:
    """Replace `path` by `data` in one step: readers see the old content or the new, also after a crash.

    `sync=False` leaves out the two fsyncs, for records that may be lost.
    """
    fd, aside = claim_temporary(temporary)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        publish(fd, aside, path, sync=sync)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    finally:
        os.close(fd)


def publish(fd: int, aside: Path, path: Path, *, sync: bool = True) -> None:
    """Give the finished temporary file its real name, durably."""
    if sync:
        os.fsync(fd)
    aside.rename(path)
    if sync:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def remove_tree(path: Path) -> int:
    """Remove a file or a folder, unreadable folders of our own included; return the bytes freed on disk.

    What RUNs in a user namespace made may belong to other ids of this user's: it is removed from inside one.
    """
    try:
        return _removed(path)
    except PermissionError as error:
        if not _is_others(Path(error.filename)):
            raise
        from dockerlab.engines.embedded import user_namespace  # few need it, and it takes long to load

        with suppress(EngineError):
            freed: int = user_namespace.call(_removed, path)
            return freed
        raise error


def _is_others(path: Path) -> bool:
    """Tell whether a file or its folder belongs to other ids; what its owner closed is to stay closed."""
    try:
        return any(place.lstat().st_uid != os.geteuid() for place in (path, path.parent))
    except PermissionError:
        return True


def _removed(path: Path) -> int:
    freed = 0
    try:
        info = path.lstat()
    except FileNotFoundError:
        return 0
    if stat.S_ISDIR(info.st_mode):
        if info.st_mode & 0o700 != 0o700:
            path.chmod(0o700)
        with os.scandir(path) as items:
            for item in items:
                freed += _removed(Path(item.path))
        path.rmdir()
    else:
        freed = info.st_blocks * 512 if info.st_nlink == 1 else 0
        path.unlink(missing_ok=True)
    return freed
