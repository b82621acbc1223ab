"""Generated .dockerignore files on BuildKit and on the lab; test_ignorefile.py has those written by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.context.ignore_cases import random_patterns, sent_by_buildkit, sent_by_us

pytestmark = [pytest.mark.long, pytest.mark.docker, pytest.mark.usefixtures("docker_host")]

GENERATED = [random_patterns(seed) for seed in range(300)]


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """What BuildKit sends for each ignore file."""
    return sent_by_buildkit(GENERATED, tmp_path_factory.mktemp("ignore"))


@pytest.mark.parametrize("seed", range(len(GENERATED)))
def test_same_as_buildkit(seed: int, sent: dict[str, set[str]], tmp_path: Path) -> None:
    """BuildKit and the lab leave the same paths of a folder for this ignore file."""
    text = GENERATED[seed]
    assert sent_by_us(text, tmp_path) == sent[text]


def test_the_files_are_not_all_alike() -> None:
    """Hundreds of different ignore files are compared, and most of them have several lines."""
    assert len(set(GENERATED)) > 200
    assert sum(text.count("\n") > 0 for text in set(GENERATED)) > 150
