"""Binder does with this repository what the course counts on."""

from __future__ import annotations

import re

from tools.binder import adapted, locked, printed, wrong
from tools.course import ROOT


def test_binder_takes_every_file_that_is_meant_for_it() -> None:
    """What repo2docker prints installs environment.yml and apt.txt, runs postBuild, and starts with start."""
    text = printed()
    assert wrong(text) == []
    assert wrong(text.replace("RUN ./postBuild", "")) == ["postBuild is run"]
    pins = locked("3.12")
    assert {pin.partition("==")[0] for pin in pins} >= {"jupyterlab", "ipywidgets"}
    made = adapted(text, base="here:1", pins=pins)
    assert made.startswith("FROM here:1\n")
    assert not any(word in made for word in ("MAMBA_EXE} env", "buildpack-deps"))


def test_scripts_for_binder_use_only_variables_that_are_set_there() -> None:
    """postBuild and start run without conda's activation: each variable is their own or set in the image."""
    set_there = {"HOME", *re.findall(r"(?m)(?:^ENV |^    )([A-Z_]+)=", printed())}
    for name in ("postBuild", "start"):
        text = (ROOT / name).read_text(encoding="utf-8")
        own = set(re.findall(r"([A-Z_]+)=", text))
        assert set(re.findall(r"\$\{?([A-Z_]+)", text)) <= own | set_there, name
