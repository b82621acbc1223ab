from __future__ import annotations

import pytest

from dockerlab import engines
from dockerlab.checks import what_is_a_layer
from dockerlab.checks.exercise import EXERCISES
from dockerlab.context import Context
from tests.checks.answers import failed, judged

EXERCISE = "01-what-is-a-layer"
FROM = 'FROM debian:trixie-slim\nLABEL title="A book"\n'
END = 'EXPOSE 8080\nCMD ["./show.sh"]\n'
SHOW, BOOK = "COPY --chmod=755 show.sh ./\n", "COPY draft.txt book.txt\n"
MENDED = "chmod 755 show.sh && mv draft.txt book.txt && rm notes.txt"
STAGE = f"FROM debian:trixie-slim AS work\nWORKDIR /app\nCOPY . .\nRUN {MENDED}\n"
GOOD = f"{FROM}WORKDIR /app\n{SHOW}{BOOK}{END}"

RIGHT = {
    "each-file-once": GOOD,
    "settings-first-and-absolute-paths": (
        f'FROM debian:trixie-slim\n{END}LABEL title="A book" more="yes"\nWORKDIR /app\n'
        "ADD draft.txt /app/book.txt\nADD --chmod=0755 show.sh /app/show.sh\n"
    ),
    "a-stage-does-the-work": f"{STAGE}{FROM}WORKDIR /app\nCOPY --from=work /app .\n{END}",
    "a-run-that-takes-from-the-context": (
        f"{FROM}WORKDIR /app\nRUN --mount=target=/mnt cp /mnt/draft.txt book.txt"
        f' && cp /mnt/show.sh . && chmod 755 show.sh\nEXPOSE 8080/tcp\nENTRYPOINT ["sh", "-c", "./show.sh"]\n'
    ),
    "written-with-a-heredoc": (
        f"{FROM}WORKDIR /app\n{BOOK}COPY --chmod=755 <<'EOF' show.sh\n"
        f'{what_is_a_layer.SCRIPT}EOF\nEXPOSE 8080\nCMD ["sh", "/app/show.sh"]\n'
    ),
}

SHOWS, FILES, SETTINGS, LAYERS, EMPTY, STORED = range(6)  # the rules, in order

WRONG = {
    "the-starter": (what_is_a_layer.STARTER, {LAYERS, EMPTY, STORED}),
    "all-that-follows-in-one-run": (
        f"{FROM}WORKDIR /app\nCOPY show.sh draft.txt notes.txt ./\nRUN {MENDED}\n{END}",
        {STORED},
    ),
    "the-folder-is-there-before-workdir": (
        f"{FROM}COPY --chmod=755 show.sh /app/\nCOPY draft.txt /app/book.txt\nWORKDIR /app\n{END}",
        {EMPTY},
    ),
    "a-run-that-changes-nothing": (
        f"{STAGE}{FROM}WORKDIR /app\nCOPY --from=work /app .\nRUN true\n{END}",
        {EMPTY},
    ),
    "workdir-twice": (f"{FROM}WORKDIR /app\n{SHOW}{BOOK}WORKDIR /app\n{END}", {LAYERS, EMPTY}),
    "settings-taken-for-layers": (
        f'FROM debian:trixie-slim\nWORKDIR /app\n{SHOW}{BOOK}CMD ["./show.sh"]\n',
        {SETTINGS},
    ),
    "mode-forgotten": (f"{FROM}WORKDIR /app\nCOPY show.sh ./\n{BOOK}{END}", {SHOWS, FILES}),
    "one-mode-for-all": (
        f"{FROM}WORKDIR /app\nCOPY --chmod=755 show.sh ./\nCOPY --chmod=755 draft.txt book.txt\n{END}",
        {FILES},
    ),
    "notes-kept": (f"{FROM}WORKDIR /app\n{SHOW}{BOOK}COPY notes.txt ./\n{END}", {FILES, LAYERS, STORED}),
    "notes-kept-elsewhere": (
        f"{FROM}WORKDIR /app\nRUN --mount=target=/mnt cp /mnt/show.sh . && chmod 755 show.sh"
        f" && cp /mnt/notes.txt /opt/\n{BOOK}{END}",
        {STORED},
    ),
    "a-link-in-place-of-the-name": (
        f"{FROM}WORKDIR /app\nCOPY draft.txt /srv/book.txt\n"
        f"RUN --mount=target=/mnt ln -s /srv/book.txt . && cp /mnt/show.sh . && chmod 755 show.sh\n{END}",
        {FILES},
    ),
    "squashed-with-its-base": (
        f'{STAGE}FROM scratch\nCOPY --from=work / /\nLABEL title="A book"\nWORKDIR /app\n{END}',
        {EMPTY, STORED},
    ),
    "a-command-that-only-says-so": (
        f"{FROM}WORKDIR /app\n{SHOW}{BOOK}EXPOSE 8080\n"
        'CMD ["echo", "/app opens with: A line of the book."]\n',
        {SHOWS},
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_every_way_that_makes_each_file_once_is_right(name: str) -> None:
    """An answer with the same files and settings, and no layer for nothing, passes all rules."""
    report = judged(EXERCISE, RIGHT[name])
    assert report.passed, str(report)


@pytest.mark.parametrize("name", WRONG)
def test_what_only_looks_right_is_wrong(name: str) -> None:
    """An empty layer, a byte stored again, or a file or setting that is lost fails its rules and no other."""
    dockerfile, broken = WRONG[name]
    report = judged(EXERCISE, dockerfile)
    assert failed(report) == broken, str(report)


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
    assert failed(report) == {SHOWS, LAYERS, EMPTY, STORED}, str(report)


def test_the_verdicts_name_the_lines() -> None:
    """The starter's report says which lines made layers, which of them are empty, and which store again."""
    verdicts = judged(EXERCISE, what_is_a_layer.STARTER).verdicts
    assert verdicts[LAYERS].measured == "7 layers: line 3, line 4, line 5, line 6, line 7, line 8, line 9"
    assert verdicts[EMPTY].measured == "nothing new from line 5, line 8, line 9"
    assert "line 7 stores again 1.50 MB that line 4 stored" in verdicts[STORED].measured
