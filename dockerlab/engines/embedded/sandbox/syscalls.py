"""The Linux system calls that Python's os module lacks, by ctypes: failures are OSErrors, numbers have names.

Imports nothing of the package and little of the standard library: the helper processes of both sandboxes load
it, and every RUN pays for what they load.
"""

from __future__ import annotations

import ctypes
import os
import struct

TYPE_CHECKING = False  # typing's own takes 8 ms to import
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# mount(2)
MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2
# mount_setattr(2)
MOUNT_ATTR_RDONLY = 1
AT_FDCWD = -100
AT_RECURSIVE = 0x8000
# unshare(2), clone(2)
CLONE_NEWNS = 0x20000
CLONE_NEWCGROUP = 0x2000000
CLONE_NEWUTS = 0x4000000
CLONE_NEWIPC = 0x8000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_NAMESPACES = (
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET
)
# prctl(2)
PR_SET_PDEATHSIG = 1
PR_CAPBSET_READ = 23
PR_CAPBSET_DROP = 24
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2
# capabilities(7)
CAP_SYS_ADMIN = 21
CAP_LAST = 63  # what the two 32-bit words of capset(2) can hold
_CAPABILITY_VERSION_3 = 0x20080522
# rt_sigaction(2): the kernel's own struct sigaction, of which zeros ask for the default
_SIGNALS = 64
_SIGACTION_SIZE = 32
# netdevice(7)
_AF_INET = 2
_SOCK_DGRAM = 2
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1
# seccomp(2): what a filter says, and where it looks in struct seccomp_data
SECCOMP_RET_ALLOW = 0x7FFF0000
SECCOMP_RET_ERRNO = 0x00050000
_DATA_NUMBER = 0
_DATA_ARCH = 4
_DATA_ARG0 = 16  # the low half, on little-endian machines
_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_RETURN = 0x06  # BPF_RET | BPF_K
_IF_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_IF_AT_LEAST = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_IF_BITS = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_X32 = 0x40000000  # numbers from here on are x32's

MACHINE = os.uname().machine
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}.get(MACHINE, 0)

