"""What package managers leave behind in a layer: lists, downloaded packages, caches."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from dockerlab.analysis.advice.finding import (
    LEAST_BYTES,
    Finding,
    Pool,
    largest,
    lines_of,
    own_live,
    places,
    total,
    verb,
)
from dockerlab.analysis.ledger import Claim
from dockerlab.units import human_bytes

_HOME = r"(?:root|home/[^/]+|usr/local/share|var/www)"


@dataclass(frozen=True)
class _Cache:
    code: str
    what: str
    paths: re.Pattern[str]
    change: str


_CACHES = (
    _Cache(
        "apt-lists",
        "apt's package lists",
        re.compile(r"var/lib/apt/lists/"),
        "End the same RUN with `rm -rf /var/lib/apt/lists/*`.",
    ),
    _Cache(
        "apt-archives",
        "downloaded .deb packages and apt's own index",
        re.compile(r"var/cache/apt/(archives/|[a-z]*pkgcache\.bin)"),
        "End the same RUN with `apt-get clean`: this base does not do it by itself.",
    ),
    _Cache(
        "pip-cache",
        "pip's cache",
        re.compile(rf"{_HOME}/\.cache/pip/"),
        "Use `pip install --no-cache-dir`, or `RUN --mount=type=cache,target=/root/.cache/pip`.",
    ),
    _Cache(
        "npm-cache",
        "npm's, yarn's or pnpm's cache",
        re.compile(
            rf"{_HOME}/(\.npm/|\.cache/(yarn|node-gyp|pnpm)/|\.yarn/cache/|\.local/share/pnpm/store/)"
        ),
        "Use `RUN --mount=type=cache,target=/root/.npm`, or end the same RUN with `npm cache clean --force`.",
    ),
    _Cache(
        "apk-cache",
        "apk's cache",
        re.compile(r"(var/cache|etc)/(apk|apk/cache)/"),
        "Use `apk add --no-cache`.",
    ),
    _Cache(
        "dnf-cache",
        "dnf's or yum's cache",
        re.compile(r"var/(cache|lib)/(dnf|yum|libdnf5)/.*\.(rpm|xml|gz|xz|zst|zck|solv|solvx|sqlite|yaml)$"),
        "End the same RUN with `dnf clean all` (or `yum clean all`, `microdnf clean all`).",
    ),
    _Cache(
        "zypper-cache",
        "zypper's cache",
        re.compile(r"var/cache/zypp/"),
        "End the same RUN with `zypper clean --all`.",
    ),
    _Cache(
        "tool-cache",
        "a build tool's cache",
        re.compile(rf"{_HOME}/\.cache/(uv|pypoetry|pipenv|go-build|composer|bazel|ccache)/"),
        "Use `RUN --mount=type=cache,target=FOLDER` for that folder.",
    ),
)
CODES = tuple(cache.code for cache in _CACHES)


def find(pool: Pool) -> Iterator[Finding]:
    """Find caches that the image still shows; those deleted later are another finding."""
    for cache in _CACHES:
        claims = pool.take(partial(_left_in, cache.paths))
        size = total(claims)
        if size < LEAST_BYTES:
            continue
        rows = [claim.stored_by for claim in claims]
        yield Finding(
            code=cache.code,
            title=f"{places(rows)} {verb(rows, 'leaves', 'leave')} {human_bytes(size)} of {cache.what}",
            change=cache.change,
            where=places(rows),
            lines=lines_of(rows),
            bytes=size,
            saves_bytes=size,
            files=len(claims),
            evidence=largest(claims),
        )


def _left_in(paths: re.Pattern[str], claim: Claim) -> bool:
    return own_live(claim) and bool(paths.match(claim.path))
