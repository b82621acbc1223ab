from __future__ import annotations

from tests.checks.answers.real_image import AFTER
from tests.checks.judging import judged


def test_the_report_points_to_the_lesson_that_the_three_share() -> None:
    """An exercise that shares its lesson with others is sent back to that lesson."""
    assert judged("13-real-image-1", AFTER).lesson == "../notebooks/13-real-image.ipynb"