_NUMBERS: dict[str, tuple[int, int]] = {  # name: (x86_64, aarch64); -1: not there
    "acct": (163, 89),
    "add_key": (248, 217),
    "bpf": (321, 280),
    "clock_settime": (227, 112),
    "clone": (56, 220),
    "clone3": (435, 435),
    "delete_module": (176, 106),
    "execveat": (322, 281),
    "faccessat2": (439, 439),
    "fanotify_init": (300, 262),
    "fchmodat2": (452, 452),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "get_mempolicy": (239, 236),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioperm": (173, -1),
    "iopl": (172, -1),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "lookup_dcookie": (212, 18),
    "mbind": (237, 235),
    "migrate_pages": (256, 238),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "move_pages": (279, 239),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "openat2": (437, 437),
    "perf_event_open": (298, 241),
    "pivot_root": (155, 41),
    "quotactl": (179, 60),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "rt_sigaction": (13, 134),
    "seccomp": (317, 277),
    "set_mempolicy": (238, 237),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "statx": (332, 291),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "vhangup": (153, 58),
}
SYSCALLS: Mapping[str, int] = {
    name: pair[MACHINE == "aarch64"] for name, pair in _NUMBERS.items() if pair[MACHINE == "aarch64"] >= 0
}

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def check(result: int, what: str) -> int:
    """Return a system call's result, or raise the OSError it left in errno, naming `what`."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def mount(
    source: str | None, target: str, kind: str | None = None, flags: int = 0, data: str | None = None
) -> None:
    """Call mount(2)."""
    arguments = [None if text is None else os.fsencode(text) for text in (source, target, kind, data)]
    result = libc.mount(arguments[0], arguments[1], arguments[2], ctypes.c_ulong(flags), arguments[3])
    check(result, f"mount {kind or source or 'flags'} on {target}")


def unmount(target: str, flags: int = 0) -> None:
    """Call umount2(2)."""
    check(libc.umount2(os.fsencode(target), flags), f"unmount {target}")


def make_read_only(target: str) -> None:
    """Make a mount and all mounts below it read-only; below it only where the kernel is 5.12 or newer."""
    attributes = struct.pack("QQQQ", MOUNT_ATTR_RDONLY, 0, 0, 0)
    result = libc.syscall(
        ctypes.c_long(SYSCALLS["mount_setattr"]),
        ctypes.c_long(AT_FDCWD),
        os.fsencode(target),
        ctypes.c_long(AT_RECURSIVE),
        attributes,
        ctypes.c_size_t(len(attributes)),
    )
    if result < 0:
        mount(None, target, None, MS_REMOUNT | MS_BIND | MS_RDONLY | locked_flags(target))


def locked_flags(path: str) -> int:
    """Return the flags of the mount at `path` that a remount must not lose."""
    flags = os.statvfs(path).f_flag
    return flags & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)  # ST_* have the same values


def pivot_root(new: str, old: str) -> None:
    """Call pivot_root(2)."""
    number = ctypes.c_long(SYSCALLS["pivot_root"])
    check(libc.syscall(number, os.fsencode(new), os.fsencode(old)), f"pivot_root {new}")


def unshare(flags: int) -> None:
    """Call unshare(2)."""
    check(libc.unshare(flags), "unshare")


def set_hostname(name: str) -> None:
    """Call sethostname(2)."""
    text = os.fsencode(name)
    check(libc.sethostname(text, ctypes.c_size_t(len(text))), "sethostname")


def raise_loopback() -> None:
    """Turn on `lo`, which a new network namespace has, but down (netdevice(7), SIOCSIFFLAGS)."""
    fd = check(libc.socket(_AF_INET, _SOCK_DGRAM, 0), "socket")
    try:
        check(libc.ioctl(fd, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP)), "set lo up")
    finally:
        os.close(fd)


def prctl(option: int, *arguments: int | bytes) -> int:
    """Call prctl(2); missing arguments are 0."""
    rest = [value if isinstance(value, bytes) else ctypes.c_ulong(value) for value in arguments]
    return check(libc.prctl(option, *rest, *[ctypes.c_ulong(0)] * (4 - len(rest))), f"prctl {option}")


def die_with_parent(parent: int) -> None:
    """Have this process killed when its parent ends; exit at once when that has already happened.

    `parent` is the process id the parent must have (0: it is outside this process's PID namespace).
    """
    prctl(PR_SET_PDEATHSIG, 9)
    if os.getppid() != parent:
        os._exit(1)


def default_signals() -> None:
    """Give every signal its default action: programs inherit what Python, a shell or a supervisor ignores.

    The system call itself, as the C library's own functions refuse the two signals it keeps for itself.
    """
    default = bytes(_SIGACTION_SIZE)
    for number in range(1, _SIGNALS + 1):  # SIGKILL and SIGSTOP are refused
        libc.syscall(SYSCALLS["rt_sigaction"], number, default, None, _SIGNALS // 8)


def limit_capabilities(mask: int) -> None:
    """Drop every capability that is not in `mask` from the bounding set."""
    for number in range(CAP_LAST + 1):
        if not mask >> number & 1:
            try:
                prctl(PR_CAPBSET_DROP, number)
            except OSError:
                return  # past the last one this kernel knows


def set_capabilities(mask: int) -> None:
    """Make `mask` the effective and permitted capabilities of this process; none are inheritable."""
    low, high = mask & 0xFFFFFFFF, mask >> 32
    head = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    check(libc.capset(head, struct.pack("6I", low, low, 0, high, high, 0)), "capset")


def effective_capabilities() -> int:
    """Return the effective capabilities of this process as a bit mask (proc(5), CapEff)."""
    with open("/proc/self/status", "rb") as status:  # noqa: PTH123 - pathlib is too slow to load here
        for line in status:
            if line.startswith(b"CapEff:"):
                return int(line.split()[1], 16)
    return 0


def error_filter(errors: Mapping[str, int], *, bits: Iterable[tuple[str, int, int]] = ()) -> bytes:
    """Return a seccomp filter that makes system calls fail: `errors` is name -> errno.

    `bits` are (name, mask, errno): fail when the first argument has a bit of `mask`. Names unknown here are
    left out; so are calls of another architecture (32-bit programs), which pass.
    """
    code = [_step(_LOAD, _DATA_ARCH), _step(_IF_EQUAL, AUDIT_ARCH, 1, 0), _step(_RETURN, SECCOMP_RET_ALLOW)]
    code.append(_step(_LOAD, _DATA_NUMBER))
    if MACHINE == "x86_64":
        code += [_step(_IF_AT_LEAST, _X32, 0, 1), _step(_RETURN, SECCOMP_RET_ERRNO | 38)]
    for name, number in errors.items():
        if name in SYSCALLS:
            code += [_step(_IF_EQUAL, SYSCALLS[name], 0, 1), _step(_RETURN, SECCOMP_RET_ERRNO | number)]
    for name, mask, number in bits:
        code += [
            _step(_IF_EQUAL, SYSCALLS[name], 0, 4),
            _step(_LOAD, _DATA_ARG0),
            _step(_IF_BITS, mask, 0, 1),
            _step(_RETURN, SECCOMP_RET_ERRNO | number),
            _step(_LOAD, _DATA_NUMBER),
        ]
    code.append(_step(_RETURN, SECCOMP_RET_ALLOW))
    return b"".join(code)


def install_filter(code: bytes) -> None:
    """Put a seccomp filter on this process; needs CAP_SYS_ADMIN, or no-new-privileges set before."""
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program)


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """One instruction of classic BPF (struct sock_filter)."""
    return struct.pack("HBBI", code, if_true, if_false, value)
