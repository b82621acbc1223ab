from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.testing.globalipapp import get_ipython as start_shell
from IPython.utils.capture import CapturedIO, capture_output
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

import dockerlab
from dockerlab import engines
from dockerlab.engines.results import Build
from dockerlab.errors import ContextError, OptionError, RegistryError
from dockerlab.notebook import calls as notebook
from dockerlab.notebook.magics import find_context, split
from dockerlab.notebook.not_built import NotBuilt
from tests.fake_engine import FakeEngine

ROOT = Path(__file__).parents[2]
BODY = "FROM scratch\nRUN one\nLABEL a=b\nCOPY two /\n"

# What a notebook runs first, so that its kernel builds on a fake and not on this machine's engine.
ON_A_FAKE = f"""
import sys, tempfile
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from dockerlab import engines
from tests.fake_engine import FakeEngine
fake = FakeEngine(Path(tempfile.mkdtemp()))
engines.choose = lambda name=None: (fake, "It is a fake.")
%load_ext dockerlab
"""


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """Make a fake what `choose()` returns."""
    fake = FakeEngine(tmp_path)
    monkeypatch.setattr(engines, "choose", lambda name=None: (fake, "It is a fake."))
    return fake


@pytest.fixture
def shell(engine: FakeEngine) -> Iterator[InteractiveShell]:
    """Return an IPython in this process with the extension loaded and no variables of an earlier test."""
    ipython: InteractiveShell | None = start_shell() or InteractiveShell.instance()
    assert ipython is not None
    ipython.run_line_magic("load_ext", "dockerlab")
    before = set(ipython.user_ns)
    yield ipython
    for name in set(ipython.user_ns) - before:
        del ipython.user_ns[name]


def magic(shell: InteractiveShell, line: str, body: str = BODY) -> CapturedIO:
    """Run one `%%dockerfile` cell and return what it showed."""
    with capture_output() as captured:
        shell.run_cell_magic("dockerfile", line, body)
    return captured


def run(*cells: str, allow_errors: bool = False) -> list[Any]:
    """Run cells in a real kernel and return the outputs of each but the first, which sets the fake up."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in (ON_A_FAKE, *cells)])
    NotebookClient(book, timeout=60, kernel_name="python3", allow_errors=allow_errors).execute()
    return [cell.outputs for cell in book.cells[1:]]


def test_the_cell_is_built_and_bound(shell: InteractiveShell, engine: FakeEngine) -> None:
    """`%%dockerfile NAME` builds the cell's text and binds a Build with that name."""
    magic(shell, "two_runs")
    built = shell.user_ns["two_runs"]
    assert isinstance(built, Build)
    assert (built.name, built.dockerfile.text, built.layers_added) == ("two_runs", BODY, 2)


def test_progress_chart_and_history_are_shown(shell: InteractiveShell) -> None:
    """After the build come the layer chart and the history table, each naming the engine."""
    shown = magic(shell, "shown").outputs
    texts = [output.data["text/plain"] for output in shown]
    assert len(texts) == 2
    assert texts[1].startswith("shown: 3 history rows, 2 layers, 4.00 kB unpacked, fake engine")


def test_quiet_shows_nothing(shell: InteractiveShell) -> None:
    """`--quiet` only binds the name."""
    captured = magic(shell, "silent --quiet")
    assert (captured.outputs, captured.stdout, captured.stderr) == ([], "", "")
    assert isinstance(shell.user_ns["silent"], Build)


def test_brief_shows_the_steps_alone(shell: InteractiveShell) -> None:
    """`--brief` tells each step, and shows neither chart nor history."""
    captured = magic(shell, "short --brief")
    assert captured.outputs == []
    assert "#3 ran in 0.75 s" in captured.stderr
    assert isinstance(shell.user_ns["short"], Build)


def test_options_reach_the_engine(shell: InteractiveShell, engine: FakeEngine, tmp_path: Path) -> None:
    """Every option of the build goes through; quotes are taken off and a trailing comment is ignored."""
    (tmp_path / "key").write_text("s3cret")
    line = """--tag mine:1 --target 'last' --build-arg A="two words" --build-arg B=it=is named --no-cache"""
    magic(shell, f"{line} --squash --builder legacy --secret id=k,src={tmp_path / 'key'}  # it's a comment")
    seen = engine.seen[0]
    assert {key: seen[key] for key in seen if key not in ("context", "options")} == {
        "tag": "mine:1",
        "target": "last",
        "build_args": {"A": "two words", "B": "it=is"},
        "secrets": {"k": b"s3cret"},
        "no_cache": True,
        "squash": True,
        "builder": "legacy",
    }
    assert "named" in shell.user_ns


def test_context_is_a_variable_or_a_folder(
    shell: InteractiveShell, engine: FakeEngine, tmp_path: Path
) -> None:
    """`--context` takes the name of a dict in the notebook, or the path of a folder, quotes allowed."""
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / "in_folder").write_text("1")
    shell.user_ns["files"] = {"in_dict": "1"}
    magic(shell, "a --context files")
    magic(shell, f'b --context "{folder}"')
    contexts: list[Any] = [seen["context"] for seen in engine.seen]
    assert ["in_dict" in contexts[0].tree(), "in_folder" in contexts[1].tree()] == [True, True]


