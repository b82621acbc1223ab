from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockerlab.context.context import Context, File
from dockerlab.engines.results import Engine
from dockerlab.errors import ContextError, EngineError
from dockerlab.widgets.controls import SUBMIT
from dockerlab.widgets.playground import Playground, _Card
from dockerlab.widgets.playground_model import DOCKERFILE, forget, text_files
from tests.fake_engine import FakeEngine

TEXT = "FROM scratch\nCOPY app.py /\nRUN make\n"


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Forget the playground before and after a test."""
    forget("test")
    yield
    forget("test")


@pytest.fixture
def ground(tmp_path: Path) -> Playground:
    """A playground on an engine in memory."""
    return on(FakeEngine(tmp_path))


def on(engine: Engine, text: str = TEXT) -> Playground:
    """Return a playground on that engine."""
    return Playground(text, {"app.py": "print(1)\n"}, engine=engine, name="test", tag="dockerlab/test:latest")


def test_attempts_are_kept_and_compared(ground: Playground) -> None:
    """Each build is a row; two of them stand side by side with what was changed in their files."""
    assert ground.build().result == "built"
    ground.files[DOCKERFILE] = TEXT.replace("make", "make all")
    ground.files["new.txt"] = "hi\n"
    ground.build()
    assert [row[:2] for row in ground.history().rows] == [("2", "built"), ("1", "built")]
    table, difference = ground.compared(1, 2)
    assert {row[0]: row[1:] for row in table.rows}["cached steps"] == ("1 of 2", "1 of 2")
    assert difference.splitlines()[:2] == ["--- Dockerfile", "+++ Dockerfile"]
    assert "+RUN make all" in difference
    assert "--- (no such file)\n+++ new.txt" in difference


def test_a_failure_names_its_line(ground: Playground) -> None:
    """What went wrong is said with its line, and the next build is possible."""
    ground.files[DOCKERFILE] = "FROM scratch\nRUN false\n"
    attempt = ground.build()
    assert (attempt.result, attempt.build) == ("failed at line 2", None)
    assert "Dockerfile line 2" in ground.bench.error
    ground.reset()
    assert ground.build().result == "built"
    assert ground.bench.error == ""


def test_a_cell_that_runs_again_goes_on(ground: Playground) -> None:
    """The same Dockerfile finds the edits and attempts again; another starts from its own text."""
    ground.files["app.py"] = "print(2)\n"
    ground.build()
    again = on(ground.engine)
    assert again.files["app.py"] == "print(2)\n"
    assert len(again.attempts) == 1
    other = on(ground.engine, "FROM scratch\n")
    assert other.files == {DOCKERFILE: "FROM scratch\n", "app.py": "print(1)\n"}
    assert len(other.attempts) == 1


def test_without_a_front_end_it_is_text(ground: Playground) -> None:
    """Elsewhere the files are shown, and no random id gets into a saved notebook."""
    bundle = ground._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    assert "--- app.py\nprint(1)" in bundle["text/plain"]
    assert bundle == on(ground.engine)._repr_mimebundle_()


def test_the_controls_drive_it(ground: Playground) -> None:
    """Edits reach the build, files come and go, Build shows progress, log, chart and history."""
    card = _Card(ground)
    card.dockerfile.value = TEXT + "LABEL a=b\n"
    card.text.value = "print(3)\n"
    card.new.value = "lib/x.py"
    card.add.click()
    card.text.value = "x = 1\n"
    assert ground.files == {DOCKERFILE: TEXT + "LABEL a=b\n", "app.py": "print(3)\n", "lib/x.py": "x = 1\n"}
    card.remove.click()
    assert card.choice.value == "app.py"
    assert card.text.value == "print(3)\n"
    for _ in range(2):
        card.build.click()
        assert ground.wait(10)
    assert "attempt 2: 3 steps, 1 cached" in card.progress.value
    assert "attempt 2: 3 steps, 1 cached" in card.said.value
    assert "#1   working" in card.log.value
    assert "application/vnd.plotly.v1+json" in card.chart.outputs[0]["data"]
    assert "2 attempts" in card.history.value
    assert (card.one.value, card.other.value) == (1, 2)
    card.compare.click()
    assert "The same files." in card.compared.value
    card.reset.click()
    assert card.dockerfile.value == TEXT


def test_what_was_typed_last_is_built(ground: Playground) -> None:
    """Ctrl+Enter arrives with the text it is pressed in: that text is built, unless a build is under way."""
    card = _Card(ground)
    card.text.value = f"print(4)\n{SUBMIT}"
    assert ground.wait(10)
    assert card.text.value == ground.files["app.py"] == "print(4)\n"
    card.build.disabled = True
    card.dockerfile.value = f"{TEXT}LABEL a=b\n{SUBMIT}"
    assert card.dockerfile.value == ground.files[DOCKERFILE] == f"{TEXT}LABEL a=b\n"
    assert len(ground.attempts) == 1


def test_an_error_is_shown(ground: Playground) -> None:
    """The message stands in the widget, and the chart of the build before it is gone."""
    card = _Card(ground)
    card.build.click()
    assert ground.wait(10)
    card.dockerfile.value = "FROM scratch\nRUN false\n"
    card.build.click()
    assert ground.wait(10)
    assert 'role="alert"' in card.error.value
    assert "Dockerfile line 2" in card.error.value
    assert card.chart.outputs == ()
    assert not card.build.disabled
    assert card.cancel.disabled


def test_a_context_of_text_only(tmp_path: Path) -> None:
    """A folder's text files can be edited; what is no text, or too long, is refused by name."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.txt").write_text("é")
    assert text_files(Context.folder(tmp_path)) == {"sub/a.txt": "é"}
    (tmp_path / "bin").write_bytes(b"\xff\xfe")
    with pytest.raises(ContextError, match="bin is not UTF-8"):
        text_files(Context.folder(tmp_path))
    (tmp_path / "bin").write_bytes(b"x" * 300_000)
    with pytest.raises(ContextError, match="bin is too large"):
        text_files(Context.folder(tmp_path))


