"""Every flag, mount option and predefined argument: it has an effect, is refused, or is told to have none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dockerlab.context.context import Context, File
from dockerlab.dockerfile.flags import KEYWORDS
from dockerlab.dockerfile.mounts import MOUNT_KEYS
from dockerlab.dockerfile.scope import PLATFORM_ARGS
from dockerlab.engines.embedded import EmbeddedEngine, buildargs
from dockerlab.errors import DockerlabError, UnsupportedError
from dockerlab.image.image import Image
from tests.conformance import bases
from tests.conformance.cases.adding import PLAIN

DOCS = Path(__file__).resolve().parents[3] / "docs" / "differences.md"
FILES = Context.files({"a": "1", "d/f": "2", "d/g": File("3", 0o600), "a.tar": PLAIN})


@dataclass(frozen=True)
class Pair:
    """Two texts, without and with an option, below `FROM base`; what comes of them must differ.

    What is no part of a cache key needs another command, so that the second is not taken from the cache.

    `refused`: the second is an error that holds this word and has the line.
    """

    without: str
    given: str
    refused: str | None = None
    build_args: Mapping[str, str] = field(default_factory=dict)  # of the second
    before: str | None = None  # built first


_CACHE = "RUN --mount=type=cache,target=/c"


def _run(mount: str, other: str, command: str, **more: str | None) -> Pair:
    return Pair(f"RUN --mount={mount} {command}", f"RUN --mount={other} {command}", **more)  # type: ignore[arg-type]


FLAGS: Mapping[str, Pair] = {
    "ADD --chown": Pair("ADD a /x", "ADD --chown=1:2 a /x"),
    "ADD --chmod": Pair("ADD a /x", "ADD --chmod=700 a /x"),
    "ADD --link": Pair("ADD a /var/to-folder/", "ADD --link a /var/to-folder/"),
    "ADD --checksum": Pair("ADD a /x", "ADD --checksum=sha256:00 a /x", "--checksum"),
    "ADD --unpack": Pair("ADD a.tar /x/", "ADD --unpack=false a.tar /x/"),
    "ADD --exclude": Pair("ADD d /x", "ADD --exclude=f d /x"),
    "COPY --from": Pair("COPY a /x", "COPY --from=other a /x"),
    "COPY --chown": Pair("COPY a /x", "COPY --chown=1:2 a /x"),
    "COPY --chmod": Pair("COPY a /x", "COPY --chmod=u+x a /x"),
    "COPY --link": Pair("COPY a /var/to-folder/", "COPY --link a /var/to-folder/"),
    "COPY --parents": Pair("COPY d/f /x/", "COPY --parents d/f /x/"),
    "COPY --exclude": Pair("COPY d /x", "COPY --exclude=f d /x"),
    "FROM --platform": Pair("FROM base", "FROM --platform=linux/none base", "linux/none"),
    "HEALTHCHECK --interval": Pair("HEALTHCHECK CMD x", "HEALTHCHECK --interval=5s CMD x"),
    "HEALTHCHECK --timeout": Pair("HEALTHCHECK CMD x", "HEALTHCHECK --timeout=5s CMD x"),
    "HEALTHCHECK --start-period": Pair("HEALTHCHECK CMD x", "HEALTHCHECK --start-period=5s CMD x"),
    "HEALTHCHECK --start-interval": Pair("HEALTHCHECK CMD x", "HEALTHCHECK --start-interval=5s CMD x"),
    "HEALTHCHECK --retries": Pair("HEALTHCHECK CMD x", "HEALTHCHECK --retries=5 CMD x"),
    "RUN --mount": Pair("RUN ls /var/full > /f", "RUN --mount=target=/var/full ls /var/full > /f"),
    "RUN --network": Pair(
        "RUN readlink /proc/self/ns/net > /f", "RUN --network=none readlink /proc/self/ns/net > /f"
    ),
    "RUN --network=host": Pair("RUN true", "RUN --network=host true", "--network=host"),
    "RUN --security": Pair("RUN true", "RUN --security=insecure true", "--security=insecure"),
    "RUN --device": Pair("RUN true", "RUN --device=vendor.com/class=one true", "--device=vendor.com/class"),
}
# Why a flag has no pair here.
ELSEWHERE = {"ADD --keep-git-dir": "it is for a Git repository, and has no effect on a file, as in BuildKit"}

MOUNTS: Mapping[str, Pair] = {
    "type": _run("target=/m", "type=tmpfs,target=/m", "ls /m > /f"),
    "target": _run("type=tmpfs,target=/m", "type=tmpfs,target=/n", "ls -d /m > /f || true"),
    "dst": _run("type=tmpfs,target=/m", "type=tmpfs,dst=/n", "ls -d /m > /f || true"),
    "destination": _run("type=tmpfs,target=/m", "type=tmpfs,destination=/n", "ls -d /m > /f || true"),
    "source": _run("target=/m", "target=/m,source=d", "ls /m > /f"),
    "src": _run("target=/m", "target=/m,src=d", "ls /m > /f"),
    "from": _run("target=/m", "target=/m,from=other", "ls /m > /f"),
    "id": Pair(f"{_CACHE} ls /c > /f", f"{_CACHE},id=other ls /c > /f; true", before=f"{_CACHE} touch /c/x"),
    "sharing": Pair(
        f"{_CACHE},id=s --mount=type=cache,id=s,target=/d touch /c/x; ls /d > /f",
        f"{_CACHE},id=p,sharing=private --mount=type=cache,id=p,sharing=private,target=/d"
        " touch /c/x; ls /d > /f; true",
    ),
    "size": _run("type=tmpfs,target=/m", "type=tmpfs,target=/m,size=64k", "df -k /m | tail -1 > /f"),
    "ro": _run("type=cache,target=/c", "type=cache,target=/c,ro", "touch /c/x", refused="exit code"),
    "readonly": _run(
        "type=cache,target=/c", "type=cache,target=/c,readonly", "touch /c/x", refused="exit code"
    ),
    "rw": _run("target=/m", "target=/m,rw", "touch /m/x > /f 2>&1 || true"),
    "readwrite": _run("target=/m", "target=/m,readwrite", "touch /m/x > /f 2>&1 || true"),
    "required": _run("type=secret,id=none", "type=secret,id=none,required", "true", refused="none"),
    "mode": _run("type=secret,id=s", "type=secret,id=s,mode=0444", "stat -c %a /run/secrets/s > /f"),
    "uid": _run("type=secret,id=s", "type=secret,id=s,uid=7", "stat -c %u /run/secrets/s > /f"),
    "gid": _run("type=secret,id=s", "type=secret,id=s,gid=7", "stat -c %g /run/secrets/s > /f"),
    "env": _run("type=secret,id=s", "type=secret,id=s,env=S", "echo $S > /f"),
}


def _given(name: str) -> Pair:
    text = f"ARG {name}\nRUN echo ${name} > /f"
    return Pair(text, text, build_args={name: "of-mine"})


ARGUMENTS: Mapping[str, Pair] = {
    **{
        name: Pair("RUN env > /f", f"RUN env > /f; : {name}", build_args={name: "x"})
        for one in buildargs.PROXY
        for name in (one, one.lower())
    },
    **{name: _given(name) for name in PLATFORM_ARGS},
    "BUILDKIT_SANDBOX_HOSTNAME": Pair(
        "RUN hostname > /f", "RUN hostname > /f", build_args={"BUILDKIT_SANDBOX_HOSTNAME": "lab"}
    ),
    "BUILDKIT_CACHE_MOUNT_NS": Pair(
        f"{_CACHE} ls /c > /f",
        f"{_CACHE} ls /c > /f; true",
        build_args={"BUILDKIT_CACHE_MOUNT_NS": "mine"},
        before=f"{_CACHE} touch /c/x",
    ),
    "SOURCE_DATE_EPOCH": Pair("COPY a /x", "COPY a /x", build_args={"SOURCE_DATE_EPOCH": "1000000000"}),
    **{name: Pair("LABEL a=1", "LABEL a=1", name, build_args={name: "1"}) for name in buildargs.REFUSED},
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> EmbeddedEngine:
    """Return an engine that has the bases of the conformance suite, under the names base and other."""
    program = bases.busybox()
    if program is None:
        pytest.skip("needs a statically linked busybox (Debian: busybox-static) to make base images of")
    engine = EmbeddedEngine(tmp_path_factory.mktemp("options"))
    if engine.sandbox.name != "namespaces":
        pytest.skip("proot has no bound for a tmpfs and no host name of its own")
    archives = bases.archives(tmp_path_factory.mktemp("bases"), program, "options")
    for path in archives.values():
        engine.load(path)
    return engine


def _outcome(engine: EmbeddedEngine, text: str, build_args: Mapping[str, str]) -> object:
    """Return what a text makes, without times; or the error."""
    base = bases.reference("base", "options")
    if not text.startswith(("FROM", "#")):
        text = f"FROM {base} AS other\nCOPY d /\nCOPY d/f /a\nFROM {base}\n{text}"
    try:
        image = engine.build(
            text.replace(" base", f" {base}"), context=FILES, build_args=build_args, secrets={"s": b"very"}
        ).image
    except DockerlabError as error:
        return error
    return [_contents(image), image.config["config"], image.config["created"][:4]]


def _contents(image: Image) -> object:
    found = []
    for layer in image.layers:
        for entry in layer.entries:
            content = b""
            if entry.kind == "file":
                with layer.open(entry) as stream:
                    content = stream.read()
            found.append((entry.path, entry.kind, entry.mode, entry.uid, entry.gid, entry.link, content))
    return found


def test_every_option_is_in_these_tables() -> None:
    """No keyword has a flag, and the builder knows no mount option or argument, that nothing here shows."""
    flags = {f"{keyword} --{flag}" for keyword, known in KEYWORDS.items() for flag in known}
    assert flags == {name.partition("=")[0] for name in (*FLAGS, *ELSEWHERE)}
    assert set(MOUNTS) == set(MOUNT_KEYS)
    assert set(ARGUMENTS) == {*buildargs.DONE, *buildargs.REFUSED}


@pytest.mark.parametrize("name", [*FLAGS, *(f"--mount {key}" for key in MOUNTS), *ARGUMENTS])
def test_an_option_has_an_effect_or_is_refused(engine: EmbeddedEngine, name: str) -> None:
    """With the option something else comes of the build, or the error names it and its line."""
    pair = {**FLAGS, **{f"--mount {key}": pair for key, pair in MOUNTS.items()}, **ARGUMENTS}[name]
    if pair.before is not None:
        _outcome(engine, pair.before, {})
    without, given = _outcome(engine, pair.without, {}), _outcome(engine, pair.given, pair.build_args)
    assert not isinstance(without, DockerlabError), without
    if pair.refused is None:
        assert not isinstance(given, DockerlabError), given
        assert without != given
        return
    assert isinstance(given, DockerlabError)
    assert pair.refused in str(given)
    assert name in buildargs.REFUSED or given.line is not None


@pytest.mark.parametrize("name", buildargs.WITHOUT_EFFECT)
def test_an_argument_without_effect_has_none_and_is_told(engine: EmbeddedEngine, name: str) -> None:
    """It changes nothing in the image, and the docs say that and why."""
    text = "RUN env > /f"
    assert _outcome(engine, text, {}) == _outcome(engine, text, {name: "1"})
    assert f"| `--build-arg {name}` | {buildargs.WITHOUT_EFFECT[name]} |" in DOCS.read_text("utf-8")


def test_the_syntax_directive(engine: EmbeddedEngine) -> None:
    """Docker's own syntax images are what the builder speaks; another one is refused with its line."""
    outcomes = [
        _outcome(engine, f"{above}FROM base\nLABEL a=1", {})
        for above in ("", "# syntax=docker/dockerfile:1\n", "# syntax=docker.io/docker/dockerfile:1.7-labs\n")
    ]
    assert outcomes[0] == outcomes[1] == outcomes[2]
    with pytest.raises(UnsupportedError, match="someone/else:1") as caught:
        engine.build("# escape=\\\n# syntax=someone/else:1\nFROM scratch\nLABEL a=1")
    assert caught.value.line == 2


@pytest.mark.parametrize("name", buildargs.REFUSED)
def test_a_refused_argument_may_be_off(engine: EmbeddedEngine, name: str) -> None:
    """BuildArguments as 0 or empty it asks for nothing; otherwise the docs say why it is refused."""
    assert not isinstance(_outcome(engine, "LABEL a=1", {name: "0"}), UnsupportedError)
    assert f"| `--build-arg {name}` | {buildargs.REFUSED[name]} |" in DOCS.read_text("utf-8")
