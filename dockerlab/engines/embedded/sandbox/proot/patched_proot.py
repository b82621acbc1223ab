"""A copy of proot 5.1 with two faults mended that the one Debian ships has.

It leaves brk to the kernel, because proot's own mixes up heaps.

proot 5.1 makes brk out of mmap and mremap and keeps a note of each heap. A process made by clone(CLONE_VM)
shares the note with its parent even after its exec, so that one takes the other's heap for its own: after
a posix_spawn (Python's subprocess from 3.13 on), or a vfork on aarch64, either may die of SIGSEGV. 5.2 mends
it. clone3 would go unnoticed and part them, but Docker's own filter refuses it in a container. Answering
calls in our filter is no cure either: proot judges paths by the same note.

The note says whether proot shall leave that heap alone, a bool 24 bytes into it. All code that asks compares
it with 0; in the copy it compares with 255, so that each heap is one to leave alone.

And no process outlives its proot. Without PTRACE_O_EXITKILL a command whose proot is killed (by the kernel,
when memory is short) goes on, and what it then opens or removes is looked up on the machine itself.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

# x86_64: cmpb $0,24(register), then je or jne. Debian's 5.1.0 has it 9 times, in bookworm and trixie, and
# nowhere else: in brk's two halves, and in each function that reads or writes a guest's memory.
_ASKS = re.compile(rb"(\x80[\x78-\x7b\x7d-\x7f]\x18)\x00(?=[\x74\x75]|\x0f[\x84\x85])")
_PLACES = 9
# x86_64: mov $options,%ecx before mov $PTRACE_SETOPTIONS,%edi; twice, with and without its own filter.
_OPTIONS = re.compile(rb"(\xb9[\xff\x7f]\x00)\x00(?=\x00(?:\x44\x89\xe6)?\xbf\x00\x42\x00\x00)")
_OPTION_PLACES = 2
_TRIAL_SECONDS = 10


def mended(path: str, folder: Path, *, before: Sequence[str] = ()) -> str:
    """Return a mended copy of a proot, kept in `folder`; `path` itself where its code is not known.

    `before` is what the proot is started by, its loader.
    """
    if platform.machine() not in ("x86_64", "AMD64"):
        return path
    code = Path(path).read_bytes()
    changed, places = _ASKS.subn(b"\\1\xff", code)
    changed, option_places = _OPTIONS.subn(b"\\1\x10", changed)
    if (places, option_places) != (_PLACES, _OPTION_PLACES):
        return path
    copy = folder / hashlib.sha256(changed).hexdigest()[:16] / "proot"
    if not copy.exists():
        copy.parent.mkdir(parents=True, exist_ok=True)
        handle, unfinished = tempfile.mkstemp(dir=copy.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(changed)
        Path(unfinished).chmod(0o755)
        Path(unfinished).replace(copy)
    return str(copy) if _starts([*before, str(copy)]) else path


def _starts(program: Sequence[str]) -> bool:
    """Tell whether programs may be started from where this one is (a mount can forbid it)."""
    try:
        ran = subprocess.run(
            [*program, "--version"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=_TRIAL_SECONDS,
        )
    except PermissionError:
        return False
    return ran.returncode == 0
