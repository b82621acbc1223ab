"""The options of the commands that look into an image or a build."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

_WHERE = (
    "a folder with a Dockerfile (built first), an archive or OCI layout (read as it is), or an image's name"
)


def ledger(parser: ArgumentParser) -> None:
    """Add the options of `ledger`."""
    parser.add_argument("image", metavar="PATH|IMAGE", help=_WHERE)
    _dockerfile(parser)
    _reading(parser)
    parser.add_argument("--files", action="store_true", help="list every wasted file too")
    _pager(parser)


def compare(parser: ArgumentParser) -> None:
    """Add the options of `compare`."""
    parser.add_argument("image", metavar="PATH|IMAGE", help=_WHERE)
    parser.add_argument("other", metavar="PATH|IMAGE", help="the image to compare it with")
    _reading(parser)
    parser.add_argument(
        "--most",
        metavar="N",
        type=int,
        default=20,
        help="list so many files, the largest first (default: 20)",
    )
    _pager(parser)


def advise(parser: ArgumentParser) -> None:
    """Add the options of `advise`."""
    parser.add_argument("image", metavar="PATH|IMAGE", help=_WHERE)
    _dockerfile(parser)
    _reading(parser)
    parser.add_argument("--no-hadolint", action="store_true", help="leave hadolint's findings out")
    gate = parser.add_argument_group(
        "budget", "With any of these, the exit code is 3 for an image that is over it."
    )
    gate.add_argument("--budget", metavar="FILE", type=Path, help="read limits from a TOML file")
    gate.add_argument("--max-size", metavar="SIZE", help="the most unpacked bytes, as 300MB")
    gate.add_argument("--max-waste", metavar="SIZE", help="the most bytes that lines of the Dockerfile waste")
    gate.add_argument("--max-layers", metavar="N", help="the most layers, those of the base too")
    gate.add_argument(
        "--min-efficiency", metavar="SHARE", help="the least share that is no waste, as 0.95 or 95%%"
    )


def explore(parser: ArgumentParser) -> None:
    """Add the options of `explore`."""
    parser.add_argument("image", metavar="PATH|IMAGE", help=_WHERE)
    _reading(parser)
    parser.add_argument(
        "--layer", metavar="N", type=int, help="only what this layer changed; 1 is the lowest"
    )
    parser.add_argument("--path", metavar="FOLDER", default="", help="begin at this folder (default: /)")
    parser.add_argument(
        "--depth", metavar="N", type=int, default=2, help="go so many folders deep (default: 2)"
    )
    parser.add_argument("--find", metavar="PATTERN", help="list paths that match instead: text, or *.log")
    parser.add_argument(
        "--sort", choices=("size", "name"), default="size", help="what comes first (default: size)"
    )
    _pager(parser)


def why(parser: ArgumentParser) -> None:
    """Add the options of `why`."""
    parser.add_argument(
        "target",
        metavar="TAG|PATH",
        nargs="?",
        default=".",
        help="the tag of a build that was made, or a folder to build now (default: this one)",
    )
    _dockerfile(parser)
    parser.add_argument(
        "-t", "--tag", metavar="NAME:TAG", help="with a folder: keep the image under this name"
    )
    parser.add_argument("--no-cache", action="store_true", help="with a folder: reuse nothing")


def _dockerfile(parser: ArgumentParser) -> None:
    parser.add_argument("-f", "--file", metavar="FILE", help="the Dockerfile the image was made from")


def _reading(parser: ArgumentParser) -> None:
    parser.add_argument("--reference", metavar="NAME", help="which image of an archive that holds several")
    parser.add_argument(
        "--build-arg",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="for a folder that is built: give an ARG its value (may be repeated)",
    )
    parser.add_argument(
        "--no-cache", action="store_true", help="for a folder that is built: run and time every step"
    )


def _pager(parser: ArgumentParser) -> None:
    parser.add_argument("--no-pager", action="store_true", help="print at once, also on a terminal")
