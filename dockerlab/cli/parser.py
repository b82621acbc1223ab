"""The commands and their options."""

from __future__ import annotations

from argparse import REMAINDER, ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING

from dockerlab import __version__
from dockerlab.cli import looking_parser
from dockerlab.options import add_build_options, add_engine_option

if TYPE_CHECKING:
    from argparse import _SubParsersAction

EPILOG = """exit codes: 0 done, 1 something went wrong, 2 not how it is used, 3 over budget (`advise`),
130 interrupted; `run` ends with the exit code of its command"""


def make_parser() -> ArgumentParser:
    """Return the parser of the whole command line.

    What it parses has as `command` where the command is, "module.function" of this package: none is imported
    before it is asked for, so that a short command is not the longer for what others need.
    """
    parser = ArgumentParser(
        prog="dockerlab",
        description="Build, measure and keep container images, on Docker or without it.",
        epilog=EPILOG,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"dockerlab {__version__}")
    add = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    doctor = _command(add, "doctor", "commands.doctor", "say what is used here and why, and what is missing")
    doctor.add_argument(
        "--verify",
        action="store_true",
        help="also read all images of the embedded engine again and compare every digest",
    )

    build = _command(add, "build", "commands.build", "build a Dockerfile")
    build.add_argument("context", metavar="CONTEXT", type=Path, help="the folder that COPY and ADD read")
    build.add_argument(
        "-f",
        "--file",
        metavar="FILE",
        help="the Dockerfile (default: CONTEXT/Dockerfile; - reads standard input)",
    )
    add_build_options(build, engine=False)
    build.add_argument(
        "--progress", choices=("plain", "json"), default="plain", help="how to write events (stderr)"
    )
    build.add_argument("-q", "--quiet", action="store_true", help="write no events; print only the image id")

    history = _command(add, "history", "commands.history", "list the history rows of an image, newest first")
    history.add_argument("image", metavar="PATH|IMAGE", help="an archive, a layout, a reference or an id")
    history.add_argument("--reference", metavar="NAME", help="which image of an archive that holds several")
    history.add_argument("--no-trunc", action="store_true", help="show whole rows, as the image records them")

    _command(add, "images", "commands.images", "list the images that are kept")

    save = _command(add, "save", "commands.save", "write images to an archive that `docker load` takes")
    save.add_argument("images", metavar="IMAGE", nargs="+", help="a reference or an id")
    save.add_argument("-o", "--output", metavar="FILE", type=Path, required=True, help="the archive to write")

    load = _command(add, "load", "commands.load", "read images from an archive that `docker save` wrote")
    load.add_argument("-i", "--input", metavar="PATH", type=Path, required=True, help="the archive to read")

    rm = _command(add, "rm", "commands.rm", "remove images; on Docker only those made here")
    rm.add_argument("images", metavar="IMAGE", nargs="+", help="a reference or an id")

    _command(add, "prune", "commands.prune", "remove the build cache and what no image needs")

    run = _command(add, "run", "commands.run", "run a command in an image; what it writes is not kept")
    run.add_argument(
        "--timeout", metavar="SECONDS", type=float, default=60, help="stop it after this (default: 60)"
    )
    run.add_argument("image", metavar="IMAGE", help="a reference or an id")
    run.add_argument("argv", metavar="COMMAND", nargs=REMAINDER, help="the command and its arguments")

    looking_parser.add_commands(lambda name, command, text: _command(add, name, command, text))

    text = "make a table and a heat map of a class from a folder of progress files"
    grade = _command(add, "grade", "grade.run", text, engine=False)
    grade.add_argument(
        "folder", metavar="DIR", type=Path, help="where the learners' progress files are; none is changed"
    )
    grade.add_argument(
        "-o",
        "--output",
        metavar="FOLDER",
        type=Path,
        default=Path(),
        help="where to write grades.csv and grades.html (default: this folder)",
    )
    grade.add_argument("--force", action="store_true", help="replace what an earlier grade wrote there")
    return parser


def _command(
    add: _SubParsersAction[ArgumentParser],
    name: str,
    command: str,
    text: str,
    *,
    engine: bool = True,
) -> ArgumentParser:
    parser = add.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False)
    parser.set_defaults(command=command)
    if engine:
        add_engine_option(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object for machines")
    return parser
