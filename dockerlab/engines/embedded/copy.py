"""COPY and ADD: where the files of a source land."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import BinaryIO

from dockerlab.engines.embedded.draft import Draft
from dockerlab.engines.sources import Match, Source, kept, matches
from dockerlab.errors import BuildError
from dockerlab.filesystem import Contents, Entry, Tree, join


@dataclass(frozen=True)
class Options:
    """The flags of one COPY or ADD that say how files arrive."""

    owner: tuple[int, int] | None = None  # None: as in the source
    mode: int | None = None


def copy(draft: Draft, source: Source, dest: str, options: Options) -> None:
    """Copy what `source` names to `dest` (absolute, a trailing slash means folder), as BuildKit does.

    Raises ContextError when a source without wildcards is not there.
    """
    for match in matches(source):
        _copy_one(draft, source, match, dest, options)


def _copy_one(draft: Draft, source: Source, match: Match, dest: str, options: Options) -> None:
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


def _put(draft: Draft, tree: Tree, path: str, target: str, options: Options, copied: dict[int, str]) -> None:
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
        entry = replace(entry, mode=options.mode)
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


def _make(draft: Draft, path: str, options: Options) -> None:
    try:
        draft.make_folders(path, owner=options.owner)
    except NotADirectoryError as error:
        raise BuildError(str(error), hint="Copy to another path.") from error


def _unpack(draft: Draft, origin: Contents, entry: Entry, dest: str, options: Options) -> bool:
    from dockerlab.engines.embedded.unpack import members

    found = members(origin, entry)
    if found is None:
        return False
    target = draft.tree.resolve(dest)
    _make(draft, target, options)
    for member, content in found:
        path = draft.tree.resolve(join(target, member.path), follow_last=False)
        if target and path != target and not path.startswith(f"{target}/"):
            raise BuildError(
                f"{entry.path} has a member {member.path}, which a symlink leads out of /{target}",
                hint="Make the archive again without that symlink.",
            )
        old = draft.get(path)
        if old is not None and not (old.kind == "dir" and member.kind == "dir"):
            draft.remove(path)
        parent = path.rpartition("/")[0]
        _make(draft, parent, Options(owner=(0, 0)))
        if member.kind == "hardlink":
            other = draft.tree.resolve(join(target, member.link), follow_last=False)
            if draft.get(other) is None:
                raise BuildError(
                    f"{entry.path} has a hard link {member.path} to {member.link}, which is not there",
                    hint="Make the archive again, with that file before the link.",
                )
            draft.link(path, other, like=member)
            continue
        draft.put(replace(member, path=path), content)
    return True
