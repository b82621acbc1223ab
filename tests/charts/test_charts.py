"""Charts: the finding in the title, the numbers in the table, and JSON that any plotly draws alike."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from dockerlab import charts
from dockerlab.analysis.ledger import ledger
from dockerlab.charts.picture import PLOTLY, byte_ticks, clip, heading, ink
from dockerlab.dockerfile.parser import parse
from dockerlab.engines.results import Build, Step
from dockerlab.image.image import Image
from tests.tiny_images import Members, stack

MB = 1_000_000
BASE: Members = {"usr/lib/base": b"b" * 5 * MB}
TWO = "FROM debian:trixie-slim\nRUN dd if=/dev/zero of=/d bs=1M count=20\nRUN rm /d\n"
ONE = "FROM debian:trixie-slim\nRUN dd if=/dev/zero of=/d bs=1M count=20 && rm /d\n"


def built(folder: Path, name: str, text: str, layers: list[Members], *, stand_in: str | None = None) -> Build:
    """Return a finished build of `text` whose layers are the base and one per instruction."""
    folder = folder / name
    folder.mkdir()
    dockerfile = parse(text)
    instructions = dockerfile.stages[-1].instructions
    records = ["# debian.sh", '-CMD ["bash"]']
    records += [f"RUN /bin/sh -c {one.text.removeprefix('RUN ')} # buildkit" for one in instructions]
    image = stack(folder, [BASE, *layers], history=records, base=1, stand_in=stand_in)
    steps = tuple(
        Step(
            number=number,
            stage="0",
            keyword=one.keyword,
            text=one.text,
            line=one.line,
            cached=False,
            seconds=1.5,
            diff_id=layer.diff_id,
        )
        for number, (one, layer) in enumerate(zip(instructions, image.layers[1:], strict=True), 1)
    )
    return Build(
        name=name,
        image=image,
        steps=steps,
        engine="embedded (namespaces)",
        builder="embedded",
        seconds=3.0,
        dockerfile=dockerfile,
        context_bytes=0,
        base="debian:trixie-slim",
        stand_in=stand_in,
    )


@pytest.fixture
def two_runs(tmp_path: Path) -> Build:
    """A build that makes a 20 MB file in one RUN and removes it in the next."""
    return built(tmp_path, "two_runs", TWO, [{"d": 20 * MB}, {"d": None}])


@pytest.fixture
def one_run(tmp_path: Path) -> Build:
    """The same in one RUN."""
    return built(tmp_path, "one_run", ONE, [{"tmp": "dir"}], stand_in="debian:trixie-slim")


def words(picture: charts.Picture) -> str:
    """Return all text that plotly draws, markup taken off."""
    return re.sub(r"<[^>]*>", "", json.dumps(picture.spec["layout"]) + json.dumps(picture.spec["data"]))


def test_layer_stack_says_what_to_see(two_runs: Build) -> None:
    """The title counts own layers and bytes and names the line whose removal frees nothing."""
    picture = charts.layer_stack(two_runs)
    assert picture.title == "two_runs adds 2 layers with 20.0 MB; line 3 removes 1 path and frees nothing"
    assert picture.rows[1][:4] == ("2", "line 2", "RUN dd if=/dev/zero of=/d bs=1M count=20", "20.0 MB")
    assert picture.rows[2][3] == "0 B (removes 1 path)"


def test_every_picture_names_its_engine(two_runs: Build, one_run: Build) -> None:
    """Chart and sentence both name the engine, and the base when it is a stand-in."""
    pictures = [
        charts.layer_stack(one_run),
        charts.compare(two_runs, one_run),
        charts.ledger_by_layer(ledger(one_run)),
    ]
    for picture in pictures:
        for text in (picture.summary, words(picture)):
            assert "embedded (namespaces)" in text
            assert "stand-in for debian:trixie-slim" in text
    assert "stand-in" not in charts.layer_stack(two_runs).summary


def test_an_engine_is_named_once(tmp_path: Path) -> None:
    """Images of one engine on two stand-ins: its name stands once, with both bases after it."""
    three = [
        built(tmp_path, f"on_{number}", ONE, [{"d": b"x"}], stand_in=base)
        for number, base in enumerate(("node:22-slim", "nginx:alpine", None))
    ]
    said = "built by embedded (namespaces), on stand-ins for node:22-slim and nginx:alpine"
    for picture in (charts.compare(*three), charts.layer_sharing(*three)):
        assert said in picture.summary


def test_layers_without_content_are_drawn(two_runs: Build) -> None:
    """A layer of 0 bytes has a mark to see and point at, and a label that says what it does."""
    data = charts.layer_stack(two_runs).spec["data"]
    marks = next(trace for trace in data if trace.get("mode") == "markers")
    assert marks["x"] == [0]
    assert "RUN rm /d" in marks["hovertext"][0]
    assert "0 B, removes 1 path" in words(charts.layer_stack(two_runs))


def test_bars_are_equally_thick(two_runs: Build) -> None:
    """A bar with an empty row beside it is as thick as the others."""
    for picture in (charts.layer_stack(two_runs), charts.ledger_by_layer(ledger(two_runs))):
        bars = [trace for trace in picture.spec["data"] if trace["type"] == "bar"]
        assert len({trace["width"] for trace in bars}) == 1, picture.title
        assert all(0 < trace["width"] < 1 for trace in bars)


def test_compare_says_the_difference(two_runs: Build, one_run: Build) -> None:
    """The title gives the difference in bytes and layers, whichever way round the builds are given."""
    for pair in ((two_runs, one_run), (one_run, two_runs)):
        assert charts.compare(*pair).title == "one_run stores 20.0 MB less than two_runs, in 1 layer fewer"
    assert charts.compare(two_runs, two_runs).title == "two_runs (1) and two_runs (2) store the same 20.0 MB"


def test_compare_counts_bases_that_differ(tmp_path: Path, one_run: Build) -> None:
    """Images on different bases are compared whole, bases drawn."""
    (tmp_path / "other").mkdir()
    other = stack(tmp_path / "other", [{"x": 30 * MB}, {"y": MB}], base=1, name="other:1")
    picture = charts.compare(one_run, other)
    assert picture.title == "one_run stores 26.0 MB less than other:1, in as many layers"
    assert "all layers" in picture.summary


def test_ledger_by_layer_names_both_lines(two_runs: Build) -> None:
    """The title says which line wasted what which line stored; the row carries it too."""
    picture = charts.ledger_by_layer(ledger(two_runs))
    assert picture.title.endswith("for nothing: line 3 deletes what line 2 stored")
    assert "20.0 MB deleted by line 3" in words(picture)
    assert "0 B, hides 20.0 MB below" in words(picture)


def test_ledger_by_layer_draws_the_same_content_twice(tmp_path: Path) -> None:
    """What is there twice has a look, a word and a column of its own, which a ledger without it has not."""
    plain = charts.ledger_by_layer(ledger(stack(tmp_path, [{"a": MB}, {"b": 2 * MB}])))
    picture = charts.ledger_by_layer(ledger(stack(tmp_path, [{"a": MB}, {"b": MB}])))
    assert "the same twice 1.00 MB" in words(picture)
    assert "the same content twice: 1,000,000 bytes" in words(picture)
    assert set(picture.columns) - set(plain.columns) == {"the same content twice"}
    assert picture.title == "stack:latest stores 2.00 MB and wastes none of it"


def test_bundle_has_three_forms(two_runs: Build) -> None:
    """A notebook gets plotly's JSON, an HTML table with the sentence, and plain text."""
    picture = charts.layer_stack(two_runs)
    bundle = picture._repr_mimebundle_()
    assert set(bundle) == {PLOTLY, "text/html", "text/plain"}
    assert bundle["text/html"].startswith(f"<div><p>{picture.summary}</p><table>")
    assert bundle["text/plain"].startswith(picture.summary)
    assert "<script" not in bundle["text/html"]


