"""Answers to exercise 06.

Right: the settings in the configuration, and the token nowhere, however it is written.
Wrong: a leak, or a setting that does not hold.
"""

from __future__ import annotations

from dockerlab.checks.exercises import metadata
from tests.checks.judging import Answer

SECRETS = {"token": b"the learner's own"}
SETTINGS = 'ENV PORT=8080\nWORKDIR /app\nUSER nobody\nCMD ["sh", "/opt/serve.sh"]\n'
FETCH = "RUN --mount=type=secret,id=token mkdir -p /app && sh /opt/fetch.sh > /app/receipt.txt\n"
COPY = "FROM debian:trixie-slim\nCOPY fetch.sh serve.sh /opt/\n"
BY_ARGUMENT = "ARG TOKEN\nRUN mkdir -p /app && sh /opt/fetch.sh > /app/receipt.txt\n"

_RIGHT = {
    "a-slash-a-group-and-another-name": """\
FROM debian:trixie-slim
WORKDIR /app/
ENV PORT="8080"
COPY --chmod=755 fetch.sh serve.sh /opt/
RUN --mount=type=secret,id=token,target=/tmp/t TOKEN=$(cat /tmp/t) sh /opt/fetch.sh > receipt.txt
USER nobody:nogroup
EXPOSE 8080
ENTRYPOINT ["sh"]
CMD ["/opt/serve.sh"]
""",
    "the-secret-required-and-readable": f"""\
{COPY}WORKDIR /app
RUN --mount=type=secret,id=token,mode=0444,required sh /opt/fetch.sh > receipt.txt
{SETTINGS.replace("nobody", "65534")}""",
    "a-number-with-zeros": COPY + FETCH + SETTINGS.replace("USER nobody", "USER 065534:065534"),
    "a-secret": COPY + FETCH + SETTINGS,
    "settings-first": """\
FROM debian:trixie-slim
WORKDIR /app
ENV PORT=8080
COPY *.sh /opt/
RUN --mount=type=secret,id=token sh /opt/fetch.sh > receipt.txt
USER 65534:65534
ENTRYPOINT ["sh", "/opt/serve.sh"]
""",
    "a-stage-that-has-the-token": f"""\
{COPY}{BY_ARGUMENT}
FROM debian:trixie-slim
COPY serve.sh /opt/
COPY --from=0 /app/receipt.txt /app/
{SETTINGS}""",
    "bind-mounts-and-a-heredoc": f"""\
FROM debian:trixie-slim
COPY serve.sh /opt/
WORKDIR /app
RUN --mount=type=secret,id=token --mount=source=fetch.sh,target=/tmp/fetch.sh <<EOF
set -e
sh /tmp/fetch.sh > receipt.txt
EOF
{SETTINGS}""",
}

RECEIPT, TOKEN, SAYS, CONFIGURED, LAYERS = range(5)  # the rules, in order

_WRONG = {
    "root-by-another-spelling": (COPY + FETCH + SETTINGS.replace("nobody", "00"), {SAYS, CONFIGURED}),
    "root-with-a-group-only": (COPY + FETCH + SETTINGS.replace("nobody", ":0"), {SAYS, CONFIGURED}),
    "the-token-in-base64": (
        COPY + FETCH.replace("mkdir", "base64 /run/secrets/token > /opt/b && mkdir") + SETTINGS,
        {TOKEN},
    ),
    "the-token-in-two-files": (
        COPY + FETCH.replace("mkdir", "split -n 2 /run/secrets/token /opt/part && mkdir") + SETTINGS,
        {TOKEN},
    ),
    "the-token-packed": (
        COPY + FETCH.replace("mkdir", "gzip -c /run/secrets/token > /opt/cache && mkdir") + SETTINGS,
        {TOKEN},
    ),
    "a-label-that-tells": (
        COPY + FETCH + "ARG TOKEN\nLABEL made.with=$TOKEN\n" + SETTINGS,
        {TOKEN},
    ),
    "an-echo-and-the-settings": (
        COPY
        + FETCH
        + SETTINGS.replace('"sh", "/opt/serve.sh"', '"echo", "serving /app on port 8080 as nobody"'),
        {SAYS},
    ),
    "the-starter": (metadata.STARTER, {TOKEN, SAYS, CONFIGURED, LAYERS}),
    "the-token-still-an-argument": (COPY + BY_ARGUMENT + SETTINGS, {TOKEN}),
    "the-token-a-variable": (
        COPY
        + "ARG TOKEN\nENV TOKEN=$TOKEN\nRUN mkdir -p /app && sh /opt/fetch.sh > /app/receipt.txt\n"
        + SETTINGS,
        {TOKEN},
    ),
    "the-secret-kept-and-removed-later": (
        COPY
        + FETCH.replace("mkdir", "cp /run/secrets/token /opt/token && mkdir")
        + f"RUN rm /opt/token\n{SETTINGS}",
        {TOKEN},
    ),
    "no-token-at-all": (COPY + BY_ARGUMENT.replace("ARG TOKEN\n", "") + SETTINGS, {RECEIPT}),
    "settings-in-the-command": (
        f'{COPY}{FETCH}CMD ["sh", "-c", "cd /app; PORT=8080 setpriv --reuid=65534 sh /opt/serve.sh"]\n',
        {CONFIGURED},
    ),
    "an-echo-in-place-of-the-server": (
        f'{COPY}{FETCH}CMD ["echo", "serving /app on port 8080 as nobody"]\n',
        {CONFIGURED},
    ),
    "root-all-the-same": (COPY + FETCH + SETTINGS.replace("USER nobody\n", ""), {SAYS, CONFIGURED}),
    "settings-typed-into-a-shell": (
        f'{COPY}{FETCH}RUN cd /app\nRUN export PORT=8080\nCMD ["sh", "/opt/serve.sh"]\n',
        {SAYS, CONFIGURED},
    ),
    "a-run-for-each-thing": (
        f"{COPY}RUN mkdir /app\nRUN touch /app/receipt.txt\n{FETCH}{SETTINGS}",
        {LAYERS},
    ),
}

RIGHT = {name: Answer(text, secrets=SECRETS) for name, text in _RIGHT.items()}
WRONG = {name: (Answer(text, secrets=SECRETS), broken) for name, (text, broken) in _WRONG.items()}
