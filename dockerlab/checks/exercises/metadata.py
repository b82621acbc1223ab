"""Exercise 06: settings that hold in every container, and a token that is in no layer and no history row.

Right is whatever sets the configuration (ENV, WORKDIR, USER) and keeps the token out of the finished image: a
build secret, or a stage of which only the result is copied.
"""

from __future__ import annotations

import hashlib
import secrets as randomness
from collections.abc import Mapping

from dockerlab.checks.rules import final_file, layers_at_most, secret_nowhere
from dockerlab.checks.verdict import Verdict
from dockerlab.context.context import Context, File
from dockerlab.engines.results import Build, Engine

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
CONTEXT: Mapping[str, str | bytes | File] | None = {
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
SAYS = "serving /app on port 8080 as nobody"
NOBODY = {"nobody", "65534", "nobody:nogroup", "65534:65534"}
MOST_LAYERS = 4  # above the base

CHANGE, SECRET, BUILD = "Change one thing", "A token in the history", "Build"  # headings of lesson 06


def rules(attempt: Build, starter: Build, engine: Engine) -> list[Verdict]:
    """Build the attempt again with a token that nobody has seen, and look for it."""
    assert CONTEXT is not None
    token = f"token-{randomness.token_hex(8)}"
    build = engine.build(
        attempt.dockerfile,
        context=Context.files(CONTEXT),
        build_args={"TOKEN": token},
        secrets=None if attempt.builder == "legacy" else {"token": token.encode()},
        no_cache=True,  # a secret is no part of a cache key
        builder=attempt.builder,
    )
    wanted = f"fetched with the token of digest {hashlib.sha256(token.encode()).hexdigest()[:16]}\n".encode()
    receipt = final_file(build, RECEIPT)
    said = engine.run(build.image.id).output.strip()
    config = build.image.config.get("config") or {}
    settings = (
        "PORT=8080" in (config.get("Env") or ()),
        config.get("WorkingDir") == "/app",
        config.get("User") in NOBODY,
    )
    return [
        Verdict(
            f"/{RECEIPT} is there, fetched with the token",
            receipt == wanted,
            "it is not there" if receipt is None else receipt.decode("utf-8", "replace").strip(),
            wanted.decode().strip(),
            SECRET,
        ),
        secret_nowhere(
            build, secret=token.encode(), rule="The token is in no layer and in no history row", look=SECRET
        ),
        Verdict("A container says where it serves, and as whom", said == SAYS, said[-80:], SAYS, CHANGE),
        Verdict(
            "Port, folder and user are settings of the image",
            all(settings),
            f"{sum(settings)} of {len(settings)} are in its configuration",
            f"all {len(settings)}",
            BUILD,
        ),
        layers_at_most(
            build,
            limit=starter.image.base_layers + MOST_LAYERS,
            rule=f"The Dockerfile adds at most {MOST_LAYERS} layers to those of its base",
            look=CHANGE,
        ),
    ]
