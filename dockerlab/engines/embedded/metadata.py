"""What each metadata instruction does to the image under construction.

One function an instruction, found by name in `METADATA`. None of them makes a layer. RUN, which does, is in
run.py; COPY, ADD and WORKDIR are in layer_instructions.py.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dockerlab.dockerfile.parser import Instruction, nanoseconds
from dockerlab.dockerfile.scope import BuildArguments
from dockerlab.engines.embedded.go_text import go_duration, go_quote, go_rune
from dockerlab.engines.embedded.state import StageState
from dockerlab.errors import DockerfileError


def _scope(state: StageState, instruction: Instruction, given: BuildArguments) -> None:
    # ARG, ENV, SHELL, USER: see Scope
    state.record(state.apply(instruction, given))


def _label(state: StageState, instruction: Instruction, given: BuildArguments) -> None:  # noqa: ARG001
    # LABEL name=value ...
    pairs = [state.pair(word, instruction.line) for word in instruction.args]
    state.config["Labels"] = {**(state.config.get("Labels") or {}), **dict(pairs)}
    state.record("LABEL " + " ".join(f"{name}={value}" for name, value in pairs))


def _cmd(state: StageState, instruction: Instruction, given: BuildArguments) -> None:  # noqa: ARG001
    # CMD ["a", "b"] | CMD command
    state.config["Cmd"] = _command(state, instruction)
    state.config["ArgsEscaped"] = True
    state.command_set = True
    state.record(f"CMD {_quoted(state.config['Cmd'])}")


def _entrypoint(state: StageState, instruction: Instruction, given: BuildArguments) -> None:  # noqa: ARG001
    # ENTRYPOINT ["a", "b"] | ENTRYPOINT command; a CMD inherited from the base no longer fits it
    state.config["Entrypoint"] = _command(state, instruction)
    if not state.command_set:
        state.config.pop("Cmd", None)
    state.record(f"ENTRYPOINT {_quoted(state.config['Entrypoint'])}")


def _expose(state: StageState, instruction: Instruction, given: BuildArguments) -> None:  # noqa: ARG001
    # EXPOSE port[-port][/protocol] ...
    words = [word for raw in instruction.args for word in state.expand_words(raw, instruction.line)]
    ports = sorted(port for word in words for port in _ports(word, instruction.line))
    state.config["ExposedPorts"] = {
        **(state.config.get("ExposedPorts") or {}),
        **{port: {} for port in ports},
    }
    state.record(f"EXPOSE [{' '.join(ports)}]")


def _healthcheck(state: StageState, instruction: Instruction, given: BuildArguments) -> None:  # noqa: ARG001
    # HEALTHCHECK [flags] CMD command | HEALTHCHECK NONE
    if instruction.args[0].upper() == "NONE":
        test = ["NONE"]
    else:
        test = ["CMD", *instruction.args[1:]] if instruction.json else ["CMD-SHELL", *instruction.args[1:]]
    check: dict[str, Any] = {"Test": test}
    times = []
    for flag, name in (
        ("interval", "Interval"),
        ("timeout", "Timeout"),
        ("start-period", "StartPeriod"),
        ("start-interval", "StartInterval"),
    ):
        value = _duration(instruction.flag(flag), flag, instruction.line)
        times.append(value)
        if value:
            check[name] = value
    retries = instruction.flag("retries") or "0"
    if not retries.isdigit():
        raise DockerfileError(
            f'--retries is "{retries}"', line=instruction.line, hint="Give a whole number, such as 3."
        )
    if int(retries):
        check["Retries"] = int(retries)
    state.config["Healthcheck"] = check
    shown = " ".join(f'"{go_duration(value)}"' for value in times)
    state.record(f"HEALTHCHECK &{{{_quoted(test)} {shown} {go_rune(int(retries))}}}")


def _onbuild(state: StageState, instruction: Instruction, given: BuildArguments) -> None:  # noqa: ARG001
    # ONBUILD instruction: kept for the build that starts FROM this image
    state.config["OnBuild"] = [*(state.config.get("OnBuild") or []), instruction.args[0]]


def _stopsignal(state: StageState, instruction: Instruction, given: BuildArguments) -> None:  # noqa: ARG001
    # STOPSIGNAL signal
    word = state.expand(instruction.args[0], instruction.line)
    if not is_signal(word):
        raise DockerfileError(
            f'STOPSIGNAL "{word}" is no signal',
            line=instruction.line,
            hint="Write a name such as SIGTERM, or a number.",
        )
    state.config["StopSignal"] = word
    state.record(f"STOPSIGNAL {state.config['StopSignal']}")


def _volume(state: StageState, instruction: Instruction, given: BuildArguments) -> None:  # noqa: ARG001
    # VOLUME /path ... | VOLUME ["/path"]
    paths = [state.expand(word, instruction.line) for word in instruction.args]
    if not all(paths):
        raise DockerfileError("VOLUME with an empty path", line=instruction.line, hint="Name the folder.")
    state.config["Volumes"] = {**(state.config.get("Volumes") or {}), **{path: {} for path in paths}}
    state.record(f"VOLUME [{' '.join(paths)}]")


def _maintainer(state: StageState, instruction: Instruction, given: BuildArguments) -> None:  # noqa: ARG001
    # MAINTAINER name (deprecated)
    state.author = " ".join(instruction.args)
    state.record(f"MAINTAINER {state.author}")


Handler = Callable[[StageState, Instruction, BuildArguments], None]

METADATA: Mapping[str, Handler] = {
    "ARG": _scope,
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _scope,
    "EXPOSE": _expose,
    "HEALTHCHECK": _healthcheck,
    "LABEL": _label,
    "MAINTAINER": _maintainer,
    "ONBUILD": _onbuild,
    "SHELL": _scope,
    "STOPSIGNAL": _stopsignal,
    "USER": _scope,
    "VOLUME": _volume,
}


def _command(state: StageState, instruction: Instruction) -> list[str]:
    return list(instruction.args) if instruction.json else [*state.shell, *instruction.args]


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
    known = {instruction.name.removeprefix("SIG") for instruction in signal.Signals} | {"STKFLT", "UNUSED"}
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
