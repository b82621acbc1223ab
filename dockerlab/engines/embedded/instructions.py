"""What each metadata instruction does to the image under construction.

One function an instruction, found by name in `METADATA`. None of them makes a layer. RUN, which does, is in
run.py; COPY, ADD and WORKDIR are in layersteps.py.
"""

from __future__ import annotations

import copy
import re
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dockerlab.dockerfile import Instruction, expand, expand_words, nanoseconds
from dockerlab.engines.embedded import buildargs
from dockerlab.engines.embedded.goformat import go_duration, go_quote, go_rune
from dockerlab.errors import DockerfileError, UnsupportedError
from dockerlab.filesystem import Tree
from dockerlab.image import Layer

DEFAULT_SHELL = ("/bin/sh", "-c")
COMMENT = "buildkit.dockerfile.v0"  # what BuildKit writes there; tools look for it


@dataclass
class State:
    """One stage while it is being built."""

    escape: str = "\\"
    config: dict[str, Any] = field(default_factory=dict)  # the "config" object of the OCI image config
    platform: dict[str, str] = field(default_factory=dict)  # architecture, os, variant
    author: str | None = None
    layers: list[Layer] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    key: str = ""  # the cache key of the file system so far
    created: str = ""  # when its newest layer was made (RFC 3339)
    args: dict[str, str | None] = field(default_factory=dict)  # ARGs in scope; None: no value
    declared: dict[str, str] = field(default_factory=dict)  # each ARG so far, those below too -> value or ""
    inherited: dict[str, str] = field(default_factory=dict)  # values of ARGs of the stages below
    args_over_env: set[str] = field(default_factory=set)  # ARGs given after an ENV of the same name
    base_layers: int = 0
    base_rows: int = 0  # of the history
    base_id: str | None = None  # None: scratch
    stand_in: str | None = None
    command_set: bool = False  # CMD was given in this stage
    renewed: bool = False  # the cache is turned off, and a step was done
    _tree: Tree | None = None

    @property
    def env(self) -> dict[str, str]:
        """Return the ENV of the image so far."""
        return dict(pair.split("=", 1) for pair in self.config.get("Env") or [])

    @property
    def variables(self) -> dict[str, str]:
        """Return what $NAME may stand for, and a RUN's environment: of ARG and ENV the later one wins."""
        args = {name: value for name, value in self.args.items() if value is not None}
        late = {
            name: value for name, value in {**self.inherited, **args}.items() if name in self.args_over_env
        }
        return {**self.inherited, **args, **self.env, **late}

    @property
    def shell(self) -> tuple[str, ...]:
        """Return the shell that wraps a command in shell form."""
        return tuple(self.config.get("Shell") or DEFAULT_SHELL)

    @property
    def workdir(self) -> str:
        """Return the working folder, absolute."""
        return self.config.get("WorkingDir") or "/"

    @property
    def tree(self) -> Tree:
        """Return the merged file system; worked out on first use, then kept up to date."""
        if self._tree is None:
            self._tree = Tree.stacked((layer.entries, layer) for layer in self.layers)
        return self._tree

    def branch(self) -> State:
        """Return the state that a stage built FROM this one starts with."""
        return replace(
            self,
            config=copy.deepcopy(self.config),
            layers=list(self.layers),
            history=list(self.history),
            args={},
            declared=dict(self.declared),
            inherited={
                **self.inherited,
                **{name: value for name, value in self.args.items() if value is not None},
            },
            args_over_env=set(self.args_over_env),
            command_set=False,
            _tree=self._tree.copy() if self._tree is not None else None,
        )

    def add_layer(self, layer: Layer, *, key: str, created: str) -> None:
        """Put a layer on top."""
        self.layers.append(layer)
        self.key = key
        self.created = created
        if self._tree is not None:
            self._tree.apply(layer.entries, layer)

    def record(self, created_by: str, *, layer: bool = False) -> None:
        """Add a row to the history."""
        row: dict[str, Any] = {"created": self.created, "created_by": created_by, "comment": COMMENT}
        if not layer:
            row["empty_layer"] = True
        self.history.append(row)

    def expand(self, word: str, line: int) -> str:
        """Return `word` with variables and quotes resolved."""
        try:
            return expand(word, self.variables, escape=self.escape)
        except DockerfileError as error:
            raise DockerfileError(error.message, line=line, hint=error.hint) from error

    def expand_words(self, word: str, line: int) -> list[str]:
        """Return the words that `word` expands to."""
        try:
            return expand_words(word, self.variables, escape=self.escape)
        except DockerfileError as error:
            raise DockerfileError(error.message, line=line, hint=error.hint) from error


