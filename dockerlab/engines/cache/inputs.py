"""What the cache key of a step is made of: from an instruction, what is in force there, and what it reads.

The inputs are BuildKit's. The embedded builder goes by them, and `why` on Docker, where nobody tells them.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dockerlab.dockerfile.instruction import is_git, is_url
from dockerlab.dockerfile.mounts import MountSpec, read_mounts
from dockerlab.dockerfile.parser import Instruction, expand_heredoc
from dockerlab.dockerfile.patterns import Patterns
from dockerlab.dockerfile.scope import CACHE_NAMESPACE, DEFAULT_PATH, HOSTNAME, Scope
from dockerlab.engines.cache.copy_sources import Digest, Source, Text, checksums
from dockerlab.engines.cache.keys import key
from dockerlab.errors import DockerfileError
from dockerlab.image.filesystem import Entry, Node, Tree

PIPES = "/dev/pipes"  # where BuildKit puts a heredoc that starts with #!


@dataclass(frozen=True)
class Origin:
    """Where a COPY, ADD or mount takes files from. Without `tree` what is in it is not known here."""

    where: str  # "the build context", "stage build", "image debian"
    key: str  # stands for all that is in it
    tree: Tree | None


# A from= (None: the build context), or the URL of an ADD -> what is there.
Origins = Callable[[str | None], Origin]


@dataclass(frozen=True)
class StepInputs:
    """What a step depends on: `shown` explains a miss, the key is made of `identity`."""

    shown: Mapping[str, Any]
    identity: Mapping[str, Any]

    @property
    def key(self) -> str:
        """Return the cache key."""
        return key(self.identity)


def base_key(diff_ids: Sequence[str]) -> str:
    """Return what stands for an image that a stage starts from; [] is scratch."""
    return key({"base": list(diff_ids)})


@dataclass(frozen=True)
class Run:
    """A RUN, read."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    user: str
    mounts: tuple[MountSpec, ...]
    network: str
    script: str | None  # content of a heredoc that starts with #!
    script_path: str
    hostname: str


def read_run(instruction: Instruction, scope: Scope, build_args: Mapping[str, str], *, network: str) -> Run:
    """Return what a RUN asks for; `network` is for one that has the default. Raises DockerfileError."""
    asked = instruction.flag("network") or "default"
    if asked == "host":
        raise DockerfileError(
            "--network=host is not allowed: BuildKit wants --allow network.host for it",
            line=instruction.line,
            hint="Leave it out: a RUN reaches the network without it.",
        )
    if asked not in ("default", "none"):
        raise DockerfileError(f'--network is "{asked}"', line=instruction.line, hint="Use default or none.")
    network = network if asked == "default" else asked
    doc = instruction.shebang
    script, path = (doc.content, f"{PIPES}/{doc.name}") if doc else (None, "")
    argv = instruction.args if instruction.json else (*scope.shell, path or instruction.script or "")
    env = {**scope.variables}
    env.setdefault("PATH", DEFAULT_PATH)
    mounts = read_mounts(instruction, scope, namespace=build_args.get(CACHE_NAMESPACE, ""))
    hostname = build_args.get(HOSTNAME, "")
    return Run(argv, env, scope.workdir, scope.user, mounts, network, script, path, hostname)


def run_inputs(run: Run, origins: Origins, digest: Digest, *, parent: str) -> StepInputs:
    """Return the inputs of a RUN. A secret's value and a cache mount's content are no part of them."""
    read = _Read(digest)
    mounts = sorted(run.mounts, key=lambda mount: mount.target)
    for mount in mounts:
        if mount.type == "bind" or (mount.type == "cache" and mount.origin is not None):
            read.take(origins(mount.origin), mount.origin, mount.source or "/")
    shown = {
        "instruction": "RUN",
        "command": list(run.argv),
        "script": run.script,
        "environment": dict(run.env),
        "user": run.user,
        "working folder": run.cwd,
        "network": run.network,
        **({"host name": run.hostname} if run.hostname else {}),
        "mounts": {mount.target or mount.id: mount.shown for mount in mounts},
        "bound files": read.files,
        **read.elsewhere,
        "parent": parent,
    }
    # Of variables the order counts too; of what a bind mount shows not where it lies.
    identity = {
        **shown,
        "environment": list(run.env.items()),
        "mounts": [[mount.target, mount.kept] for mount in mounts],
        **read.identity("bound files"),
    }
    return StepInputs(shown, identity)


@dataclass(frozen=True)
class CopySource:
    """One source of a COPY or ADD: its word for the history, and what it names; None: that is not known."""

    word: str
    source: Source | None
    origin: Origin
    name: str | None  # the from=, or the URL
    remote: bool = False  # it is downloaded


@dataclass(frozen=True)
class Copy:
    """A COPY or ADD, read."""

    keyword: str
    sources: tuple[CopySource, ...]
    to: str  # the destination as the history shows it
    dest: str  # absolute; ends in / for a folder
    owner: str
    mode: str
    flags: tuple[str, ...]
    exclude: tuple[str, ...]

    @property
    def detached(self) -> bool:
        """Tell whether it depends on nothing below: --link, unless a user is looked up there."""
        return "link" in self.flags and all(part.isdigit() for part in self.owner.split(":") if part)


