"""From an image's config to the state of a stage, and back."""

from __future__ import annotations

import copy
from datetime import datetime, timezone
from typing import Any

from dockerlab.engines import keys
from dockerlab.engines.embedded.instructions import State
from dockerlab.engines.embedded.sandbox.docker_defaults import DEFAULT_PATH
from dockerlab.image import Image

# What BuildKit keeps of a base image's config; older tools wrote more.
CONFIG_FIELDS = (
    "User",
    "ExposedPorts",
    "Env",
    "Entrypoint",
    "Cmd",
    "Volumes",
    "WorkingDir",
    "Labels",
    "StopSignal",
    "ArgsEscaped",
    "Healthcheck",
    "Shell",
    "OnBuild",
)


def state_of(image: Image) -> State:
    """Return the state that a stage FROM this image starts with."""
    known = image.config.get("config") or {}
    config = {name: copy.deepcopy(known[name]) for name in CONFIG_FIELDS if known.get(name)}
    layers = list(image.layers)
    platform = {
        name: image.config[name] for name in ("architecture", "os", "variant") if image.config.get(name)
    }
    env = config.setdefault("Env", [])
    if not any(pair.startswith("PATH=") for pair in env):
        env.append(f"PATH={DEFAULT_PATH}")
    return State(
        config=config,
        platform=platform,
        layers=layers,
        history=[dict(row) for row in image.config.get("history") or []],
        key=keys.key({"base": [layer.diff_id for layer in layers]}),
        created=str(image.config.get("created") or ""),
        base_layers=len(layers),
        base_rows=len(image.config.get("history") or []),
        base_id=image.id,
        stand_in=image.stand_in,
    )


def image_config(state: State) -> dict[str, Any]:
    """Return the OCI image config of what a stage came to, all but its rootfs."""
    settings = {name: value for name, value in state.config.items() if value}  # CMD [] leaves no Cmd
    config: dict[str, Any] = {**state.platform, "created": state.created, "config": settings}
    if state.author:
        config["author"] = state.author
    return {**config, "history": state.history}


def rfc3339(seconds: float) -> str:
    """Return a time in seconds since 1970 as image configs write it."""
    return datetime.fromtimestamp(seconds, tz=timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
