"""The flags of `docker build`: what each means here, and for those that are refused, why."""

from __future__ import annotations

from argparse import SUPPRESS, Action, ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dockerlab.engines.options import BUILDKIT_ONLY, BuildOptions, image_context
from dockerlab.errors import ContextError, OptionError
from dockerlab.shared_options import add_build_options

_CHECKS = "BuildKit's checks look at the text alone; `dockerlab advise` looks at the image, and runs hadolint"
_ATTESTATION = "an attestation is no layer, and none is made"
_LEGACY = "it is the legacy builder's, and BuildKit ignores it"
REFUSED: Mapping[str, str] = {
    "--annotation": "the lab's images carry no annotations; --label is kept in every store",
    "--attest": _ATTESTATION,
    "--call": _CHECKS,
    "--check": _CHECKS,
    "--compress": _LEGACY,
    "--cpu-period": _LEGACY,
    "--cpu-quota": _LEGACY,
    "--cpu-shares": _LEGACY,
    "--cpuset-cpus": _LEGACY,
    "--cpuset-mems": _LEGACY,
    "--debug": "--progress plain shows all there is",
    "--disable-content-trust": _LEGACY,
    "--force-rm": _LEGACY,
    "--isolation": _LEGACY,
    "--memory": _LEGACY,
    "--memory-swap": _LEGACY,
    "--metadata-file": "--json prints the image's id, its layers and its steps",
    "--provenance": _ATTESTATION,
    "--push": "`dockerlab push` sends an image that is built",
    "--rm": _LEGACY,
    "--sbom": _ATTESTATION,
    "--security-opt": _LEGACY,
}
_NOTHING = ("false", "0")  # of --provenance and --sbom: what is done anyway
_PROGRESS = {"auto": "plain", "plain": "plain", "json": "json", "none": "quiet", "quiet": "quiet"}


class _Refused(Action):
    """Says why a flag is refused."""

    def __call__(self, parser: ArgumentParser, namespace: Namespace, values: Any, flag: Any = None) -> None:
        """Raise OptionError, but for a value that asks for nothing."""
        del parser, namespace
        if flag not in ("--provenance", "--sbom") or values not in _NOTHING:
            raise OptionError(f"{flag} is not done here: {REFUSED[flag]}.")


def add_options(parser: ArgumentParser) -> None:
    """Add what `docker build` takes."""
    parser.add_argument(
        "context", metavar="CONTEXT", help="the folder that COPY and ADD read; - reads standard input"
    )
    parser.add_argument(
        "-f",
        "--file",
        metavar="FILE",
        help="the Dockerfile (default: CONTEXT/Dockerfile; - reads standard input)",
    )
    parser.add_argument("-t", "--tag", **_many("NAME:TAG", "keep the image under this name"))
    add_build_options(parser, engine=False)
    parser.add_argument("--label", **_many("KEY=VALUE", "give the image a label"))
    parser.add_argument(
        "--build-context",
        **_many("NAME=FOLDER", "what --from=NAME and FROM NAME mean: a folder, or docker-image://IMAGE"),
    )
    parser.add_argument(
        "--network",
        choices=("default", "none", "host"),
        default="default",
        help="the network of each RUN that does not say (default: default)",
    )
    parser.add_argument("--no-cache-filter", **_many("STAGE", "build these stages without the cache"))
    parser.add_argument("--platform", help="has to be this machine's: linux/amd64 or linux/arm64")
    parser.add_argument(
        "--pull", action="store_true", help="ask the registry for bases that are there already"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="type=TYPE,dest=PATH",
        **_many(None, "write the image elsewhere, too; TYPE is local, tar, oci or docker"),
    )
    parser.add_argument("--iidfile", metavar="FILE", type=Path, help="write the image's id to a file")
    parser.add_argument("--load", action="store_true", help="keep the image, which is done anyway")
    parser.add_argument(
        "--progress",
        metavar="HOW",
        type=_progress,
        default="plain",
        help="how to write events to stderr: plain (the default), json or none",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="write no events; print only the image id")
    for flag, why in BUILDKIT_ONLY.items():
        parser.add_argument(
            f"--{flag}", **_many("VALUE", f"for BuildKit alone: on the embedded engine {why}")
        )
    for flag in REFUSED:
        parser.add_argument(flag, action=_Refused, nargs="?", help=SUPPRESS)
    parser.epilog = f"refused, each with its reason: {', '.join(REFUSED)}"


def _many(metavar: str | None, text: str) -> dict[str, Any]:
    found: dict[str, Any] = {"action": "append", "default": [], "help": f"{text} (may be repeated)"}
    return found if metavar is None else {**found, "metavar": metavar}


def _progress(how: str) -> str:
    if how not in _PROGRESS:
        raise OptionError(
            f"--progress={how} is not done here: events are lines of text (plain) or of JSON (json)."
        )
    return _PROGRESS[how]


def read_options(args: Namespace) -> BuildOptions:
    """Return what the flags ask for. Raises OptionError and ContextError."""
    return BuildOptions(
        tags=tuple(args.tag[1:]),
        labels=dict(_pairs("--label", args.label)),
        contexts=dict(_contexts(args.build_context)),
        network=args.network,
        no_cache_filter=tuple(name for value in args.no_cache_filter for name in value.split(",")),
        platform=args.platform,
        pull=args.pull,
        buildkit={
            flag: tuple(values) for flag in BUILDKIT_ONLY if (values := getattr(args, flag.replace("-", "_")))
        },
    )


def _pairs(flag: str, values: Sequence[str]) -> Iterator[tuple[str, str]]:
    for value in values:
        name, _, rest = value.partition("=")
        if not name:
            raise OptionError(f"{flag} is NAME=VALUE, not {value!r}.")
        yield name, rest


def _contexts(values: Sequence[str]) -> Iterator[tuple[str, str]]:
    for name, where in _pairs("--build-context", values):
        if not where:
            raise OptionError(f"--build-context is NAME=FOLDER, not {name!r}.")
        if image_context(where) is None:
            if "://" in where or where.startswith("git@"):
                raise OptionError(
                    f"--build-context {name}={where} is not done here: it may be a folder, or docker-image://IMAGE.",
                    hint="Download it first, and give the folder.",
                )
            if not Path(where).is_dir():
                raise ContextError(f"There is no folder {where} to be the build context {name}.")
        yield name, where
