"""Image references: "debian", "ghcr.io/org/app:1", "localhost:5000/x@sha256:..." and their parts."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dockerlab.errors import ImageError

DOCKER_HUB = "docker.io"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_REGISTRY = re.compile(r"(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Reference:
    """An image name with its defaults filled in (grammar: distribution project, `reference` package)."""

    registry: str
    repository: str
    tag: str | None
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read a reference as Docker does; no registry means docker.io, no tag or digest means "latest".

        Raises ImageError when the text is not a reference.
        """
        name, at, digest = text.strip().partition("@")
        if at and not _DIGEST.fullmatch(digest):
            raise _bad(text, "what follows the @ is not sha256: and 64 hex digits")
        first, slash, rest = name.partition("/")
        if slash and ("." in first or ":" in first or first == "localhost" or first != first.lower()):
            registry = first
        else:
            registry, rest = DOCKER_HUB, name
        if not _REGISTRY.fullmatch(registry):
            raise _bad(text, f'"{registry}" is not a registry host')
        repository, colon, tag = rest.partition(":")
        if colon and not _TAG.fullmatch(tag):
            raise _bad(text, f'"{tag}" is not a tag')
        if not _REPOSITORY.fullmatch(repository):
            raise _bad(text, "a repository is lower-case letters, digits and single . _ - between them")
        if registry in ("index.docker.io", "registry-1.docker.io"):
            registry = DOCKER_HUB
        if registry == DOCKER_HUB and "/" not in repository:
            repository = f"library/{repository}"
        return cls(registry, repository, (tag or None) if at or colon else "latest", digest or None)

    @property
    def full(self) -> str:
        """The whole name: "docker.io/library/debian:trixie"."""
        return f"{self.registry}/{self.repository}{self._suffix}"

    @property
    def familiar(self) -> str:
        """The name as people write it: "debian:trixie"; never without tag or digest."""
        if self.registry != DOCKER_HUB:
            return self.full
        return self.repository.removeprefix("library/") + self._suffix

    @property
    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    def __str__(self) -> str:
        return self.familiar


def _bad(text: str, why: str) -> ImageError:
    return ImageError(
        f'"{text}" is not an image reference: {why}.',
        hint='Write it as "name:tag", such as "debian:trixie-slim".',
    )