@pytest.mark.parametrize(
    ("value", "variables", "said"),
    [
        ("nope", {}, "no variable or folder 'nope'"),
        ("./nope/deep", {}, "no folder './nope/deep'"),
        ("number", {"number": 3}, "The variable number is a int"),
    ],
)
def test_a_wrong_context_is_explained(value: str, variables: dict[str, object], said: str) -> None:
    """What is no context is named, with the next step."""
    with pytest.raises(ContextError, match=said) as caught:
        find_context(value, variables)
    assert "dict of files" in caught.value.hint


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "a NAME is needed"),
        ("--no-cache", "a NAME is needed"),
        ("2x", "'2x' cannot be the name of a variable"),
        ("class", "'class' cannot be the name of a variable"),
        ("sys", "'sys' is a module in this notebook"),
        ("x --frobnicate", "unrecognized arguments: --frobnicate"),
        ("x --builder kaniko", "invalid choice: 'kaniko'"),
        ("x --tag 'open", "a quote stays open"),
        ("x y", "unrecognized arguments: y"),
    ],
)
def test_wrong_lines_say_the_usage(shell: InteractiveShell, line: str, said: str) -> None:
    """A line that cannot be right is explained together with the usage, and nothing is built."""
    shell.user_ns["sys"] = sys
    with pytest.raises(OptionError, match=said) as caught:
        shell.run_cell_magic("dockerfile", line, BODY)
    assert "Usage: %%dockerfile NAME" in str(caught.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a  b", ["a", "b"]),
        ("a#b #c", ["a#b"]),
        ("# all", []),
        ("""K="a b" 'c d'e""", ["K=a b", "c de"]),
        ("""x "it's" """, ["x", "it's"]),
        (r"C:\dir\new", [r"C:\dir\new"]),
        ("x=''", ["x="]),
    ],
)
def test_split(line: str, words: list[str]) -> None:
    """Quotes group and go away, a backslash stays, a # that starts a word begins a comment."""
    assert split(line) == words


def test_help_lists_every_option(shell: InteractiveShell, engine: FakeEngine) -> None:
    """`%%dockerfile?` and `--help` describe all options, and `--help` builds nothing."""
    function = shell.find_cell_magic("dockerfile")
    for option in ("NAME", "--context", "--tag", "--engine", "--build-arg", "--no-cache", "--brief"):
        assert option in (function.__doc__ or "")
    assert "--brief" in magic(shell, "--help").stdout
    assert engine.seen == []


def test_a_failed_build_is_bound_as_such(shell: InteractiveShell) -> None:
    """The message is shown as HTML and text, and NAME gets what says that it was not built."""
    shown = magic(shell, "bad", "FROM scratch\nRUN false\n").outputs[-1].data
    assert isinstance(shell.user_ns["bad"], NotBuilt)
    assert shown["text/plain"].startswith("RunError: Dockerfile line 2")
    assert 'role="alert"' in shown["text/html"]


