"""The build cache beside the images: records of steps, of last builds, and cache mounts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dockerlab.engines.embedded.store import durable
from dockerlab.engines.embedded.store.blobs import Blobs
from dockerlab.errors import StoreError
from dockerlab.image import oci

if TYPE_CHECKING:
    from dockerlab.dockerfile.mounts import Sharing

_LOCKED_WAIT = 600.0  # seconds a build waits for another one's sharing=locked mount


class BuildCache(Blobs):
    """Blobs, and what builds remember. A lost record is a cache miss, never an error."""

    def step(self, key: str) -> Mapping[str, Any] | None:
        """Return the build cache's record of a step, or None."""
        record = self._record("steps", key)
        if record is None and self.shared is not None:
            record = self.shared.step(key)
        return record if isinstance(record, dict) else None

    def put_step(self, key: str, record: Mapping[str, Any]) -> None:
        """Keep a record of a step that was done."""
        self._put_record("steps", key, dict(record))

    def last_build(self, name: str) -> Mapping[str, Any] | None:
        """Return what was kept of the last build of `name`, or None when there was none."""
        record = self._record("builds", name)
        return record if isinstance(record, dict) else None

    def put_last_build(self, name: str, record: Mapping[str, Any]) -> None:
        """Keep what each step of this build was made of, for the next one to be compared with."""
        self._put_record("builds", name, dict(record))

    def _record(self, kind: str, key: str) -> Any:
        try:
            return json.loads((self.root / kind / _hashed(key)).read_bytes())
        except FileNotFoundError:
            return None
        except ValueError:
            # Records are written without fsync: after a power cut one may be torn, which is a cache miss.
            return None

    def _put_record(self, kind: str, key: str, record: Any) -> None:
        if not self.writable:
            return  # a build that is all cached needs none
        with durable.plain_errors(self.root):
            durable.write_whole(
                self.root / kind / _hashed(key), oci.encoded(record), temporary=self.root / "tmp", sync=False
            )

    @contextmanager
    def cache_mount(self, id: str, *, sharing: Sharing = "shared", emptied: bool = False) -> Iterator[Path]:
        """Give the folder of a RUN --mount=type=cache while a command uses it.

        "locked" waits up to ten minutes for others, and so does emptying the folder first; "private" takes
        another folder when this one is in use.
        """
        with ExitStack() as held:
            with durable.plain_errors(self.root):
                held.enter_context(self.building())
                if emptied and sharing == "shared":
                    with ExitStack() as alone:
                        _empty(self._held_mount(id, "locked", alone))
                folder = self._held_mount(id, sharing, held)
                if emptied and sharing != "shared":
                    _empty(folder)
            yield folder

    def _held_mount(self, id: str, sharing: Sharing, held: ExitStack) -> Path:
        wait = 0.0 if sharing == "private" else _LOCKED_WAIT
        number = 0
        while True:
            name = _hashed(id)[:32] + (f".{number}" if number else "")
            try:
                held.enter_context(self.lock(f"mount-{name}", exclusive=sharing != "shared", timeout=wait))
            except StoreError:
                if sharing != "private":
                    raise
                number += 1
                continue
            folder = self.root / "mounts" / name
            folder.mkdir(exist_ok=True)
            return folder


def _empty(folder: Path) -> None:
    for item in folder.iterdir():
        durable.remove_tree(item)


def _hashed(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
