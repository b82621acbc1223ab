"""The configuration of a class's hub is one that JupyterHub can read, and leads to the course."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from traitlets.config import Config

from tools.course import ROOT, read_course


def test_the_hub_opens_the_learners_copy_with_what_dockerlab_needs() -> None:
    """A server begins at the course's start, its kernels are on ipc, and `dockerlab` is on their PATH."""
    path = ROOT / "tools" / "hub" / "jupyterhub_config.py"
    c = Config()
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), {"get_config": lambda: c})
    assert c.Spawner.default_url == f"/lab/tree/my-lab/{read_course().start.as_posix()}"
    assert c.Spawner.args == ["--KernelManager.transport=ipc"]
    assert c.Spawner.environment["PATH"].split(":")[0] == str(Path(sys.executable).parent)
    assert c.Spawner.environment["DOCKERLAB_ENGINE"] == "embedded"
    assert c.JupyterHub.services[0]["name"] == c.JupyterHub.load_roles[0]["services"][0]


def test_the_devcontainer_opens_the_learners_copy() -> None:
    """What a codespace runs is in the repository, and it opens where the course begins."""
    found = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    assert f"my-lab/{read_course().start.as_posix()}" in found["postAttachCommand"]
    assert str(found["forwardPorts"][0]) in found["postAttachCommand"]
    assert read_course().bases[0] in found["postCreateCommand"]