def read_copy(instruction: Instruction, scope: Scope, origins: Origins, *, now: int = 0) -> Copy:
    """Return what a COPY or ADD asks for; a heredoc is a file of the time `now`. Raises DockerfileError."""
    exclude = tuple(scope.expand(value, instruction.line) for value in instruction.flag_values("exclude"))
    try:
        left_out = Patterns.of(exclude)
    except ValueError as error:
        raise DockerfileError(f"--exclude is no pattern: {error}", line=instruction.line) from error
    adds, told = instruction.keyword == "ADD", instruction.flag("unpack") is not None
    taken = []
    for raw in instruction.args[:-1]:
        doc = instruction.heredoc(raw)
        word = scope.expand(raw, instruction.line)
        if doc is not None:
            text = expand_heredoc(doc.content, scope.variables) if doc.expand else doc.content
            tree = _one_file(doc.name, text.encode(), now)
            origin = Origin("the heredoc", "", tree)
            taken.append(CopySource(f"<<{doc.name}", Source(tree, doc.name, origin.where), origin, None))
            continue
        remote = adds and (is_url(word) or is_git(word))
        if instruction.flag("checksum") is not None and not remote:
            raise DockerfileError(
                f"--checksum is for URLs, and {word} is none",
                line=instruction.line,
                hint="Leave the flag out.",
            )
        name = word if remote else instruction.flag("from")
        origin = origins(name)
        source = None
        if origin.tree is not None:
            source = Source(
                origin.tree,
                word if not remote else "" if is_git(word) else next(iter(origin.tree)),
                origin.where,
                unpack=instruction.enabled("unpack") if told else adds and not remote,
                parents=instruction.enabled("parents"),
                exclude=left_out,
            )
        taken.append(CopySource(word, source, origin, name, remote))
    to = scope.expand(instruction.args[-1], instruction.line)
    dest = scope.absolute(to or ".")
    return Copy(
        instruction.keyword,
        tuple(taken),
        to,
        f"{dest.rstrip('/')}/" if to in ("", ".") or to.endswith(("/", "/.")) else dest,
        scope.expand(instruction.flag("chown") or "", instruction.line),
        scope.expand(instruction.flag("chmod") or "", instruction.line),
        (
            *(name for name in ("link", "parents") if instruction.enabled(name)),
            *([f"unpack={instruction.enabled('unpack')}".lower()] if told else []),
        ),
        exclude,
    )


def copy_inputs(copy: Copy, digest: Digest, *, parent: str) -> StepInputs:
    """Return the inputs of a COPY or ADD."""
    read = _Read(digest)
    for taken in copy.sources:
        read.take(taken.origin, taken.name, taken.word, taken.source)
    shown = {
        "instruction": copy.keyword,
        "sources": [taken.word for taken in copy.sources],
        "destination": copy.dest,
        "owner": copy.owner,
        "mode": copy.mode,
        "flags": list(copy.flags),
        "exclude": list(copy.exclude),
        "files": read.files,
        **read.elsewhere,
        "parent": "" if copy.detached else parent,
    }
    # BuildKit's key has the last part of a source's path, and what is there: not where it lies.
    names = [it.word if it.remote else posixpath.basename(it.word.rstrip("/")) for it in copy.sources]
    return StepInputs(shown, {**shown, "sources": names, **read.identity("files")})


def chained(inputs: StepInputs, copy: Copy, *, parent: str) -> str:
    """Return what a COPY or ADD counts for in the keys of the steps above: with --link its key is not all."""
    return key({**inputs.identity, "below": parent}) if copy.detached else inputs.key


def workdir_inputs(path: str, user: str, *, parent: str, date: int | None) -> StepInputs:
    """Return the inputs of a WORKDIR; USER is one, as it owns the folder, and SOURCE_DATE_EPOCH its date."""
    folder = posixpath.normpath(path)
    shown = {"instruction": "WORKDIR", "folder": folder, "user": user, "parent": parent}
    if date is not None:
        shown["date"] = str(date)
    return StepInputs(shown, shown)


class _Read:
    """The files a step reads: those of the context by name, of others that they changed, and what."""

    def __init__(self, digest: Digest) -> None:
        self._digest = digest
        self._identity: list[Any] = []
        self.files: dict[str, str] = {}
        self._from: dict[str, str] = {}
        self._from_files: dict[str, str] = {}

    def take(self, origin: Origin, name: str | None, path: str, source: Source | None = None) -> None:
        """Take what `path` names in `origin`; `name` is its from=, None for the context."""
        if origin.tree is None:
            self._identity.append([origin.key, path])
            self._from[origin.where] = origin.key
            return
        found = checksums(source or Source(origin.tree, path, origin.where), self._digest)
        self._identity.append([[file.name, file.text] for file in found])
        files = {file.path: file.text for file in found}
        if name is None:
            self.files |= files
        else:
            self._from[origin.where] = key(
                {"before": self._from.get(origin.where, ""), "files": self._identity[-1]}
            )
            self._from_files |= files

    @property
    def elsewhere(self) -> dict[str, Any]:
        """Return what is said of files that are not the context's, where there are any."""
        return {"from": self._from, "files there": self._from_files} if self._from else {}

    def identity(self, name: str) -> dict[str, Any]:
        """Return what of the files counts for the key, in place of what is said of them."""
        return {name: self._identity, "from": None, "files there": None}


def _one_file(name: str, content: bytes, now: int) -> Tree:
    return Tree({name: Node(Entry(name, "file", 0o644, mtime=now, size=len(content)), Text(content))})
