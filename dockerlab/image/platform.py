"""What kind of machine an image is for, by the names of Go and the OCI image spec: linux/amd64."""

from __future__ import annotations

import platform as host
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# What uname(2), and Python on Windows, call a machine -> (architecture, variant).
_MACHINES = {
    "x86_64": ("amd64", ""),
    "i386": ("386", ""),
    "i686": ("386", ""),
    "aarch64": ("arm64", "v8"),
    "arm64": ("arm64", "v8"),
    "armv8l": ("arm", "v8"),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "loongarch64": ("loong64", ""),
}


@dataclass(frozen=True, slots=True)
class Platform:
    """An operating system, an architecture and its variant, "" where there is none or it is the usual one."""

    os: str = "linux"
    architecture: str = ""
    variant: str = ""

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> Platform:
        """Read the `platform` of a descriptor, or an image config, which has the same keys."""
        return cls(*(str(value.get(key) or "") for key in ("os", "architecture", "variant")))

    def written(self) -> dict[str, str]:
        """Return it as a descriptor or a config has it, without what is not known."""
        parts = {"architecture": self.architecture, "os": self.os, "variant": self.variant}
        return {key: value for key, value in parts.items() if value}

    def fit(self, offered: Platform) -> int:
        """Return how well an image for `offered` suits this machine: 0 not at all, 2 exactly."""
        if (self.os, self.architecture) != (offered.os or "linux", offered.architecture):
            return 0
        return 2 if offered.variant in (self.variant, "") else 1

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


def here() -> Platform:
    """Return the platform that containers on this machine have."""
    machine = host.machine().lower()
    return Platform("linux", *_MACHINES.get(machine, (machine, "")))