@pytest.mark.skipif(sys.platform != "linux", reason="the embedded engine runs on Linux")
@pytest.mark.parametrize("sandbox", ["namespaces", "proot"])
def test_cancel_leaves_nothing(sandbox: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancel ends a RUN that says nothing, its processes too; the steps before it stay cached."""
    from dockerlab.engines.embedded import EmbeddedEngine

    busybox = next((path for path in map(Path, ("/usr/bin/busybox", "/bin/busybox")) if path.exists()), None)
    if busybox is None or b"/ld-linux" in busybox.read_bytes():
        pytest.skip("needs a statically linked busybox")
    if sandbox == "proot" and shutil.which("proot") is None:
        pytest.skip("needs proot")
    monkeypatch.setenv("DOCKERLAB_SANDBOX", sandbox)
    engine = EmbeddedEngine(tmp_path / "store")
    try:
        engine.sandbox  # noqa: B018 - found by trying
    except EngineError as error:
        pytest.skip(str(error))
    text = "FROM scratch\nCOPY busybox /bin/\n"
    context = Context.files({"busybox": File(busybox.read_bytes(), 0o755)})
    engine.build(text, context=context, tag="dockerlab/box:latest")
    marker = f"{os.getpid()}{sandbox == 'proot':d}7"
    ground = on(engine, f'FROM dockerlab/box\nCOPY app.py /\nRUN ["/bin/busybox", "sleep", "{marker}"]\n')
    started = threading.Event()
    ground.start()
    progress = ground.bench.progress
    assert progress is not None
    for _ in range(1000):
        if running(marker):
            break
        started.wait(0.02)
    assert running(marker)
    ground.cancel()
    assert ground.wait(20)
    assert ground.attempts[-1].result == "cancelled"
    assert "nothing was kept of step 3" in ground.bench.error
    assert not running(marker)
    work = tmp_path / "store" / "work"
    assert not list((work / "runs").glob("*"))
    ground.files[DOCKERFILE] = "FROM dockerlab/box\nCOPY app.py /\n"
    again = ground.build()
    assert again.build is not None
    assert [step.cached for step in again.build.steps] == [None, True]


def running(marker: str) -> bool:
    """Tell whether a process sleeps for that many seconds."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[-2:-1] == [marker.encode()] and b"sleep" in words:
            return True
    return False
