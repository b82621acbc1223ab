from __future__ import annotations

import io
import threading
from dataclasses import replace

import pytest

from dockerlab.engines.results import Finished, Log, Note, Started, Step
from dockerlab.printable import clean
from dockerlab.widgets.progress import BuildProgress, PlainLog, live
from dockerlab.widgets.table import FOLD_ROWS, Table

STEP = Step(1, "0", "RUN", "RUN a", 2, False, 0.25)


@pytest.fixture
def progress() -> BuildProgress:
    """Return the progress of a build that has not begun."""
    return BuildProgress("app", engine="an engine")


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain\n", "plain"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("10%\r20%\r100%\r\n", "100%"),
        ("\x1b]0;title\x07text", "text"),
        ("a\x00b\tc", "ab\tc"),
    ],
)
def test_log_lines_are_cleaned(raw: str, shown: str) -> None:
    """What only a terminal understands is dropped, and a line that was overwritten shows its end."""
    assert clean(raw) == shown


def test_a_running_step_shows_its_last_line(progress: BuildProgress) -> None:
    """While a step runs, its row has the last line it printed, escaped; the bar counts finished steps."""
    progress(Finished(STEP, 2))
    progress(Started(2, 2, "0", "RUN b <c>", 3))
    progress(Log(2, "first"))
    progress(Log(2, "second <d>"))
    progress(Log(2, "  "))
    html = progress.html()
    assert '<progress aria-label="steps done" max="2" value="1"></progress> 1 of 2 steps, an engine' in html
    assert "RUN b &lt;c&gt;" in html
    assert "second &lt;d&gt;" in html
    assert "first" not in html
    assert progress.text() == "app: building, step 2 of 2: RUN b <c>"


def test_notes_show_bytes(progress: BuildProgress) -> None:
    """A pull is told with what is done of what is to do, until the next step begins."""
    progress(Note("pulling debian", 5_000_000, 20_000_000))
    assert "pulling debian: 5.00 MB of 20.0 MB, 25 %" in progress.html()
    progress(Started(1, 1, "0", "RUN a", 2))
    assert "pulling" not in progress.html()


