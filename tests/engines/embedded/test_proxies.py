"""The proxy that a RUN goes through."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dockerlab.engines.embedded.buildargs import PROXY
from dockerlab.engines.embedded.proxies import proxied


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Set no proxy anywhere; return the folder of Docker's config.json."""
    for name in PROXY:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path


def test_nothing_set_is_no_proxy() -> None:
    """Without any setting the environment stays as it is."""
    assert proxied({"PATH": "/bin"}, {"A": "1"}) == {"PATH": "/bin"}


def test_a_build_argument_goes_before_env() -> None:
    """A build argument in any letter case sets both variables, over the image's ENV."""
    given = proxied({"http_proxy": "image"}, {"HTTP_PROXY": "http://school:8080", "no_Proxy": "localhost"})
    assert given == {
        "http_proxy": "http://school:8080",
        "HTTP_PROXY": "http://school:8080",
        "NO_PROXY": "localhost",
        "no_proxy": "localhost",
    }


def test_dockers_own_settings_count(nothing_set: Path) -> None:
    """What `docker build` takes from config.json reaches a RUN here, too; a build argument goes before it."""
    proxies = {"default": {"httpProxy": "http://config:1", "httpsProxy": "http://config:2"}}
    (nothing_set / "config.json").write_text(json.dumps({"proxies": proxies}))
    assert proxied({}, {"HTTP_PROXY": "http://mine:3"}) == {
        "HTTP_PROXY": "http://mine:3",
        "http_proxy": "http://mine:3",
        "HTTPS_PROXY": "http://config:2",
        "https_proxy": "http://config:2",
    }


def test_our_environment_counts_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own variable is passed on in both letter cases, not over the image's ENV, and not when refused."""
    monkeypatch.setenv("https_proxy", "http://host:1")
    both = {"HTTPS_PROXY": "http://host:1", "https_proxy": "http://host:1"}
    assert proxied({}, {}) == both
    assert proxied({"https_proxy": "image"}, {}) == {**both, "https_proxy": "image"}
    assert proxied({}, {"HTTPS_PROXY": ""}) == {}
