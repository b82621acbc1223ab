"""Advice on images that were really built: bad Dockerfiles, and the same ones mended."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from dockerlab.analysis.advice import Advice, advise
from dockerlab.context.context import Context, File
from dockerlab.dockerfile.parser import parse
from dockerlab.engines import choose
from dockerlab.engines.results import Build, Engine
from dockerlab.errors import DockerlabError, RegistryError, RunError

pytestmark = pytest.mark.docker

KB = 1000
TAG = "dockerlab/advice-tests:latest"
APT = "apt-get update && apt-get install -y --no-install-recommends tree"
LISTS = "mkdir -p /var/lib/apt/lists && head -c 300000 /dev/urandom > /var/lib/apt/lists/x_Packages"
FILES: Mapping[str, str | bytes | File] = {
    "app/main.py": "print()\n" * 3000,
    "app/tool.sh": "#!/bin/sh\n" + "true\n" * 9000,
    "app/.git/objects/pack": b"g" * 50 * KB,
    "app/debug.log": "l" * 30 * KB,
}
IGNORE = {".dockerignore": "**/.git\n**/*.log\n"}
Found = set[tuple[str, tuple[int, ...], int | None]]

# Below the FROM: the bad lines and what is found in them, then the mended ones, where nothing is.
CASES: dict[str, tuple[str, Found, str]] = {
    "package lists left": (
        f"RUN {LISTS}\n",
        {("apt-lists", (2,), 300_000)},
        f"RUN {LISTS} && rm -rf /var/lib/apt/lists/*\n",
    ),
    "package lists deleted too late": (
        f"RUN {LISTS}\nRUN rm -rf /var/lib/apt/lists/*\n",
        {("deleted-later", (2, 3), 300_000)},
        f"RUN {LISTS} && rm -rf /var/lib/apt/lists/*\n",
    ),
    "chmod after COPY": (
        "COPY app/tool.sh /\nRUN chmod 755 /tool.sh\n",
        {("stored-again", (2, 3), 45_010)},
        "COPY --chmod=755 app/tool.sh /\n",
    ),
    "chown of a folder": (
        "COPY app/main.py app/tool.sh /app/\nRUN chown -R 1000:1000 /app\n",
        {("stored-again", (2, 3), 69_010)},
        "COPY --chown=1000:1000 app/main.py app/tool.sh /app/\n",
    ),
    "mv": (
        "COPY app/tool.sh /tool.sh\nRUN mv /tool.sh /usr/local/bin/tool\n",
        {("moved-or-copied", (2, 3), 45_010)},
        "COPY app/tool.sh /usr/local/bin/tool\n",
    ),
    "a download deleted later": (
        "RUN head -c 200000 /dev/urandom > /x.bin\nRUN cksum /x.bin\nRUN rm /x.bin\n",
        {("deleted-later", (2, 4), 200_000)},
        "RUN head -c 200000 /dev/urandom > /x.bin && cksum /x.bin && rm /x.bin\n",
    ),
    "the base deleted": (
        "RUN rm -r /usr/share /usr/lib/x86_64-linux-gnu/perl-base || true\n",
        {("deleted-base-files", (2,), None)},
        "RUN rm /etc/motd\n",
    ),
    "a token in ENV": ("ENV API_TOKEN=abc123abc\n", {("secret-in-env", (2,), None)}, "ENV API_TOKEN=\n"),
    "a token in ARG": (
        "ARG NPM_TOKEN\nRUN true\n",
        {("secret-in-arg", (2, 3), None)},
        "RUN --mount=type=secret,id=NPM_TOKEN true\n",
    ),
}


@pytest.fixture(scope="module", params=["embedded", "docker"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Return each engine that can build on this base here, or skip."""
    try:
        found, _ = choose(request.param)
        found.build(parse("FROM debian:trixie-slim\nRUN true\n"), tag=TAG)
    except DockerlabError as error:
        pytest.skip(f"no {request.param} engine with a base here: {error.message}")
    return found


def built(engine: Engine, text: str, *, ignore: bool = False) -> Build:
    """Build lines below the FROM."""
    return engine.build(
        parse(f"FROM debian:trixie-slim\n{text}"),
        context=Context.files({**FILES, **(IGNORE if ignore else {})}),
        tag=TAG,
        build_args={"NPM_TOKEN": "hunter2hunter2"} if "ARG NPM_TOKEN" in text else None,
        secrets={"NPM_TOKEN": b"hunter2hunter2"} if "--mount=type=secret" in text else None,
    )


def found_in(advice: Advice) -> Found:
    """Return code, lines and bytes of each finding."""
    return {
        (one.code, one.lines, None if one.code == "deleted-base-files" else one.bytes)
        for one in advice.findings
    }


@pytest.mark.parametrize("name", CASES)
def test_bad_and_mended(engine: Engine, name: str) -> None:
    """The bad Dockerfile gives its finding, with line and bytes; the mended one gives none."""
    bad, expected, mended = CASES[name]
    assert found_in(advise(built(engine, bad))) == expected
    assert found_in(advise(built(engine, mended))) == set()
    engine.remove(TAG)


def test_the_context_s_leftovers(engine: Engine) -> None:
    """.git and logs that COPY brought are found, and gone with the .dockerignore lines that are advised."""
    advice = advise(built(engine, "COPY app /app\n"))
    assert found_in(advice) == {("context-git", (2,), 50 * KB), ("context-logs", (2,), 30 * KB)}
    ignore = "".join(f"{one.change.split('`')[1]}\n" for one in advice.findings)
    assert sorted(ignore.split()) == sorted(IGNORE[".dockerignore"].split())
    assert found_in(advise(built(engine, "COPY app /app\n", ignore=True))) == set()
    engine.remove(TAG)


def test_an_image_with_its_dockerfile_says_the_same(engine: Engine) -> None:
    """An image read back, with its Dockerfile, gives the findings of the build; alone, it names layers."""
    text = f"COPY app /app\nRUN {LISTS}\nRUN rm -rf /var/lib/apt/lists/*\n"
    build = built(engine, text)
    image = engine.image(TAG)
    assert found_in(advise(image, dockerfile=build.dockerfile)) == found_in(advise(build))
    alone = advise(image)
    assert [(one.code, one.lines, one.where) for one in alone.findings] == [("deleted-later", (), "layer 4")]
    assert not alone.with_dockerfile
    engine.remove(TAG)


def test_apt_and_its_order(engine: Engine) -> None:
    """A COPY above a real apt-get install costs that install's measured seconds; below it, nothing."""
    install = f"RUN {APT} && rm -rf /var/lib/apt/lists/*\n"
    text = f"FROM debian:trixie-slim\nCOPY app/ /app/\n{install}"
    context = Context.files({**FILES, **IGNORE})
    try:
        bad = engine.build(parse(text), context=context, tag=TAG, no_cache=True)
    except (RunError, RegistryError) as error:
        pytest.skip(f"no Debian mirror answers: {error.message}")
    step = next(step for step in bad.steps if step.keyword == "RUN")
    (finding,) = advise(bad).findings
    assert (finding.code, finding.lines) == ("copy-before-install", (2, 3))
    assert finding.seconds == finding.saves_seconds == step.seconds > 0
    good = built(engine, f"{install}COPY app/ /app/\n", ignore=True)
    assert found_in(advise(good)) == set()
    engine.remove(TAG)
