"""Build arguments that mean something without an ARG: what the builder does with each of them.

Source: the Dockerfile reference: "Predefined ARGs", "Automatic platform ARGs", "BuildKit built-in args".
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from dockerlab.dockerfile.parser import Dockerfile
from dockerlab.dockerfile.scope import CACHE_NAMESPACE, EPOCH, HOSTNAME, PLATFORM_ARGS, SBOM
from dockerlab.errors import UnsupportedError

# Proxy settings reach a RUN without being declared, and count for no cache key.
PROXY = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
DONE = (*PROXY, *(name.lower() for name in PROXY), *PLATFORM_ARGS, HOSTNAME, CACHE_NAMESPACE, EPOCH)

# Why there is nothing to do, here as in a build of BuildKit's that asks for nothing more.
WITHOUT_EFFECT: Mapping[str, str] = {
    "BUILDKIT_BUILD_NAME": "names the build in BuildKit's own list",
    "BUILDKIT_CONTEXT_KEEP_GIT_DIR": "is about a context from Git, and the context is a folder",
    "BUILDKIT_HISTORY_PROVENANCE_V1": "is about the record in BuildKit's own list",
    **dict.fromkeys(SBOM, "is about the bill of materials, which is made only with --sbom"),
}

# What the image would have that the builder cannot give it.
REFUSED: Mapping[str, str] = {
    "BUILDKIT_DOCKERFILE_CHECK": "checks no Dockerfile by BuildKit's rules",
    "BUILDKIT_INLINE_CACHE": "writes no cache into an image",
    "BUILDKIT_MULTI_PLATFORM": "builds for this machine's platform alone",
    "BUILDKIT_SYNTAX": "reads Dockerfiles itself and runs no syntax image",
}

_OWN_SYNTAX = r"(docker\.io/)?docker/dockerfile(-upstream)?([:@].*)?"


def check(dockerfile: Dockerfile, build_args: Mapping[str, str]) -> None:
    """Raise UnsupportedError for what asks of a build what the builder does not do.

    That is one of the arguments above, or a `# syntax=` that names another image than Docker's own, whose
    language is spoken here.
    """
    hint = "Build it with Docker (--engine docker), or leave it out."
    for name, why in REFUSED.items():
        if build_args.get(name, "").lower() not in ("", "0", "f", "false"):
            what = f"--build-arg {name}={build_args[name]}: the embedded builder {why}"
            raise UnsupportedError(what, hint=hint)
    syntax = dockerfile.syntax
    if syntax is not None and not re.fullmatch(_OWN_SYNTAX, syntax):
        lines = enumerate(dockerfile.text.splitlines(), 1)
        raise UnsupportedError(
            f"# syntax={syntax}: the embedded builder {REFUSED['BUILDKIT_SYNTAX']}",
            line=next(number for number, line in lines if syntax in line),
            hint=hint,
        )


def unused(dockerfile: Dockerfile, build_args: Mapping[str, str]) -> list[str]:
    """Return the build arguments that no ARG takes and that mean nothing by themselves."""
    given = {name for name in build_args if name.upper() not in PROXY}
    return sorted(
        given - {name for arg in dockerfile.all_args for name in arg.names} - {*DONE, *WITHOUT_EFFECT}
    )