@dataclass(frozen=True)
class Given:
    """What the caller of a build gave beside the Dockerfile."""

    build_args: Mapping[str, str]
    global_args: Mapping[str, str | None]  # ARGs before the first FROM


def _env(state: State, one: Instruction, given: Given) -> None:  # noqa: ARG001
    # ENV NAME=value ...: every value sees the variables as they were before the line.
    pairs = [_pair(state, word, one.line) for word in one.args]
    env = state.env
    for name, value in pairs:
        env[name] = value
        state.args_over_env.discard(name)
    state.config["Env"] = [f"{name}={value}" for name, value in env.items()]
    state.record("ENV " + " ".join(f"{name}={value}" for name, value in pairs))


def _label(state: State, one: Instruction, given: Given) -> None:  # noqa: ARG001
    # LABEL name=value ...
    pairs = [_pair(state, word, one.line) for word in one.args]
    state.config["Labels"] = {**(state.config.get("Labels") or {}), **dict(pairs)}
    state.record("LABEL " + " ".join(f"{name}={value}" for name, value in pairs))


def _arg(state: State, one: Instruction, given: Given) -> None:
    # ARG NAME[=default] ...
    shown = []
    for word in one.args:
        name, equals, default = word.partition("=")
        name = state.expand(name, one.line)
        # The default of an ARG that is given is not looked at: ${NAME:?message} in it is no error.
        written = given.build_args.get(name) if equals else None
        if equals and written is None:
            written = state.expand(default, one.line)
        value = written if equals else given.build_args.get(name, given.global_args.get(name))
        state.declared[name] = value or ""
        shown.append(name if value is None else f"{name}={value}")
        if name in buildargs.SBOM:
            continue
        before = state.args.pop(name, None)
        state.args[name] = before if value is None else value
        if value is not None:
            state.args_over_env.add(name)
    state.record("ARG " + " ".join(shown))


def _cmd(state: State, one: Instruction, given: Given) -> None:  # noqa: ARG001
    # CMD ["a", "b"] | CMD command
    state.config["Cmd"] = _command(state, one)
    state.config["ArgsEscaped"] = True
    state.command_set = True
    state.record(f"CMD {_quoted(state.config['Cmd'])}")


def _entrypoint(state: State, one: Instruction, given: Given) -> None:  # noqa: ARG001
    # ENTRYPOINT ["a", "b"] | ENTRYPOINT command; a CMD inherited from the base no longer fits it
    state.config["Entrypoint"] = _command(state, one)
    if not state.command_set:
        state.config.pop("Cmd", None)
    state.record(f"ENTRYPOINT {_quoted(state.config['Entrypoint'])}")


def _expose(state: State, one: Instruction, given: Given) -> None:  # noqa: ARG001
    # EXPOSE port[-port][/protocol] ...
    words = [word for raw in one.args for word in state.expand_words(raw, one.line)]
    ports = sorted(port for word in words for port in _ports(word, one.line))
    state.config["ExposedPorts"] = {
        **(state.config.get("ExposedPorts") or {}),
        **{port: {} for port in ports},
    }
    state.record(f"EXPOSE [{' '.join(ports)}]")


def _healthcheck(state: State, one: Instruction, given: Given) -> None:  # noqa: ARG001
    # HEALTHCHECK [flags] CMD command | HEALTHCHECK NONE
    if one.args[0].upper() == "NONE":
        test = ["NONE"]
    else:
        test = ["CMD", *one.args[1:]] if one.json else ["CMD-SHELL", *one.args[1:]]
    check: dict[str, Any] = {"Test": test}
    times = []
    for flag, name in (
        ("interval", "Interval"),
        ("timeout", "Timeout"),
        ("start-period", "StartPeriod"),
        ("start-interval", "StartInterval"),
    ):
        value = _duration(one.flag(flag), flag, one.line)
        times.append(value)
        if value:
            check[name] = value
    retries = one.flag("retries") or "0"
    if not retries.isdigit():
        raise DockerfileError(
            f'--retries is "{retries}"', line=one.line, hint="Give a whole number, such as 3."
        )
    if int(retries):
        check["Retries"] = int(retries)
    state.config["Healthcheck"] = check
    shown = " ".join(f'"{go_duration(value)}"' for value in times)
    state.record(f"HEALTHCHECK &{{{_quoted(test)} {shown} {go_rune(int(retries))}}}")


