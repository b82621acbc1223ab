"""What is finalized after its constructor raised: since Python 3.14 an error then is told to the user."""

from __future__ import annotations

import gc
import importlib
import io
from pathlib import Path
from typing import Any

import pytest

from dockerlab.engines.embedded.store.store import Store
from dockerlab.errors import StoreError

from .test_imports import PACKAGE, modules


def finalized() -> list[type]:
    """Return every class of the package whose objects are closed or told when they go."""
    found = []
    for path in modules():
        if "examples" in path.parts or path.stem in ("__main__", "runner"):
            continue
        name = ".".join((PACKAGE.name, *path.relative_to(PACKAGE).with_suffix("").parts))
        module = importlib.import_module(name.removesuffix(".__init__"))
        for kind in vars(module).values():
            own = isinstance(kind, type) and kind.__module__ == module.__name__
            if own and (issubclass(kind, io.IOBase) or hasattr(kind, "__del__")):
                found.append(kind)
    return found


@pytest.mark.parametrize("kind", finalized(), ids=lambda kind: kind.__name__)
def test_what_no_constructor_finished_can_be_finalized(kind: Any) -> None:
    """Every stream of the package can be closed, and every __del__ called, when its constructor raised."""
    unfinished = kind.__new__(kind)
    if isinstance(unfinished, io.IOBase):
        unfinished.close()
        assert unfinished.closed
    else:
        unfinished.__del__()


def test_a_layer_that_cannot_be_begun_says_so_once(tmp_path: Path) -> None:
    """A store without its folder for new files raises StoreError, and nothing more when the layer goes."""
    store = Store(tmp_path)
    (tmp_path / "tmp").rmdir()
    with pytest.raises(StoreError), store.new_layer():
        pass
    gc.collect()
