"""Image references: "debian", "ghcr.io/org/app:1", "localhost:5000/x@sha256:..."; what they name, and IDs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from dockerlab.errors import ImageError

DOCKER_HUB = "docker.io"
OWN_PREFIX = "dockerlab/"  # builds without a tag of their own live under it; base images never do
STAND_IN_PREFIX = f"{OWN_PREFIX}stand-in:"

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_REGISTRY = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?")
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_LONGEST_REPOSITORY, _LONGEST_TAG = 255, 128
_DIGITS = {"sha256": 64, "sha384": 96, "sha512": 128}
_ID = re.compile(r"(?:sha256:)?([0-9a-f]{4,64})")


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
        name, at, digest = text.partition("@")
        first, slash, rest = name.partition("/")
        if slash and (set(".:") & set(first) or first == "localhost" or first != first.lower()):
            registry = DOCKER_HUB if first == "index.docker.io" else first
        else:
            registry, rest = DOCKER_HUB, name
        repository, colon, tag = rest.partition(":")
        if registry == DOCKER_HUB and "/" not in repository:
            repository = f"library/{repository}"
        why = _fault(registry, repository, tag if colon else None, digest if at else None)
        if why or re.fullmatch("[0-9a-f]{64}", text):
            raise ImageError(
                f'"{text}" is not an image reference: {why or "64 hexadecimal digits are an ID"}.',
                hint='Write it as "name:tag", such as "debian:trixie-slim".',
            )
        return cls(registry, repository, tag or (None if at else "latest"), digest or None)

    @property
    def full(self) -> str:
        """The whole name: "docker.io/library/debian:trixie"."""
        return f"{self.registry}/{self.repository}{self._suffix}"

    @property
    def familiar(self) -> str:
        """The name as people write it: "debian:trixie"; never without tag or digest."""
        if self.registry != DOCKER_HUB:
            return self.full
        official = self.repository.removeprefix("library/")
        return (self.repository if "/" in official else official) + self._suffix

    @property
    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    def __str__(self) -> str:
        return self.familiar


def _fault(registry: str, repository: str, tag: str | None, digest: str | None) -> str:
    """Return what is wrong with the parts of a reference, "" when nothing is."""
    algorithm, _, digits = (digest or "").partition(":")
    if not _REGISTRY.fullmatch(registry):
        return f'"{registry}" is not a registry host'
    if repository != repository.lower():
        return f'"{repository.removeprefix("library/")}" has capital letters'
    if not _REPOSITORY.fullmatch(repository):
        return "a repository is lower-case letters, digits and single . _ - between them"
    if len(repository) > _LONGEST_REPOSITORY:
        return f"its repository has {len(repository)} characters, {_LONGEST_REPOSITORY} are allowed"
    if tag is not None and not _TAG.fullmatch(tag):
        return f'"{tag}" is not a tag'
    if tag is not None and len(tag) > _LONGEST_TAG:
        return f"its tag has {len(tag)} characters, {_LONGEST_TAG} are allowed"
    if digest is not None and (
        len(digits) != _DIGITS.get(algorithm) or not re.fullmatch("[0-9a-f]+", digits)
    ):
        return "what follows the @ is not sha256: and 64 hex digits (nor sha384:, sha512: and theirs)"
    return ""


@dataclass(frozen=True, slots=True)
class ImageQuery:
    """What somebody asks for: an image's name, or the ID of one or its first digits (4 or more)."""

    name: Reference | None
    digits: str | None

    @classmethod
    def parse(cls, text: str) -> ImageQuery:
        """Read it; text that can be both is looked for as both. Raises ImageError when it is neither."""
        identity = _ID.fullmatch(text)
        whole = identity and (text.startswith("sha256:") or len(text) == 64)
        return cls(None if whole else Reference.parse(text), identity.group(1) if identity else None)

    def names(self, name: str) -> bool:
        """Tell whether `name`, familiar or full, is the one asked for."""
        return self.name is not None and parsed(name) == self.name

    def begins(self, digests: Iterable[str]) -> bool:
        """Tell whether one of some IDs or digests is the one asked for."""
        return self.digits is not None and any(digest[7:].startswith(self.digits) for digest in digests)


def parsed(text: str) -> Reference | None:
    """Return the reference that a text from elsewhere is, or None when it is none."""
    try:
        return Reference.parse(text)
    except ImageError:
        return None


def same_reference(one: str, other: str) -> bool:
    """Tell whether two references, familiar or full, name the same image."""
    return parsed(one) is not None and parsed(one) == parsed(other)


def stand_in_name(reference: str) -> str:
    """Return the name a stand-in for a reference is kept under: "dockerlab/stand-in:debian-trixie-slim"."""
    name = Reference.parse(reference).familiar
    tag = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.")
    if len(tag) > _LONGEST_TAG:
        tag = f"{tag[: _LONGEST_TAG - 17]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    return STAND_IN_PREFIX + tag
