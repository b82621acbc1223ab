"""Answers to exercise 00.

Right: reads a name from its file and stores next to nothing, however it is written.
Wrong: a name that is none, a text that is fixed, or bytes that stay.
"""

from __future__ import annotations

from dockerlab.checks.exercises import start_here
from tests.checks.judging import Answer

FROM = "FROM debian:trixie-slim\n"
NUMBERS = "RUN seq 1000000 > /numbers.txt\n"
ADA = 'RUN echo "Ada" > /name.txt\n'
PRINT = 'CMD ["cat", "/name.txt"]\n'
GOOD = f"{FROM}{ADA}{PRINT}"

RIGHT: dict[str, str | Answer] = {
    "in-a-stage-that-was-asked-for": Answer(
        f"{GOOD}FROM debian:trixie-slim AS unused\n{NUMBERS}".replace("slim\n", "slim AS mine\n", 1),
        target="mine",
    ),
    "given-as-an-argument": Answer(
        f"{FROM}ARG WHO=nobody\nRUN echo $WHO > /name.txt\n{PRINT}", build_args={"WHO": "Grace"}
    ),
    "the-shell-form-and-a-label": f"{FROM}LABEL by=me\n{ADA}CMD cat /name.txt\n",
    "another-tool-reads-it": f'{FROM}{ADA}CMD ["sed", "-n", "p", "/name.txt"]\n',
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

WRONG: dict[str, tuple[str | Answer, set[int]]] = {
    "an-entry-point-that-echoes": (f'{FROM}{ADA}ENTRYPOINT ["echo", "Ada"]\n', {FILE}),
    "squashed-as-it-was": (Answer(start_here.STARTER, squash=True), {NAME, STORED}),
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
