"""The Docker that is compared with: where it listens, and how old it is."""

from __future__ import annotations

import os
from typing import Literal

import pytest

Docker = Literal["28.5", "26.1"]
MODERN = "MODERN_DOCKER_OVERLAY2"


def address(oracle: str) -> str | None:
    """Return the DOCKER_HOST of an --oracle, or None to leave it as it is; raises UsageError."""
    if oracle == "installed":
        return None
    if MODERN not in os.environ:
        raise pytest.UsageError(
            f"The suite compares with the Docker that people have today, and ${MODERN} does not say where "
            "that is: run tools/modern_docker.sh up, export what it prints, or choose --oracle=installed."
        )
    return os.environ[MODERN]


def column(version: str) -> Docker:
    """Return which column of the known differences a Docker of this version is held to."""
    return "28.5" if int(version.partition(".")[0]) >= 28 else "26.1"
