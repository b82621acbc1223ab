"""Debian's own proot, fetched once where the machine has none: no root is needed, signatures are checked.

It comes with the C library and the loader it was built for, as the machine's own may be older, or another.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from dockerlab.engines.embedded.bases.debian import Apt, mirrors
from dockerlab.engines.embedded.store.durable import claimed_folder, clear_temporaries, plain_errors
from dockerlab.errors import EngineError, RegistryError

SUITE = "trixie"  # its build is one that `mended` knows
_LOADERS = ("lib64/ld-linux-x86-64.so.2", "lib/ld-linux-aarch64.so.1")


def started_by(program: Path) -> tuple[str, ...]:
    """Return what a fetched proot is to be started by: its own loader, with its own libraries."""
    root = program.parents[2]
    loader = next(root / "usr" / name for name in _LOADERS if (root / "usr" / name).exists())
    folders = sorted({str(path.parent) for path in (root / "usr" / "lib").rglob("*.so.*")})
    return (str(loader), "--library-path", ":".join(folders))


def _quietly(text: str, *, done: int = 0, total: int = 0) -> None:
    """Say nothing: what is fetched is a tool, not the learner's base."""


def fetched(work: Path) -> Path | None:
    """Return the proot that was fetched into `work` before, or None."""
    program = work / "proot-debian" / "root" / "usr" / "bin" / "proot"
    return program if program.exists() else None


def fetch(work: Path) -> Path:
    """Fetch Debian's proot into `work`, once. Raises EngineError where it cannot be had."""
    there = fetched(work)
    if there is not None:
        return there
    found = mirrors()
    home = work / "proot-debian"
    try:
        if found is None:
            raise RegistryError(
                "This machine's apt has no Debian mirror.",
                hint="Set DOCKERLAB_DEBIAN_MIRROR to the address of a Debian mirror (it ends in /debian).",
            )
        with plain_errors(work, "sandbox"):
            home.mkdir(parents=True, exist_ok=True)
            clear_temporaries(home, "[!r]*")
            with claimed_folder(home) as folder:
                root = folder / "root"
                for package in Apt(folder / "apt", SUITE, found).fetch(_quietly, packages=("proot",)):
                    _unpack(package, root)
                root.rename(home / "root")
    except RegistryError as error:
        raise EngineError(
            f"proot is not installed, and Debian's could not be fetched. {error.message}",
            hint=f"Install the package proot (Debian and Ubuntu: apt-get install proot). {error.hint}",
        ) from error
    return home / "root" / "usr" / "bin" / "proot"


def _unpack(package: Path, root: Path) -> None:
    """Put a package's files below `root`; what it still ships in /lib goes where that links in Debian."""
    for name in ("usr/lib", "usr/lib64"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("lib", "lib64"):
        if not (root / name).is_symlink():
            (root / name).symlink_to(f"usr/{name}")
    archive = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE, check=True)
    subprocess.run(
        ["tar", "--extract", "--keep-directory-symlink", "--no-same-owner", "--directory", str(root)],
        input=archive.stdout,
        check=True,
    )
