"""The build cache: folders of cache mounts that start empty."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockerlab.dockerfile.mounts import Sharing
from dockerlab.engines.embedded.store.store import Store


@pytest.mark.parametrize("sharing", ["shared", "locked", "private"])
def test_an_emptied_cache_mount_is_empty_and_stays_the_one_of_its_id(
    tmp_path: Path, sharing: Sharing
) -> None:
    """What a mount held is gone, folders no one may enter too; what it gets then is there the next time."""
    store = Store(tmp_path)
    with store.cache_mount("apt", sharing=sharing) as folder:
        (folder / "old").touch()
        (folder / "shut").mkdir(mode=0o000)
    with store.cache_mount("apt", sharing=sharing, emptied=True) as folder:
        assert list(folder.iterdir()) == []
        (folder / "new").touch()
    with store.cache_mount("apt", sharing=sharing) as folder:
        assert [item.name for item in folder.iterdir()] == ["new"]
