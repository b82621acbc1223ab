"""RUN --mount: what each flag asks for.

Source: https://docs.docker.com/reference/dockerfile/, "RUN --mount"; BuildKit, dockerfile/instructions.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

from dockerlab.dockerfile.parser import Instruction
from dockerlab.dockerfile.scope import Scope
from dockerlab.errors import DockerfileError

MountType = Literal["bind", "cache", "tmpfs", "secret", "ssh"]
Sharing = Literal["shared", "private", "locked"]

# Each key by its first name, and which types may have it; a type that is not there is refused.
_KEYS: Mapping[str, tuple[str, ...]] = {
    "type": ("bind", "cache", "tmpfs", "secret", "ssh"),
    "target": ("bind", "cache", "tmpfs", "secret", "ssh"),
    "source": ("bind", "cache", "tmpfs", "secret"),
    "from": ("bind", "cache", "tmpfs"),
    "readonly": ("bind", "cache", "tmpfs", "secret", "ssh"),
    "readwrite": ("bind", "cache", "tmpfs", "secret", "ssh"),
    "id": ("bind", "cache", "tmpfs", "secret", "ssh"),
    "sharing": ("cache",),
    "size": ("tmpfs",),
    "required": ("secret", "ssh"),
    "env": ("secret",),
    "mode": ("cache", "secret", "ssh"),
    "uid": ("cache", "secret", "ssh"),
    "gid": ("cache", "secret", "ssh"),
}
_OTHER_NAMES = {
    "dst": "target",
    "destination": "target",
    "src": "source",
    "ro": "readonly",
    "rw": "readwrite",
}
MOUNT_KEYS = (*_KEYS, *_OTHER_NAMES)
_ALONE = ("readonly", "readwrite", "required")  # keys that may stand without a value
_TRUE, _FALSE = ("1", "t", "T", "TRUE", "true", "True"), ("0", "f", "F", "FALSE", "false", "False")
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(?:([kmgtp])?i?b?)", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class MountSpec:
    """One --mount flag, read."""

    type: MountType
    target: str  # absolute; "" for a secret that is a variable only
    source: str
    origin: str | None  # from=: a stage or an image
    id: str
    sharing: Sharing
    read_only: bool
    required: bool
    variable: str | None  # env=: a secret as an environment variable
    size: int | None  # bytes, of a tmpfs
    mode: int | None
    uid: int | None
    gid: int | None

    @property
    def owned(self) -> str:
        """Return mode and owner where the flag has them: with others a cache is another one."""
        usual = 0o755 if self.type == "cache" else 0o400
        mode = usual if self.mode is None else self.mode
        owner = (self.uid or 0, self.gid or 0)
        given = (self.mode, self.uid, self.gid) != (None, None, None)
        if not given or (self.type != "cache" and (mode, *owner) == (usual, 0, 0)):
            return ""
        return f"mode={mode:04o} uid={owner[0]} gid={owner[1]}"

    @property
    def kept(self) -> str:
        """Return the options that the cache key covers: not a cache's id, nor how it is shared."""
        words: list[str] = [self.type]
        if self.read_only != (self.type in ("bind", "secret", "ssh")):
            words.append("ro" if self.read_only else "rw")
        words += [f"id={self.id}" if self.type in ("secret", "ssh") else ""]
        words += ["required" if self.required else "", f"env={self.variable}" if self.variable else ""]
        words += [f"size={self.size}" if self.size else ""]
        words.append(self.owned)
        return " ".join(word for word in words if word)

    @property
    def shown(self) -> str:
        """Return what is said of the mount when it changed."""
        return f"{self.kept} {self.source}".strip()


def mount_fields(value: str) -> dict[str, str | None]:
    """Return the keys of a --mount flag, each by its first name, as written; None: it stands alone."""
    fields: dict[str, str | None] = {}
    for part in value.split(","):
        name, equals, text = part.partition("=")
        name = name.strip().lower()
        fields[_OTHER_NAMES.get(name, name)] = text if equals else None
        if name in ("readonly", "ro"):  # of the two the last one counts
            fields.pop("readwrite", None)
        elif name in ("readwrite", "rw"):
            fields.pop("readonly", None)
    return fields


