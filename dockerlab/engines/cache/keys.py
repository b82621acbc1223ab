"""Cache keys: what a step's result depends on, by name, and which of it differed.

The inputs are BuildKit's. A step's key covers the key of the step below it ("parent", and so the whole
chain), but never the image's metadata: LABEL, CMD and the like change no key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from dockerlab.engines.results import Change

Inputs = Mapping[str, Any]

_FILES = ("files", "bound files")
_DIGITS = 12  # of a digest in a sentence: enough to tell two apart, as Docker shows IDs
_LONGEST = 80  # characters of a value in a sentence
_NAMES = {
    "command": "the command",
    "script": "the script in the heredoc",
    "user": "the USER",
    "working folder": "the working folder",
    "network": "--network",
    "folder": "the folder",
    "date": "SOURCE_DATE_EPOCH",
    "host name": "BUILDKIT_SANDBOX_HOSTNAME",
    "sources": "the list of sources",
    "destination": "the destination",
    "owner": "--chown",
    "mode": "--chmod",
    "flags": "the flags",
    "exclude": "--exclude",
    "mounts": "--mount",
    "line": "the line",
    "image": "the base image",
    "stages": "stage",
}


def key(inputs: Inputs) -> str:
    """Return the cache key of a step: a digest over its named inputs."""
    text = json.dumps(inputs, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def changes(old: Inputs, new: Inputs) -> tuple[Change, ...]:
    """Return a step's own inputs that differ between two builds, in the order they are named.

    "parent" is left out: it only says that the chain below the step changed.
    """
    found: list[Change] = []
    for name in {**new, **old}:
        before, after = old.get(name), new.get(name)
        if name == "parent" or before == after:
            continue
        if isinstance(before or {}, Mapping) and isinstance(after or {}, Mapping):
            was, now = before or {}, after or {}
            found += [
                Change(name, item, _text(was.get(item)), _text(now.get(item)))
                for item in {**was, **now}
                if was.get(item) != now.get(item)
            ]
        else:
            found.append(Change(name, "", _text(before), _text(after)))
    return tuple(found)


def sentence(found: Sequence[Change], where: Mapping[str, str]) -> str:
    """Say in words the first of `found`, and how many more there are.

    `where` names a variable as the Dockerfile does: {"V": "ENV V (line 2)"}.
    """
    first = found[0]
    if first.input in _FILES:
        said = _file(first)
    elif first.input == "from":
        said = _taken(first)
    elif first.input == "environment":
        said = _went(where.get(first.name, f"the variable {first.name}"), first)
    else:
        said = _went(f"{_NAMES.get(first.input, first.input)} {first.name}".rstrip(), first)
    same = sum(change.input == first.input for change in found[1:])
    if not same:
        return said
    noun = "file" if first.input in _FILES else "variable" if first.input == "environment" else "change"
    return f"{said} (and {same} more {noun}{'s' if same > 1 else ''})"


def _file(change: Change) -> str:
    """Say what happened to a file; its text is "kind mode [uid:gid] content", as `checksums` writes it."""
    if change.before is None:
        return f"{change.name} is new among the files it reads ({_digest(change.after)})"
    if change.after is None:
        return f"{change.name} is gone from the files it reads ({_digest(change.before)})"
    before, after = _parts(change.before), _parts(change.after)
    differ = [name for name in before if before[name] != after[name]]
    said = [f"its {name} was {_short(before[name])}, is {_short(after[name])}" for name in differ]
    return f"{change.name} changed: {', and '.join(said)}"


def _taken(change: Change) -> str:
    """Say what happened to what a step takes from a stage, an image or a URL."""
    if change.before is None:
        return f"it now takes files from {change.name}"
    if change.after is None:
        return f"it takes no files from {change.name} any more"
    return f"what it takes from {change.name} changed"


def _parts(text: str) -> dict[str, str]:
    kind, mode, rest = [*text.split(" ", 2), "", ""][:3]
    owner, _, content = rest.partition(" ") if _is_owner(rest.partition(" ")[0]) else ("0:0", "", rest)
    return {
        "kind": kind,
        "content" if kind == "file" else "target": content,
        "mode": mode,
        "owner": owner,
        **({} if kind == "symlink" else {"target": ""}),
        **({} if kind == "file" else {"content": ""}),
    }


def _is_owner(word: str) -> bool:
    uid, colon, gid = word.partition(":")
    return bool(colon) and uid.isdecimal() and gid.isdecimal()


def _digest(text: str | None) -> str:
    parts = _parts(text or "")
    return _short(parts["content"] or parts["target"] or parts["kind"])


def _went(what: str, change: Change) -> str:
    if change.before is None:
        return f"{what} is new: {_quoted(change.after)}"
    if change.after is None:
        return f"{what} is gone, it was {_quoted(change.before)}"
    if change.before.split() == change.after.split():
        return f"the white space in {what} changed"
    before, after = _apart(change.before, change.after)
    return f'{what} was "{before}", is "{after}"'


def _apart(before: str, after: str) -> tuple[str, str]:
    """Return two values shortened so that where they first differ can be seen."""
    before, after = " ".join(before.split()), " ".join(after.split())
    if max(len(before), len(after)) <= _LONGEST:
        return _short(before), _short(after)
    pairs = enumerate(zip(before, after, strict=False))
    same = next((at for at, (one, other) in pairs if one != other), min(len(before), len(after)))
    start = max(0, same - _LONGEST // 4)
    lead = "..." if start else ""
    end = start + _LONGEST
    shown = [f"{lead}{text[start:end]}{'...' if end < len(text) else ''}" for text in (before, after)]
    return shown[0], shown[1]


def _quoted(text: str | None) -> str:
    return f'"{_short(text or "")}"'


def _short(text: str) -> str:
    """Return a value on one line: digests to twelve digits, long values cut in their middle."""
    words = [word[: 7 + _DIGITS] if word.startswith("sha256:") else word for word in text.split()]
    text = " ".join(words)
    half = (_LONGEST - 3) // 2
    return text if len(text) <= _LONGEST else f"{text[:half]}...{text[-half:]}"


def _text(value: object) -> str | None:
    """Return an input as text; an argument list as the command line a learner would type."""
    if value is None:
        return None
    if isinstance(value, (list, tuple)):
        words = [str(word) for word in value]
        shell = words[:2] == ["/bin/sh", "-c"] and len(words) == 3
        return words[2] if shell else " ".join(words)
    return str(value)