def test_notes_say_how_long_the_rest_takes(progress: BuildProgress, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the pace since this was first said: nothing before there is one, nothing at the end."""
    now = 100.0
    monkeypatch.setattr("dockerlab.widgets.progress.time.monotonic", lambda: now)
    said = []
    for seconds, done in ((0, 0), (4, 20), (9, 60), (2, 80)):
        now += seconds
        progress(Note("setting up packages", done, 80, unit="packages"))
        said.append(progress.note)
    assert said == [
        "setting up packages: 0 of 80, 0 %",
        "setting up packages: 20 of 80, 25 %, about 12.0 s left",
        "setting up packages: 60 of 80, 75 %, about 4.0 s left",
        "setting up packages: 80 of 80, 100 %",
    ]
    progress(Note("writing the layer"))
    assert progress.note == "writing the layer"


def test_stages_side_by_side(progress: BuildProgress) -> None:
    """Steps may overlap and end in any order; the lowest that runs is the one an interrupt names."""
    progress(Started(1, 3, "a", "RUN a", 2))
    progress(Started(2, 3, "b", "RUN b", 5))
    progress(Finished(STEP, 3))
    assert progress.running == 2
    assert "step 2" in progress.interrupted()


def test_an_interrupt_before_the_first_step(progress: BuildProgress) -> None:
    """Nothing was lost when nothing had begun."""
    assert progress.interrupted().startswith("Interrupted: nothing was being built")


def test_a_failure_marks_its_step(progress: BuildProgress) -> None:
    """The row at the error's line has failed; another that ran beside it was interrupted."""
    progress(Started(1, 2, "a", "RUN a", 2))
    progress(Started(2, 2, "b", "RUN b", 5))
    progress.failed(5)
    assert [row[3] for row in progress.table().rows] == ["interrupted", "failed"]


class Screen:
    """Stands for a notebook's output: keeps what was painted, and when there is something to see."""

    def __init__(self) -> None:
        self.painted: list[str] = []
        self.changed = threading.Condition()

    def update(self, progress: BuildProgress, **_: object) -> None:
        """Paint."""
        with self.changed:
            self.painted.append(progress.html())
            self.changed.notify_all()

    def shows(self, text: str) -> bool:
        """Wait until `text` is on the screen, ten seconds at most."""
        with self.changed:
            return self.changed.wait_for(lambda: bool(self.painted) and text in self.painted[-1], timeout=10)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """Catch what would be painted in a notebook."""
    one = Screen()
    monkeypatch.setattr("dockerlab.widgets.progress.show_repaintable", lambda progress: one)
    return one


def test_painting_is_bounded(progress: BuildProgress, screen: Screen) -> None:
    """A thousand lines in a moment repaint a few times, and the last is seen though nothing follows."""
    with live(progress):
        progress(Started(1, 2, "0", "RUN a", 2))
        for number in range(1000):
            progress(Log(1, f"line {number}"))
        assert screen.shows("line 999")
        assert len(screen.painted) < 20
        progress.failed(2)
    assert "failed at line 2" in screen.painted[-1]


def test_a_silent_step_ticks(
    progress: BuildProgress, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a step says nothing, its seconds go on."""
    monkeypatch.setattr("dockerlab.widgets.progress.TICK_SECONDS", 0.01)
    with live(progress):
        progress(Started(1, 1, "0", "RUN a", 2))
        assert screen.shows("<td>0 s</td>")
        painted = len(screen.painted)
        with screen.changed:
            assert screen.changed.wait_for(lambda: len(screen.painted) > painted + 1, timeout=10)


def test_a_build_speaks_when_a_step_ends(progress: BuildProgress, screen: Screen) -> None:
    """Lines, bytes and seconds change what is seen, not what is said; what is saved has no script."""
    said = []
    with live(progress):
        for event in (
            Note("pulling debian", 5_000_000, 20_000_000),
            Started(1, 2, "0", "RUN a", 2),
            Log(1, "</script>"),
            Finished(STEP, 2),
            Started(2, 2, "0", "RUN b", 3),
            Log(2, "a line"),
        ):
            progress(event)
            said.append(progress.said())
        assert screen.shows("step 1 of 2 ran 0.25 s")
        progress.failed(3)
    assert said == ["", "", "", *["app: step 1 of 2 ran 0.25 s"] * 3]
    assert "failed at line 3" in screen.painted[-2]
    assert "<script" in screen.painted[-2]
    assert "<script" not in screen.painted[-1]


def test_a_build_that_ends_badly_is_not_left_running(progress: BuildProgress, screen: Screen) -> None:
    """Whatever ends the block, the thread is gone and the last picture says that nothing was built."""
    progress(Started(1, 1, "0", "RUN a", 2))
    with pytest.raises(ZeroDivisionError), live(progress):
        raise ZeroDivisionError
    assert "not built" in screen.painted[-1]
    assert not [thread for thread in threading.enumerate() if thread.name == "build progress"]


def test_plain_log_of_every_event() -> None:
    """Each event is a line: started, log, cached or ran or done, note."""
    out = io.StringIO()
    write = PlainLog(out)
    write(Started(1, 2, "0", "RUN a", 2))
    write(Log(1, "hello"))
    for cached in (True, False, None):
        write(Finished(replace(STEP, cached=cached), 2))
    write(Note("stand-in for debian"))
    assert out.getvalue().splitlines() == [
        "#1 [1/2] RUN a",
        "#1   hello",
        "#1 CACHED",
        "#1 ran in 0.25 s",
        "#1 done",
        "-- stand-in for debian",
    ]


def test_a_table_is_aligned_and_cut() -> None:
    """Numbers stand right, code is cut so that the line fits, everything is escaped in HTML."""
    table = Table("Two rows", ("n", "what"), (("1", "x" * 200), ("10", "<b>")), right=("n",), code=("what",))
    lines = table.text(width=40).splitlines()
    assert lines[:2] == ["Two rows", " n  what"]
    assert lines[2].endswith("x…")
    assert max(map(len, lines)) <= 40
    assert lines[3] == "10  <b>"
    assert "<code>&lt;b&gt;</code>" in table.html()


def test_a_long_table_is_folded() -> None:
    """More rows than fit a screen are folded away in HTML and whole in text; none is dropped."""
    rows = tuple((str(number),) for number in range(FOLD_ROWS + 1))
    table = Table("Many", ("n",), rows)
    assert f"<summary>{FOLD_ROWS + 1} rows</summary>" in table.html()
    assert len(table.text().splitlines()) == FOLD_ROWS + 3
    assert table.newest_first().rows[0] == rows[-1]


def test_an_empty_table_is_its_caption() -> None:
    """Without rows there is no head either."""
    assert Table("0 images", ("a",), ()).text() == "0 images"
