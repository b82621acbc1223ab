"""History rows: which made a layer, from which Dockerfile line, readable."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockerlab.analysis.history import UNRECORDED, layer_rows, readable, rows
from dockerlab.dockerfile.parser import parse
from dockerlab.engines.results import Build, Step
from dockerlab.image.image import Image
from tests.tiny_images import stack


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ("RUN /bin/sh -c apt-get update # buildkit", "RUN apt-get update"),
        ("RUN |2 V=1 W=a b /bin/sh -c echo $V # buildkit", "RUN echo $V"),
        ("COPY app /srv # buildkit", "COPY app /srv"),
        ("ENV X=1 Y=two words", "ENV X=1 Y=two words"),
        ('/bin/sh -c #(nop)  CMD ["bash"]', 'CMD ["bash"]'),
        ("/bin/bash -e -c #(nop) COPY dir:abc in /srv ", "COPY dir:abc in /srv"),
        ("/bin/sh -c #(nop) COPY dir:abc in /srv ", "COPY dir:abc in /srv"),
        ("/bin/sh -c apt-get update", "RUN apt-get update"),
        ("|1 V=1 /bin/sh -c echo $V", "RUN echo $V"),
        ("RUN /bin/bash -o pipefail -c true # buildkit", "RUN /bin/bash -o pipefail -c true"),
        ("# debian.sh --arch 'amd64' out/ 'trixie'", "# debian.sh --arch 'amd64' out/ 'trixie'"),
        ("RUN /bin/sh -c set -e\necho  a # buildkit", "RUN set -e echo a"),
        ("", ""),
    ],
)
def test_records_of_all_builders_become_instructions(record: str, text: str) -> None:
    """Shell, build arguments, `#(nop)` and builder marks are taken off; nothing else is."""
    assert readable(record) == text


TEXT = """\
FROM debian:trixie-slim AS one
WORKDIR /app
RUN true
FROM other AS aside
RUN true
FROM one
ENV X=1
RUN true
ONBUILD RUN x
RUN true
CMD ["sh"]
"""
HISTORY = [
    "# debian.sh",
    '-CMD ["bash"]',
    "WORKDIR /app",
    "RUN /bin/sh -c true # buildkit",
    "-ENV X=1",
    "RUN /bin/sh -c true # buildkit",
    "RUN /bin/sh -c true # buildkit",
    '-CMD ["sh"]',
]


def build(image: Image, text: str, diffs: list[str | None]) -> Build:
    """Return a build with a step per instruction, in order, with these diff IDs."""
    dockerfile = parse(text)
    steps: list[Step] = []
    for stage in dockerfile.stages:
        for instruction in stage.instructions:
            number = len(steps) + 1
            steps.append(
                Step(
                    number=number,
                    stage=stage.name or str(stage.index),
                    keyword=instruction.keyword,
                    text=instruction.text,
                    line=instruction.line,
                    cached=number % 2 == 0,
                    seconds=float(number),
                    diff_id=diffs[number - 1],
                )
            )
    return Build("made", image, tuple(steps), "embedded", "embedded", 1.0, dockerfile, 0)


def test_rows_get_their_lines_across_stages(tmp_path: Path) -> None:
    """Equal empty layers of several stages go to the right lines, and ONBUILD, without a row, shifts none."""
    image = stack(tmp_path, [{"b": b"base"}, {"app": "dir"}, {}, {}, {}], history=HISTORY, base=1)
    empty = image.layers[2].diff_id
    found = rows(build(image, TEXT, [image.layers[1].diff_id, empty, empty, None, empty, None, empty, None]))
    assert [row.line for row in found] == [None, None, 2, 3, 7, 8, 10, 11]
    assert [row.base for row in found] == [True, True] + [False] * 6
    assert [row.layer for row in found] == [1, None, 2, 3, None, 4, 5, None]
    assert [row.where for row in found] == [
        "base layer 1",
        "row 2",
        *(f"line {n}" for n in (2, 3, 7, 8, 10, 11)),
    ]
    assert found[5].seconds == 5.0


def test_rows_of_an_image_alone(tmp_path: Path) -> None:
    """Without a build rows have no lines; metadata as old as the last base layer counts as the base."""
    image = stack(tmp_path, [{"b": b"base"}, {"app": "dir"}, {}, {}, {}], history=HISTORY, base=1)
    found = rows(image)
    assert [row.base for row in found] == [True, True] + [False] * 6
    assert {row.line for row in found} == {None}
    assert found[2].text == "WORKDIR /app"
    assert (found[0].size_unpacked, found[0].size_tar) == (4, image.layers[0].size_tar)


def test_layers_the_history_does_not_mention(tmp_path: Path) -> None:
    """A history that counts other layers explains none: each layer still gets its one row."""
    image = stack(tmp_path, [{"a": b"1"}, {"b": b"2"}], history=["RUN x", "-CMD y"])
    assert [row.layer for row in rows(image)] == [None, None, 1, 2]
    assert [(row.layer, row.text) for row in layer_rows(image)] == [(1, UNRECORDED), (2, UNRECORDED)]
