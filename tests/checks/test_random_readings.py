from __future__ import annotations

from dockerlab.checks.random_readings import with_readings
from dockerlab.dockerfile.parser import parse

TEXT = """\
FROM debian:trixie-slim AS tools
RUN apt-get update
FROM tools
ENV N=1
RUN <<EOF
seq 5 > /a
EOF
RUN seq 6
"""


def test_the_program_stands_right_above_the_line_that_calls_it() -> None:
    """Only the stage that calls seq gets it, in a heredoc too, so that lines above stay in the cache."""
    text = with_readings(parse(TEXT), 7)
    changed = parse(text)
    assert [one.keyword for one in changed.stages[0].instructions] == ["RUN"]
    assert [one.keyword for one in changed.stages[1].instructions] == ["ENV", "COPY", "COPY", "RUN", "RUN"]
    assert "srand(7)" in text


def test_a_text_without_seq_stays_as_it_is() -> None:
    """Where nothing calls seq nothing is put in."""
    text = "FROM debian:trixie-slim\nRUN echo sequence\n"
    assert with_readings(parse(text), 7) == text
