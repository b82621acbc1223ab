"""Right and wrong answers to every exercise: each is built, and judged by what it built."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from dockerlab.checks.exercise import EXERCISES
from tests.checks.answers import (
    build_cache,
    copy_order,
    dockerignore,
    inspecting,
    layer_limits,
    metadata,
    multi_stage,
    package_managers,
    real_image,
    run_chaining,
    squash,
    start_here,
    web_app,
    what_is_a_layer,
    which_base,
)
from tests.checks.judging import Answer, failed, judged

Right = Mapping[str, str | Answer]
Wrong = Mapping[str, tuple[str | Answer, set[int]]]  # with numbers of rules that it breaks

ANSWERS: Mapping[str, tuple[Right, Wrong]] = {
    "00-start-here": (start_here.RIGHT, start_here.WRONG),
    "01-what-is-a-layer": (what_is_a_layer.RIGHT, what_is_a_layer.WRONG),
    "02-run-chaining": (run_chaining.RIGHT, run_chaining.WRONG),
    "03-package-managers": (package_managers.RIGHT, package_managers.WRONG),
    "04-copy-and-add": (copy_order.RIGHT, copy_order.WRONG),
    "05-build-cache": (build_cache.RIGHT, build_cache.WRONG),
    "06-no-layer": (metadata.RIGHT, metadata.WRONG),
    "07-dockerignore": (dockerignore.RIGHT, dockerignore.WRONG),
    "08-multi-stage": (multi_stage.RIGHT, multi_stage.WRONG),
    "09-squash": (squash.RIGHT, squash.WRONG),
    "10-layer-limits": (layer_limits.RIGHT, layer_limits.WRONG),
    "11-inspecting": (inspecting.RIGHT, inspecting.WRONG),
    "12-web-app": (web_app.RIGHT, web_app.WRONG),
    "13-real-image-1": (real_image.SIZE_RIGHT, real_image.SIZE_WRONG),
    "13-real-image-2": (real_image.DEPLOY_RIGHT, real_image.DEPLOY_WRONG),
    "13-real-image-3": (real_image.ALL_RIGHT, real_image.ALL_WRONG),
    "14-which-base": (which_base.RIGHT, which_base.WRONG),
}


@pytest.fixture
def draw(pytestconfig: pytest.Config) -> int:
    """Return the seed of what the checks draw: the same for all, so that they share builds of the starter."""
    return int(pytestconfig.getoption("--draw"))


@pytest.mark.long
@pytest.mark.parametrize(("exercise", "name"), [(one, name) for one in ANSWERS for name in ANSWERS[one][0]])
def test_a_right_answer_passes(exercise: str, name: str, draw: int) -> None:
    """Whatever does what the exercise asks passes all its rules, however it is written."""
    report = judged(exercise, ANSWERS[exercise][0][name], seed=draw)
    assert report.passed, str(report)


@pytest.mark.long
@pytest.mark.parametrize(("exercise", "name"), [(one, name) for one in ANSWERS for name in ANSWERS[one][1]])
def test_a_wrong_answer_fails_the_rules_it_breaks(exercise: str, name: str, draw: int) -> None:
    """What only looks right fails, and at least the rules that it was written to break."""
    answer, broken = ANSWERS[exercise][1][name]
    report = judged(exercise, answer, seed=draw)
    assert broken, "say which rules it breaks"
    assert broken <= failed(report), str(report)


def test_every_exercise_has_its_answers() -> None:
    """For each exercise there are at least five right answers and eight wrong ones."""
    assert list(ANSWERS) == list(EXERCISES)
    for exercise, (right, wrong) in ANSWERS.items():
        assert len(right) >= 5, exercise
        assert len(wrong) >= 8, exercise
