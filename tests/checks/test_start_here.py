from __future__ import annotations

import pytest

from dockerlab import engines
from dockerlab.checks import start_here
from dockerlab.checks.exercise import EXERCISES, judge
from dockerlab.errors import BuildError
from tests.checks.answers import failed, judged

EXERCISE = "00-start-here"
FROM = "FROM debian:trixie-slim\n"
NUMBERS = "RUN seq 1000000 > /numbers.txt\n"
ADA = 'RUN echo "Ada" > /name.txt\n'
PRINT = 'CMD ["cat", "/name.txt"]\n'
GOOD = f"{FROM}{ADA}{PRINT}"

RIGHT = {
    "the-line-deleted": GOOD,
    "copied-from-a-heredoc": f"{FROM}COPY <<EOF /name.txt\n\n  Ada  Lovelace\nCountess\nEOF\n{PRINT}",
    "no-line-end-and-letters-of-any-language": f"{FROM}RUN printf 'Zoë 李' > /name.txt\n{PRINT}",
    "made-in-a-stage": f"{FROM[:-1]} AS work\n{NUMBERS}{ADA}{FROM}COPY --from=work /name.txt /\n{PRINT}",
    "gone-before-the-run-ends": f"{FROM}{NUMBERS[:-1]} && rm /numbers.txt\n{ADA}{PRINT}",
    "an-entry-point-and-another-user": (
        f'{FROM}RUN useradd ada\n{ADA}USER ada\nWORKDIR /tmp\nENTRYPOINT ["cat"]\nCMD ["/name.txt"]\n'
    ),
    "a-script-that-greets": (
        f"{FROM}COPY --chmod=755 <<'EOF' /greet\n#!/bin/sh\necho \"Hello, $(cat /name.txt), good day\"\nEOF\n"
        f"{ADA}CMD /greet\n"
    ),
    "the-name-elsewhere-and-a-link": (
        f"{FROM}{ADA}RUN mv /name.txt /srv/me && ln -s /srv/me /name.txt\n{PRINT}"
    ),
}

NAME, FILE, STORED = range(3)  # the rules, in order

WRONG = {
    "the-starter": (start_here.STARTER, {NAME, STORED}),
    "only-the-name": (f"{FROM}{NUMBERS}{ADA}{PRINT}", {STORED}),
    "the-numbers-deleted-later": (f"{FROM}{NUMBERS}{ADA}RUN rm /numbers.txt\n{PRINT}", {STORED}),
    "the-numbers-emptied-later": (f"{FROM}{NUMBERS}RUN : > /numbers.txt\n{ADA}{PRINT}", {STORED}),
    "the-numbers-packed": (f"{FROM}RUN seq 1000000 | gzip > /numbers.gz\n{ADA}{PRINT}", {STORED}),
    "the-name-kept": (f'{FROM}RUN echo "your name" > /name.txt\n{PRINT}', {NAME}),
    "the-name-kept-in-a-greeting": (f'{FROM}RUN echo "I am Your Name" > /name.txt\n{PRINT}', {NAME}),
    "an-empty-name": (f'{FROM}RUN echo "" > /name.txt\n{PRINT}', {NAME}),
    "a-greeting-for-nobody": (
        f'{FROM}RUN touch /name.txt\nCMD ["sh", "-c", "echo Hello, $(cat /name.txt)"]\n',
        {NAME},
    ),
    "no-file": (f"{FROM}{PRINT}", {NAME}),
    "a-fixed-text": (f'{FROM}{ADA}CMD ["echo", "Ada"]\n', {FILE}),
    "a-variable": (f'{FROM}ENV NAME=Ada\n{ADA}CMD ["sh", "-c", "echo $NAME"]\n', {FILE}),
    "read-while-it-was-built": (
        f'{FROM}{ADA}RUN echo "echo $(cat /name.txt)" > /say\nCMD ["sh", "/say"]\n',
        {FILE},
    ),
    "a-command-that-fails": (f'{FROM}{ADA}CMD ["sh", "-c", "cat /name.txt && exit 3"]\n', {NAME, FILE}),
    "no-command": (f"{FROM}{ADA}", {NAME, FILE}),
    "squashed-with-its-base": (
        f"{FROM[:-1]} AS all\n{ADA}FROM scratch\nCOPY --from=all / /\n{PRINT}",
        {STORED},
    ),
    "a-base-that-only-looks-small": (
        f"{FROM[:-1]} AS all\nRUN mkdir -p /out/bin && cp /bin/cat /out/bin/"
        " && for file in $(ldd /bin/cat | grep -o '/lib[^ ]*'); do cp --parents -L $file /out/; done\n"
        f"{ADA}FROM scratch\nCOPY --from=all /out /\nCOPY --from=all /name.txt /\n{PRINT}",
        {STORED},
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_every_way_to_print_your_name_is_right(name: str) -> None:
    """An answer that reads a name from its file and stores next to nothing passes all rules."""
    report = judged(EXERCISE, RIGHT[name])
    assert report.passed, str(report)


@pytest.mark.parametrize("name", WRONG)
def test_what_only_looks_right_is_wrong(name: str) -> None:
    """A name that is none, a text that is fixed or bytes that stay fail their rules and no other."""
    dockerfile, broken = WRONG[name]
    report = judged(EXERCISE, dockerfile)
    assert failed(report) == broken, str(report)


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


def test_an_image_whose_name_was_taken_is_to_be_built_again() -> None:
    """Where another build has the image's name since, the check judges neither and says what to do."""
    engine, _ = engines.choose()
    tag = "dockerlab/test-00-start-here:taken"
    first = engine.build(GOOD, tag=tag)
    try:
        engine.build(start_here.STARTER, tag=tag)
        with pytest.raises(BuildError, match="Another build has the name") as caught:
            judge(EXERCISES[EXERCISE], first, name=EXERCISE, on_wait=lambda said: None)
    finally:
        engine.remove(tag)
    assert "again" in caught.value.hint
