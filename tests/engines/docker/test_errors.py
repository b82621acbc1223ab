import pytest

from dockerlab.dockerfile.parser import parse
from dockerlab.engines.docker.errors import build_error, instruction_at, line_in
from dockerlab.errors import (
    BuildError,
    ContextError,
    DockerfileError,
    DockerlabError,
    RegistryError,
    RunError,
)

TEXT = """# syntax=docker/dockerfile:1
FROM debian:trixie-slim AS a
RUN make \\
  all
COPY nosuch /x
COPY --from=a /nosuch /y
ADD x.tar /z
"""
DOCKERFILE = parse(TEXT)
FROM, RUN, COPY, COPY_FROM, ADD = 2, 3, 5, 6, 7

CASES: list[tuple[str, int, type[DockerlabError], str]] = [
    (
        'process "/bin/sh -c make all" did not complete successfully: exit code: 2',
        RUN,
        RunError,
        "exit code 2",
    ),
    ("The command '/bin/sh -c make all' returned a non-zero code: 127", RUN, RunError, "exit code 127"),
    (
        'failed to compute cache key: failed to calculate checksum of ref x::y: "/nosuch": not found',
        COPY,
        ContextError,
        '"nosuch" is not in the build context',
    ),
    (
        'failed to calculate checksum of ref x::y: "/nosuch": not found',
        COPY_FROM,
        ContextError,
        '"nosuch" is not in a',
    ),
    (
        "COPY failed: file not found in build context or excluded by .dockerignore: stat nosuch: "
        "file does not exist",
        COPY,
        ContextError,
        '"nosuch" is not in the build context',
    ),
    (
        "dockerfile parse error on line 4: unknown instruction: FOO",
        FROM,
        DockerfileError,
        "unknown instruction",
    ),
    (
        "debian:trixie-slim: failed to resolve source metadata for docker.io/library/debian:trixie-slim: "
        'failed to do request: Head "https://x": dial tcp: lookup x: no such host',
        FROM,
        RegistryError,
        "registry cannot be reached",
    ),
    (
        "pull access denied for nosuch, repository does not exist or may require 'docker login'",
        FROM,
        RegistryError,
        "not in its registry",
    ),
    (
        "failed to resolve source metadata for docker.io/docker/dockerfile:1: dial tcp: no such host",
        FROM,
        RegistryError,
        "syntax image docker/dockerfile:1",
    ),
    ("failed to solve: unexpected EOF", ADD, BuildError, "an archive of ADD x.tar /z is damaged"),
    (
        "failed to solve: archive/tar: invalid tar header",
        ADD,
        BuildError,
        "an archive of ADD x.tar /z is damaged",
    ),
    (
        "rpc error: code = Internal desc = grpc: failed to unmarshal the received message: "
        "string field contains invalid UTF-8",
        COPY,
        ContextError,
        "whose name is not UTF-8",
    ),
    ("failed to register layer: max depth exceeded", RUN, BuildError, "more layers than Docker can stack"),
    ("write /x: no space left on device", RUN, BuildError, "no space is left"),
    ("toomanyrequests: You have reached your pull rate limit", FROM, RegistryError, "no more pulls"),
    (
        'process "/bin/sh -c x" did not complete successfully: unable to find user 7',
        RUN,
        BuildError,
        "unable to find user 7",
    ),
]


@pytest.mark.parametrize(("message", "line", "kind", "says"), CASES)
def test_what_docker_says_becomes_a_typed_error(
    message: str, line: int, kind: type[DockerlabError], says: str
) -> None:
    """Each message of Docker's becomes the error for it, with a line and what to do next."""
    error = build_error(
        f"ERROR: failed to solve: {message}", DOCKERFILE, at=instruction_at(DOCKERFILE, line), log=["a"]
    )
    assert type(error) is kind
    assert says in str(error)
    assert error.line is not None
    assert error.hint or "user" in message


def test_the_line_that_buildx_marks() -> None:
    """The line is read from the excerpt that buildx prints, and any line of an instruction finds it."""
    assert line_in(["Dockerfile:4", "--------------------", "   4 | >>>   all"]) == 4
    assert line_in(["ERROR: x:4", "y"]) is None
    found = instruction_at(DOCKERFILE, 4)
    assert found is not None
    assert (found.keyword, found.line) == ("RUN", 3)
    assert instruction_at(DOCKERFILE, 99) is None
