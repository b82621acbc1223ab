"""Every error this package raises on purpose.

DockerlabError
├── DockerfileError          the text is not a Dockerfile we can build (names the line)
│   └── UnsupportedError     valid Dockerfile, but this engine does not do it (names the line)
├── ContextError             a build context folder, file or .dockerignore is wrong or missing
├── BuildError               a step failed (names the line)
│   └── RunError             a RUN ended with a non-zero exit code (has .exit_code and .log)
├── NotBuiltError            something was asked of a build that did not happen
├── RunTimeoutError          a command in an image took longer than it was given
├── EngineError              no engine, or the chosen one cannot be used here
├── ImageError               an archive, layout or layer is not what it should be
│   └── ImageNotFoundError   no image of that name
├── RegistryError            a registry could not be reached, refused, or lied
├── StoreError               the image store cannot be read or written
│   └── StoreFullError       no space left
├── OptionError              an option is not spelled as Docker spells it
├── BudgetError              a budget says something that is no limit
├── ProgressError            a learner's progress file cannot be read or written
│   └── ProgressVersionError it is of another version (has .version)
├── GradeError               there is nothing to grade, or the result cannot be written
└── StartError               the learner's copy of the course cannot be made where it was asked for

KeyboardInterrupt
└── BuildInterrupted         a build was stopped by Ctrl-C or the kernel's stop button
"""

from __future__ import annotations

from collections.abc import Sequence

from dockerlab.printable import LINES, clean, printable


class DockerlabError(Exception):
    """Base of all errors: what was found, where, and what to do next.

    `line` is the 1-based Dockerfile line, or None. `hint` is the next step, a full sentence, or "".
    IPython shows only the message, never a traceback.
    """

    def __init__(self, message: str, *, line: int | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.hint = hint

    def __str__(self) -> str:
        return self._said()

    def _said(self, log: Sequence[str] = ()) -> str:
        where = f"Dockerfile line {self.line}: " if self.line is not None else ""
        tail = "".join(f"\n    {clean(text)}" for text in log)
        return printable(f"{where}{self.message}{tail}" + (f"\n{self.hint}" if self.hint else ""), keep=LINES)

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


class DockerfileError(DockerlabError):
    """The text is not a Dockerfile that can be built."""


class UnsupportedError(DockerfileError):
    """A valid instruction or flag that this engine does not do."""


class ContextError(DockerlabError):
    """A build context, or a file in it, is missing or wrong."""


class BuildError(DockerlabError):
    """A build step failed."""


class RunError(BuildError):
    """A RUN ended with a non-zero exit code.

    `exit_code` is the shell's (128 + signal number when a signal ended it); `log` holds its last lines.
    """

    def __init__(
        self,
        message: str,
        *,
        exit_code: int,
        log: tuple[str, ...] = (),
        line: int | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message, line=line, hint=hint)
        self.exit_code = exit_code
        self.log = log

    def __str__(self) -> str:
        return self._said(self.log[-10:])


class NotBuiltError(DockerlabError):
    """Something was asked of a build that did not happen; the message says which and why.

    `what` stands for that build.
    """

    def __init__(self, what: object) -> None:
        super().__init__(repr(what))
        self.what = what


class RunTimeoutError(DockerlabError):
    """A command in an image was still running when its time was over; it was ended."""

    def __init__(self, seconds: float) -> None:
        hint = "Give it longer: timeout=SECONDS, or --timeout SECONDS."
        super().__init__(f"The command was still running after {seconds:g} seconds.", hint=hint)


class EngineError(DockerlabError):
    """No engine is available, or the chosen one cannot be used here."""


class ImageError(DockerlabError):
    """An archive, layout or layer is not what its format says."""


class ImageNotFoundError(ImageError):
    """No image of that name is known to the engine."""


class RegistryError(DockerlabError):
    """A registry could not be reached, refused, or sent something wrong."""


class StoreError(DockerlabError):
    """The image store cannot be read or written."""


class StoreFullError(StoreError):
    """No space is left where the image store lives."""


class OptionError(DockerlabError):
    """An option is not spelled as Docker spells it; `usage` says how it is, where that is known."""

    def __init__(self, message: str, *, hint: str = "", usage: str = "") -> None:
        super().__init__(message, hint=hint)
        self.usage = usage


class BudgetError(DockerlabError):
    """A budget says something that is no limit."""


class ProgressError(DockerlabError):
    """The progress file cannot be read or written; what was measured is not touched by that."""


class ProgressVersionError(ProgressError):
    """The progress file is of another version than this package knows; `version` is what it says."""

    def __init__(self, message: str, *, version: object, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.version = version


class GradeError(DockerlabError):
    """There is nothing to grade, or the result cannot be written."""


class StartError(DockerlabError):
    """The learner's copy of the course cannot be made in this folder."""


class BuildInterrupted(KeyboardInterrupt):
    """A build was stopped by Ctrl-C or the kernel's stop button; its message says what was kept."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]