def test_charts_keep_their_own_height(two_runs: Build) -> None:
    """Plotly's `responsive` is off: JupyterLab would squeeze the chart to the height of an empty cell."""
    spec = charts.layer_stack(two_runs).spec
    assert "responsive" not in spec["config"]
    assert spec["layout"]["height"] > 150


def test_same_input_same_json(two_runs: Build) -> None:
    """Drawing twice gives the same JSON, without ids made up on the way."""
    first, second = (json.dumps(charts.layer_stack(two_runs)._repr_mimebundle_()) for _ in range(2))
    assert first == second


def test_markup_in_an_instruction_is_shown_as_text(tmp_path: Path) -> None:
    """`<`, `>` and `&` of an instruction are letters in the chart, its hover boxes and the table."""
    text = "FROM debian:trixie-slim\nRUN cat <b>x</b> && true\n"
    picture = charts.layer_stack(built(tmp_path, "odd", text, [{"f": b"1"}]))
    assert "<b>x</b>" not in json.dumps(picture.spec)
    assert "&lt;b&gt;x&lt;/b&gt; &amp;&amp; true" in json.dumps(picture.spec)
    assert "<b>x</b>" not in picture.html()


def test_figure_is_a_valid_plotly_figure(two_runs: Build, one_run: Build) -> None:
    """Plotly's own validation takes every property of every chart."""
    pytest.importorskip("plotly")
    for picture in (
        charts.layer_stack(two_runs),
        charts.compare(two_runs, one_run),
        charts.ledger_by_layer(ledger(two_runs)),
    ):
        assert picture.figure.layout.height == picture.spec["layout"]["height"]


