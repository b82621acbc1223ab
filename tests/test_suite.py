"""The sections of `make test` and CI: all tests are in one of them, and none can hide how it failed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools.course import ROOT
from tools.sections import LANES, TEST, WITHOUT_BROWSER, Section, sections
from tools.suite import SHOWN, excerpt, lane, run


def python(program: str) -> tuple[str, ...]:
    """Give the command that runs a Python program."""
    return (sys.executable, "-c", program)


def test_every_test_is_in_one_section() -> None:
    """The tests that CI's sections choose are all tests, each in one section."""
    found = sections(embedded=True)
    chosen = {
        command[at + 1]
        for name in (*TEST, *(name for names in LANES for name in names))
        for command in found[name].commands
        for at, word in enumerate(command)
        if word == "-m" and "long" in command[at + 1]
    }
    assert chosen == {"not long", "long and docker", "long and not docker"}


def test_the_plans_name_sections() -> None:
    """What `make test` and CI run are sections, and what lanes share the cores has no section twice."""
    lanes = [name for names in LANES for name in names]
    assert {*TEST, *WITHOUT_BROWSER, *lanes} <= set(sections(embedded=True))
    assert len({*TEST, *lanes}) == len(TEST) + len(lanes)


def test_ci_has_the_time_for_its_limits() -> None:
    """Though every section took all it may, `make test-all` would be done in 80 minutes."""
    found = sections(embedded=True)
    alone = sum(found[name].limit for name in TEST)
    assert alone + max(sum(found[name].limit for name in names) for names in LANES) <= 80 * 60


def test_docker_has_one_lane() -> None:
    """Only the sections of the first lane build on Docker: others' builds could cost BuildKit's cache."""
    found = sections(embedded=True)
    for name in LANES[1]:
        assert found[name].environment.get("DOCKERLAB_ENGINE") != "docker"
        assert not any("long and docker" in command for command in found[name].commands)


@pytest.mark.parametrize("live", [False, True])
def test_a_section_goes_on_after_a_failure(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], *, live: bool
) -> None:
    """All commands run though one fails, the section has failed, and its log holds what all of them said."""
    section = Section("two", 60, (python("print('one'); exit(3)"), python("print('two')")))
    outcome = run(section, tmp_path / "two.log", os.environ, live=live)
    assert not outcome.passed
    assert (tmp_path / "two.log").read_bytes() == b"one\ntwo\n"
    assert capfdbinary.readouterr().out == (b"one\ntwo\n" if live else b"")


def test_a_section_is_stopped_at_its_limit_in_ci(tmp_path: Path) -> None:
    """A command that goes on is told to stop, cleans up, and the section failed, whatever its exit code."""
    program = "import time\ntry: time.sleep(200)\nexcept KeyboardInterrupt: print('cleaned up')"
    section = Section("endless", 3, (python(program),))
    began = time.monotonic()
    outcome = run(section, tmp_path / "log", {**os.environ, "CI": "true"}, live=False)
    assert time.monotonic() - began < 100
    assert not outcome.passed
    said = (tmp_path / "log").read_text()
    assert "cleaned up" in said
    assert "limit of this section, 3 s" in said


def test_a_failure_is_shown_whole(tmp_path: Path) -> None:
    """The log of a section that failed is shown from the first line; a huge one with both its ends."""
    log = tmp_path / "log"
    log.write_text("first\n" + "middle\n" * 1000 + "last\n")
    assert excerpt(log, passed=False) == log.read_text()
    log.write_text("first\n" + "middle\n" * SHOWN + "last\n")
    shown = excerpt(log, passed=False)
    assert len(shown) < SHOWN + 1000
    assert (shown[:6], shown[-5:]) == ("first\n", "last\n")
    assert str(log) in shown


def test_a_lane_runs_all_of_its_sections(capfd: pytest.CaptureFixture[str]) -> None:
    """In a lane a failure ends nothing; each section is shown when it ends, the failed one whole."""
    found = {
        "test-lane-bad": Section("bad", 60, (python("print('why ' * 3); exit(1)"),)),
        "test-lane-good": Section("good", 60, (python("print('slowest: none')"),)),
    }
    try:
        outcomes = lane(list(found), found, os.environ)
    finally:
        for name in found:
            (ROOT / ".lab" / "logs" / f"{name}.log").unlink()
    assert [outcome.passed for outcome in outcomes] == [False, True]
    out = capfd.readouterr().out
    assert "== bad\nwhy why why" in out
    assert "slowest: none" in out


def test_what_shares_docker_stays_in_one_process() -> None:
    """Side by side, the tests of a file have one process, and files with a test on Docker have the same."""
    files = ("tests/dockerfile/test_expansion.py", "tests/context/test_ignorefile.py", "tests/test_units.py")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-v",
        "-p",
        "no:cacheprovider",
        "-n",
        "2",
        "--dist",
        "loadfile",
    ]
    done = subprocess.run(
        [*command, "--no-loadscope-reorder", "-m", "not docker", *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    ran = set(re.findall(r"^\[(gw\d)\].* PASSED (\S+?)::", done.stdout, re.MULTILINE))
    process = {file: worker for worker, file in ran}
    assert len(ran) == len(process) == len(files)
    assert process[files[0]] == process[files[1]] != process[files[2]]
