import base64
import json

import pytest

from dockerlab.dockerfile.parser import parse
from dockerlab.dockerfile.scope import BuildArguments
from dockerlab.engines.cache.planned_build import PlannedBuild
from dockerlab.engines.docker.buildkit_events import Graph, Objects, seconds
from dockerlab.engines.docker.buildkit_steps import UNMATCHED, Matcher
from dockerlab.engines.results import Event, Finished, Log, Started

STAMP = "2026-01-01T00:00:0{}.5Z"


def _vertex(digest: str, name: str, *, inputs: list[str] | None = None, **more: object) -> dict[str, object]:
    return {"digest": digest, "name": name, "inputs": inputs or [], **more}


def _ran(
    digest: str, name: str, *, inputs: list[str] | None = None, cached: bool = False
) -> dict[str, object]:
    started, completed = STAMP.format(1), STAMP.format(1 if cached else 3)
    return _vertex(digest, name, inputs=inputs, started=started, completed=completed, cached=cached)


def _matcher(text: str, *, numbered: bool = True) -> tuple[Matcher, list[Event]]:
    events: list[Event] = []
    dockerfile = parse(text)
    planned = PlannedBuild(dockerfile, None, BuildArguments({}, {}), lambda _: None).steps(dockerfile.stages)
    facts = {stage.index: numbered for stage in dockerfile.stages}
    return Matcher(dockerfile, planned, facts, events.append), events


@pytest.mark.parametrize("indent", [None, 2])
def test_objects_are_read_however_they_are_laid_out(indent: int | None) -> None:
    """Status messages on one line (newer buildx) or on many (0.13) are found, other text is kept apart."""
    messages = [{"vertexes": [{"digest": "a", "name": "}"}]}, {"logs": []}]
    text = "\n".join(json.dumps(message, indent=indent) for message in messages)
    objects = Objects()
    lines = f"WARN: first\n{text}\nDockerfile:2\n{{ not json\n}}\nERROR: last\n".splitlines(keepends=True)
    found = [message for line in lines if (message := objects.feed(line)) is not None]
    objects.end()
    assert found == messages
    assert objects.other == ["WARN: first", "Dockerfile:2", "{ not json", "}", "ERROR: last"]


def test_times_have_any_number_of_digits() -> None:
    """RFC 3339 times with nine digits, three, none, and with an offset are the same second."""
    times = ["2026-01-01T00:00:01.250000000Z", "2026-01-01T00:00:01.25Z", "2026-01-01T02:00:01.25+02:00"]
    assert {round(seconds(time), 3) for time in times} == {seconds("2026-01-01T00:00:01Z") + 0.25}


def test_spans_of_a_vertex_add_up() -> None:
    """A vertex that starts twice took the sum of both spans, each counted once."""
    graph = Graph()
    for started, completed in ((1, None), (1, 2), (3, None), (3, 5), (3, 5)):
        ended = STAMP.format(completed) if completed else None
        graph.feed({"vertexes": [_vertex("a", "x", started=STAMP.format(started), completed=ended)]})
    assert graph.vertexes["a"].seconds == 3.0


def test_log_lines_are_put_together() -> None:
    """Pieces become lines, a carriage return starts the line over, and a last line without end counts."""
    said: list[str] = []
    graph = Graph(lambda _, text: said.append(text))
    graph.feed({"vertexes": [_vertex("a", "x")]})
    for piece in (b"on", b"e\n10%\r100%\r\ntw", "o é".encode()):
        graph.feed({"logs": [{"vertex": "a", "data": base64.b64encode(piece).decode()}]})
    graph.feed({"vertexes": [_ran("a", "x")]})
    assert said == ["one", "100%", "two é"]


def test_the_failed_vertex_is_the_one_that_failed() -> None:
    """Vertexes that were stopped because another failed are not taken for the culprit."""
    graph = Graph()
    graph.feed(
        {"vertexes": [_vertex("a", "x", error="context canceled"), _vertex("b", "y", error="exit code: 1")]}
    )
    assert graph.failed is not None
    assert graph.failed.digest == "b"


def test_padded_numbers_and_platforms() -> None:
    """`[linux/amd64 a  2/10]` names step 2 of stage a, as `[a 2/10]` does."""
    matcher, _ = _matcher("FROM x AS a\n" + "".join(f"RUN echo {number}\n" for number in range(9)))
    for number in range(9):
        name = f"[linux/amd64 a {number + 2:2d}/10] RUN echo {number}"
        matcher.feed({"vertexes": [_ran(str(number), name, cached=number % 2 == 0)]})
    steps = matcher.steps({})
    assert [step.cached for step in steps[1:]] == [number % 2 == 0 for number in range(9)]
    assert matcher.unmatched == set()


