"""Exercise 06: settings that hold in every container, and a token that is in no layer and no history row.

Right is whatever sets the configuration (ENV, WORKDIR, USER) and keeps the token out of the finished image: a
build secret, or a stage of which only the result is copied.
"""

from __future__ import annotations

import hashlib

from dockerlab.checks.contents import final_file
from dockerlab.checks.rules import Found, layers_at_most, places_of_secret, rule, settings, untouched_by
from dockerlab.checks.trial import Files, RebuildOptions, Trial
from dockerlab.checks.verdict import Verdict
from dockerlab.checks.verdict_text import contrast, shown

STARTER = """\
FROM debian:trixie-slim
ARG TOKEN
COPY fetch.sh serve.sh /opt/
RUN mkdir /app
RUN sh /opt/fetch.sh > /app/receipt.txt
RUN cd /app
RUN export PORT=8080
RUN echo "PORT=8080" >> /etc/environment
CMD ["sh", "/opt/serve.sh"]
"""
CONTEXT: Files | None = {
    "fetch.sh": """\
# Stands for a download that needs a token, from a variable or from a build secret.
token="${TOKEN:-$(cat /run/secrets/token 2> /dev/null)}"
if [ -n "$token" ]; then
    echo "fetched with the token of digest $(printf %s "$token" | sha256sum | cut -c 1-16)"
else
    echo "fetched without a token"
fi
""",
    "serve.sh": 'echo "serving $(pwd) on port ${PORT:-(not set)} as $(id -un)"\n',
}

RECEIPT = "app/receipt.txt"
MOST_LAYERS = 4  # above the base

CHANGE, SECRET, BUILD = "Change one thing", "A token in the history", "Build"  # headings of lesson 06


def rules(trial: Trial) -> list[Verdict]:
    """Build the attempt again with tokens that nobody has seen, and look for what they change."""
    mark = f"{trial.draw.getrandbits(32):08x}"
    assert CONTEXT is not None
    edits: Files = {
        "fetch.sh": str(CONTEXT["fetch.sh"]).replace("the token of digest", f"{mark} of digest"),
        "serve.sh": f'echo "{mark}: $(pwd) on ${{PORT:-no port}} as $(id -un)"\n',
    }
    tokens = [f"token-{trial.draw.getrandbits(80):020x}" for _ in range(2)]
    legacy = trial.attempt.builder == "legacy"
    given = [
        RebuildOptions({"TOKEN": token}, None if legacy else {"token": token.encode()}, fresh=turn)
        for turn, token in enumerate([*tokens, tokens[1]], 1)
    ]
    digest = hashlib.sha256(tokens[1].encode()).hexdigest()[:16]
    return [
        _fetched(
            f"/{RECEIPT} is there, fetched with the token",
            SECRET,
            trial,
            edits,
            given[1],
            f"fetched with {mark} of digest {digest}",
        ),
        _nowhere("The token is in no layer and in no history row", SECRET, trial, edits, given, tokens[1]),
        _serves(
            "A container says where it serves, and as whom",
            CHANGE,
            trial,
            edits,
            given[1],
            f"{mark}: /app on 8080 as nobody",
        ),
        settings(
            "Port, folder and user are settings of the image",
            BUILD,
            trial,
            {"PORT": "8080", "folder": "/app", "user": "65534"},
        ),
        layers_at_most(
            f"The Dockerfile adds at most {MOST_LAYERS} layers to those of its base",
            CHANGE,
            trial,
            MOST_LAYERS,
        ),
    ]


@rule
def _fetched(trial: Trial, edits: Files, given: RebuildOptions, wanted: str) -> Found:
    receipt = final_file(trial.again(edits, given), RECEIPT)
    if receipt is None:
        return Found(False, "it is not there", wanted)
    return Found(
        receipt.decode("utf-8", "replace").strip() == wanted, *contrast(shown(receipt), repr(wanted))
    )


@rule
def _serves(trial: Trial, edits: Files, given: RebuildOptions, wanted: str) -> Found:
    said = trial.engine.run(trial.again(edits, given).image.id).output.strip()
    return Found(said == wanted, *contrast(said, wanted))


@rule
def _nowhere(trial: Trial, edits: Files, given: list[RebuildOptions], token: str) -> Found:
    """Another token may change the receipt alone; what of it is in history and settings is looked for."""
    found = untouched_by("", "", trial, {}, edits=edits, given=given, but=[RECEIPT])
    places = places_of_secret(trial, trial.again(edits, given[1]), token)
    return Found(found.passed and not places, ", ".join(places) or found.measured, found.target)
