"""Cache keys: what a step's result depends on, by name, and which of it differed.

The inputs are BuildKit's. A step's key covers the key of the step below it (and so the whole chain), but
never the image's metadata: LABEL, CMD and the like change no key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

Inputs = Mapping[str, Any]


def key(inputs: Inputs) -> str:
    """Return the cache key of a step: a digest over its named inputs."""
    text = json.dumps(inputs, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def first_difference(old: Inputs, new: Inputs) -> str | None:
    """Say in words the first input that differs between two runs of a step, or None when none does.

    A step's own inputs are named before "an earlier step", which only says that the chain below it changed.
    """
    names = [name for name in {**new, **old} if name != "parent"]
    for name in names:
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            return _in_mapping(name, before, after)
        return f"{name}: {_short(before)} became {_short(after)}"
    if old.get("parent") != new.get("parent"):
        return "an earlier step changed"
    return None


def _in_mapping(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    for item in [*before, *after]:
        if before.get(item) == after.get(item):
            continue
        if item not in before:
            return f"{name}: {item} is new ({_short(after[item])})"
        if item not in after:
            return f"{name}: {item} is gone"
        return f"{name}: {item} was {_short(before[item])}, is {_short(after[item])}"
    return name


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    words = [word[:19] if word.startswith("sha256:") else word for word in text.split(" ")]
    text = " ".join(words)
    return text if len(text) <= 80 else f"{text[:77]}..."
