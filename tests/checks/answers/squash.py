"""Answers to exercise 09.

Right: shares its base and has its settings, however it is written.
Wrong: a squash, or an image without its settings.
"""

from __future__ import annotations

from dockerlab.checks.exercises import squash

BASE = "FROM debian:trixie-slim"
WORK = """\
FROM debian:trixie-slim AS all
RUN seq 1000000 > /tmp/readings.txt
RUN sha256sum < /tmp/readings.txt > /srv/seal.txt
RUN rm /tmp/readings.txt
"""
ONE_RUN = (
    "RUN seq 1000000 > /tmp/readings.txt"
    " && sha256sum < /tmp/readings.txt > /srv/seal.txt && rm /tmp/readings.txt\n"
)
COMMAND = squash.STARTER.splitlines()[-1] + "\n"
SETTINGS = f"ENV UNIT=mm\nWORKDIR /srv\nUSER nobody\n{COMMAND}"

RIGHT = {
    "a-slash-and-an-entry-point": (
        f"{WORK}{BASE}\nCOPY --from=all --chmod=644 /srv/seal.txt /srv/\nENV UNIT mm\nWORKDIR /srv/\n"
        f"USER nobody:nogroup\nENTRYPOINT {COMMAND.removeprefix('CMD ')}"
    ),
    "a-mount-of-the-stage": (
        f"{WORK}{BASE}\nRUN --mount=from=all,source=/srv,target=/mnt cp /mnt/seal.txt /srv/\n{SETTINGS}"
    ),
    "picked": f"{WORK}{BASE}\nCOPY --from=all /srv/seal.txt /srv/\n{SETTINGS}",
    "a-folder-picked-settings-first": (
        f"{WORK}{BASE}\nENV UNIT=mm\nWORKDIR /srv\nCOPY --from=all /srv/ .\nUSER 65534:65534\n{COMMAND}"
    ),
    "one-run-and-no-stage": f"{BASE}\n{ONE_RUN}{SETTINGS}",
    "a-pipe": f"{BASE}\nRUN seq 1000000 | sha256sum > /srv/seal.txt\n{SETTINGS}",
    "a-tmpfs": (
        f"{BASE}\nRUN --mount=type=tmpfs,target=/tmp seq 1000000 > /tmp/readings.txt"
        f" && sha256sum < /tmp/readings.txt > /srv/seal.txt\n{SETTINGS}"
    ),
}

SAYS, CONFIGURED, READINGS, FETCHED = range(4)  # the rules, in order

WRONG = {
    "words-typed-in": (
        f"{BASE}\n{ONE_RUN}ENV UNIT=mm\nWORKDIR /srv\nUSER nobody\n"
        "CMD echo nobody in /srv: $(cut -c 1-8 /srv/seal.txt) mm\n",
        {SAYS},
    ),
    "a-seal-at-each-start": (
        f"{BASE}\nENV UNIT=mm\nWORKDIR /srv\nUSER nobody\n"
        "CMD echo $(id -un) in $(pwd): $(seq 1000000 | sha256sum | cut -c 1-8) $UNIT\n",
        {SAYS},
    ),
    "a-few-readings": (
        f"{BASE}\n{ONE_RUN[:-1]} && seq 1000000 | awk 'NR % 100 == 0' | gzip > /var/few\n{SETTINGS}",
        {READINGS},
    ),
    "the-line-typed-in": (
        f"{WORK}{BASE}\nENV UNIT=mm\nWORKDIR /srv\nUSER nobody\n"
        'CMD ["echo", "nobody in /srv: 67d4ff71 mm"]\n',
        {SAYS},
    ),
    "the-seal-typed-in": (
        f"{BASE}\nRUN echo 67d4ff71d43921d5739f387da09746f405e425b07d727e4c69d029461d1f051f"
        f" > /srv/seal.txt\n{SETTINGS}",
        {SAYS},
    ),
    "the-readings-packed": (
        f"{BASE}\nRUN seq 1000000 > /tmp/r && sha256sum < /tmp/r > /srv/seal.txt && gzip /tmp/r\n{SETTINGS}",
        {READINGS, FETCHED},
    ),
    "root-by-another-name": (
        f"{WORK}{BASE}\nRUN useradd -o -u 0 -M other\nCOPY --from=all /srv/seal.txt /srv/\n"
        f"{SETTINGS.replace('USER nobody', 'USER other')}",
        {SAYS, CONFIGURED},
    ),
    "the-starter": (squash.STARTER, {SAYS, CONFIGURED, FETCHED}),
    "squashed-with-the-settings": (f"{WORK}FROM scratch\nCOPY --from=all / /\n{SETTINGS}", {FETCHED}),
    "all-of-it-copied-onto-the-base": (f"{WORK}{BASE}\nCOPY --from=all / /\n{SETTINGS}", {FETCHED}),
    "layered": (WORK + SETTINGS, {READINGS, FETCHED}),
    "picked-without-the-settings": (
        f"{WORK}{BASE}\nCOPY --from=all /srv/seal.txt /srv/\n{COMMAND}",
        {SAYS, CONFIGURED},
    ),
    "picked-and-run-as-root": (
        f"{WORK}{BASE}\nCOPY --from=all /srv/seal.txt /srv/\n{SETTINGS.replace('USER nobody' + chr(10), '')}",
        {SAYS, CONFIGURED},
    ),
    "settings-in-the-command": (
        f"{WORK}{BASE}\nCOPY --from=all /srv/seal.txt /srv/\n"
        'CMD ["sh", "-c", "echo nobody in /srv: $(cut -c 1-8 /srv/seal.txt) mm"]\n',
        {CONFIGURED},
    ),
    "a-seal-made-up": (f"{BASE}\nRUN echo 0123456789abcdef > /srv/seal.txt\n{SETTINGS}", {SAYS}),
    "the-readings-kept-elsewhere": (
        f"{BASE}\nRUN seq 1000000 > /opt/kept && sha256sum < /opt/kept > /srv/seal.txt\n{SETTINGS}",
        {FETCHED},
    ),
}
