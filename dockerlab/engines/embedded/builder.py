"""The build: which stages, in what order, each step from the cache or done, and the image at the end."""

from __future__ import annotations

import errno
import os
import posixpath
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

from dockerlab.context import Context
from dockerlab.dockerfile import Dockerfile, Instruction, Stage, expand_heredoc, parse_trigger
from dockerlab.engines import Build, Change, Finished, Log, Note, OnEvent, Started, Step, keys
from dockerlab.engines.embedded import epoch
from dockerlab.engines.embedded import run as run_step
from dockerlab.engines.embedded.bases import Bases
from dockerlab.engines.embedded.copy import Checksum, Digest, Options, Source, checksums, copy
from dockerlab.engines.embedded.draft import Draft, Text
from dockerlab.engines.embedded.instructions import (
    DEFAULT_PATH,
    METADATA,
    PROXY_ARGS,
    Given,
    State,
    unsupported,
)
from dockerlab.engines.embedded.remote import download, is_git, is_url
from dockerlab.engines.embedded.sandbox import Sandbox
from dockerlab.engines.embedded.squash import net_change, squashed_history
from dockerlab.engines.embedded.store import Store
from dockerlab.engines.embedded.users import file_owner
from dockerlab.engines.last_builds import read_record, record
from dockerlab.engines.plan import (
    architecture,
    earlier,
    expanded,
    global_args,
    needed,
    root_base,
    stage_name,
    target,
)
from dockerlab.engines.reasons import Reasons
from dockerlab.errors import BuildError, DockerfileError, DockerlabError, RunError
from dockerlab.filesystem import Entry, Node, Tree
from dockerlab.image import Image, Layer

_FULL = (
    "The disk is full: free some with `dockerlab prune`, or set DOCKERLAB_HOME to a folder on a larger one."
)

# What BuildKit keeps of a base image's config; older tools wrote more.
CONFIG_FIELDS = (
    "User",
    "ExposedPorts",
    "Env",
    "Entrypoint",
    "Cmd",
    "Volumes",
    "WorkingDir",
    "Labels",
    "StopSignal",
    "ArgsEscaped",
    "Healthcheck",
    "Shell",
    "OnBuild",
)


@dataclass(frozen=True)
class Request:
    """What one build was asked for."""

    dockerfile: Dockerfile
    context: Context
    tag: str | None = None
    target: str | None = None
    build_args: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, bytes] = field(default_factory=dict)
    no_cache: bool = False
    squash: bool = False


def build(
    request: Request,
    store: Store,
    bases: Bases,
    sandbox: Callable[[], Sandbox],
    *,
    engine: Callable[[], str],
    on_event: OnEvent,
) -> Build:
    """Build an image and store it. `sandbox` and `engine` are called only when they are needed.

    Raises DockerfileError, ContextError, BuildError (RunError), RegistryError or StoreError, with the line.
    """
    with store.building():
        return _Builder(request, store, bases, sandbox, on_event).build(engine)


