"""The `dockerlab` command: Docker's own words and flags, on whichever engine there is.

Exit codes: 0 done; 1 something went wrong (one `error:` line on stderr, no traceback); 2 not how it is used;
3 over budget (`advise`); 130 Ctrl-C. `dockerlab run` ends with the exit code of the command it ran. With
`--json` stdout holds one JSON object; its shape stands in `dockerlab.cli.shapes`, and for what looks into an
image in docs/json.md.
"""

from __future__ import annotations

import io
import json
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from importlib import import_module

from dockerlab.cli.parser import make_parser
from dockerlab.errors import DockerlabError, OptionError

DONE, WRONG, USAGE, INTERRUPTED = 0, 1, 2, 130


def command(where: str) -> Callable[[Namespace], int]:
    """Return the function of a command, "module.function" of this package."""
    module, _, name = where.partition(".")
    found: Callable[[Namespace], int] = getattr(import_module(f"{__name__}.{module}"), name)
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; `argv` is sys.argv[1:] when it is None."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a letter that the terminal has not is shown by its number
            stream.reconfigure(errors="backslashreplace")
    parser = make_parser()
    args: Namespace = parser.parse_args(argv)
    try:
        code: int = command(args.command)(args)
        sys.stdout.flush()
    except OptionError as error:
        parser.error(str(error))
    except DockerlabError as error:
        if getattr(args, "json", False):
            from dockerlab.cli.shapes import error_shape

            print(json.dumps(error_shape(error)))
        print(f"error: {error}", file=sys.stderr)
        return WRONG
    except KeyboardInterrupt as stop:
        print(str(stop) or "Interrupted.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output (head, less) went away: no error, but Python must not write again on exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return WRONG
    except OSError as error:
        # A path of the user's that cannot be read or written, or a command that took too long.
        print(f"error: {error}", file=sys.stderr)
        return WRONG
    return code
