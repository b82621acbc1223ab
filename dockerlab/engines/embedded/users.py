"""Names to numbers: users and groups as a file system's own /etc/passwd and /etc/group give them."""

from __future__ import annotations

from dataclasses import dataclass

from dockerlab.errors import BuildError
from dockerlab.image.filesystem import Tree


@dataclass(frozen=True)
class User:
    """Who a RUN runs as."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    home: str = "/"


def run_user(tree: Tree, spec: str) -> User:
    """Return the user that USER `spec` ("", "name", "uid", "name:group", "uid:gid") runs as.

    As runc does: an unknown number is taken as it is with group 0; an unknown name is a BuildError.
    """
    name, _, group = spec.partition(":")
    name = name or "0"
    row = next((row for row in _rows(tree, "etc/passwd", 7) if name in (row[0], row[2])), None)
    if row is None and not name.isdigit():
        raise BuildError(
            f'there is no user "{name}" in the image\'s /etc/passwd',
            hint=f"Create it first (RUN useradd {name}), or use a number.",
        )
    uid = int(row[2]) if row else int(name)
    gid = int(row[3]) if row else 0
    groups = tuple(
        int(entry[2]) for entry in _rows(tree, "etc/group", 4) if row and row[0] in entry[3].split(",")
    )
    if group:
        gid = _group(tree, group)
        groups = ()
    return User(uid, gid, groups, (row[5] if row else "") or "/")


def file_owner(tree: Tree, spec: str) -> tuple[int, int]:
    """Return the owner that `--chown=spec`, or a WORKDIR made under USER `spec`, gives to files.

    As BuildKit does: a user that is not found counts as 0, a lone number is both uid and gid, a group that is
    not found leaves the user's own. A name where there is no layer at all to look in is a BuildError.
    """
    name, colon, group = spec.partition(":")
    if not len(tree) and not all(part.isdigit() for part in (name, group) if part):
        raise BuildError(
            f'"{spec}" is a name, and a stage from scratch has no /etc/passwd to look it up in',
            hint="Use numbers, such as 1000:1000.",
        )
    if not name:
        uid, gid = 0, 0
    elif name.isdigit():
        uid = gid = int(name)
    else:
        row = next((row for row in _rows(tree, "etc/passwd", 7) if row[0] == name), None)
        uid, gid = (int(row[2]), int(row[3])) if row else (0, 0)
    if colon and not group:
        gid = 0
    elif group:
        found = next((int(row[2]) for row in _rows(tree, "etc/group", 4) if row[0] == group), gid)
        gid = int(group) if group.isdigit() else found
    return uid, gid


def _group(tree: Tree, name: str) -> int:
    found = next((row for row in _rows(tree, "etc/group", 4) if name in (row[0], row[2])), None)
    if found is not None:
        return int(found[2])
    if name.isdigit():
        return int(name)
    raise BuildError(
        f'there is no group "{name}" in the image\'s /etc/group',
        hint=f"Create it first (RUN groupadd {name}), or use a number.",
    )


def _rows(tree: Tree, path: str, width: int) -> list[list[str]]:
    rows = []
    for line in (tree.read(path) or b"").decode("utf-8", "surrogateescape").splitlines():
        fields = line.strip().split(":")
        fields += [""] * (width - len(fields))
        if fields[0] and fields[2].isdigit() and (width < 7 or fields[3].isdigit()):
            rows.append(fields)
    return rows
