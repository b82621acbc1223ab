"""The options of the commands that look into an image or a build."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path

_WHERE = (
    "a folder with a Dockerfile (built first), an archive or OCI layout (read as it is), or an image's name"
)

AddCommand = Callable[[str, str, str], ArgumentParser]  # its name, where it is, and what it does


def add_commands(add: AddCommand) -> None:
    """Add ledger, compare, advise, explore and why."""
    ledger = add("ledger", "looking.ledger", "say what became of every byte of an image, and by which line")
    ledger.add_argument("image", metavar="PATH|IMAGE", help=_WHERE)
    _dockerfile(ledger)
    _reading(ledger)
    ledger.add_argument("--files", action="store_true", help="list every wasted file too")
    _pager(ledger)

    compare = add("compare", "looking.compare", "say what parts two images: sizes, shared layers, files")
    compare.add_argument("image", metavar="PATH|IMAGE", help=_WHERE)
    compare.add_argument("other", metavar="PATH|IMAGE", help="the image to compare it with")
    _reading(compare)
    compare.add_argument(
        "--most",
        metavar="N",
        type=int,
        default=20,
        help="list so many files, the largest first (default: 20)",
    )
    _pager(compare)

    advise = add("advise", "looking.advise", "say what could be better in an image, and what it would save")
    advise.add_argument("image", metavar="PATH|IMAGE", help=_WHERE)
    _dockerfile(advise)
    _reading(advise)
    advise.add_argument("--no-hadolint", action="store_true", help="leave hadolint's findings out")
    gate = advise.add_argument_group(
        "budget", "With any of these, the exit code is 3 for an image that is over it."
    )
    gate.add_argument("--budget", metavar="FILE", type=Path, help="read limits from a TOML file")
    gate.add_argument("--max-size", metavar="SIZE", help="the most unpacked bytes, as 300MB")
    gate.add_argument("--max-waste", metavar="SIZE", help="the most bytes that lines of the Dockerfile waste")
    gate.add_argument("--max-layers", metavar="N", help="the most layers, those of the base too")
    gate.add_argument(
        "--min-efficiency", metavar="SHARE", help="the least share that is no waste, as 0.95 or 95%%"
    )

    explore = add(
        "explore", "looking.explore", "list what is in an image, or what a layer changed, as a tree"
    )
    explore.add_argument("image", metavar="PATH|IMAGE", help=_WHERE)
    _reading(explore)
    explore.add_argument(
        "--layer", metavar="N", type=int, help="only what this layer changed; 1 is the lowest"
    )
    explore.add_argument("--path", metavar="FOLDER", default="", help="begin at this folder (default: /)")
    explore.add_argument(
        "--depth", metavar="N", type=int, default=2, help="go so many folders deep (default: 2)"
    )
    explore.add_argument("--find", metavar="PATTERN", help="list paths that match instead: text, or *.log")
    explore.add_argument(
        "--sort", choices=("size", "name"), default="size", help="what comes first (default: size)"
    )
    _pager(explore)

    why = add("why", "why.why", "say of each step of a build whether it came from the cache, and why not")
    why.add_argument(
        "target",
        metavar="TAG|PATH",
        nargs="?",
        default=".",
        help="the tag of a build that was made, or a folder to build now (default: this one)",
    )
    why.add_argument("-t", "--tag", metavar="NAME:TAG", help="with a folder: keep the image under this name")
    why.add_argument("--no-cache", action="store_true", help="with a folder: reuse nothing")


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
