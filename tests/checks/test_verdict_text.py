from __future__ import annotations

from dockerlab.checks.verdict_text import contrast, ended, trouble
from dockerlab.engines.results import Ran
from dockerlab.errors import ContextError, RunError


def test_a_failure_shows_its_last_line() -> None:
    """Of a command that failed the last line is shown: there Python says why."""
    trace = "Traceback (most recent call last):\n  File x\nModuleNotFoundError: No module named 'louder'\n"
    assert (
        ended(Ran(1, trace)) == "exit code 1, its last line \"ModuleNotFoundError: No module named 'louder'\""
    )
    assert ended(Ran(0, "4\n")) == "prints '4'"
    assert ended(Ran(0, " \n")) == "prints nothing"
    assert ended(Ran(3, "no\n")) == "exit code 3, prints 'no'"


def test_long_texts_are_cut_where_they_differ() -> None:
    """The first place where two texts differ is in both, however far from their start."""
    found, wanted = contrast("a" * 500 + "b" + "c" * 500, "a" * 500 + "d" + "c" * 500)
    assert found != wanted
    assert ("b" in found, "d" in wanted) == (True, True)
    assert found.startswith("…")
    assert found.endswith("…")
    assert contrast("short", "shorter") == ("short", "shorter")
    assert contrast("x" * 200, "x" * 200)[0] == "x" * 80 + "…"


def test_a_rebuild_that_fails_names_its_line() -> None:
    """The line of the Dockerfile is said, and the last thing that its RUN printed."""
    failed = RunError("RUN make ended with exit code 2", exit_code=2, log=("cc -O2", "no rule"), line=7)
    assert trouble(failed) == (
        "built again with other files it fails at line 7: RUN make ended with exit code 2, 'no rule'"
    )
    assert "a is not there" in trouble(ContextError("a is not there"))