def read_mounts(instruction: Instruction, scope: Scope, *, namespace: str = "") -> tuple[MountSpec, ...]:
    """Return what the --mount flags of a RUN ask for; ids of caches are in `namespace`.

    Raises DockerfileError.
    """
    specs = tuple(_Flag(value, instruction.line, scope).spec() for value in instruction.flag_values("mount"))
    if not namespace:
        return specs
    return tuple(
        replace(spec, id=f"{namespace}/{spec.id}") if spec.type == "cache" else spec for spec in specs
    )


class _Flag:
    """One --mount flag while it is read."""

    def __init__(self, value: str, line: int, scope: Scope) -> None:
        self.written, self.line, self.scope = value, line, scope
        fields = mount_fields(value)
        for name, text in fields.items():
            if name not in _KEYS:
                raise self._error(f"has an unknown key {name!r}", f"There are {', '.join(MOUNT_KEYS)}.")
            if text is None and name not in _ALONE:
                raise self._error(f"has {name} without a value", f"Write {name}=VALUE.")
        if "$" in (fields.get("from") or ""):
            raise self._error("has a from= that takes no variable", "Name a stage: FROM $IMAGE AS tools.")
        self.fields = {
            name: "true" if text is None else scope.expand(text, line) for name, text in fields.items()
        }

    def spec(self) -> MountSpec:
        kind = self.fields.get("type", "bind").lower()
        if kind not in get_args(MountType):
            raise self._error(f"has the type {kind!r}", f"There are {', '.join(get_args(MountType))}.")
        for name in self.fields:
            if kind not in _KEYS[name]:
                raise self._error(f"has {name}=, which a {kind} mount does not take", f"Leave {name}= out.")
        target, source = self.fields.get("target", ""), self.fields.get("source", "")
        name = self.fields.get("id", "")
        if kind == "secret":
            if name and source:
                raise self._error("has both id= and source=", "They say the same: keep one.")
            name = name or source or posixpath.basename(target)
            if not name:
                raise self._error("names no secret", "Add id=NAME.")
        if not target and kind in ("secret", "ssh") and "env" not in self.fields:
            target = (
                f"/run/secrets/{posixpath.basename(name)}"
                if kind == "secret"
                else "/run/buildkit/ssh_agent.0"
            )
        if not target and "env" not in self.fields:
            raise self._error("has no target", "Add target=/folder.")
        place = self.scope.absolute(target) if target else ""
        if place == "/":
            raise self._error("has the target /", "Mount it on a folder.")
        sharing = self.fields.get("sharing", "shared").lower()
        if sharing not in get_args(Sharing):
            raise self._error(f"has sharing={sharing}", "It may be shared, private or locked.")
        by_itself = kind in ("bind", "secret", "ssh")
        read_only = self._flag("readonly", not self._flag("readwrite", not by_itself))
        return MountSpec(
            kind,  # type: ignore[arg-type]
            place,
            source,
            self.fields.get("from") or None,
            name or posixpath.normpath(target),
            sharing,  # type: ignore[arg-type]
            read_only,
            self._flag("required", False),
            self.fields.get("env"),
            self._size(),
            self._number("mode", 8),
            self._number("uid", 10),
            self._number("gid", 10),
        )

    def _flag(self, name: str, otherwise: bool) -> bool:
        text = self.fields.get(name)
        if text is not None and text not in _TRUE + _FALSE:
            raise self._error(f"has {name}={text}", f"Write {name}=true or {name}=false.")
        return otherwise if text is None else text in _TRUE

    def _number(self, name: str, base: int) -> int | None:
        text = self.fields.get(name)
        if text is None:
            return None
        if not re.fullmatch(r"[0-7]{1,10}" if base == 8 else r"\d{1,9}", text, re.ASCII):
            raise self._error(f"has {name}={text}", f"Write {'an octal' if base == 8 else 'a'} number.")
        return int(text, base)

    def _size(self) -> int | None:
        text = self.fields.get("size")
        if text is None:
            return None
        found = _SIZE.fullmatch(text)
        if found is None:
            raise self._error(f"has size={text}", "Write bytes, or a number with k, m or g.")
        power = " kmgtp".index((found[2] or " ").lower())
        return int(float(found[1]) * 1024**power)

    def _error(self, what: str, hint: str) -> DockerfileError:
        return DockerfileError(f"--mount={self.written} {what}", line=self.line, hint=hint)
