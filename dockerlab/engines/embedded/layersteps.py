"""What RUN, COPY, ADD and WORKDIR do: the inputs that the cache goes by, and the work that gives the layer.

Whether the work is done at all is the builder's business: each instruction is read into a LayerStep.
"""

from __future__ import annotations

import os
import posixpath
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dockerlab.context import Context
from dockerlab.dockerfile import Instruction, Stage, expand_heredoc
from dockerlab.engines import OnEvent, keys
from dockerlab.engines.embedded import epoch
from dockerlab.engines.embedded.bases import Bases
from dockerlab.engines.embedded.chmod import read_chmod
from dockerlab.engines.embedded.draft import Draft, Text
from dockerlab.engines.embedded.instructions import State
from dockerlab.engines.embedded.layerstep import LayerStep
from dockerlab.engines.embedded.remote import download, is_git, is_url
from dockerlab.engines.embedded.request import Request
from dockerlab.engines.embedded.sandbox import Sandbox
from dockerlab.engines.embedded.store import Store
from dockerlab.engines.embedded.users import file_owner
from dockerlab.engines.options import image_context
from dockerlab.engines.plan import earlier
from dockerlab.engines.sources import Checksum, Digest, Source, checksums
from dockerlab.errors import BuildError, DockerfileError
from dockerlab.filesystem import Entry, Node, Tree
from dockerlab.image import Image, Layer
from dockerlab.patterns import Patterns

if TYPE_CHECKING:
    from dockerlab.engines.embedded.mounts import TreeOf


