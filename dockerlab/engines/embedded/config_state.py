"""From an image's config to the state of a stage, and back."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from dockerlab.dockerfile.scope import base_config
from dockerlab.engines.cache.inputs import base_key
from dockerlab.engines.embedded.state import StageState
from dockerlab.image.image import Image


def state_of(image: Image) -> StageState:
    """Return the state that a stage FROM this image starts with."""
    layers = list(image.layers)
    platform = {
        name: image.config[name] for name in ("architecture", "os", "variant") if image.config.get(name)
    }
    return StageState(
        config=base_config(image.config.get("config") or {}),
        platform=platform,
        layers=layers,
        history=[dict(row) for row in image.config.get("history") or []],
        key=base_key([layer.diff_id for layer in layers]),
        created=str(image.config.get("created") or ""),
        base_layers=len(layers),
        base_rows=len(image.config.get("history") or []),
        base_id=image.id,
        stand_in=image.stand_in,
    )


def image_config(state: StageState) -> dict[str, Any]:
    """Return the OCI image config of what a stage came to, all but its rootfs."""
    settings = {name: value for name, value in state.config.items() if value}  # CMD [] leaves no Cmd
    config: dict[str, Any] = {**state.platform, "created": state.created, "config": settings}
    if state.author:
        config["author"] = state.author
    return {**config, "history": state.history}


def rfc3339(seconds: float) -> str:
    """Return a time in seconds since 1970 as image configs write it."""
    return datetime.fromtimestamp(seconds, tz=timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