class _Builder:
    def __init__(
        self,
        request: Request,
        store: Store,
        bases: Bases,
        sandbox: Callable[[], Sandbox],
        on_event: OnEvent,
    ) -> None:
        self.request = request
        self.store = store
        self.bases = bases
        self.sandbox = sandbox
        self.on_event = on_event
        self.digest = Digest()
        self.now = int(time.time())
        self.epoch = epoch.read(request.build_args)
        self.global_args = global_args(request.dockerfile, request.build_args, request.target)
        self.given = Given(request.build_args, self.global_args)
        self.states: dict[int, State] = {}
        self.steps: list[Step] = []
        self.total = 0
        self.done: dict[str, Instruction] = {}  # key -> the line of this build that did the step
        self.own_mounts: set[str] = set()  # cache mounts that hold nothing of earlier builds
        self.context_files: dict[str, int] = {}
        self.context_tree: Tree | None = None
        self.name = request.tag or keys.key({"Dockerfile": request.dockerfile.text})
        last = read_record(self.name, store.last_build(self.name))
        self.reasons = Reasons(last, no_cache=request.no_cache)

    def build(self, engine: Callable[[], str]) -> Build:
        started = time.perf_counter()
        dockerfile = self.request.dockerfile
        final = target(dockerfile, self.request.target)
        if self.request.target is not None and final.name != self.request.target.lower():
            raise DockerfileError(
                f'there is no stage "{self.request.target}": a target is a name, not a number',
                hint=f"Name the stage: FROM {final.base} AS build.",
            )
        stages = [dockerfile.stages[index] for index in sorted(needed(dockerfile, final, self.global_args))]
        self.total = sum(1 + len(stage.instructions) for stage in stages)
        for stage in stages:
            self.states[stage.index] = self._stage(stage)
        state = self._dated(self.states[final.index])
        image = self._put_image(state, None if self.request.squash else self.request.tag)
        if self.request.squash:
            image = self._put_image(self._squashed(state, image.id), self.request.tag)
        self._note_unused_args()
        build = Build(
            name=self.request.tag or "",
            image=image,
            steps=tuple(self.steps),
            engine=engine(),
            builder="embedded",
            seconds=time.perf_counter() - started,
            dockerfile=dockerfile,
            context_bytes=sum(self.context_files.values()),
            base=root_base(dockerfile, final, self.global_args),
            stand_in=state.stand_in,
        )
        self.store.put_last_build(self.name, record(build))
        return build

    def _put_image(self, state: State, reference: str | None) -> Image:
        return self.store.put_image(
            _image_config(state),
            state.layers,
            reference=reference,
            base_layers=state.base_layers,
            stand_in=state.stand_in,
        )

    def _dated(self, state: State) -> State:
        """Give the image the date that SOURCE_DATE_EPOCH asks for, and the steps the layers it then has."""
        if self.epoch is None:
            return state
        created = _rfc3339(self.epoch)
        own = state.layers[state.base_layers :]
        dated = [epoch.no_newer(layer, self.epoch, self.store) for layer in own]
        moved = {one.diff_id: other.diff_id for one, other in zip(own, dated, strict=True)}
        self.steps = [
            replace(step, diff_id=moved.get(step.diff_id or "", step.diff_id)) for step in self.steps
        ]
        return replace(
            state,
            layers=[*state.layers[: state.base_layers], *dated],
            history=epoch.dated_rows(state.history, kept=state.base_rows, created=created),
            created=created,
        )

    def _squashed(self, state: State, image: str) -> State:
        below = state.layers[: state.base_layers]
        draft = net_change(below, state.layers[state.base_layers :])
        rows = squashed_history(
            state.history, kept=state.base_rows, image=image, base=state.base_id, created=state.created
        )
        return replace(state, layers=[*below, self._written(draft)], history=rows)

    def _stage(self, stage: Stage) -> State:
        with _at_line(stage.from_.line):
            began = self._start(stage, stage.from_)
            state = self._from(stage)
        triggers = [parse_trigger(text) for text in state.config.pop("OnBuild", None) or []]
        self.total += len(triggers)
        reference = expanded(stage.base, self.global_args, stage.from_.line)
        below = earlier(self.request.dockerfile, stage, reference)
        self.reasons.begin(
            stage_name(stage),
            [(one.keyword, one.text) for one in (stage.from_, *triggers, *stage.instructions)],
            below=stage_name(below) if below is not None else None,
        )
        base = {} if below is not None else {"image": reference, "layers": state.key}
        self._finish(stage, stage.from_, began, inputs=base)
        for one in [*triggers, *stage.instructions]:
            line = stage.from_.line if one in triggers else one.line
            with _at_line(line):
                began = self._start(stage, one)
                self._do(state, stage, one, began)
        return state

    def _from(self, stage: Stage) -> State:
        # FROM [--platform=...] name [AS stage]
        reference = expanded(stage.base, self.global_args, stage.from_.line)
        escape = self.request.dockerfile.escape
        self._check_platform(stage)
        below = earlier(self.request.dockerfile, stage, reference)
        if below is not None:
            state = self.states[below.index].branch()
        elif reference == "scratch":
            state = State(
                config={"Env": [f"PATH={DEFAULT_PATH}"], "WorkingDir": "/"},
                platform={"architecture": architecture(), "os": "linux"},
                key="scratch",
                created=_rfc3339(self.now),
            )
        else:
            state = _state_of(self.bases.get(reference, on_event=self.on_event))
        state.escape = escape
        return state

    def _check_platform(self, stage: Stage) -> None:
        if stage.platform is None:
            return
        wanted = expanded(stage.platform, self.global_args, stage.from_.line)
        if wanted.split("/")[:2] != ["linux", architecture()]:
            raise unsupported(stage.from_, f"FROM --platform={wanted} on a {architecture()} machine")

    def _do(self, state: State, stage: Stage, one: Instruction, began: float) -> None:
        if one.keyword in METADATA:
            METADATA[one.keyword](state, one, self.given)
            self._finish(stage, one, began)
        elif one.keyword == "RUN":
            self._run(state, stage, one, began)
        elif one.keyword == "WORKDIR":
            self._workdir(state, stage, one, began)
        elif one.keyword in ("COPY", "ADD"):
            self._copy(state, stage, one, began)
        else:
            raise unsupported(one, one.keyword)

    def _run(self, state: State, stage: Stage, one: Instruction, began: float) -> None:
        # RUN command: the sandbox runs it on top of the layers so far; what changed is the layer
        run = run_step.read(one, state)
        bound = run_step.bound_files(run, self._tree_of(stage), self.digest)
        log: list[str] = []

        def execute() -> Layer:
            lines = run_step.Lines(lambda text: self._log(log, text))
            with (
                run_step.command(
                    run,
                    state,
                    self.store,
                    self._tree_of(stage),
                    self.request.secrets,
                    build_args=self.request.build_args,
                    empty=self._starts_empty,
                    line=one.line,
                ) as command,
                self.store.new_layer() as out,
            ):
                code = self.sandbox().run(state.layers, command, output=lines.feed, layer=out)
                lines.end()
                if code:
                    raise _run_failed(one, code, log)
                return out.commit()

        inputs, identity = run.inputs(state.key, bound), run.identity(state.key, bound)
        self._layer_step(state, stage, one, began, inputs, execute, run.shown, log, identity=identity)

    def _starts_empty(self, mount: str) -> bool:
        """Without the cache a cache mount is empty for the build's first RUN that has it, as in BuildKit."""
        first = mount not in self.own_mounts
        self.own_mounts.add(mount)
        return self.request.no_cache and first

    def _workdir(self, state: State, stage: Stage, one: Instruction, began: float) -> None:
        # WORKDIR path: set it, and make the folder; BuildKit makes a layer even when it is there
        path = _workdir(state.workdir, state.expand(one.args[0], one.line))
        state.config["WorkingDir"] = path
        if path == "/":
            state.record(f"WORKDIR {path}")
            self._finish(stage, one, began)
            return
        user = str(state.config.get("User") or "")
        inputs = {"instruction": "WORKDIR", "folder": path, "user": user, "parent": state.key}

        def execute() -> Layer:
            draft = Draft(state.tree, now=self.now)
            try:
                draft.make_folders(
                    state.tree.resolve(path), owner=file_owner(state.tree, user) if user else None
                )
            except NotADirectoryError as error:
                raise BuildError(str(error), hint="Choose another folder.") from error
            return self._written(draft)

        self._layer_step(state, stage, one, began, inputs, execute, f"WORKDIR {path}", [])

    def _copy(self, state: State, stage: Stage, one: Instruction, began: float) -> None:
        # COPY [--from=] [--chown=] [--chmod=] source ... destination; ADD also unpacks archives and downloads
        to = state.expand(one.args[-1], one.line)
        dest = _destination(state.workdir, to)
        sources, shown = self._sources(state, stage, one, one.args[:-1])
        chown = state.expand(one.flag("chown") or "", one.line)
        chmod = state.expand(one.flag("chmod") or "", one.line)
        link = one.enabled("link")
        exclude = tuple(state.expand(value, one.line) for value in one.flag_values("exclude"))
        found = [checksums(source, self.digest, exclude) for source in sources]
        for source, files in zip(sources, found, strict=True):
            if source.tree is self.context_tree:
                self._count_context(files)
        inputs = {
            "instruction": one.keyword,
            "sources": shown,
            "destination": dest,
            "owner": chown,
            "mode": chmod,
            "flags": [name for name in ("link", "parents") if one.enabled(name)],
            "exclude": list(exclude),
            "files": {file.path: file.text for files in found for file in files},
            "parent": "" if link else state.key,
        }

        def execute() -> Layer:
            draft = Draft(Tree() if link else state.tree, now=self.now)
            options = Options(
                file_owner(state.tree, chown) if chown else None,
                _mode(chmod, one.line) if chmod else None,
                unpack=one.keyword == "ADD",
                exclude=exclude,
                parents=one.enabled("parents"),
            )
            for source in sources:
                copy(draft, source, dest, options)
            return self._written(draft)

        flags = (f" --chown={chown}" if chown else "") + (f" --chmod={chmod}" if chmod else "")
        created_by = f"{one.keyword}{flags} {' '.join([*shown, to])} # buildkit"
        # BuildKit's key has the last part of a source's path, and what is there: not where it lies
        identity = {
            **inputs,
            "sources": [word if is_url(word) else posixpath.basename(word.rstrip("/")) for word in shown],
            "files": [[[file.name, file.text] for file in files] for files in found],
        }
        key = keys.key({**identity, "below": state.key}) if link else None
        self._layer_step(
            state, stage, one, began, inputs, execute, created_by, [], identity=identity, chain=key
        )

    def _sources(
        self, state: State, stage: Stage, one: Instruction, words: Sequence[str]
    ) -> tuple[list[Source], list[str]]:
        sources, shown = [], []
        for raw in words:
            doc = one.heredoc(raw)
            word = state.expand(raw, one.line)
            if doc is not None:
                content = expand_heredoc(doc.content, state.variables) if doc.expand else doc.content
                sources.append(
                    Source(_one_file(doc.name, content.encode(), self.now), doc.name, "the heredoc")
                )
                shown.append(f"<<{doc.name}")
            elif one.keyword == "ADD" and is_git(word):
                raise unsupported(one, "ADD from a git repository")
            elif one.keyword == "ADD" and is_url(word):
                fetched = download(word, checksum=one.flag("checksum"), on_event=self.on_event)
                tree = Tree({fetched.entry.path: Node(fetched.entry, fetched.content)})
                sources.append(Source(tree, fetched.entry.path, word))
                shown.append(word)
            elif one.flag("checksum") is not None:
                raise DockerfileError(
                    f"--checksum is for URLs, and {word} is none", line=one.line, hint="Leave the flag out."
                )
            else:
                tree, where = self._tree_of(stage)(one.flag("from"))
                sources.append(Source(tree, word, where))
                shown.append(word)
        return sources, shown

    def _tree_of(self, stage: Stage) -> run_step.TreeOf:
        def tree_of(origin: str | None) -> tuple[Tree, str]:
            if origin is None:
                if self.context_tree is None:
                    self.context_tree = self.request.context.tree()
                return self.context_tree, "the build context"
            below = earlier(self.request.dockerfile, stage, origin, by_index=True)
            if below is not None:
                return self.states[below.index].tree, f"stage {origin}"
            return self.bases.get(origin, on_event=self.on_event).tree(), f"image {origin}"

        return tree_of

    def _count_context(self, files: Sequence[Checksum]) -> None:
        assert self.context_tree is not None
        for file in files:
            node = self.context_tree.get(file.path)
            if node is not None:
                self.context_files[file.path] = node.entry.size

    def _written(self, draft: Draft) -> Layer:
        with self.store.new_layer() as out:
            draft.write(out)
            return out.commit()

    def _layer_step(
        self,
        state: State,
        stage: Stage,
        one: Instruction,
        began: float,
        inputs: Mapping[str, Any],
        execute: Callable[[], Layer],
        created_by: str,
        log: list[str],
        *,
        identity: Mapping[str, Any] | None = None,
        chain: str | None = None,
    ) -> None:
        """Take the step's layer from the cache, or make it and remember it.

        `inputs` explain a miss; the key is made of `identity`, where that is not the same.
        """
        key = keys.key(inputs if identity is None else identity)
        known = self.store.step(key) if self._may_reuse(key, state, one) else None
        reason: str | None = None
        changes: tuple[Change, ...] = ()
        if known is not None and self.store.has_layer(known["diff_id"]):
            layer, created, cached = self.store.layer(known["diff_id"]), known["created"], True
            if key in self.done:
                cached, reason = False, f"the same step as line {self.done[key].line}: it is done once"
                state.renewed |= self.request.no_cache
        else:
            reason, changes = self.reasons.reason(inputs)
            if known is not None:
                reason, changes = "its layer is no longer in the store", ()
            layer, created, cached = execute(), _rfc3339(self.now), False
            self.store.put_step(key, {"diff_id": layer.diff_id, "created": created, "inputs": inputs})
            self.done[key] = one
            state.renewed |= self.request.no_cache
        state.add_layer(layer, key=chain or key, created=created)
        state.record(created_by, layer=True)
        self._finish(
            stage,
            one,
            began,
            cached=cached,
            diff_id=layer.diff_id,
            log=log,
            reason=reason,
            inputs=inputs,
            changes=changes,
        )

    def _may_reuse(self, key: str, state: State, one: Instruction) -> bool:
        """Tell whether the cache may be asked: without it a build has its own steps, as BuildKit does.

        A WORKDIR is one that BuildKit takes from the cache all the same, until something above it was done.
        """
        if not self.request.no_cache or key in self.done:
            return True
        return one.keyword == "WORKDIR" and not state.renewed

    def _start(self, stage: Stage, one: Instruction) -> float:
        number = len(self.steps) + 1
        self.on_event(Started(number, self.total, stage_name(stage), one.text, one.line))
        return time.perf_counter()

    def _finish(
        self,
        stage: Stage,
        one: Instruction,
        began: float,
        *,
        cached: bool | None = None,
        diff_id: str | None = None,
        log: Sequence[str] = (),
        reason: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        changes: tuple[Change, ...] = (),
    ) -> None:
        step = Step(
            number=len(self.steps) + 1,
            stage=stage_name(stage),
            keyword=one.keyword,
            text=one.text,
            line=one.line,
            cached=cached,
            seconds=time.perf_counter() - began,
            diff_id=diff_id,
            log=tuple(log),
            reason=reason,
            inputs=inputs or {},
            changes=changes,
        )
        self.steps.append(step)
        self.reasons.done(step)
        self.on_event(Finished(step, self.total))

    def _log(self, log: list[str], text: str) -> None:
        log.append(text)
        self.on_event(Log(len(self.steps) + 1, text))

    def _note_unused_args(self) -> None:
        declared = {
            word.partition("=")[0]
            for stage in self.request.dockerfile.stages
            for one in stage.instructions
            if one.keyword == "ARG"
            for word in one.args
        }
        declared |= {word.partition("=")[0] for one in self.request.dockerfile.args for word in one.args}
        known = declared | {*PROXY_ARGS, *(name.lower() for name in PROXY_ARGS), epoch.NAME}
        unused = sorted(set(self.request.build_args) - known)
        if unused:
            self.on_event(Note(f"No ARG uses these build arguments: {', '.join(unused)}."))


