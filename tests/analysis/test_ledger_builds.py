"""The ledger on images that were really built, to the byte: whiteouts, opaque folders, hard links."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from dockerlab.analysis.ledger import Ledger, ledger
from dockerlab.context.context import Context, File
from dockerlab.dockerfile.parser import parse
from dockerlab.engines import choose
from dockerlab.engines.results import Build, Engine
from dockerlab.errors import DockerlabError
from dockerlab.image.image import Image

MB = 1_000_000
BASE = "FROM debian:trixie-slim\n"
FILES: dict[str, str | bytes | File] = {
    "big.bin": b"b" * 3 * MB,
    "app/a.py": "a = 1\n" * 500,
    "app/b.py": "b = 2\n" * 500,
    "notes.txt": "n",
}

# Lines below the FROM, and the waste they cause: (line that stored, line that wasted, kind, bytes).
Waste = tuple[int, int, str, int]
CASES: dict[str, tuple[str, set[Waste]]] = {
    "a copy beside it": ("COPY big.bin /b\nRUN cp /b /c\n", set()),
    "a move by hand": ("COPY big.bin /b\nRUN cp /b /c\nRUN rm /b\n", {(3, 3, "again", 3 * MB)}),
    "one copy": ("COPY big.bin /b\n", set()),
    "copy, chmod, mv, rm": (
        "COPY big.bin /b\nRUN chmod 600 /b\nRUN mv /b /c\nRUN rm /c\n",
        {(2, 5, "deleted", 3 * MB), (3, 3, "again", 3 * MB), (4, 4, "again", 3 * MB)},
    ),
    "chown": ("COPY big.bin /b\nRUN chown 1000:1000 /b\n", {(3, 3, "again", 3 * MB)}),
    "touch": ("COPY big.bin /b\nRUN touch /b\n", {(3, 3, "again", 3 * MB)}),
    "append": ("COPY big.bin /b\nRUN echo more >> /b\n", {(2, 3, "overwritten", 3 * MB)}),
    "the same file copied twice": ("COPY big.bin /b\nCOPY big.bin /c\n", set()),
    "a folder removed": ("COPY app /app\nRUN rm -r /app\n", {(2, 3, "deleted", 6000)}),
    "a folder made anew": (
        "COPY app /app\nRUN rm -r /app && mkdir /app && echo x > /app/x\n",
        {(2, 3, "deleted", 6000)},
    ),
    "a hard link to a lower file": ("COPY big.bin /b\nRUN ln /b /c\n", {(3, 3, "again", 3 * MB)}),
    "hard links in one layer": (
        "RUN head -c 100000 /dev/zero > /x && ln /x /y\nRUN rm /x\n",
        set(),
    ),
    "made and removed in two": (
        "RUN head -c 500000 /dev/zero > /x\nRUN rm /x\n",
        {(2, 3, "deleted", 500_000)},
    ),
    "made and removed in one": ("RUN head -c 500000 /dev/zero > /x && rm /x\n", set()),
    "a link in its place": (
        "COPY big.bin /b\nRUN ln -sf /etc/hostname /b\n",
        {(2, 3, "overwritten", 3 * MB)},
    ),
    "nothing at all": ("WORKDIR /\nRUN true\nWORKDIR /srv\n", set()),
}


@pytest.fixture(scope="module")
def engine() -> Engine:
    """Return the embedded engine, or skip where it cannot be."""
    try:
        found, _ = choose("embedded")
        found.build(parse(BASE + "RUN true\n"), tag="dockerlab/ledger-tests:latest")
    except DockerlabError as error:
        pytest.skip(f"no embedded engine with a base here: {error.message}")
    return found


@pytest.fixture(params=CASES, scope="module")
def case(request: pytest.FixtureRequest, engine: Engine) -> Iterator[tuple[Build, set[Waste]]]:
    """Build one of the cases."""
    text, waste = CASES[request.param]
    build = engine.build(
        parse(BASE + text), context=Context.files(FILES), tag="dockerlab/ledger-tests:latest"
    )
    yield build, waste
    engine.remove("dockerlab/ledger-tests:latest")


def test_to_the_byte(case: tuple[Build, set[Waste]]) -> None:
    """The classes of each layer add up to its content, and with the headers to its tar."""
    build, _ = case
    book = ledger(build)
    for account, layer in zip(book.rows, build.image.layers, strict=True):
        assert account.content == layer.size_unpacked
        assert account.tar == layer.size_tar == sum(len(chunk) for chunk in _chunks(layer.open_tar()))


def test_lines_that_stored_and_wasted(case: tuple[Build, set[Waste]]) -> None:
    """The ledger names the Dockerfile lines that stored wasted bytes and that wasted them."""
    build, waste = case
    found = {
        (flow.stored_by.line, flow.wasted_by.line, flow.kind, flow.bytes)
        for flow in ledger(build).flows()
        if not flow.stored_by.base
    }
    assert found == waste


def test_live_is_what_a_container_sees(case: tuple[Build, set[Waste]]) -> None:
    """The live contents are those of the files a container would see, no more and no fewer."""
    build, _ = case
    assert _live(ledger(build), build.image) == _visible(build.image)


def _live(book: Ledger, image: Image) -> set[str]:
    live = {(claim.stored_by.layer, claim.path) for claim in book.claims if claim.kind == "live"}
    return {
        hashlib.sha256(layer.open(entry).read()).hexdigest()
        for number, layer in enumerate(image.layers, 1)
        for entry in layer.entries
        if entry.kind == "file" and (number, entry.path) in live
    }


def _visible(image: Image) -> set[str]:
    tree = image.tree()
    nodes = [
        node for path in tree if (node := tree.get(path)) and node.entry.kind == "file" and node.entry.size
    ]
    return {hashlib.sha256(node.origin.open(node.entry).read()).hexdigest() for node in nodes}


def _chunks(stream: object) -> Iterator[bytes]:
    while chunk := stream.read(1 << 20):  # type: ignore[attr-defined]
        yield chunk
