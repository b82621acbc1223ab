"""The named inputs of each step, worked out from the Dockerfile and the context.

BuildKit and the legacy builder tell whether a step was cached, never what its key was made of. So the lab
derives it by the same model as the embedded builder's: the instruction after expansion, ENV and ARG in scope,
USER, WORKDIR and SHELL, the files it reads, and the step below.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dockerlab.context import Context
from dockerlab.dockerfile import Dockerfile, Instruction, Stage, expand, expand_heredoc
from dockerlab.engines.keys import Inputs, key
from dockerlab.engines.plan import base_stage, earlier, expanded
from dockerlab.errors import DockerfileError
from dockerlab.filesystem import Tree, join

SHELL = ("/bin/sh", "-c")
_WILDCARD = re.compile(r"[*?\[]")

# An image reference -> its ID (or None) and its "config" object.
Bases = Callable[[str], tuple[str | None, Mapping[str, Any]]]


@dataclass
class _State:
    """What the lines so far have set in one stage."""

    key: str
    env: dict[str, str] = field(default_factory=dict)
    args: dict[str, str | None] = field(default_factory=dict)
    user: str = ""
    workdir: str = "/"
    shell: tuple[str, ...] = SHELL

    @property
    def variables(self) -> dict[str, str]:
        return {**{name: value for name, value in self.args.items() if value is not None}, **self.env}


@dataclass(frozen=True)
class Given:
    """What the build was given beside the stages; `args` are those before the first FROM."""

    dockerfile: Dockerfile
    context: Context | None
    build_args: Mapping[str, str]
    args: Mapping[str, str | None]
    bases: Bases
    legacy: bool = False


def derive(stages: Sequence[Stage], given: Given) -> dict[int, Inputs]:
    """Return the inputs of each instruction of `stages` by id(instruction); {} where nothing is cached.

    With the legacy builder every line is, and its text is what counts.
    """
    found: dict[int, Inputs] = {}
    states: dict[int, _State] = {}
    tree = given.context.tree() if given.context is not None else Tree()
    for stage in stages:
        state, base = _start(stage, states, given)
        found[id(stage.from_)] = base
        for one in stage.instructions:
            inputs = _Line(one, state, stage, given, states, tree).inputs()
            found[id(one)] = inputs
            if inputs:
                state.key = key(inputs)
        states[stage.index] = state
    return found


def _start(stage: Stage, states: Mapping[int, _State], given: Given) -> tuple[_State, Inputs]:
    below = base_stage(given.dockerfile, stage, given.args)
    if below is not None:
        old = states[below.index]
        return replace(old, env=dict(old.env), args={}), {}
    name = expanded(stage.base, given.args, stage.from_.line)
    identity, config = given.bases(name) if name != "scratch" else (None, {})
    env = dict(pair.split("=", 1) for pair in config.get("Env") or () if "=" in pair)
    inputs = {"image": name, "id": identity or ""}
    return (
        _State(
            key(inputs),
            env,
            user=str(config.get("User") or ""),
            workdir=str(config.get("WorkingDir") or "/"),
            shell=tuple(config.get("Shell") or SHELL),
        ),
        inputs,
    )


@dataclass(frozen=True)
class _Line:
    """One instruction where it stands."""

    one: Instruction
    state: _State
    stage: Stage
    given: Given
    states: Mapping[int, _State]
    tree: Tree

    def inputs(self) -> dict[str, Any]:
        keyword = self.one.keyword
        made: dict[str, Any] = {}
        if keyword == "RUN":
            made = self._run()
        elif keyword in ("COPY", "ADD"):
            made = self._copy()
        elif keyword == "WORKDIR":
            self.state.workdir = self._absolute(self._expand(self.one.args[0]))
            made = {"folder": self.state.workdir, "user": self.state.user}
        else:
            self._metadata()
            made = {"line": self._expand_all(self.one.text)}
            if not self.given.legacy:
                return {}
        if keyword == "WORKDIR" and self.state.workdir == "/" and not self.given.legacy:
            return {}
        link = keyword in ("COPY", "ADD") and self.one.enabled("link")
        return {"instruction": keyword, **made, "parent": "" if link else self.state.key}

    def _metadata(self) -> None:
        one, state = self.one, self.state
        if one.keyword == "ENV":
            pairs = [word.partition("=") for word in one.args]
            state.env |= {self._expand(name): self._expand(value) for name, _, value in pairs}
        elif one.keyword == "ARG":
            for word in one.args:
                name, equals, default = word.partition("=")
                value = self._expand(default) if equals else self.given.args.get(name)
                state.args[name] = self.given.build_args.get(name, value)
        elif one.keyword == "USER":
            state.user = self._expand(one.args[0])
        elif one.keyword == "SHELL":
            state.shell = one.args

    def _run(self) -> dict[str, Any]:
        one, state = self.one, self.state
        script = one.shebang.content if one.shebang is not None else None
        mounts = [_fields(value) for value in one.flag_values("mount")]
        bound: dict[str, str] = {}
        for mount in mounts:
            if mount.get("type", "bind") == "bind" and "from" not in mount:
                bound |= self._files(mount.get("source") or mount.get("src") or ".")
        return {
            "command": list(one.args) if one.json else [*state.shell, one.script or ""],
            "script": script,
            "environment": state.variables,
            "user": state.user,
            "working folder": state.workdir,
            "network": one.flag("network") or "default",
            "mounts": {_target(mount): _mount_text(mount) for mount in mounts},
            "bound files": bound,
            "stages": self._stages([mount["from"] for mount in mounts if "from" in mount]),
        }

    def _copy(self) -> dict[str, Any]:
        one = self.one
        origin = one.flag("from")
        sources, files = [], {}
        for raw in one.args[:-1]:
            doc = one.heredoc(raw)
            word = self._expand(raw)
            if doc is not None:
                text = expand_heredoc(doc.content, self.state.variables) if doc.expand else doc.content
                files[f"<<{doc.name}"] = text
                sources.append(f"<<{doc.name}")
                continue
            sources.append(word)
            if origin is None and "://" not in word and not word.startswith("git@"):
                files |= self._files(word)
        to = self._expand(one.args[-1])
        folder = to.endswith("/") or to in ("", ".")
        return {
            "sources": sources,
            "destination": self._absolute(to).rstrip("/") + ("/" if folder else ""),
            "owner": self._expand(one.flag("chown") or ""),
            "mode": self._expand(one.flag("chmod") or ""),
            "flags": [name for name in ("link", "parents") if one.enabled(name)],
            "exclude": [self._expand(value) for value in one.flag_values("exclude")],
            "files": files,
            "stages": self._stages([origin] if origin is not None else []),
        }

    def _stages(self, names: Sequence[str]) -> dict[str, str]:
        """Return what stands for the stages or images that files come from: the key of their last step."""
        found = {}
        for name in names:
            stage = earlier(self.given.dockerfile, self.stage, name, by_index=True)
            if stage is not None and stage.index in self.states:
                found[name] = self.states[stage.index].key
            else:
                found[name] = self.given.bases(name)[0] or ""
        return found

    def _files(self, word: str) -> dict[str, str]:
        """Return what the context has at a source, as the key sees it: kind, mode, content or link."""
        found = {}
        context = self.given.context
        for top in _matches(self.tree, word):
            node = self.tree.get(top)
            folder = node is None or node.entry.kind == "dir"
            for path in self.tree.walk(top) if folder else [top]:
                node = self.tree.get(path)
                if node is None or context is None:
                    continue
                entry = node.entry
                text = context.digest(path) if entry.kind == "file" else entry.link
                found[path] = f"{entry.kind} {entry.mode:04o} {text}".strip()
        return found

    def _absolute(self, path: str) -> str:
        return posixpath.normpath(posixpath.join(self.state.workdir, path or "."))

    def _expand(self, word: str) -> str:
        try:
            return expand(word, self.state.variables, escape=self.given.dockerfile.escape)
        except DockerfileError:
            return word  # the builder took it: what it stands for is not known, but how it is written is

    def _expand_all(self, text: str) -> str:
        return " ".join(self._expand(word) for word in text.split(" "))


def _matches(tree: Tree, word: str) -> Iterator[str]:
    """Yield the context's paths that a source names; `*` stays within one part of the path."""
    path = "/".join(part for part in word.split("/") if part not in ("", "."))
    if not _WILDCARD.search(path):
        with_links = tree.resolve(path.replace("\\", ""))
        if tree.is_dir(with_links) or with_links in tree:
            yield with_links
        return
    yield from _matching(tree, "", path.replace("[^", "[!").split("/"))


def _matching(tree: Tree, base: str, parts: Sequence[str]) -> Iterator[str]:
    for name in tree.children(base):
        if fnmatch.fnmatchcase(name, parts[0]):
            path = join(base, name)
            if len(parts) == 1:
                yield path
            elif tree.is_dir(path):
                yield from _matching(tree, path, parts[1:])


def _fields(value: str) -> dict[str, str]:
    return {
        name.strip().lower(): text for name, _, text in (part.partition("=") for part in value.split(","))
    }


def _target(mount: Mapping[str, str]) -> str:
    names = ("target", "dst", "destination", "id")
    return next((mount[name] for name in names if name in mount), "")


def _mount_text(mount: Mapping[str, str]) -> str:
    """Return the part of a mount that counts for the cache: a secret's value and a cache's id do not."""
    return f"{mount.get('type', 'bind')} {mount.get('source') or mount.get('src') or ''}".strip()
