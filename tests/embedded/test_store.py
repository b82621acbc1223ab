"""The image store, and the archives it writes and reads."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from dockerlab.engines.embedded import durable
from dockerlab.engines.embedded.reference import Reference
from dockerlab.engines.embedded.store import Store, default_root
from dockerlab.errors import ImageError, ImageNotFoundError, StoreError, StoreFullError
from dockerlab.image import Image, Layer, read_archive, read_layout

CONFIG = {
    "architecture": "amd64",
    "os": "linux",
    "created": "2026-01-02T03:04:05Z",
    "config": {"Cmd": ["/bin/true"], "Labels": {"dev.dockerlab": "1"}},
    "history": [{"created": "2026-01-02T03:04:05Z", "created_by": "COPY . /"}],
}


def layer_tar(files: Mapping[str, bytes]) -> bytes:
    """Return a layer tar of regular files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o755
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def put_layer(store: Store, files: Mapping[str, bytes]) -> Layer:
    """Store a layer of regular files."""
    with store.new_layer() as new:
        new.write(layer_tar(files))
        return new.commit()


def put_image(store: Store, reference: str | None = "app:1", content: bytes = b"one") -> Image:
    """Store an image of one file."""
    return store.put_image(CONFIG, [put_layer(store, {"hello": content})], reference=reference)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Give an empty store."""
    return Store(tmp_path / "store")


def test_an_image_comes_back_as_it_was_put(store: Store) -> None:
    """Layers, history, base layers and stand-in survive the way through the layout on disk."""
    base = put_layer(store, {"base": b"b"})
    top = put_layer(store, {"top": b"t" * 3_000_000})
    config = {**CONFIG, "history": [{"created_by": "base"}, {"created_by": "ENV", "empty_layer": True}, {}]}
    put = store.put_image(
        config, [base, top], reference="app", base_layers=1, stand_in="debian:trixie-slim", compressed_sizes=[7, 9]
    )
    got = Store(store.root).image("docker.io/library/app:latest")
    assert got == put
    assert got.reference == "app:latest"
    assert got.id == "sha256:" + hashlib.sha256((store.blob_path(got.id)).read_bytes()).hexdigest()
    assert [layer.diff_id for layer in got.layers] == [base.diff_id, top.diff_id]
    assert got.config["rootfs"]["diff_ids"] == [base.diff_id, top.diff_id]
    assert [row.layer for row in got.history] == [base, None, top]
    assert (got.base_layers, got.stand_in) == (1, "debian:trixie-slim")
    assert got.size_compressed() == 16
    assert got.tree().read("top") == b"t" * 3_000_000
    assert store.validate() == []