class LayerSteps:
    """Reads the instructions of one build; `states` are its stages as they get done."""

    def __init__(
        self,
        request: Request,
        store: Store,
        bases: Bases,
        sandbox: Callable[[], Sandbox],
        states: Mapping[int, State],
        *,
        on_event: OnEvent,
        on_line: Callable[[str], None],
    ) -> None:
        self.request = request
        self.store = store
        self.bases = bases
        self.sandbox = sandbox
        self.states = states
        self.on_event = on_event
        self.on_line = on_line
        self.now = int(time.time())
        self.digest = Digest()
        self.own_mounts: set[str] = set()  # cache mounts that hold nothing of earlier builds
        self.context_tree: Tree | None = None
        self.named: dict[str, Context | Image] = {}  # the --build-context that were used
        self.context_files: dict[str, int] = {}  # path -> bytes

    def run(self, state: State, stage: Stage, one: Instruction) -> LayerStep:
        """RUN command; see run.py."""
        from dockerlab.engines.embedded.run import Room, run_step

        room = Room(
            self.store, self.sandbox, self._tree_of(stage), self.digest, self._starts_empty, self.on_line
        )
        return run_step(one, state, self.request, room)

    def workdir(self, state: State, path: str) -> LayerStep:
        """WORKDIR path: make the folder; BuildKit makes a layer even when it is there."""
        user = str(state.config.get("User") or "")
        inputs = {"instruction": "WORKDIR", "folder": path, "user": user, "parent": state.key}
        date = epoch.read(self.request.build_args)
        if date is not None:
            inputs["date"] = str(date)

        def execute() -> Layer:
            draft = Draft(state.tree, now=self.now)
            folder = state.tree.resolve(path)
            there = draft.get(folder) is not None
            try:
                draft.make_folders(folder, owner=file_owner(state.tree, user) if user else None)
            except NotADirectoryError as error:
                raise BuildError(str(error), hint="Choose another folder.") from error
            if date is not None and not there:
                draft.set_mtime(folder, date)
            return written(draft, self.store)

        return LayerStep(inputs, execute, f"WORKDIR {path}")

    def copy(self, state: State, stage: Stage, one: Instruction) -> LayerStep:
        """COPY [--from=] [--chown=] [--chmod=] source ... destination; ADD also unpacks and downloads."""
        to = state.expand(one.args[-1], one.line)
        dest = _destination(state.workdir, to)
        exclude = [state.expand(value, one.line) for value in one.flag_values("exclude")]
        sources, shown = self._sources(state, stage, one, exclude)
        chown = state.expand(one.flag("chown") or "", one.line)
        chmod = state.expand(one.flag("chmod") or "", one.line)
        link = one.enabled("link")
        unpack = [] if one.flag("unpack") is None else [f"unpack={one.enabled('unpack')}".lower()]
        found = [checksums(source, self.digest) for source in sources]
        for source, files in zip(sources, found, strict=True):
            if source.tree is self.context_tree:
                self._count_context(files)
        inputs = {
            "instruction": one.keyword,
            "sources": shown,
            "destination": dest,
            "owner": chown,
            "mode": chmod,
            "flags": [name for name in ("link", "parents") if one.enabled(name)] + unpack,
            "exclude": exclude,
            "files": {file.path: file.text for files in found for file in files},
            "parent": "" if link else state.key,
        }

        def execute() -> Layer:
            from dockerlab.engines.embedded.copy import Options
            from dockerlab.engines.embedded.copy import copy as copy_source

            draft = Draft(Tree() if link else state.tree, now=self.now)
            options = Options(
                file_owner(state.tree, chown) if chown else None,
                read_chmod(chmod, one.line) if chmod else None,
            )
            for source in sources:
                copy_source(draft, source, dest, options)
            return written(draft, self.store)

        flags = (f" --chown={chown}" if chown else "") + (f" --chmod={chmod}" if chmod else "")
        created_by = f"{one.keyword}{flags} {' '.join([*shown, to])} # buildkit"
        # BuildKit's key has the last part of a source's path, and what is there: not where it lies
        identity = {
            **inputs,
            "sources": [word if is_url(word) else posixpath.basename(word.rstrip("/")) for word in shown],
            "files": [[[file.name, file.text] for file in files] for files in found],
        }
        key = keys.key({**identity, "below": state.key}) if link else None
        return LayerStep(inputs, execute, created_by, identity=identity, chain=key)

    def _sources(
        self, state: State, stage: Stage, one: Instruction, exclude: Sequence[str]
    ) -> tuple[list[Source], list[str]]:
        sources, shown = [], []
        try:
            left_out = Patterns.of(exclude)
        except ValueError as error:
            raise DockerfileError(f"--exclude is no pattern: {error}", line=one.line) from error
        for raw in one.args[:-1]:
            doc = one.heredoc(raw)
            word = state.expand(raw, one.line)
            if doc is not None:
                content = expand_heredoc(doc.content, state.variables) if doc.expand else doc.content
                sources.append(
                    Source(_one_file(doc.name, content.encode(), self.now), doc.name, "the heredoc")
                )
                shown.append(f"<<{doc.name}")
            elif one.keyword == "ADD" and is_git(word):
                from dockerlab.engines.embedded.repository import repository_tree

                tree = repository_tree(
                    word,
                    keep_git_dir=one.enabled("keep-git-dir"),
                    checksum=one.flag("checksum"),
                    kept=self.store.root / "downloads",
                    on_event=self.on_event,
                )
                sources.append(Source(tree, "", word))
                shown.append(word)
            elif one.keyword == "ADD" and is_url(word):
                fetched = download(word, checksum=one.flag("checksum"), on_event=self.on_event)
                tree = Tree({fetched.entry.path: Node(fetched.entry, fetched.content)})
                sources.append(Source(tree, fetched.entry.path, word, unpack=one.enabled("unpack")))
                shown.append(word)
            elif one.flag("checksum") is not None:
                raise DockerfileError(
                    f"--checksum is for URLs, and {word} is none", line=one.line, hint="Leave the flag out."
                )
            else:
                tree, where = self._tree_of(stage)(one.flag("from"))
                unpack = one.keyword == "ADD" if one.flag("unpack") is None else one.enabled("unpack")
                sources.append(
                    Source(
                        tree,
                        word,
                        where,
                        unpack=unpack,
                        parents=one.enabled("parents"),
                        exclude=left_out,
                    )
                )
                shown.append(word)
        return sources, shown

    def _tree_of(self, stage: Stage) -> TreeOf:
        def tree_of(origin: str | None) -> tuple[Tree, str]:
            if origin is None:
                if self.context_tree is None:
                    self.context_tree = self.request.context.tree()
                return self.context_tree, "the build context"
            bound = self.named_context(origin)
            if bound is not None:
                return bound.tree(), f"the build context {origin}"
            below = earlier(self.request.dockerfile, stage, origin, by_index=True)
            if below is not None:
                return self.states[below.index].tree, f"stage {origin}"
            return self.base(origin).tree(), f"image {origin}"

        return tree_of

    def base(self, reference: str) -> Image:
        """Return an image that FROM or --from names."""
        return self.bases.get(reference, fresh=self.request.options.pull, on_event=self.on_event)

    def named_context(self, name: str) -> Context | Image | None:
        """Return what --build-context binds a name to, or None."""
        where = self.request.options.contexts.get(name)
        if where is None:
            return None
        if name not in self.named:
            image = image_context(where)
            self.named[name] = Context.folder(Path(where)) if image is None else self.base(image)
        return self.named[name]

    def _starts_empty(self, mount: str) -> bool:
        """Without the cache a cache mount is empty for the build's first RUN that has it, as in BuildKit."""
        first = mount not in self.own_mounts
        self.own_mounts.add(mount)
        return self.request.no_cache and first

    def _count_context(self, files: Sequence[Checksum]) -> None:
        assert self.context_tree is not None
        for file in files:
            node = self.context_tree.get(file.path)
            if node is not None:
                self.context_files[file.path] = node.entry.size


def written(draft: Draft, store: Store) -> Layer:
    """Write a draft as a layer of the store."""
    with store.new_layer() as out:
        draft.write(out)
        return out.commit()


def new_workdir(workdir: str, path: str) -> str:
    """Return what WORKDIR sets; like BuildKit it leaves an absolute path as it is written."""
    return path if path.startswith("/") else _absolute(workdir, path)


def _absolute(workdir: str, path: str) -> str:
    return os.path.normpath(path if path.startswith("/") else f"{workdir}/{path}").replace("//", "/")


def _destination(workdir: str, word: str) -> str:
    path = _absolute(workdir, word or ".")
    return f"{path.rstrip('/')}/" if word in ("", ".") or word.endswith(("/", "/.")) else path


def _one_file(name: str, content: bytes, now: int) -> Tree:
    return Tree({name: Node(Entry(name, "file", 0o644, mtime=now, size=len(content)), Text(content))})
