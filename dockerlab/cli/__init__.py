"""The `dockerlab` command: Docker's own words and flags, on whichever engine there is.

Exit codes: 0 done; 1 something went wrong (one `error:` line on stderr, no traceback); 2 not how it is used;
3 over budget (`advise`); 130 Ctrl-C. `dockerlab run` ends with the exit code of the command it ran. With
`--json` stdout holds one JSON object, whatever happens; docs/json.md describes each.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from dockerlab.cli.answer import Answer, error_shape, say
from dockerlab.cli.parser import make_parser
from dockerlab.errors import DockerlabError, OptionError

if TYPE_CHECKING:
    from argparse import Namespace

WRONG, USAGE, INTERRUPTED = 1, 2, 130


def command(where: str) -> Callable[[Namespace], Answer]:
    """Return the function of a command, "module.function" of this package."""
    module, _, name = where.partition(".")
    found: Callable[[Namespace], Answer] = getattr(import_module(f"{__name__}.{module}"), name)
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; `argv` is sys.argv[1:] when it is None."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a letter that the terminal has not is shown by its number
            stream.reconfigure(errors="backslashreplace")
    argv = sys.argv[1:] if argv is None else argv
    parser = make_parser()
    as_json = "--json" in argv
    try:
        args = parser.parse_args(argv)
        as_json = args.json
        code = say(command(args.command)(args), as_json=as_json)
        sys.stdout.flush()
    except OptionError as error:
        usage = error.usage or parser.format_usage()
        return _failed(error, f"{usage}dockerlab: error: {error}", USAGE, as_json=as_json)
    except KeyboardInterrupt as stop:
        return _failed(stop, str(stop) or "Interrupted.", INTERRUPTED, as_json=as_json)
    except BrokenPipeError:
        # Whoever read our output (head, less) went away: no error, but Python must not write again on exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return WRONG
    except (DockerlabError, OSError) as error:
        # An OSError: a path of the user's that cannot be read or written.
        return _failed(error, f"error: {error}", WRONG, as_json=as_json)
    except Exception as error:
        if as_json:
            print(json.dumps(error_shape(error)))
        raise
    return code


def _failed(error: BaseException, said: str, code: int, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps(error_shape(error)))
    print(said, file=sys.stderr)
    return code