class _at_line:  # noqa: N801 - reads as a statement: with _at_line(3)
    """Give an error that knows no line the line of the instruction it came from."""

    def __init__(self, line: int) -> None:
        self.line = line

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DockerlabError) and error.line is None:
            error.line = self.line


def _run_failed(one: Instruction, code: int, log: Sequence[str]) -> RunError:
    full = any(os.strerror(errno.ENOSPC) in line for line in log)
    return RunError(
        f"{one.text} ended with exit code {code}",
        exit_code=code,
        log=tuple(log),
        line=one.line,
        hint=_FULL if full else "Mend that line and build again: the steps above it are cached.",
    )


def _state_of(image: Image) -> State:
    import copy as copying

    known = image.config.get("config") or {}
    config = {name: copying.deepcopy(known[name]) for name in CONFIG_FIELDS if known.get(name)}
    layers = list(image.layers)
    platform = {
        name: image.config[name] for name in ("architecture", "os", "variant") if image.config.get(name)
    }
    env = config.setdefault("Env", [])
    if not any(pair.startswith("PATH=") for pair in env):
        env.append(f"PATH={DEFAULT_PATH}")
    return State(
        config=config,
        platform=platform,
        layers=layers,
        history=[dict(row) for row in image.config.get("history") or []],
        key=keys.key({"base": [layer.diff_id for layer in layers]}),
        created=str(image.config.get("created") or ""),
        base_layers=len(layers),
        base_rows=len(image.config.get("history") or []),
        base_id=image.id,
        stand_in=image.stand_in,
    )


