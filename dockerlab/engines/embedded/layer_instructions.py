"""What RUN, COPY, ADD and WORKDIR do: the inputs that the cache goes by, and the work that gives the layer.

Whether the work is done at all is the builder's business: each instruction is read into a LayerStep.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from dockerlab.context.context import Context
from dockerlab.dockerfile.instruction import is_git, is_url
from dockerlab.dockerfile.parser import Instruction, Stage
from dockerlab.dockerfile.stages import source_stage, stage_name
from dockerlab.engines.cache.copy_sources import Digest
from dockerlab.engines.cache.inputs import (
    Origin,
    Origins,
    base_key,
    chained,
    copy_inputs,
    read_copy,
    workdir_inputs,
)
from dockerlab.engines.embedded import epoch
from dockerlab.engines.embedded.bases.bases import Bases
from dockerlab.engines.embedded.build_request import Request
from dockerlab.engines.embedded.chmod import read_chmod
from dockerlab.engines.embedded.download import download
from dockerlab.engines.embedded.layer_draft import LayerDraft, written
from dockerlab.engines.embedded.sandbox.contract import Sandbox
from dockerlab.engines.embedded.state import StageState
from dockerlab.engines.embedded.step import LayerStep
from dockerlab.engines.embedded.store.store import Store
from dockerlab.engines.embedded.users import file_owner
from dockerlab.engines.options import image_context
from dockerlab.engines.results import OnEvent
from dockerlab.errors import BuildError
from dockerlab.image.filesystem import Node, Tree
from dockerlab.image.image import Image, Layer


class LayerSteps:
    """Reads the instructions of one build; `states` are its stages as they get done."""

    def __init__(
        self,
        request: Request,
        store: Store,
        bases: Bases,
        sandbox: Callable[[], Sandbox],
        states: Mapping[int, StageState],
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

    def run(self, state: StageState, stage: Stage, instruction: Instruction) -> LayerStep:
        """RUN command; see run.py."""
        from dockerlab.engines.embedded.mounts import RunResources
        from dockerlab.engines.embedded.run import run_step

        resources = RunResources(
            self.store,
            self.sandbox,
            self._origins(stage, instruction),
            self.digest,
            self._starts_empty,
            self.on_line,
        )
        step = run_step(instruction, state, self.request, resources)
        self._count_context(step.inputs.shown["bound files"])
        return step

    def workdir(self, state: StageState, path: str) -> LayerStep:
        """WORKDIR path: make the folder; BuildKit makes a layer even when it is there."""
        user = state.user
        date = epoch.read(self.request.build_args)

        def execute() -> Layer:
            draft = LayerDraft(state.tree, now=self.now)
            folder = state.tree.resolve(path)
            there = draft.get(folder) is not None
            try:
                draft.make_folders(folder, owner=file_owner(state.tree, user) if user else None)
            except NotADirectoryError as error:
                raise BuildError(str(error), hint="Choose another folder.") from error
            if date is not None and not there:
                draft.set_mtime(folder, date)
            return written(draft, self.store)

        return LayerStep(workdir_inputs(path, user, parent=state.key, date=date), execute, f"WORKDIR {path}")

    def copy(self, state: StageState, stage: Stage, instruction: Instruction) -> LayerStep:
        """COPY [--from=] [--chown=] [--chmod=] source ... destination; ADD also unpacks and downloads."""
        asked = read_copy(instruction, state, self._origins(stage, instruction), now=self.now)
        inputs = copy_inputs(asked, self.digest, parent=state.key)
        sources = [taken.source for taken in asked.sources if taken.source is not None]
        self._count_context(inputs.shown["files"])

        def execute() -> Layer:
            from dockerlab.engines.embedded.copying import Options
            from dockerlab.engines.embedded.copying import copy as copy_source

            draft = LayerDraft(Tree() if "link" in asked.flags else state.tree, now=self.now)
            options = Options(
                file_owner(state.tree, asked.owner) if asked.owner else None,
                read_chmod(asked.mode, instruction.line) if asked.mode else None,
            )
            for source in sources:
                copy_source(draft, source, asked.dest, options)
            return written(draft, self.store)

        flags = (f" --chown={asked.owner}" if asked.owner else "") + (
            f" --chmod={asked.mode}" if asked.mode else ""
        )
        words = [taken.word for taken in asked.sources]
        created_by = f"{instruction.keyword}{flags} {' '.join([*words, asked.to])} # buildkit"
        return LayerStep(inputs, execute, created_by, chain=chained(inputs, asked, parent=state.key))

    def _origins(self, stage: Stage, instruction: Instruction) -> Origins:
        def origin(name: str | None) -> Origin:
            if name is None:
                if self.context_tree is None:
                    self.context_tree = self.request.context.tree()
                return Origin("the build context", "", self.context_tree)
            if instruction.keyword == "ADD" and is_git(name):
                from dockerlab.engines.embedded.repository import repository_tree

                tree = repository_tree(
                    name,
                    keep_git_dir=instruction.enabled("keep-git-dir"),
                    checksum=instruction.flag("checksum"),
                    kept=self.store.root / "downloads",
                    on_event=self.on_event,
                )
                return Origin(name, "", tree)
            if instruction.keyword == "ADD" and is_url(name):
                fetched = download(name, checksum=instruction.flag("checksum"), on_event=self.on_event)
                return Origin(name, "", Tree({fetched.entry.path: Node(fetched.entry, fetched.content)}))
            bound = self.named_context(name)
            if bound is not None:
                return Origin(f"the build context {name}", "", bound.tree())
            below = source_stage(self.request.dockerfile, stage, instruction, name)
            if below is not None:
                state = self.states[below.index]
                return Origin(f"stage {stage_name(below)}", state.key, state.tree)
            if name == "scratch":
                return Origin(name, "", Tree())
            image = self.base(name)
            return Origin(f"image {name}", base_key([layer.diff_id for layer in image.layers]), image.tree())

        return origin

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

    def _count_context(self, paths: Iterable[str]) -> None:
        for path in paths:
            node = self.context_tree.get(path) if self.context_tree is not None else None
            if node is not None:
                self.context_files[path] = node.entry.size
