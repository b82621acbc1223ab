"""Seccomp filters as BPF programs: which system calls answer what, without asking anyone."""

from __future__ import annotations

import errno
import platform
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from dockerlab.errors import EngineError

# linux/seccomp.h: what a filter may return; the lowest of several filters' answers wins
RET_ERRNO = 0x00050000
RET_USER_NOTIF = 0x7FC00000
RET_ALLOW = 0x7FFF0000

# linux/bpf_common.h: load a word, jump if equal, and, return
_LOAD, _JUMP_EQ, _AND, _RETURN = 0x20, 0x15, 0x54, 0x06

# linux/seccomp.h, struct seccomp_data: byte offsets (little-endian machines only)
_OFFSET_NR, _OFFSET_ARCH, _OFFSET_ARGS = 0, 4, 16

_FILE_TYPE = 0o170000
_CHAR, _BLOCK = 0o020000, 0o060000
_AF_INET, _AF_INET6 = 2, 10
_EVERYONE = 0xFFFFFFFF  # kill(-1): every process of this user, far outside the RUN


@dataclass(frozen=True)
class Machine:
    """A processor's audit architecture and its system call numbers by name (absent: it has no such call)."""

    audit: int
    numbers: Mapping[str, int]


_X86_64 = Machine(
    0xC000003E,
    {
        "msync": 26,
        "socket": 41,
        "kill": 62,
        "fsync": 74,
        "fdatasync": 75,
        "chown": 92,
        "fchown": 93,
        "lchown": 94,
        "mknod": 133,
        "sync": 162,
        "mknodat": 259,
        "fchownat": 260,
        "sync_file_range": 277,
        "name_to_handle_at": 303,
        "syncfs": 306,
        "seccomp": 317,
        "execveat": 322,
        "statx": 332,
    },
)
_AARCH64 = Machine(
    0xC00000B7,
    {
        "mknodat": 33,
        "fchownat": 54,
        "fchown": 55,
        "sync": 81,
        "fsync": 82,
        "fdatasync": 83,
        "sync_file_range": 84,
        "kill": 129,
        "socket": 198,
        "msync": 227,
        "name_to_handle_at": 264,
        "syncfs": 267,
        "seccomp": 277,
        "execveat": 281,
        "statx": 291,
    },
)
# One table since Linux 5.1 (scripts/syscall.tbl): the same number on every machine.
_COMMON = {
    "io_uring_setup": 425,
    "open_tree": 428,
    "clone3": 435,
    "openat2": 437,
    "faccessat2": 439,
    "mount_setattr": 442,
    "landlock_create_ruleset": 444,
    "fchmodat2": 452,
    "setxattrat": 463,
    "getxattrat": 464,
    "listxattrat": 465,
    "removexattrat": 466,
    "open_tree_attr": 467,
    "file_getattr": 468,
    "file_setattr": 469,
}
_MACHINES = {"x86_64": _X86_64, "amd64": _X86_64, "aarch64": _AARCH64, "arm64": _AARCH64}

# Calls that take a path and that proot 5.1.0 passes on untranslated, so that they would see the host's files.
# C libraries fall back to the older call on ENOSYS.
UNTRANSLATED = (
    "statx",
    "clone3",
    "openat2",
    "faccessat2",
    "fchmodat2",
    "execveat",
    "name_to_handle_at",
    "io_uring_setup",
    "open_tree",
    "mount_setattr",
    "landlock_create_ruleset",
    "setxattrat",
    "getxattrat",
    "listxattrat",
    "removexattrat",
    "open_tree_attr",
    "file_getattr",
    "file_setattr",
)
# A layer is written out as a tar after the RUN: flushing the work tree to disk gains nothing.
FLUSHES = ("fsync", "fdatasync", "sync", "syncfs", "sync_file_range", "msync")
CHOWNS = ("chown", "fchown", "lchown", "fchownat")
MKNODS = {"mknod": 1, "mknodat": 2}  # which argument is the mode


def machine(name: str | None = None) -> Machine:
    """Return the system call table of a processor (`platform.machine()` names, default: this one).

    Raises EngineError for a processor whose numbers are not known here.
    """
    name = name or platform.machine()
    found = _MACHINES.get(name.lower())
    if found is None:
        raise EngineError(
            f"RUN without namespaces knows x86_64 and aarch64, not {name}.",
            hint="Use Docker, or run as root or where unprivileged user namespaces are allowed.",
        )
    return Machine(found.audit, {**found.numbers, **_COMMON})


def program(target: Machine, *, network: bool) -> bytes:
    """Return the filter a proot RUN starts under, as an array of struct sock_filter (linux/filter.h).

    Untranslated path calls answer ENOSYS, flushes 0, chown and device mknod go to the user notification
    listener, kill(-1) answers EPERM; without `network`, IPv4 and IPv6 sockets answer ENETUNREACH.
    """
    numbers = target.numbers
    body: list[bytes] = []
    for name in UNTRANSLATED:
        if name in numbers:
            body += _when(numbers[name], [_ret(RET_ERRNO | errno.ENOSYS)])
    for name in FLUSHES:
        body += _when(numbers[name], [_ret(RET_ERRNO)])
    for name in CHOWNS:
        if name in numbers:
            body += _when(numbers[name], [_ret(RET_USER_NOTIF)])
    for name, position in MKNODS.items():
        if name in numbers:
            body += _when(
                numbers[name],
                [
                    _argument(position),
                    _op(_AND, _FILE_TYPE),
                    _op(_JUMP_EQ, _CHAR, 1, 0),
                    _op(_JUMP_EQ, _BLOCK, 0, 1),
                    _ret(RET_USER_NOTIF),
                    _ret(RET_ALLOW),
                ],
            )
    refuse = _ret(RET_ERRNO | errno.EPERM)
    body += _when(numbers["kill"], [_argument(0), _op(_JUMP_EQ, _EVERYONE, 0, 1), refuse, _ret(RET_ALLOW)])
    if not network:
        body += _when(
            numbers["socket"],
            [
                _argument(0),
                _op(_JUMP_EQ, _AF_INET, 1, 0),
                _op(_JUMP_EQ, _AF_INET6, 0, 1),
                _ret(RET_ERRNO | errno.ENETUNREACH),
                _ret(RET_ALLOW),
            ],
        )
    allow = _ret(RET_ALLOW)
    start = [_op(_LOAD, _OFFSET_ARCH), _op(_JUMP_EQ, target.audit, 1, 0), allow, _op(_LOAD, _OFFSET_NR)]
    return b"".join([*start, *body, allow])


def _when(number: int, then: list[bytes]) -> list[bytes]:
    return [_op(_JUMP_EQ, number, 0, len(then)), *then]


def _argument(position: int) -> bytes:
    return _op(_LOAD, _OFFSET_ARGS + 8 * position)


def _ret(value: int) -> bytes:
    return _op(_RETURN, value)


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)
