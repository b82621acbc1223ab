"""Answers to exercise 14.

Right: the program with what it needs, from wherever, and no system around it.
"""

from __future__ import annotations

from dockerlab.checks.exercises import which_base

PROGRAM = "/usr/bin/date"
NEEDS = f"$(ldd {PROGRAM} | grep -o '/[^ ]*')"
WORK = f"""\
FROM debian:trixie-slim AS work
RUN mkdir /out && cp --parents {NEEDS} {PROGRAM} /out
"""
ZONE = "/usr/share/zoneinfo/Lab/Office"
CMD = 'CMD ["date", "-f", "/srv/days.txt", "+%A %H:%M %Z"]\n'
END = f"USER 65534\n{CMD}"
FILES = f"""\
COPY office {ZONE}
ENV TZ=Lab/Office
COPY days.txt /srv/days.txt
"""
SCRATCH = "FROM scratch\nCOPY --from=work /out /\n"

RIGHT = {
    "its-libraries-by-ldd": f"{WORK}{SCRATCH}{FILES}{END}",
    "with-a-name-for-its-user": (
        f"{WORK}RUN mkdir /out/etc && grep nobody /etc/passwd > /out/etc/passwd\n"
        f"{SCRATCH}{FILES}USER nobody\n{CMD}"
    ),
    "the-zone-named-by-its-path": (
        f"{WORK}{SCRATCH}COPY office /zone\nENV TZ=:/zone\nCOPY days.txt /srv/days.txt\n{END}"
    ),
    "the-zone-as-the-local-time": (
        f"{WORK}{SCRATCH}COPY office /etc/localtime\nCOPY days.txt /srv/days.txt\n{END}"
    ),
    "all-put-together-in-the-stage": (
        f"{WORK}COPY office /out{ZONE}\nFROM scratch\nENV TZ=Lab/Office\nCOPY --from=work /out /\n"
        f"COPY --chmod=755 days.txt /srv/\n{END}"
    ),
    "an-entry-point-and-a-base-of-ones-own": (
        f"{WORK}{SCRATCH.replace('scratch', 'scratch AS base')}USER 1000:1000\n"
        f'FROM base\n{FILES}ENTRYPOINT ["{PROGRAM}", "-f"]\nCMD ["/srv/days.txt", "+%A %H:%M %Z"]\n'
    ),
    "another-folder-for-the-loader": (
        "FROM debian:trixie-slim AS work\n"
        f"RUN mkdir /out && cp {PROGRAM} {NEEDS} /out\n"
        "RUN mv /out/ld-linux* /out/loader\n"
        f"FROM scratch\nCOPY --from=work /out /app\n{FILES}USER 1\n"
        'ENTRYPOINT ["/app/loader", "--library-path", "/app", "/app/date"]\n'
        'CMD ["-f", "/srv/days.txt", "+%A %H:%M %Z"]\n'
    ),
}

SAYS, BYTES, SYSTEM, USER, EDIT = range(5)  # the rules, in order

WRONG = {
    "the-starter": (which_base.STARTER, {BYTES, SYSTEM, USER}),
    "the-program-alone": (
        f"FROM debian:trixie-slim AS work\nFROM scratch\nCOPY --from=work {PROGRAM} {PROGRAM}\n{FILES}{END}",
        {SAYS},
    ),
    "the-zone-forgotten": (
        f"{WORK}{SCRATCH}ENV TZ=Lab/Office\nCOPY days.txt /srv/days.txt\n{END}",
        {SAYS},
    ),
    "the-zone-as-text": (
        f"{WORK}{SCRATCH}ENV TZ=OFFICE-9\nCOPY days.txt /srv/days.txt\n{END}",
        {SAYS},
    ),
    "said-once-and-kept": (
        f"{WORK}COPY office {ZONE}\nCOPY days.txt /srv/\nENV TZ=Lab/Office\n"
        f"RUN cp --parents $(ldd /usr/bin/cat | grep -o '/[^ ]*') /usr/bin/cat /out"
        ' && date -f /srv/days.txt "+%A %H:%M %Z" > /out/said\n'
        f'{SCRATCH}USER 1\nCMD ["cat", "/said"]\n',
        {EDIT},
    ),
    "as-root": (f"{WORK}{SCRATCH}{FILES}{CMD}", {USER}),
    "root-by-another-name": (
        f"{WORK}RUN mkdir /out/etc && echo office:x:0:0::/:/x > /out/etc/passwd\n"
        f"{SCRATCH}{FILES}USER office\n{CMD}",
        {USER},
    ),
    "a-user-of-a-number-with-zeros": (f"{WORK}{SCRATCH}{FILES}USER 00\n{CMD}", {USER}),
    "a-user-that-nobody-knows": (f"{WORK}{SCRATCH}{FILES}USER nobody\n{CMD}", {SAYS, USER}),
    "deleted-in-the-image": (
        f"{which_base.STARTER}RUN rm -rf /usr/share /var /usr/lib/apt /usr/bin/apt* /usr/bin/perl*\n{END}",
        {BYTES, SYSTEM},
    ),
    "with-a-shell": (
        f"{WORK}RUN cp --parents /bin/sh /out\n{SCRATCH}{FILES}"
        'USER 1\nCMD ["/bin/sh", "-c", "exec date -f /srv/days.txt \'+%A %H:%M %Z\'"]\n',
        {SYSTEM},
    ),
    "with-a-shell-by-another-name": (
        f"{WORK}RUN cp /bin/sh /out/office\n{SCRATCH}{FILES}{END}",
        {SYSTEM},
    ),
    "a-shell-that-was-removed": (
        f"{WORK}RUN cp --parents /bin/sh /usr/bin/rm /out"
        " && cp /lib/*/libselinux* /lib/*/libpcre2-8* /out/lib/*/"
        f"\n{SCRATCH}{FILES}RUN rm /bin/sh\n{END}",
        {SYSTEM},
    ),
    "copied-in-the-stage": (
        f"{WORK}COPY days.txt /out/srv/\nCOPY office /out{ZONE}\nRUN chmod 444 /out/srv/days.txt\n"
        f"{SCRATCH}ENV TZ=Lab/Office\n{END}",
        {EDIT},
    ),
}
