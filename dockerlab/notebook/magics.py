"""`%%dockerfile NAME`: build the cell as a Dockerfile, show it, and bind the build to NAME."""

from __future__ import annotations

import keyword
import os
import re
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from IPython.core.magic import Magics, cell_magic, magics_class

from dockerlab.context.context import Context
from dockerlab.dockerfile.hints import near_option
from dockerlab.errors import ContextError, DockerlabError, OptionError
from dockerlab.inputs import ContextLike
from dockerlab.notebook import calls as notebook
from dockerlab.notebook.not_built import NotBuilt, base_is_away
from dockerlab.printable import LINES, escape
from dockerlab.shared_options import add_build_options, key_values, read_secrets
from dockerlab.widgets.display import show, show_bundle

USAGE = "%%dockerfile NAME [--context FOLDER_OR_VARIABLE] [--tag TAG] [--build-arg KEY=VALUE] ..."

_USED = f"Usage: {USAGE}\nAll options: %%dockerfile?"


class _Parser(ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise OptionError(f"%%dockerfile: {message}.", hint=_USED)


def _parser() -> _Parser:
    parser = _Parser(prog="%%dockerfile", add_help=False, allow_abbrev=False)
    parser.add_argument("name", nargs="?", metavar="NAME", help="the variable that gets the build")
    parser.add_argument(
        "--context",
        metavar="FOLDER_OR_VARIABLE",
        help="what COPY and ADD read: a folder, or a variable that holds a dict of files",
    )
    parser.add_argument("-t", "--tag", metavar="NAME:TAG", help="keep the image under this name")
    add_build_options(parser)
    parser.add_argument("--quiet", action="store_true", help="show nothing, only bind NAME")
    parser.add_argument("--brief", action="store_true", help="show the steps only, no chart and no history")
    parser.add_argument("-h", "--help", action="store_true", help="show this and build nothing")
    return parser


@magics_class
class DockerfileMagics(Magics):
    """Holds `%%dockerfile`."""

    @cell_magic
    def dockerfile(self, line: str, cell: str) -> None:
        """Build this cell's Dockerfile, show its progress, layers and history, and bind the build to NAME.

        A build that fails says why, and NAME says of whatever is asked of it that there is no such build.
        """
        shell = self.shell
        assert shell is not None
        args = _arguments(line, shell.user_ns)
        if args.help:
            print(_parser().format_help())
            return
        try:
            built = notebook.build(
                cell,
                name=args.name,
                context=find_context(args.context, shell.user_ns),
                tag=args.tag,
                engine=args.engine,
                builder=args.builder,
                target=args.target,
                build_args=key_values(args.build_arg),
                secrets=read_secrets(args.secret),
                no_cache=args.no_cache,
                squash=args.squash,
                quiet=args.quiet,
                brief=args.brief,
            )
        except DockerlabError as error:
            shell.user_ns[args.name] = not_built = NotBuilt(args.name, error)
            if base_is_away(error):
                print(not_built)  # one calm line: nothing in the cell needs mending
            else:
                show_bundle(_bundle(error))
            return
        shell.user_ns[args.name] = built
        if not (args.quiet or args.brief):
            show(notebook.layers(built), replace(notebook.history(built), title=False, fold=0))

    dockerfile.__doc__ = f"{dockerfile.__doc__}\n\n{_parser().format_help()}"


def find_own_commands() -> None:
    """Have `!dockerlab` in a cell be the one of this kernel's environment, whatever the PATH it was given."""
    here = str(Path(sys.executable).parent)
    there = os.environ.get("PATH", "").split(os.pathsep)
    if here not in there:
        os.environ["PATH"] = os.pathsep.join([here, *there])


def _arguments(line: str, variables: Mapping[str, Any]) -> Namespace:
    parser = _parser()
    args, unknown = parser.parse_known_args(split(line))
    if unknown and not args.help:
        hint = near_option(unknown[0], parser._option_string_actions)
        if not hint and not unknown[0].startswith("-"):
            hint = f"If {unknown[0]} holds the files of the build, write --context {unknown[0]}."
        raise OptionError(
            f"%%dockerfile: unrecognized arguments: {' '.join(unknown)}.", hint=f"{hint}\n{_USED}".strip()
        )
    if args.help:
        return args
    if args.name is None:
        parser.error("a NAME is needed, the variable that gets the build")
    if not args.name.isidentifier() or keyword.iskeyword(args.name):
        parser.error(f"{args.name!r} cannot be the name of a variable")
    if isinstance(variables.get(args.name), ModuleType):
        parser.error(f"{args.name!r} is a module in this notebook, so the build needs another name")
    return args


def _bundle(error: DockerlabError) -> dict[str, str]:
    text = f"{type(error).__name__}: {error}"
    red = "border-left:4px solid #d3382f;padding:4px 8px;margin:0"
    text_fits = "white-space:pre-wrap;overflow-wrap:anywhere;word-break:normal"
    return {
        "text/plain": text,
        "text/html": f'<pre role="alert" style="{red};{text_fits}">{escape(text, keep=LINES)}</pre>',
    }


def find_context(value: str | None, variables: Mapping[str, Any]) -> ContextLike | None:
    """Return the context that `value` names: a variable of the notebook first, else a folder.

    ContextError when there is neither.
    """
    if value is None:
        return None
    if value in variables:
        found = variables[value]
        if isinstance(found, Context | Mapping | str | Path):
            return found
        raise ContextError(
            f"The variable {value} is a {type(found).__name__}, and that is no build context.",
            hint=f'Make it a dict of files: {value} = {{"app.py": "print(1)"}}, or the path of a folder.',
        )
    folder = Path(value).expanduser()
    if not folder.is_dir():
        what = "variable or folder" if value.isidentifier() else "folder"
        raise ContextError(
            f"There is no {what} {value!r} to be the build context (looked in {Path.cwd()}).",
            hint="Make the folder, or a dict of files in a cell above: "
            f'{value if value.isidentifier() else "files"} = {{"app.py": "print(1)"}}.',
        )
    return folder


def split(line: str) -> list[str]:
    """Split a magic's line into words: quotes group and go away, a `#` that starts a word begins a comment.

    A backslash is a plain character: Windows paths need no doubling. OptionError when a quote stays open.
    """
    words = []
    rest = line.strip()
    while rest and not rest.startswith("#"):
        word = re.match(r"""(?:[^\s"']|"[^"]*"|'[^']*')+""", rest)
        tail = rest[word.end() :] if word else rest
        if word is None or (tail and not tail[0].isspace()):
            _parser().error(f"a quote stays open in {tail!r}")
        words.append(re.sub(r"""(["'])(.*?)\1""", r"\2", word[0]))
        rest = tail.lstrip()
    return words
