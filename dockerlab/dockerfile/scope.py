"""What is in force at each line of a stage: ENV, ARG, USER, WORKDIR and SHELL. The one model of it.

Source: https://docs.docker.com/reference/dockerfile/, "Scope of ARG", "Using ARG variables"; BuildKit,
frontend/dockerfile/dockerfile2llb.
"""

from __future__ import annotations

import copy
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from dockerlab.dockerfile.parser import Instruction, expand, expand_words
from dockerlab.errors import DockerfileError

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEFAULT_SHELL = ("/bin/sh", "-c")
AnyScope = TypeVar("AnyScope", bound="Scope")

# Build arguments that mean something to BuildKit without an ARG; those of SBOM are no variables with one.
HOSTNAME = "BUILDKIT_SANDBOX_HOSTNAME"
CACHE_NAMESPACE = "BUILDKIT_CACHE_MOUNT_NS"
EPOCH = "SOURCE_DATE_EPOCH"
SBOM = ("BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE")

# Build arguments that a stage has by a mere ARG.
PLATFORM_ARGS = tuple(
    f"{kind}{what}" for kind in ("TARGET", "BUILD") for what in ("PLATFORM", "OS", "ARCH", "VARIANT")
)

SCOPING = ("ARG", "ENV", "SHELL", "USER", "WORKDIR")

# What BuildKit keeps of a base image's config; older tools wrote more.
_KEPT = (
    *("User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "StopSignal"),
    *("ArgsEscaped", "Healthcheck", "Shell", "OnBuild"),
)


@dataclass(frozen=True)
class BuildArguments:
    """What the caller of a build gave beside the Dockerfile."""

    build_args: Mapping[str, str]
    global_args: Mapping[str, str | None]  # ARGs before the first FROM


@dataclass
class Scope:
    """What the lines of one stage have set so far."""

    escape: str = "\\"
    config: dict[str, Any] = field(default_factory=dict)  # the "config" object of the OCI image config
    args: dict[str, str | None] = field(default_factory=dict)  # ARGs in scope; None: no value
    declared: dict[str, str] = field(default_factory=dict)  # each ARG so far, those below too -> value or ""
    inherited: dict[str, str] = field(default_factory=dict)  # values of ARGs of the stages below
    args_over_env: set[str] = field(default_factory=set)  # ARGs given after an ENV of the same name
    set_by: dict[str, str] = field(default_factory=dict)  # variable -> "ENV V (line 2)"

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
    def user(self) -> str:
        """Return the USER as written; "" is root."""
        return str(self.config.get("User") or "")

    @property
    def workdir(self) -> str:
        """Return the working folder, absolute."""
        return self.config.get("WorkingDir") or "/"

    def absolute(self, path: str) -> str:
        """Return a path of the image without dots in it, from the working folder on when it is relative."""
        return posixpath.normpath(posixpath.join(self.workdir, path)).replace("//", "/")

    def branch(self: AnyScope) -> AnyScope:
        """Return what a stage built FROM this one starts with: its ARGs are out of scope, and still there."""
        known = {name: value for name, value in self.args.items() if value is not None}
        return replace(
            self,
            config=copy.deepcopy(self.config),
            args={},
            declared=dict(self.declared),
            inherited={**self.inherited, **known},
            args_over_env=set(self.args_over_env),
            set_by=dict(self.set_by),
        )

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

    def pair(self, word: str, line: int) -> tuple[str, str]:
        """Return name and value of a NAME=value, both expanded."""
        name, _, value = word.partition("=")
        return self.expand(name, line), self.expand(value, line)

    def apply(self, instruction: Instruction, given: BuildArguments) -> str:
        """Take a line of SCOPING into account; return it as the history shows it."""
        if instruction.keyword == "ENV":
            said = self._env(instruction)
        elif instruction.keyword == "ARG":
            said = self._arg(instruction, given)
        elif instruction.keyword == "SHELL":
            self.config["Shell"] = list(instruction.args)
            said = f"[{' '.join(instruction.args)}]"
        elif instruction.keyword == "USER":
            said = self.config["User"] = self.expand(instruction.args[0], instruction.line)
        else:
            path = self.expand(instruction.args[0], instruction.line)
            # An absolute path BuildKit leaves as it is written.
            said = self.config["WorkingDir"] = path if path.startswith("/") else self.absolute(path)
        return f"{instruction.keyword} {said}"

    def _env(self, instruction: Instruction) -> str:
        # ENV NAME=value ...: every value sees the variables as they were before the line.
        pairs = [self.pair(word, instruction.line) for word in instruction.args]
        self.args_over_env.difference_update(name for name, _ in pairs)
        self.set_by |= {name: f"ENV {name} (line {instruction.line})" for name, _ in pairs}
        self.config["Env"] = [f"{name}={value}" for name, value in {**self.env, **dict(pairs)}.items()]
        return " ".join(f"{name}={value}" for name, value in pairs)

    def _arg(self, instruction: Instruction, given: BuildArguments) -> str:
        # ARG NAME[=default] ...
        shown = []
        for word in instruction.args:
            name, equals, default = word.partition("=")
            name = self.expand(name, instruction.line)
            # The default of an ARG that is given is not looked at: ${NAME:?message} in it is no error.
            written = given.build_args.get(name) if equals else None
            if equals and written is None:
                written = self.expand(default, instruction.line)
            value = written if equals else given.build_args.get(name, given.global_args.get(name))
            self.declared[name] = value or ""
            shown.append(name if value is None else f"{name}={value}")
            if name in SBOM:
                continue
            before = self.args.pop(name, None)
            self.args[name] = before if value is None else value
            if value is not None:
                self.args_over_env.add(name)
                self.set_by[name] = f"ARG {name} (line {instruction.line})"
        return " ".join(shown)


def scratch_config() -> dict[str, Any]:
    """Return the config that a stage FROM scratch starts with."""
    return {"Env": [f"PATH={DEFAULT_PATH}"], "WorkingDir": "/"}


def base_config(known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config that a stage starts with FROM an image that has the config `known`."""
    config = {name: copy.deepcopy(known[name]) for name in _KEPT if known.get(name)}
    env = config.setdefault("Env", [])
    if not any(pair.startswith("PATH=") for pair in env):
        env.append(f"PATH={DEFAULT_PATH}")
    return config
