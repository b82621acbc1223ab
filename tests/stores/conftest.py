"""The Docker daemons that the tests of this folder are run on, each with its kind of image store.

`tools/modern_docker.sh` starts them and prints these variables.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.engines.conftest import static_busybox

STORES = {"overlay2": "MODERN_DOCKER_OVERLAY2", "containerd": "MODERN_DOCKER_CONTAINERD"}


@pytest.fixture(params=STORES)
def daemon(request: pytest.FixtureRequest) -> dict[str, str]:
    """Return the environment in which everything runs on one of these daemons."""
    host = os.environ.get(STORES[request.param])
    if not host:
        pytest.skip(
            f"needs {STORES[request.param]}: the DOCKER_HOST of a Docker with the {request.param} store"
        )
    return {**os.environ, "DOCKER_HOST": host, "DOCKERLAB_ENGINE": "docker"}


@pytest.fixture
def busybox() -> Path:
    """Return a busybox that runs without a base image."""
    found = static_busybox()
    if found is None:
        pytest.skip("needs a statically linked busybox")
    return found


@pytest.fixture
def whole(request: pytest.FixtureRequest) -> bool:
    """Tell whether all there is to run was asked for."""
    return bool(request.config.getoption("--stores") == "whole")
