from __future__ import annotations

from dockerlab import engines
from dockerlab.checks.exercise import EXERCISES
from dockerlab.checks.exercises import what_is_a_layer
from dockerlab.context.context import Context
from tests.checks.answers.what_is_a_layer import EMPTY, FILES, LAYERS, SHOWS, STORED
from tests.checks.judging import failed, judged

EXERCISE = "01-what-is-a-layer"


def test_a_base_that_was_made_before_is_counted() -> None:
    """The starter's image as the base of an answer hides none of its layers, and has the old book in it."""
    engine, _ = engines.choose()
    before = "dockerlab/test-01-what-is-a-layer:before"
    engine.build(
        what_is_a_layer.STARTER, context=Context.files(EXERCISES[EXERCISE].CONTEXT or {}), tag=before
    )
    try:
        report = judged(EXERCISE, f"FROM {before}\n")
    finally:
        engine.remove(before)
    assert failed(report) == {SHOWS, FILES, LAYERS, EMPTY, STORED}, str(report)


def test_the_verdicts_name_the_lines() -> None:
    """The starter's report says which lines made layers, which of them are empty, and which store again."""
    verdicts = judged(EXERCISE, what_is_a_layer.STARTER).verdicts
    assert verdicts[LAYERS].measured == "7 layers: line 3, line 4, line 5, line 6, line 7, line 8, line 9"
    assert verdicts[EMPTY].measured == "nothing new from line 5, line 8, line 9"
    assert "line 7 stores again 1.50 MB that line 4 stored" in verdicts[STORED].measured
