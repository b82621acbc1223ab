"""Another store, whose bases, and the steps built in it, are read in place.

It is the one that $DOCKERLAB_BASES names, else the bundle in use. It is laid out as any store, and made by
`dockerlab bases --into DIR` or `dockerlab bundle create`. Nothing is written, locked or removed.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from dockerlab.engines.embedded.store.descriptors import notes_of
from dockerlab.errors import StoreError
from dockerlab.image import oci

VARIABLE = "DOCKERLAB_BASES"
BUNDLE = "bundle"  # the folder in a store that `dockerlab bundle use` unpacks into


class Shared:
    """What another store has for this one."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def given(cls, own: Path) -> Shared | None:
        """Return what $DOCKERLAB_BASES names, else the bundle in use; None where it is `own` or nothing.

        Raises StoreError when there is no store at that place.
        """
        named = os.environ.get(VARIABLE)
        root = Path(named).expanduser().absolute() if named else own / BUNDLE
        if root == own or not (named or root.exists()):
            return None
        if not (root / "index.json").is_file():
            raise StoreError(
                f"{VARIABLE} is {root}, where no base images are.",
                hint=f"Make it (`dockerlab bases --into {root}`), correct it, or unset it.",
            )
        return cls(root)

    def blob(self, digest: str) -> Path | None:
        """Return where a blob is, None where it is not here."""
        path = self.root / "blobs" / "sha256" / digest.removeprefix("sha256:")
        return path if path.exists() else None

    def step(self, key: str) -> Any:
        """Return the record of a step that was built here, or None."""
        try:
            return json.loads((self.root / "steps" / hashlib.sha256(key.encode()).hexdigest()).read_bytes())
        except (OSError, ValueError):
            return None

    def names(self) -> list[str]:
        """Return the names of its images."""
        return [notes_of(item)[oci.REF_NAME] for item in self.manifests() if oci.REF_NAME in notes_of(item)]

    def manifests(self) -> list[dict[str, Any]]:
        """Return the descriptors of its index.json."""
        found: list[dict[str, Any]] = json.loads((self.root / "index.json").read_bytes())["manifests"]
        return found
