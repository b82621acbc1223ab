"""The proxy that a RUN goes through, in both letter cases: programs read one or the other.

Sources: BuildKit, frontend/dockerfile/dockerfile2llb (WithProxy); Docker docs, "Use a proxy with the CLI".
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from dockerlab.engines.embedded.buildargs import PROXY
from dockerlab.registry.credentials import docker_config

_CONFIG_KEYS = dict(zip(PROXY, ("httpProxy", "httpsProxy", "ftpProxy", "noProxy", "allProxy"), strict=True))


def proxied(env: Mapping[str, str], build_args: Mapping[str, str]) -> dict[str, str]:
    """Return a RUN's environment with the proxy in it.

    As in Docker a build argument, declared or not, else the `proxies` of Docker's config.json, goes before
    the image's own ENV. Where neither says anything, our own environment does, and there ENV goes first.
    """
    settings = (docker_config().get("proxies") or {}).get("default") or {}
    asked: dict[str, str] = {}
    ours: dict[str, str] = {}
    for name in PROXY:
        given = [value for arg, value in build_args.items() if arg.upper() == name]
        value = build_args.get(name, given[0] if given else settings.get(_CONFIG_KEYS[name]))
        if value:
            asked |= {name: value, name.lower(): value}
        own = os.environ.get(name) or os.environ.get(name.lower())
        if value is None and own:
            ours |= {name: own, name.lower(): own}
    return {**ours, **env, **asked}