def test_a_report_that_does_not_fit_is_not_guessed_at() -> None:
    """A number or text that is not the line's leaves the stage without flags, and each step says so."""
    for name in ("[2/2] RUN something else", "[3/2] RUN echo 1", "[2/2] COPY 1 2"):
        matcher, events = _matcher("FROM x\nRUN echo 1\n")
        matcher.feed({"vertexes": [_ran("a", name)]})
        step = matcher.steps({})[1]
        assert (step.cached, step.reason) == (None, UNMATCHED)
        assert matcher.unmatched == {0}
        assert len([event for event in events if isinstance(event, Finished)]) == 2


@pytest.mark.parametrize("numbered", [True, False])
def test_a_base_that_another_build_named_is_passed_over(numbered: bool) -> None:
    """Builds at the same time share a vertex for their base, under one name; other steps keep their flags."""
    matcher, _ = _matcher("FROM x\nRUN echo 1\n", numbered=numbered)
    place = "2/2" if numbered else "1/1"
    other = _ran("base", "[1/8] FROM docker.io/another/name:latest", cached=True)
    matcher.feed({"vertexes": [other, _ran("a", f"[{place}] RUN echo 1", inputs=["base"])]})
    assert [step.cached for step in matcher.steps({})] == [None, False]
    assert matcher.unmatched == set()


def test_a_step_without_any_report_is_not_guessed_at() -> None:
    """A RUN that BuildKit never mentions has no cached flag."""
    matcher, _ = _matcher("FROM x\nRUN echo 1\nRUN echo 2\n")
    matcher.feed({"vertexes": [_ran("b", "[3/3] RUN echo 2", inputs=["other"])]})
    assert [(step.cached, step.reason) for step in matcher.steps({})] == [
        *((None, None), (None, UNMATCHED), (False, None))
    ]


def test_a_step_announced_and_never_begun_was_not_needed() -> None:
    """A vertex that neither started nor ended counts as reused, with the reason."""
    matcher, _ = _matcher("FROM x\nRUN echo 1\nRUN echo 2\n")
    matcher.feed({"vertexes": [_vertex("a", "[2/3] RUN echo 1"), _ran("b", "[3/3] RUN echo 2", cached=True)]})
    step = matcher.steps({})[1]
    assert step.cached is True
    assert "a later step" in str(step.reason)


def test_equal_steps_are_followed_by_what_comes_next() -> None:
    """Of two stages with an equal RUN, the one it is not named after finds it as its next step's input."""
    matcher, _ = _matcher("FROM x AS a\nRUN echo 1\nRUN echo a\nFROM x AS b\nRUN echo 1\nRUN echo b\n")
    vertexes = [
        _ran("one", "[b 2/3] RUN echo 1"),
        _ran("other", "[c 2/3] RUN echo 1"),
        _ran("a", "[a 3/3] RUN echo a", inputs=["one"]),
        _ran("b", "[b 3/3] RUN echo b", inputs=["one"]),
    ]
    matcher.feed({"vertexes": vertexes})
    steps = matcher.steps({})
    assert [step.cached for step in steps] == [None, False, False, None, False, False]
    assert steps[1].reason == "the same step as in stage b: BuildKit does it once"


def test_of_several_vertexes_the_last_one_counts() -> None:
    """ADD of a URL is two vertexes, the download and the copy: it is cached when the copy is."""
    matcher, _ = _matcher("FROM x\nADD http://h/f /f\n")
    name = "[2/2] ADD http://h/f /f"
    matcher.feed({"vertexes": [_ran("copy", name, inputs=["get"], cached=True), _ran("get", name)]})
    assert matcher.steps({})[1].cached is True


def test_events_keep_the_order_of_things() -> None:
    """Lines without a vertex come right before the next one that has one; a log lies in its step."""
    matcher, events = _matcher("FROM x\nENV A=1\nRUN echo 1\nCMD x\n")
    name = "[2/2] RUN echo 1"
    matcher.feed({"vertexes": [_ran("f", "[1/2] FROM docker.io/library/x"), _vertex("a", name)]})
    matcher.feed({"vertexes": [_vertex("a", name, started=STAMP.format(1))]})
    matcher.feed({"logs": [{"vertex": "a", "data": base64.b64encode(b"hi\n").decode()}]})
    matcher.feed({"vertexes": [_ran("a", name)]})
    matcher.steps({})
    order = [
        (type(event).__name__, event.step.number if isinstance(event, Finished) else event.number)
        for event in events
        if isinstance(event, Started | Log | Finished)
    ]
    assert order == [
        *(("Started", 1), ("Finished", 1), ("Started", 2), ("Finished", 2)),
        *(("Started", 3), ("Log", 3), ("Finished", 3), ("Started", 4), ("Finished", 4)),
    ]
