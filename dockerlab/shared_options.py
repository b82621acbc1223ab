"""Option values in Docker's own spelling, as both `%%dockerfile` and the command line take them."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

from dockerlab.errors import ContextError, OptionError


def add_build_options(parser: ArgumentParser, *, engine: bool = True) -> None:
    """Add the options of a build that the magic and the command line share, in Docker's spelling."""
    parser.add_argument("--target", metavar="STAGE", help="stop at this stage")
    parser.add_argument(
        "--build-arg",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="give an ARG its value (may be repeated)",
    )
    parser.add_argument(
        "--secret",
        action="append",
        default=[],
        metavar="id=ID,src=FILE",
        help="a secret for RUN --mount=type=secret (may be repeated; env=VARIABLE in place of src=FILE)",
    )
    parser.add_argument("--no-cache", action="store_true", help="reuse nothing from earlier builds")
    parser.add_argument(
        "--squash", action="store_true", help="leave one layer over the base (embedded engine only)"
    )
    parser.add_argument(
        "--builder", choices=("buildkit", "legacy"), help="on Docker: which of its two builders"
    )
    if engine:
        add_engine_option(parser)


def add_engine_option(parser: ArgumentParser) -> None:
    """Add `--engine`."""
    parser.add_argument(
        "--engine",
        choices=("auto", "docker", "embedded"),
        help="what builds and keeps images (default: $DOCKERLAB_ENGINE, else auto)",
    )


def key_values(pairs: Sequence[str]) -> dict[str, str]:
    """Turn ["K=V", ...] into a dict; "K" alone takes the environment variable's value, as in Docker."""
    values = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key:
            raise OptionError(f"--build-arg is KEY=VALUE, not {pair!r}.")
        if equals:
            values[key] = value
        elif key in os.environ:
            values[key] = os.environ[key]
        try:
            (key + values.get(key, "")).encode()
        except UnicodeEncodeError:
            raise OptionError(f"--build-arg {key} is not UTF-8, which an ARG has to be.") from None
    return values


def read_secrets(options: Sequence[str]) -> dict[str, bytes]:
    """Turn ["id=npmrc,src=.npmrc", "id=TOKEN,env=TOKEN"] into id -> content, as `docker build --secret` does.

    Without src and env it is the environment variable called like the id, else the file called so. Raises
    OptionError, or ContextError when the secret is not there.
    """
    secrets = {}
    for option in options:
        fields = dict(part.partition("=")[::2] for part in option.split(","))
        name = fields.get("id", "")
        if not name or set(fields) - {"id", "src", "source", "env", "type"}:
            raise OptionError(f"--secret is id=ID,src=FILE or id=ID,env=VARIABLE, not {option!r}.")
        source = fields.get("src") or fields.get("source")
        variable = fields.get("env") or (name if source is None else "")
        if variable in os.environ:
            secrets[name] = os.fsencode(os.environ[variable])
            continue
        try:
            secrets[name] = Path(source or name).expanduser().read_bytes()
        except OSError as error:
            raise ContextError(
                f"The secret {name!r} cannot be read from {source or name}: {error.strerror}.",
                hint="Write --secret id=ID,src=FILE, or --secret id=ID,env=VARIABLE.",
            ) from None
    return secrets
