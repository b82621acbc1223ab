"""What a command found out, and how it is said: to a person, or with `--json` to a program."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

Shape = dict[str, Any]


class Answer(NamedTuple):
    """A command's answer; only one of `shape` and `text` is asked for."""

    shape: Callable[[], Shape]  # for a program
    text: Callable[[], str]  # for a person
    code: int = 0  # the exit code
    paged: bool = False  # a person reads it in a pager where it is longer than the screen
    end: str = "\n"


def say(answer: Answer, *, as_json: bool) -> int:
    """Print an answer and return its exit code."""
    if as_json:
        print(json.dumps(answer.shape(), indent=2))
    elif answer.paged and sys.stdout.isatty():
        import pydoc

        pydoc.pager(answer.text() + answer.end)
    else:
        print(answer.text(), end=answer.end)
    return answer.code


def error_shape(error: BaseException) -> Shape:
    """Return what `--json` prints of any failure; `line` is the Dockerfile's, `exit_code` a failed RUN's."""
    return {
        "error": {
            "type": type(error).__name__,
            "message": str(getattr(error, "message", error)) or type(error).__name__,
            "line": getattr(error, "line", None),
            "hint": getattr(error, "hint", ""),
            "exit_code": getattr(error, "exit_code", None),
        }
    }