def many(folder: Path, count: int) -> Image:
    """Return an image of `count` layers, a few of them large."""
    return stack(folder, [{f"f{i}": (i % 17 == 0) * 90_000 + i} for i in range(count)], name="deep:1")


def test_many_layers_stay_in_one_screen(tmp_path: Path) -> None:
    """127 layers are all drawn, within 900 pixels of height, with labels that keep apart."""
    picture = charts.layer_stack(many(tmp_path, 127))
    assert picture.spec["layout"]["height"] < 900
    drawn = {y for trace in picture.spec["data"] if trace.get("mode") != "text" for y in trace["y"]}
    assert len(drawn) == 127
    places = sorted(picture.spec["layout"]["yaxis"]["tickvals"])
    assert len(places) > 10
    assert min(b - a for a, b in pairwise(places)) * 720 / 127 >= 16


@pytest.mark.parametrize("largest", [0, 1, 999, 20_971_520, 7.7e9])
def test_ticks_are_round_and_within(largest: float) -> None:
    """Ticks start at zero, do not pass the end of the axis, and are few."""
    places, labels = byte_ticks(largest)
    assert places[0] == 0
    assert places[-1] <= max(largest, 0)
    assert len(places) == len(labels) <= 6


def test_clip_keeps_both_ends() -> None:
    """A long instruction keeps its start and its end, and the length asked for."""
    short = clip("RUN apt-get update && apt-get install -y python3 && rm -rf /var/lib/apt/lists/*", 40)
    assert len(short) <= 40
    assert short.startswith("RUN apt-get")
    assert short.endswith("lists/*")


def test_ink_follows_the_theme() -> None:
    """Text takes its colour from the notebook's theme, with a neutral one where there is none."""
    assert ink("a<b").startswith('<span style="color:var(--jp-content-font-color1, ')
    assert ink("a<b").endswith(">a&lt;b</span>")


def test_charts_do_not_load_plotly() -> None:
    """Making a picture's JSON needs no plotly, so that neither import nor drawing waits for it."""
    code = "import sys, dockerlab.charts; sys.exit('plotly' in sys.modules or 'docker' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def steps_of(build: Build, cached: dict[int, bool], seconds: dict[int, float] | None = None) -> Build:
    """Return the build with other cached flags and times, by step number."""
    return replace(
        build,
        steps=tuple(
            replace(
                step, cached=cached.get(step.number), seconds=(seconds or {}).get(step.number, step.seconds)
            )
            for step in build.steps
        ),
    )


def test_timeline_names_the_slowest_line(two_runs: Build) -> None:
    """The title gives the build's time and the slowest line; each step starts where the last one ended."""
    picture = charts.build_timeline(steps_of(two_runs, {1: False, 2: False}, {1: 2.5, 2: 0.5}))
    assert picture.title == "two_runs took 3.0 s, 2.5 s of it in line 2"
    bars = next(trace for trace in picture.spec["data"] if trace["type"] == "bar")
    assert (bars["base"], bars["x"]) == ([0.0, 2.5], [2.5, 0.5])


def test_timeline_of_a_cached_build(two_runs: Build) -> None:
    """Cached steps are hatched and say so; metadata has no row and is counted."""
    assert charts.build_timeline(steps_of(two_runs, {1: True, 2: True})).title.endswith(
        "all steps came from the cache"
    )
    picture = charts.build_timeline(steps_of(two_runs, {1: True}))
    assert "1 other instruction only set metadata" in words(picture)
    assert [row[3] for row in picture.rows] == ["cached", "metadata"]


