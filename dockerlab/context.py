"""A build context: a folder, or a dict of files; .dockerignore; checksums."""

# CONTRACT (helper H1 fills this in; keep names and meanings, add what is needed):
from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dockerlab.filesystem import Entry, Tree


@dataclass(frozen=True)
class File:
    """Content and mode of one file in an in-memory context."""

    content: str | bytes
    mode: int = 0o644


class Context:
    @classmethod
    def folder(cls, path: Path | str, *, dockerfile: str = "Dockerfile") -> Context: ...
    @classmethod
    def files(cls, files: Mapping[str, str | bytes | File]) -> Context: ...

    def tree(self) -> Tree: ...  # what .dockerignore lets through; uid/gid 0; origin is self
    def all_files(self) -> Tree: ...  # before .dockerignore
    def open(self, entry: Entry) -> BinaryIO: ...
    def digest(self, path: str) -> str: ...  # "sha256:..." of a file's content
    def edited(self, changes: Mapping[str, str | bytes | File | None]) -> Context: ...  # None removes; a new Context
    def materialised(self) -> AbstractContextManager[Path]: ...  # a real folder (itself, or a temporary copy)