def _onbuild(state: State, one: Instruction, given: Given) -> None:  # noqa: ARG001
    # ONBUILD instruction: kept for the build that starts FROM this image
    state.config["OnBuild"] = [*(state.config.get("OnBuild") or []), one.args[0]]


def _shell(state: State, one: Instruction, given: Given) -> None:  # noqa: ARG001
    # SHELL ["/bin/bash", "-c"]
    state.config["Shell"] = list(one.args)
    state.record(f"SHELL [{' '.join(one.args)}]")


def _stopsignal(state: State, one: Instruction, given: Given) -> None:  # noqa: ARG001
    # STOPSIGNAL signal
    word = state.expand(one.args[0], one.line)
    if not is_signal(word):
        raise DockerfileError(
            f'STOPSIGNAL "{word}" is no signal',
            line=one.line,
            hint="Write a name such as SIGTERM, or a number.",
        )
    state.config["StopSignal"] = word
    state.record(f"STOPSIGNAL {state.config['StopSignal']}")


def _user(state: State, one: Instruction, given: Given) -> None:  # noqa: ARG001
    # USER name[:group]
    state.config["User"] = state.expand(one.args[0], one.line)
    state.record(f"USER {state.config['User']}")


def _volume(state: State, one: Instruction, given: Given) -> None:  # noqa: ARG001
    # VOLUME /path ... | VOLUME ["/path"]
    paths = [state.expand(word, one.line) for word in one.args]
    if not all(paths):
        raise DockerfileError("VOLUME with an empty path", line=one.line, hint="Name the folder.")
    state.config["Volumes"] = {**(state.config.get("Volumes") or {}), **{path: {} for path in paths}}
    state.record(f"VOLUME [{' '.join(paths)}]")


def _maintainer(state: State, one: Instruction, given: Given) -> None:  # noqa: ARG001
    # MAINTAINER name (deprecated)
    state.author = " ".join(one.args)
    state.record(f"MAINTAINER {state.author}")


Handler = Callable[[State, Instruction, Given], None]

METADATA: Mapping[str, Handler] = {
    "ARG": _arg,
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _healthcheck,
    "LABEL": _label,
    "MAINTAINER": _maintainer,
    "ONBUILD": _onbuild,
    "SHELL": _shell,
    "STOPSIGNAL": _stopsignal,
    "USER": _user,
    "VOLUME": _volume,
}


def _pair(state: State, word: str, line: int) -> tuple[str, str]:
    name, _, value = word.partition("=")
    return state.expand(name, line), state.expand(value, line)


def _command(state: State, one: Instruction) -> list[str]:
    return list(one.args) if one.json else [*state.shell, *one.args]


def _quoted(words: Sequence[str]) -> str:
    return "[" + " ".join(go_quote(word) for word in words) + "]"


def _duration(text: str | None, flag: str, line: int) -> int:
    try:
        return nanoseconds(text) if text else 0
    except DockerfileError as error:
        raise DockerfileError(f"--{flag}: {error.message}", line=line, hint=error.hint) from error


def is_signal(word: str) -> bool:
    """Tell whether `word` names a signal, with or without SIG, or is a number."""
    if word.isdecimal():
        return int(word) > 0
    name = word.upper().removeprefix("SIG")
    known = {one.name.removeprefix("SIG") for one in signal.Signals} | {"STKFLT", "UNUSED"}
    return name in known or re.fullmatch(r"RTM(IN\+|AX-)\d{1,2}", name) is not None


def _ports(word: str, line: int) -> list[str]:
    found = re.fullmatch(r"(\d+)(?:-(\d+))?(?:/(tcp|udp|sctp))?", word, re.IGNORECASE)
    if found is None:
        raise DockerfileError(
            f'EXPOSE "{word}" is not a port', line=line, hint="Write a number such as 80 or 53/udp."
        )
    first, last = int(found[1]), int(found[2] or found[1])
    if not first <= last <= 65535:
        raise DockerfileError(
            f'EXPOSE "{word}" is not a port', line=line, hint="Ports go from 1 to 65535, the lower one first."
        )
    return [f"{port}/{(found[3] or 'tcp').lower()}" for port in range(first, last + 1)]


def unsupported(one: Instruction, what: str) -> UnsupportedError:
    """Return the error for something valid that the embedded builder does not do."""
    return UnsupportedError(
        f"the embedded builder does not do {what}",
        line=one.line,
        hint="Build it with Docker (--engine docker), or leave it out.",
    )
