"""Who to say we are to a registry: what `docker login` left in config.json."""

from __future__ import annotations

import base64
import binascii
import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dockerlab.errors import RegistryError
from dockerlab.image.reference import DOCKER_HUB

_HUB_KEY = "https://index.docker.io/v1/"  # the name Docker keeps Docker Hub's login under
_HELPER_SECONDS = 10.0


@dataclass(frozen=True)
class Login:
    """A user name and password (or access token)."""

    user: str
    password: str = field(repr=False)


def login(registry: str) -> Login | None:
    """Return the login kept for a registry host, or None.

    Read from $DOCKER_CONFIG or ~/.docker: plain `auths`, or a `docker-credential-*` helper where one is set
    and installed. Raises RegistryError when that file is there but not what Docker writes.
    """
    config = docker_config()
    keys = (_HUB_KEY, DOCKER_HUB) if registry == DOCKER_HUB else (registry, f"https://{registry}")
    for key in keys:
        found = _helped(config, key) or _plain(config, key)
        if found is not None:
            return found
    return None


def docker_config() -> dict[str, Any]:
    """Return what Docker's config.json says, {} where there is none; RegistryError when it is damaged."""
    path = _config_path()
    try:
        config = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise RegistryError(
            f"{path} cannot be read: {error}.", hint="Correct or remove that file."
        ) from error
    if not isinstance(config, dict):
        raise RegistryError(f"{path} is not what Docker writes.", hint="Correct or remove that file.")
    return config


def _config_path() -> Path:
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"


def _helped(config: dict[str, Any], key: str) -> Login | None:
    name = (config.get("credHelpers") or {}).get(key) or config.get("credsStore")
    program = shutil.which(f"docker-credential-{name}") if name else None
    if program is None:
        return None
    try:
        asked = subprocess.run(
            [program, "get"], input=key.encode(), capture_output=True, check=False, timeout=_HELPER_SECONDS
        )
        answer = json.loads(asked.stdout) if asked.returncode == 0 else {}
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise RegistryError(
            f"The credential helper {program} failed: {error}.", hint="Run `docker login` again."
        ) from error
    # "<token>" marks an identity token, which is no password.
    if not answer.get("Username") or answer["Username"] == "<token>":
        return None
    return Login(answer["Username"], answer.get("Secret", ""))


def _plain(config: dict[str, Any], key: str) -> Login | None:
    kept = (config.get("auths") or {}).get(key) or {}
    if not kept.get("auth"):
        return None
    try:
        user, colon, password = base64.b64decode(kept["auth"], validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise RegistryError(
            f"The login for {key} in {_config_path()} is damaged.", hint=f"Run `docker login {key}` again."
        ) from error
    return Login(user, password) if colon else None
