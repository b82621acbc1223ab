from __future__ import annotations

from dockerlab import engines
from dockerlab.checks.exercise import EXERCISES, judge
from dockerlab.checks.exercises import start_here
from tests.checks.answers.start_here import ADA, GOOD, NAME, STORED, WRONG
from tests.checks.judging import failed, judged

EXERCISE = "00-start-here"


def test_a_base_that_was_made_before_is_counted() -> None:
    """The starter's image as the base of an answer hides none of the numbers."""
    engine, _ = engines.choose()
    before = "dockerlab/test-00-start-here:before"
    engine.build(start_here.STARTER, tag=before)
    try:
        report = judged(EXERCISE, f"FROM {before}\n{ADA}")
    finally:
        engine.remove(before)
    assert failed(report) == {STORED}, str(report)


def test_the_verdicts_say_what_was_found() -> None:
    """The starter's report quotes its output, and names the line that stores the most and the budget."""
    name, file, stored = judged(EXERCISE, start_here.STARTER).verdicts
    assert name.measured == "prints 'your name'"
    assert file.measured == file.target
    assert stored.measured == "6.89 MB, the largest part by line 2"
    assert stored.target == "at most 68.9 kB"


def test_where_file_and_output_differ_both_are_told() -> None:
    """A command that does not print the file is answered with what it prints and what the file holds."""
    dockerfile, _ = WRONG["a-command-that-fails"]
    verdict = judged(EXERCISE, dockerfile).verdicts[NAME]
    assert verdict.measured == "exit code 3, prints 'Ada'; /name.txt holds 'Ada'"
    verdict = judged(EXERCISE, WRONG["an-empty-name"][0]).verdicts[NAME]
    assert verdict.measured == "prints nothing; /name.txt holds ''"


def test_an_image_whose_name_was_taken_is_judged_all_the_same() -> None:
    """Where another build has the image's name since, the check builds the learner's own again."""
    engine, _ = engines.choose()
    tag = "dockerlab/test-00-start-here:taken"
    first = engine.build(GOOD, tag=tag)
    try:
        engine.build(start_here.STARTER, tag=tag)
        assert judge(EXERCISES[EXERCISE], first, name=EXERCISE, on_wait=lambda said: None).passed
    finally:
        engine.remove(tag)
