"""Where a pile of layers breaks: found by halving, with a limit of the test's own in an engine's place."""

from __future__ import annotations

import pytest

import dockerlab as lab
from dockerlab.engines.results import Ran
from dockerlab.errors import BuildError
from dockerlab.notebook import piles


@pytest.mark.parametrize(("builds", "starts"), [(129, 127), (600, 500), (121, 120)])
def test_the_limit_is_found(monkeypatch: pytest.MonkeyPatch, builds: int, starts: int) -> None:
    """The two numbers are found, and what one layer more says stands beside them."""
    built = 0

    def build(text: str, **_: object) -> None:
        nonlocal built
        built = int(text)
        if built > builds:
            raise BuildError(f"cannot build {built}")

    def run(*_: object) -> Ran:
        if built > starts:
            raise BuildError(f"cannot start {built}")
        return Ran(0, "")

    monkeypatch.setattr(piles, "build_dockerfile", build)
    monkeypatch.setattr(piles, "run", run)
    found = lab.layer_limit(str, {})
    assert found.data == {"builds": builds, "starts": starts}
    assert found.rows[0][1:] == (
        ("600 and more", "") if builds == 600 else (str(builds), f"cannot build {builds + 1}")
    )
    assert found.rows[1][1] == str(starts)
    assert found.rows[1][2] == f"cannot {'start' if starts < builds else 'build'} {starts + 1}"
