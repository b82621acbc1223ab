"""COPY (Dockerfile reference, "COPY")."""

from __future__ import annotations

from dockerlab.context import File
from tests.conformance.case import Case, Fifo, Folder, Hard, Item, Link, Sparse

TREE: dict[str, Item] = {
    "a.txt": "a @nonce\n",
    "b.txt": "b\n",
    "run.sh": File("#!/bin/sh\necho run\n", 0o755),
    "dir/one.txt": "one\n",
    "dir/two.md": "two\n",
    "dir/sub/three.txt": File("three\n", 0o600),
    "dir/empty": Folder(0o700),
    "dir/link": Link("one.txt"),
    "to-file": Link("a.txt"),
    "to-dir": Link("dir"),
    ".hidden": "h\n",
}


def _copy(
    name: str, *lines: str, base: str = "@base", refused: str | None = None, mtimes: tuple[str, ...] = ()
) -> Case:
    return Case(
        f"copy-{name}", "\n".join([f"FROM {base}", *lines]) + "\n", TREE, refused=refused, mtimes=mtimes
    )


CASES = [
    _copy("file-to-folder", "COPY a.txt /tmp/", mtimes=("tmp/a.txt",)),
    _copy("file-to-name", "COPY a.txt /tmp/new"),
    _copy("file-to-new-folder", "COPY a.txt /new/deep/"),
    _copy("file-to-existing-folder-no-slash", "COPY a.txt /tmp"),
    _copy("file-over-file", "COPY a.txt /var/full/one"),
    _copy("file-over-hard-link", "COPY a.txt /var/second-name"),
    _copy("file-to-root", "COPY a.txt /"),
    _copy("relative", "WORKDIR /srv/app", "COPY a.txt .", "COPY b.txt ./", "COPY run.sh in/"),
    _copy("relative-name", "WORKDIR /srv/app", "COPY a.txt new"),
    _copy("mode-kept", "COPY run.sh dir/sub/three.txt /x/"),
    _copy(
        "folder", "COPY dir /x", mtimes=("x", "x/one.txt", "x/sub", "x/sub/three.txt", "x/link", "x/empty")
    ),
    _copy("folder-slash", "COPY dir/ /x/"),
    _copy("folder-over-existing", "COPY dir /var/full"),
    _copy("folder-to-root", "COPY dir /"),
    _copy("everything", "COPY . /x/"),
    _copy("two-sources", "COPY a.txt b.txt /x/"),
    _copy("two-sources-one-name", "COPY a.txt b.txt /x"),
    _copy("two-folders", "COPY dir/sub dir /x/"),
    _copy("glob", "COPY *.txt /x/"),
    _copy("glob-deep", "COPY d*/*.txt /x/"),
    _copy("glob-folder", "COPY d?r /x/"),
    _copy("glob-no-match", "COPY *.nothing /x/"),
    _copy("glob-class", "COPY [ab].txt /x/"),
    _copy("missing", "COPY nothing.txt /x/", refused="nothing.txt"),
    _copy("json", 'COPY ["a.txt", "b.txt", "/with space/"]'),
    _copy("symlink-source", "COPY to-file /x/"),
    _copy("symlink-folder-source", "COPY to-dir /x/"),
    _copy("into-symlink-folder", "COPY a.txt /var/to-folder/"),
    _copy("onto-symlink-file", "COPY a.txt /var/to-file"),
    _copy("chown-name", "COPY --chown=ann a.txt /x/"),
    _copy("chown-name-group", "COPY --chown=ann:staff dir /x/y/"),
    _copy("chown-number", "COPY --chown=12:34 dir /x"),
    _copy("chown-unknown", "COPY --chown=nobodyknows a.txt /x/"),
    _copy("chmod", "COPY --chmod=4711 dir a.txt /x/"),
    _copy("user-ignored", "USER ann", "COPY a.txt /x/"),
    Case(
        "copy-hard-links",
        "FROM @base\nCOPY d /x\n",
        {"d/a": "same\n", "d/b": Hard("d/a"), "d/sub/c": Hard("d/a")},
    ),
    Case("copy-fifo", "FROM @base\nCOPY d /x\n", {"d/a": "1", "d/pipe": Fifo()}),
    Case("copy-sparse", "FROM @base\nCOPY big /x\n", {"big": Sparse(1 << 20)}),
]
