"""Compilers, headers and other build tools that the final image carries."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dockerlab.analysis.advice.case import Case
from dockerlab.analysis.advice.finding import (
    MOST_EVIDENCE,
    Evidence,
    Finding,
    Pool,
    lines_of,
    own_live,
    places,
    total,
)
from dockerlab.analysis.ledger import Claim
from dockerlab.image.filesystem import Tree
from dockerlab.units import human_bytes

LEAST_TOOLS = 1_000_000  # bytes: a lone small header package is not worth a second stage
_PACKAGE = re.compile(
    r".*-dev(el)?$|(g\+\+|gcc|cpp|gfortran|clang|llvm|binutils|golang|go|rust|rustc|cargo)(-[\w.-]+)?$"
    r"|(build-essential|build-base|make|cmake|ninja-build|meson|automake|autoconf|libtool|dpkg-dev|bison|flex)$"
)
_RUNTIME = re.compile(r"gcc-\d+-base$|llvm-[\d.]+-(runtime|libs)$|gcc-.*-libs?$")
_DPKG = "var/lib/dpkg/info/"
_APK = ("lib/apk/db/installed", "usr/lib/apk/db/installed")
_FOLDERS = re.compile(
    r"usr/(include|lib/gcc|libexec/gcc|local/go/(pkg|bin|src)|local/rustup)/|root/\.rustup/"
)
_MERGED = ("bin/", "sbin/", "lib/", "lib32/", "lib64/")  # links to usr/... on a system with a merged /usr


def find(case: Case, pool: Pool) -> Iterator[Finding]:
    """Find build tools that this Dockerfile brought: by package where dpkg or apk know, else by path."""
    owners = _owners(case)
    claims = pool.take(
        lambda claim: own_live(claim) and (claim.path in owners or bool(_FOLDERS.match(claim.path)))
    )
    size = total(claims)
    if size < LEAST_TOOLS:
        return
    rows = [claim.stored_by for claim in claims]
    packages = {owners[claim.path] for claim in claims if claim.path in owners}
    what = f"{len(packages)} packages" if len(packages) > 1 else next(iter(packages), "folders")
    yield Finding(
        code="build-tools",
        title=f"{human_bytes(size)} of compilers, headers and build tools in the final image ({what})",
        change="Build in a stage of its own and take only the result: `COPY --from=build ...`. Or install, "
        "build and purge in one RUN.",
        where=places(rows),
        lines=lines_of(rows),
        bytes=size,
        saves_bytes=size,
        files=len(claims),
        evidence=_by_package(claims, owners),
        note="Nothing is saved if the program compiles while it runs.",
    )


def _by_package(claims: list[Claim], owners: dict[str, str]) -> tuple[Evidence, ...]:
    sums: dict[str, int] = {}
    places_: dict[str, str] = {}
    for claim in claims:
        folder = _FOLDERS.match(claim.path)
        name = owners.get(claim.path) or (f"/{folder.group(0)}" if folder else claim.path)
        sums[name] = sums.get(name, 0) + claim.bytes
        places_.setdefault(name, claim.stored_by.where)
    top = sorted(sums.items(), key=lambda item: (-item[1], item[0]))[:MOST_EVIDENCE]
    return tuple(Evidence(name, size, places_[name]) for name, size in top)


def _owners(case: Case) -> dict[str, str]:
    """Return path -> package for the files of build packages that the base does not have."""
    tree = case.image.tree()
    base = Tree.stacked((layer.entries, layer) for layer in case.image.layers[: case.base_layers])
    found: dict[str, str] = {}
    for name, paths in (*_dpkg(tree, base), *_apk(tree, base)):
        for path in paths:
            found[path] = name
            if path.startswith(_MERGED):
                found[f"usr/{path}"] = name
    return found


def _dpkg(tree: Tree, base: Tree) -> Iterator[tuple[str, list[str]]]:
    for file in tree.children(_DPKG.rstrip("/")):
        name = file.removesuffix(".list").partition(":")[0]
        if not file.endswith(".list") or not _builds(name) or _DPKG + file in base:
            continue
        text = tree.read(_DPKG + file) or b""
        yield name, [line.strip("/") for line in text.decode("utf-8", "surrogateescape").splitlines()]


def _apk(tree: Tree, base: Tree) -> Iterator[tuple[str, list[str]]]:
    """Read apk's database: P: begins a package, F: names a folder, R: a file in it."""
    for path in _APK:
        known = {name for name, _ in _apk_packages(base.read(path) or b"")}
        for name, paths in _apk_packages(tree.read(path) or b""):
            if _builds(name) and name not in known:
                yield name, paths


def _apk_packages(data: bytes) -> Iterator[tuple[str, list[str]]]:
    for block in data.decode("utf-8", "surrogateescape").split("\n\n"):
        name, folder, paths = "", "", []
        for line in block.splitlines():
            key, _, value = line.partition(":")
            if key == "P":
                name = value
            elif key == "F":
                folder = value
            elif key == "R":
                paths.append(f"{folder}/{value}".lstrip("/"))
        if name:
            yield name, paths


def _builds(package: str) -> bool:
    return bool(_PACKAGE.match(package)) and not _RUNTIME.match(package)
