"""Which sandbox was found by trying, kept so that an engine can be named without trying again.

Only the name is taken from here: whatever runs a command tries first. It holds for one start of the machine,
one set of rights of the process, one $DOCKERLAB_SANDBOX, one proot program and one set of ids to give away.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

_FILE = "found"
_RIGHTS = re.compile(r"^(?:Uid|Gid|CapEff|CapBnd|NoNewPrivs|Seccomp):.*$", re.MULTILINE)


def recall(work: Path) -> str | None:
    """Return the name of the sandbox that was chosen here before under the same conditions, or None."""
    with suppress(OSError, ValueError):
        name, conditions = json.loads((work / _FILE).read_text())
        if conditions == _conditions():
            return str(name)
    return None


def remember(work: Path, name: str) -> None:
    """Keep the name of the sandbox that was chosen; a folder that cannot be written keeps nothing."""
    with suppress(OSError):
        (work / _FILE).write_text(json.dumps([name, _conditions()]))


def _conditions() -> list[str | None]:
    return [
        Path("/proc/sys/kernel/random/boot_id").read_text(),
        str(Path("/proc/self/ns/user").readlink()),
        *_RIGHTS.findall(Path("/proc/self/status").read_text()),
        os.environ.get("DOCKERLAB_SANDBOX"),
        shutil.which("proot"),
        shutil.which("newuidmap"),
        *(path.read_text() for path in map(Path, ("/etc/subuid", "/etc/subgid")) if path.exists()),
    ]