def test_cache_grid_compares_edits(two_runs: Build) -> None:
    """One column per edit says which steps ran; the title gives the worst and the best edit."""
    grid = {
        "none": steps_of(two_runs, {1: True, 2: True}),
        "line 2": steps_of(two_runs, {1: False, 2: False}, {1: 2.5}),
    }
    picture = charts.cache_grid(grid)
    assert picture.title == '2 of 2 steps ran again after "line 2", none after "none"'
    assert picture.rows[0][3:] == ("cached", "ran, 2.5 s")
    with pytest.raises(ValueError, match="1 to 8"):
        charts.cache_grid({})


def test_rebuild_cost_says_which_order_is_cheapest() -> None:
    """The sums per order are of its edits, and the picture says that they are computed."""
    orders = {
        "COPY . first": {"app.py": 3600.0},
        "requirements first": {"app.py": 60.0, "requirements.txt": 30.0},
    }
    picture = charts.rebuild_cost(orders, engine="embedded (namespaces)")
    assert picture.title.startswith('"requirements first" costs 1 min 30 s of rebuilding a week')
    assert "computed from builds measured on embedded (namespaces)" in picture.summary


def test_sharing_counts_a_layer_once(tmp_path: Path, two_runs: Build, one_run: Build) -> None:
    """The base that two images have in common takes its place on disk once."""
    picture = charts.layer_sharing(two_runs, one_run)
    assert picture.title == "2 images of 30.0 MB take 25.0 MB: they share 1 layer"
    (tmp_path / "alone").mkdir()
    alone = stack(tmp_path / "alone", [{"x": 10}], name="alone:1")
    assert "share no layer" in charts.layer_sharing(alone, two_runs).title


def test_layer_map_finds_where_the_bytes_are(tmp_path: Path) -> None:
    """The title goes down to where most bytes are; folders that only hold a folder are one tile."""
    files: Members = {f"usr/lib/py/m{i}": 100 + i for i in range(9)} | {"usr/lib/other": 300, "etc/x": 7}
    picture = charts.layer_map(stack(tmp_path, [files], name="map:1"))
    assert picture.title == "map:1, layer 1: 75 % of its 1.24 kB in 11 files is below /usr/lib/py"
    trace = picture.spec["data"][0]
    assert "/usr/lib" in trace["ids"]
    assert "/usr" not in trace["ids"]
    with pytest.raises(ValueError, match="no layer 2"):
        charts.layer_map(stack(tmp_path, [files]), 2)


def test_layer_map_of_many_files_adds_up(tmp_path: Path) -> None:
    """However many files, few tiles are drawn, and in each folder they add up to the folder."""
    files: Members = {f"d{i % 7}/e{i % 31}/f{i}": i for i in range(3000)}
    trace = charts.layer_map(stack(tmp_path, [files])).spec["data"][0]
    assert len(trace["ids"]) < 700
    size = dict(zip(trace["ids"], trace["values"], strict=True))
    below: Counter[str] = Counter()
    for parent, value in zip(trace["parents"], trace["values"], strict=True):
        below[parent] += value
    assert all(size[parent] == total for parent, total in below.items() if parent)


def test_all_pictures_are_valid_plotly(tmp_path: Path, two_runs: Build, one_run: Build) -> None:
    """Plotly validates these pictures too, their tables fit their columns, their JSON has no NaN."""
    pytest.importorskip("plotly")
    pictures = [
        charts.build_timeline(two_runs),
        charts.cache_grid({"a": two_runs, "b": one_run}),
        charts.rebuild_cost({"a": {"x": 1.0}}, engine="e"),
        charts.layer_sharing(two_runs, one_run),
        charts.layer_map(two_runs),
    ]
    for picture in pictures:
        assert picture.figure.layout.height == picture.spec["layout"]["height"]
        assert all(len(row) == len(picture.columns) for row in picture.rows)
        assert set(picture.right) <= set(picture.columns)
        json.dumps(picture._repr_mimebundle_(), allow_nan=False)


def test_a_note_breaks_between_its_parts() -> None:
    """What stands below a title goes on in a new line between two parts, and inside one only if it must."""
    short, long = "made by one · two layers", "x " * 70
    text, height = heading("Title", f"{'a' * 60} · {short} · {'b' * 40} · {long}")
    lines = [re.sub("<[^>]+>", "", line) for line in text.split("<br>")]
    assert lines[1:3] == [f"{'a' * 60} · {short}", "b" * 40]
    assert " ".join(lines[3:]).split() == long.split()
    assert height == 20 + 20 * len(lines)
