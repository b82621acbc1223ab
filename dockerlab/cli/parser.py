"""The commands and their options."""

from __future__ import annotations

import re
from argparse import REMAINDER, ArgumentParser
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from dockerlab import __version__
from dockerlab.cli import inspect_parser
from dockerlab.dockerfile.hints import near, near_option
from dockerlab.errors import OptionError
from dockerlab.shared_options import add_engine_option

EPILOG = """exit codes: 0 done, 1 something went wrong, 2 not how it is used, 3 over budget (`advise`),
130 interrupted; `run` ends with the exit code of its command"""

_NO_COMMAND = re.compile(r"^argument COMMAND: invalid choice: '([^']*)'")


class CommandParser(ArgumentParser):
    """A command's parser: it gets its options when the command is the one given; the others cost nothing."""

    add_options: Callable[[ArgumentParser], None]

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Parse; see ArgumentParser. A command refuses what it does not know itself: it has its options."""
        self.add_options(self)
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            meant = near_option(unknown[0], self._option_string_actions)
            raise OptionError(
                f"unrecognized arguments: {' '.join(unknown)}", hint=meant, usage=self.format_usage()
            )
        return found, unknown

    def error(self, message: str) -> NoReturn:
        """Raise OptionError, which is then said as every other error is."""
        command = _NO_COMMAND.search(message)
        meant = near(command[1], COMMANDS) if command else None
        hint = f"Did you mean {meant}?" if meant else ""
        raise OptionError(message, hint=hint, usage=self.format_usage())


AddOptions = Callable[[ArgumentParser], None]


def make_parser() -> ArgumentParser:
    """Return the parser of the whole command line.

    What it parses has as `command` where the command is, "module.function" of this package: none is imported
    before it is asked for, so that a short command is not the longer for what others need.
    """
    parser = CommandParser(
        prog="dockerlab",
        description="Build, measure and keep container images, on Docker or without it.",
        epilog=EPILOG,
        allow_abbrev=False,
    )
    parser.add_options = lambda _: None
    parser.add_argument("--version", action="version", version=f"dockerlab {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, (where, text, add_options) in COMMANDS.items():
        one = commands.add_parser(
            name, help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False
        )
        one.set_defaults(command=where)
        one.add_options = partial(_add_all, add_options, engine=name not in WITHOUT_ENGINE)
    return parser


def _add_all(add_options: AddOptions, parser: ArgumentParser, *, engine: bool) -> None:
    if engine:
        add_engine_option(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object for machines")
    add_options(parser)


def _doctor(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--verify",
        action="store_true",
        help="also read all images of the embedded engine again and compare every digest",
    )


def _build(parser: ArgumentParser) -> None:
    from dockerlab.cli.build_options import add_options

    add_options(parser)


def _history(parser: ArgumentParser) -> None:
    parser.add_argument("image", metavar="PATH|IMAGE", help="an archive, a layout, a reference or an id")
    parser.add_argument("--reference", metavar="NAME", help="which image of an archive that holds several")
    parser.add_argument("--no-trunc", action="store_true", help="show whole rows, as the image records them")


def _save(parser: ArgumentParser) -> None:
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="a reference or an id")
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path, required=True, help="the archive to write"
    )


def _load(parser: ArgumentParser) -> None:
    parser.add_argument("-i", "--input", metavar="PATH", type=Path, required=True, help="the archive to read")


def _push(parser: ArgumentParser) -> None:
    parser.add_argument("image", metavar="IMAGE", help="a reference or an id")
    parser.add_argument("to", metavar="REGISTRY/NAME:TAG", nargs="?", help="where to (default: IMAGE)")
    parser.add_argument(
        "--compression", choices=("gzip", "zstd"), default="gzip", help="of the layers (default: gzip)"
    )


def _rm(parser: ArgumentParser) -> None:
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="a reference or an id")


def _run(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=float, default=60, help="stop it after this (default: 60)"
    )
    parser.add_argument("image", metavar="IMAGE", help="a reference or an id")
    parser.add_argument("argv", metavar="COMMAND", nargs=REMAINDER, help="the command and its arguments")


def _bases(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--into", metavar="DIR", type=Path, required=True, help="the folder, then named by $DOCKERLAB_BASES"
    )
    parser.add_argument(
        "--warm",
        metavar="FOLDER",
        type=Path,
        action="append",
        default=[],
        help="build the Dockerfile in this folder too, so that others find its steps done (may be repeated)",
    )
    parser.add_argument(
        "images", metavar="IMAGE", nargs="*", help="which base images (default: those of the course)"
    )


def _bundle(parser: ArgumentParser) -> None:
    parser.add_argument(
        "what",
        choices=("create", "use", "drop"),
        help="make a file, unpack one into the store, or stop using it",
    )
    parser.add_argument("file", metavar="FILE", type=Path, nargs="?", help="the bundle")
    parser.add_argument(
        "--python",
        metavar="VERSION",
        action="append",
        default=[],
        help="put wheels for this Python in, such as 3.12 (default: the one that runs; may be repeated)",
    )


def _grade(parser: ArgumentParser) -> None:
    parser.add_argument(
        "folder", metavar="DIR", type=Path, help="where the learners' progress files are; none is changed"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FOLDER",
        type=Path,
        default=Path(),
        help="where to write grades.csv and grades.html (default: this folder)",
    )
    parser.add_argument("--force", action="store_true", help="replace what an earlier grade wrote there")


def _start(parser: ArgumentParser) -> None:
    parser.add_argument(
        "folder",
        metavar="FOLDER",
        type=Path,
        nargs="?",
        default=Path("my-lab"),
        help="a new folder, or the copy that is there (default: my-lab)",
    )


def _none(parser: ArgumentParser) -> None:
    """Add nothing."""


WITHOUT_ENGINE = {"bases", "bundle", "start", "grade"}
COMMANDS: dict[str, tuple[str, str, AddOptions]] = {  # where it is, what it does, its options
    "doctor": ("commands.doctor", "say what is used here and why, and what is missing", _doctor),
    "build": ("build.build", "build a Dockerfile", _build),
    "history": ("commands.history", "list the history rows of an image, newest first", _history),
    "images": ("commands.images", "list the images that are kept", _none),
    "save": ("commands.save", "write images to an archive that `docker load` takes", _save),
    "load": ("commands.load", "read images from an archive that `docker save` wrote", _load),
    "push": ("commands.push", "send an image to a registry", _push),
    "rm": ("commands.rm", "remove images; on Docker only those made here", _rm),
    "prune": ("commands.prune", "remove the build cache and what no image needs", _none),
    "bases": ("bases.bases", "put base images into a folder that others read in place", _bases),
    "bundle": ("bundle.run", "carry the course to machines that have no network, as one file", _bundle),
    "run": ("commands.run", "run a command in an image; what it writes is not kept", _run),
    "ledger": (
        "inspect_commands.ledger",
        "say what became of every byte of an image, and by which line",
        inspect_parser.ledger,
    ),
    "compare": (
        "inspect_commands.compare",
        "say what parts two images: sizes, shared layers, files",
        inspect_parser.compare,
    ),
    "advise": (
        "advise.advise",
        "say what could be better in an image, and what it would save",
        inspect_parser.advise,
    ),
    "explore": (
        "inspect_commands.explore",
        "list what is in an image, or what a layer changed, as a tree",
        inspect_parser.explore,
    ),
    "why": (
        "why.why",
        "say of each step of a build whether it came from the cache, and why not",
        inspect_parser.why,
    ),
    "start": ("start.run", "make your own copy of the course, or bring new lessons into it", _start),
    "grade": ("grade.run", "make a table and a heat map of a class from a folder of progress files", _grade),
}