def _image_config(state: State) -> dict[str, Any]:
    settings = {name: value for name, value in state.config.items() if value}  # CMD [] leaves no Cmd
    config: dict[str, Any] = {**state.platform, "created": state.created, "config": settings}
    if state.author:
        config["author"] = state.author
    return {**config, "history": state.history}


def _workdir(workdir: str, path: str) -> str:
    """Return what WORKDIR sets; like BuildKit it leaves an absolute path as it is written."""
    return path if path.startswith("/") else _absolute(workdir, path)


def _absolute(workdir: str, path: str) -> str:
    return os.path.normpath(path if path.startswith("/") else f"{workdir}/{path}").replace("//", "/")


def _destination(workdir: str, word: str) -> str:
    path = _absolute(workdir, word or ".")
    return f"{path.rstrip('/')}/" if word in ("", ".") or word.endswith(("/", "/.")) else path


def _mode(text: str, line: int) -> int:
    try:
        value = int(text, 8)
    except ValueError:
        value = -1
    if not 0 <= value <= 0o7777:
        raise DockerfileError(f'--chmod is "{text}"', line=line, hint="Write an octal number such as 755.")
    return value


def _one_file(name: str, content: bytes, now: int) -> Tree:
    return Tree({name: Node(Entry(name, "file", 0o644, mtime=now, size=len(content)), Text(content))})


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, tz=timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
