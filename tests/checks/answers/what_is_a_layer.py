"""Answers to exercise 01.

Right: the same files and settings, and no layer for nothing, however it is written.
Wrong: an empty layer, a byte stored again, or a file or setting that is lost.
"""

from __future__ import annotations

from dockerlab.checks.exercises import what_is_a_layer
from tests.checks.judging import Answer

FROM = 'FROM debian:trixie-slim\nLABEL title="A book"\n'
END = 'EXPOSE 8080\nCMD ["./show.sh"]\n'
SHOW, BOOK = "COPY --chmod=755 show.sh ./\n", "COPY draft.txt book.txt\n"
MENDED = "chmod 755 show.sh && mv draft.txt book.txt && rm notes.txt"
STAGE = f"FROM debian:trixie-slim AS work\nWORKDIR /app\nCOPY . .\nRUN {MENDED}\n"
GOOD = f"{FROM}WORKDIR /app\n{SHOW}{BOOK}{END}"

RIGHT: dict[str, str | Answer] = {
    "a-slash-behind-the-folder": f"{FROM}WORKDIR /app/\n{SHOW}{BOOK}{END}",
    "another-entry-point": f'{FROM}WORKDIR /app\n{SHOW}{BOOK}EXPOSE 8080\nENTRYPOINT ["./show.sh"]\n',
    "an-ignore-file-of-ones-own": Answer(
        f"{STAGE}{FROM}WORKDIR /app\nCOPY --from=work /app .\n{END}".replace(" && rm notes.txt", ""),
        {**(what_is_a_layer.CONTEXT), ".dockerignore": "notes.txt\n.dockerignore\n"},
    ),
    "a-target-of-its-own": Answer(
        f"{FROM}WORKDIR /app\n{SHOW}{BOOK}{END}FROM scratch\n".replace("slim\n", "slim AS book\n", 1),
        target="book",
    ),
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
}

SHOWS, FILES, SETTINGS, LAYERS, EMPTY, STORED = range(6)  # the rules, in order

WRONG: dict[str, tuple[str | Answer, set[int]]] = {
    "the-starter-squashed": (Answer(what_is_a_layer.STARTER, squash=True), {LAYERS, EMPTY, STORED}),
    "another-port": (f"{FROM}WORKDIR /app\n{SHOW}{BOOK}{END}".replace("8080", "80"), {SETTINGS}),
    "the-folder-is-another-at-the-end": (
        f"{FROM}WORKDIR /app\n{SHOW}{BOOK}{END}WORKDIR /\n".replace(
            '"./show.sh"', '"sh", "-c", "cd app && ./show.sh"'
        ),
        {SETTINGS},
    ),
    "the-book-made-when-it-starts": (
        f"{FROM}WORKDIR /app\n{SHOW}COPY draft.txt ./\nEXPOSE 8080\nCMD mv draft.txt book.txt; ./show.sh\n",
        {FILES},
    ),
    "a-copy-typed-in": (
        (
            f"{FROM}WORKDIR /app\n{BOOK}COPY --chmod=755 <<'EOF' show.sh\n"
            f'{what_is_a_layer.SCRIPT}EOF\nEXPOSE 8080\nCMD ["sh", "/app/show.sh"]\n'
        ),
        {SHOWS, FILES},
    ),
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
