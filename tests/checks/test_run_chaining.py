from __future__ import annotations

from dockerlab import engines
from dockerlab.checks.exercises import run_chaining
from tests.checks.judging import judged

EXERCISE = "02-run-chaining"


def test_a_fat_base_of_ones_own_does_not_help() -> None:
    """Bytes hidden in an image that then becomes the base count all the same."""
    engine, _ = engines.choose()
    fat = "dockerlab/test-02-run-chaining:fat"
    engine.build(run_chaining.STARTER, tag=fat)
    try:
        report = judged(EXERCISE, f"FROM {fat}\nRUN true\n")
    finally:
        engine.remove(fat)
    assert [verdict.passed for verdict in report.verdicts] == [True, False, False, False]
