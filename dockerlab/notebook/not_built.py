"""What stands for a build that did not happen: whatever is asked of it, the answer is one friendly line."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NoReturn

from dockerlab.errors import DockerlabError, NotBuiltError, RegistryError, RunError

# What apt, pip, npm and curl print of a network that is not there.
_OFFLINE = re.compile(
    r"could(n't| not) (resolve|connect)|failure in name resolution|temporary failure resolving"
    r"|network is unreachable|EAI_AGAIN|ENOTFOUND|connection (timed out|refused)",
    re.IGNORECASE,
)

# How Docker's errors begin where a registry did answer (engines/docker/errors.py).
_ANSWERED = ("the image is not in its registry", "the registry allows no more pulls", "the syntax image")


@dataclass(frozen=True)
class NotBuilt:
    """Bound by `%%dockerfile NAME` when the build failed: false, and every use of it says what was not built.

    So a lesson goes on without a build that needs the network. `error` is what ended it.
    """

    name: str
    error: DockerlabError

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return f"{self.name} was not built: {_why(self.error)}"

    def __getattr__(self, asked: str) -> NoReturn:
        """Raise NotBuiltError for what a Build has; Python's and IPython's own questions get a plain no."""
        if asked.startswith("_"):
            raise AttributeError(asked)
        raise NotBuiltError(self)

    def _refuse(self, *_: object) -> NoReturn:
        raise NotBuiltError(self)

    __iter__ = __getitem__ = __call__ = __len__ = __contains__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refuse
    __lt__ = __le__ = __gt__ = __ge__ = _refuse


def base_is_away(error: DockerlabError) -> bool:
    """Tell whether a build failed since its base image is not here and no registry answers."""
    return isinstance(error, RegistryError) and not error.message.startswith(_ANSWERED)


def _why(error: DockerlabError) -> str:
    """Say why there is no build, and what to do."""
    when_online = "Read on; run its cell again when you are online."
    log = "\n".join(error.log) if isinstance(error, RunError) else ""
    if base_is_away(error) and error.hint.startswith("Did you mean"):
        return (
            f"its base image is not here, and no registry can be reached. {error.hint} Read on, or mend it."
        )
    if base_is_away(error):
        return f"its base image is not here, and no registry can be reached. {when_online}"
    if _OFFLINE.search(log):
        return f"no network. {when_online}"
    if "Unable to locate package" in log:  # `apt-get update` ends well without a network, and install fails
        return f"apt-get found no such package. Without a network it finds none. {when_online}"
    return "its cell says why. Read on, or mend it and run its cell again."


def answer_in_one_line(shell: Any) -> None:
    """Have a notebook answer NotBuiltError, and a name that no cell has made yet, with one line.

    A use of what was not built is no failure of the cell: running all cells goes on, and what the cell would
    have made of it was not built either.
    """

    def answer(_: object, kind: type[BaseException], error: BaseException, trace: Any, **__: Any) -> None:
        if isinstance(error, NotBuiltError):
            print(error)
            return
        if isinstance(error, NameError) and trace is not None and _in_a_cell(trace):
            said = (
                f"NameError: There is no {error.name} here. If a cell above makes it, run that one first, "
                "then this one again: a restart forgets what cells have made."
            )
            vars(error)["_render_traceback_"] = lambda: [said]  # IPython shows what this returns
        shell.showtraceback((kind, error, trace))

    def go_on(result: Any) -> None:
        if isinstance(result.error_in_exec, NotBuiltError):
            for name in _assigned(shell.transform_cell(result.info.raw_cell)) - set(shell.user_ns):
                shell.user_ns[name] = result.error_in_exec.what
            result.error_in_exec = None

    shell.set_custom_exc((NotBuiltError, NameError), answer)
    shell.events.register("post_run_cell", go_on)


def _assigned(code: str) -> set[str]:
    """Return the names that a cell gives a value."""
    names = (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name))
    return {node.id for node in names if isinstance(node.ctx, ast.Store)}


def _in_a_cell(trace: TracebackType) -> bool:
    """Tell whether an error was raised by a line of the cell itself."""
    while trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame.f_code.co_name == "<module>"