def test_a_base_that_is_away_is_one_calm_line(
    shell: InteractiveShell, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A base that no registry gives is told without alarm: nothing was done wrong."""

    def away(*args: object, **named: object) -> Build:
        raise RegistryError("no registry answers", line=1)

    monkeypatch.setattr(engine, "build", away)
    shown = magic(shell, "far", "FROM registry.invalid/far:1\n")
    assert isinstance(shell.user_ns["far"], NotBuilt)
    assert shown.stdout.startswith("far was not built: its base image is not here")
    assert not any("alert" in str(output.data) for output in shown.outputs)


def test_a_notebook_is_small_and_names_the_engine() -> None:
    """In a real kernel the progress ends as one small table: step, line, instruction, cached or ran, time."""
    (outputs,) = run(f"%%dockerfile two\n{BODY}")
    progress = outputs[0]["data"]
    assert progress["text/plain"].splitlines()[0] == "two: 3 steps, 1 cached, 1.5 s, fake engine"
    assert "<progress" not in progress["text/html"]
    assert len(json.dumps(outputs[0])) < 5000
    assert "<script" not in progress["text/html"]
    assert [output["output_type"] for output in outputs] == ["display_data"] * 3


def test_a_notebook_goes_on_without_a_build() -> None:
    """In a real kernel a failed build, and each use of it, is a short output and no error.

    What a cell would have made of it, a later cell is answered too.
    """
    failing = "%%dockerfile bad\nFROM scratch\nRUN false\n"
    uses = [
        "import dockerlab as lab\nlab.layers(bad)",
        "seconds = bad.seconds",
        "1 - seconds",
        "bad",
        "1 / 0",
    ]
    built, *used, other = run(failing, *uses, allow_errors=True)
    assert "not built, failed at line 2" in built[0]["data"]["text/plain"]
    assert built[-1]["data"]["text/plain"].startswith("RunError: Dockerfile line 2: the command ended")
    said = "bad was not built: its cell says why. Read on, or mend it and run its cell again."
    assert [[one.get("text") or one["data"]["text/plain"] for one in outputs] for outputs in used] == [
        *[[f"{said}\n"]] * 3,
        [said],
    ]
    assert other[0]["ename"] == "ZeroDivisionError"
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        run(failing, *uses)


def test_a_name_that_no_cell_made_says_what_to_run() -> None:
    """After a restart a cell says that another comes first: one line, and still an error."""
    cell, function = run("task.check(mine)", "def f():\n    return nowhere\nf()", allow_errors=True)
    (error,) = cell
    assert error["traceback"] == [
        "NameError: There is no task here. If a cell above makes it, run that one first, then this one "
        "again: a restart forgets what cells have made."
    ]
    assert len(function[0]["traceback"]) > 1


def test_a_prediction_in_a_kernel_has_buttons_and_a_text_form() -> None:
    """In a kernel the card is a widget view beside HTML and text; DOCKERLAB_STATIC leaves the view out."""
    pytest.importorskip("ipywidgets")
    card = "lab.predict('How many MB?', [0, 20, 40], key='k', unit='MB')"
    first, second = run(
        f"import dockerlab as lab\n{card}", f"import os\nos.environ['DOCKERLAB_STATIC'] = '1'\n{card}"
    )
    view = "application/vnd.jupyter.widget-view+json"
    assert set(first[0]["data"]) == {"text/plain", "text/html", view}
    assert set(second[0]["data"]) == {"text/plain", "text/html"}


def test_an_interrupted_kernel_says_what_was_kept() -> None:
    """Stopping the kernel in step 1 fails the cell with one line that says what was kept."""
    slow = (
        "import time\nfrom dockerlab.engines.results import Started\nclass Slow(FakeEngine):\n"
        "    def build(self, text, *, on_event, **rest):\n"
        "        on_event(Started(1, 2, '0', 'RUN sleep', 2))\n"
        "        print('started', flush=True)\n"
        "        time.sleep(60)\n"
        "fake = Slow(Path(tempfile.mkdtemp()))"
    )
    book = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell(one)
            for one in (ON_A_FAKE, slow, "%%dockerfile x\nFROM scratch\nRUN sleep\n")
        ]
    )

    def interrupt(cell: Any, output: Any) -> None:
        if output.get("text") == "started\n":
            provisioner: Any = client.km.provisioner if client.km else None
            pid = provisioner.pid
            threading.Thread(target=os.kill, args=(pid, signal.SIGINT)).start()

    client = Watching(book, timeout=60, kernel_name="python3", allow_errors=True)
    client.watch = interrupt
    began = time.monotonic()
    client.execute()
    assert time.monotonic() - began < 50
    error = book.cells[-1].outputs[-1]
    assert error["output_type"] == "error"
    assert error["traceback"] == [
        "Interrupted: nothing was kept of step 1; what was built before stays cached."
    ]


class Watching(NotebookClient):
    """Calls `watch(cell, message content)` with every output as it comes."""

    watch: Any = None

    def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
        """Look at a message on its way into the notebook."""
        if self.watch is not None and msg["msg_type"] == "stream":
            self.watch(cell, msg["content"])
        return super().process_message(msg, cell, cell_index)


def test_the_extension_is_found_by_its_short_name() -> None:
    """`%load_ext dockerlab` needs no longer name."""
    assert callable(dockerlab.load_ipython_extension)
    assert notebook.build is dockerlab.build


def test_a_real_build_in_a_real_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the embedded engine the magic builds, then from its cache, and a missing file names its line."""
    if sys.platform != "linux":
        pytest.skip("the embedded engine runs on Linux")
    monkeypatch.setenv("DOCKERLAB_ENGINE", "embedded")
    monkeypatch.setenv("DOCKERLAB_HOME", str(tmp_path))
    build = "%%dockerfile app --context files\nFROM scratch\nCOPY hello /\nLABEL a=b\nWORKDIR /x\n"
    cells = [
        "%load_ext dockerlab\nimport dockerlab as lab\nfiles = {'hello': 'hello'}",
        build,
        "app.layers_added, [step.cached for step in app.steps]",
        build,
        "app.layers_added, [step.cached for step in app.steps]",
        "%%dockerfile bad\nFROM scratch\nCOPY hello /\n",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in cells])
    NotebookClient(book, timeout=60, kernel_name="python3", allow_errors=True).execute()
    outputs = [cell.outputs for cell in book.cells]
    assert [outputs[number][0]["data"]["text/plain"] for number in (2, 4)] == [
        "(2, [None, False, None, False])",
        "(2, [None, True, None, True])",
    ]
    assert outputs[5][-1]["data"]["text/plain"].startswith(
        'ContextError: Dockerfile line 2: "hello" is not in'
    )
