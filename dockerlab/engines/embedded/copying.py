"""COPY and ADD: where the files of a source land."""

from __future__ import annotations

import errno
from dataclasses import dataclass, replace
from typing import BinaryIO

from dockerlab.engines.cache.copy_sources import Match, Source, kept, matches
from dockerlab.engines.embedded.chmod import Chmod
from dockerlab.engines.embedded.layer_draft import LayerDraft
from dockerlab.errors import BuildError
from dockerlab.image.filesystem import Contents, Entry, Tree, join


@dataclass(frozen=True)
class Options:
    """The flags of one COPY or ADD that say how files arrive."""

    owner: tuple[int, int] | None = None  # None: as in the source
    mode: Chmod | None = None


def copy(draft: LayerDraft, source: Source, dest: str, options: Options) -> None:
    """Copy what `source` names to `dest` (absolute, a trailing slash means folder), as BuildKit does.

    Raises ContextError when a source without wildcards is not there.
    """
    for match in matches(source):
        _copy_one(draft, source, match, dest, options)


def _copy_one(draft: LayerDraft, source: Source, match: Match, dest: str, options: Options) -> None:
    tree = source.tree
    top = tree.get(match.path)
    folder = top is None or top.entry.kind == "dir"
    below = kept(source, match)
    if not below:
        return
    if (
        source.unpack
        and not folder
        and top is not None
        and _unpack(draft, top.origin, top.entry, dest, options)
    ):
        return
    into = dest.endswith("/") or dest.endswith("/.")
    target = draft.tree.resolve(dest)
    there = draft.get(target)
    if not folder and (into or draft.tree.is_dir(target)):
        target = join(target, match.name)
    _make(draft, target if folder and there is None else target.rpartition("/")[0], options)
    copied: dict[int, str] = {}
    if not folder:
        _put(draft, tree, match.path, target, options, copied)
        return
    if there is not None and there.kind != "dir":
        raise BuildError(
            f"cannot copy a folder over /{target}, which is a {there.kind}",
            hint="Copy to another path, or remove that file first.",
        )
    for path in filter(None, below):
        _put(draft, tree, join(match.path, path), join(target, path), options, copied)
    if target:
        draft.set_mtime(target, top.entry.mtime if top is not None else draft.now)


def _put(
    draft: LayerDraft, tree: Tree, path: str, target: str, options: Options, copied: dict[int, str]
) -> None:
    node = tree.get(path)
    assert node is not None, f"{path} is not there"
    old = draft.get(target)
    if old is not None and (old.kind == "dir") != (node.entry.kind == "dir"):
        raise BuildError(
            f"cannot copy a {node.entry.kind} over /{target}, which is a {old.kind}",
            hint="Copy to another path, or remove what is there first.",
        )
    if id(node) in copied:
        draft.link(target, copied[id(node)])
        return
    entry = replace(node.entry, path=target)
    if options.owner is not None:
        entry = replace(entry, uid=options.owner[0], gid=options.owner[1])
    if options.mode is not None and entry.kind != "symlink":
        entry = replace(entry, mode=options.mode.of(entry.mode, folder=entry.kind == "dir"))
    draft.put(entry, Renamed(node.origin, node.entry))
    if entry.kind == "file":
        copied[id(node)] = target


@dataclass(frozen=True)
class Renamed:
    """The content of an entry under the path it was copied from."""

    origin: Contents
    entry: Entry

    def open(self, entry: Entry) -> BinaryIO:  # noqa: ARG002 - the protocol of every content source
        """Return a stream over the original's content."""
        return self.origin.open(self.entry)


def _make(draft: LayerDraft, path: str, options: Options, *, inherit: bool = True) -> None:
    mode = options.mode.new_folder if options.mode is not None else 0o755
    try:
        draft.make_folders(path, owner=options.owner, mode=mode, inherit=inherit)
    except NotADirectoryError as error:
        raise BuildError(str(error), hint="Copy to another path.") from error


def _unpack(draft: LayerDraft, origin: Contents, archive: Entry, dest: str, options: Options) -> bool:
    from dockerlab.engines.embedded.unpack import members

    unpacked = members(origin, archive)
    if unpacked is None:
        return False
    found, content = unpacked
    target = draft.tree.resolve(dest)
    _make(draft, target, replace(options, mode=None))
    for unowned in found:
        uid, gid = options.owner or (unowned.uid, unowned.gid)
        member = replace(unowned, uid=uid, gid=gid)
        path = _within(draft, target, member.path, archive)
        old = draft.get(path)
        if old is not None and not (old.kind == "dir" and member.kind == "dir"):
            draft.remove(path)
        _make(draft, path.rpartition("/")[0], Options(), inherit=False)
        if member.kind != "hardlink":
            draft.put(replace(member, path=path), content)
            continue
        other = draft.get(_within(draft, target, member.link, archive))
        if other is None or other.kind == "dir":
            raise BuildError(
                f"{archive.path} has a hard link {member.path} to {member.link}, which is no file there",
                hint="Make the archive again, with that file before the link.",
            )
        like = replace(member, mode=other.mode) if other.kind == "symlink" else member
        draft.link(path, other.path, like=like)
    return True


def _within(draft: LayerDraft, target: str, name: str, archive: Entry) -> str:
    """Return where a member's name leads; symlinks are followed as if `target` were the root."""
    try:
        return draft.tree.resolve(name, follow_last=False, root=target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        raise BuildError(
            f"{archive.path} has a member {name}, which a symlink leads out of /{target}",
            hint="Make the archive again without that symlink.",
        ) from error
