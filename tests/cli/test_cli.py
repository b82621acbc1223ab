from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from dockerlab import engines
from dockerlab.cli import command, doctor, main
from dockerlab.cli.parser import make_parser
from dockerlab.context.context import Context
from dockerlab.errors import EngineError
from tests.fake_engine import FakeEngine

DOCKERFILE = "FROM scratch\nRUN a\nLABEL x=y\nCOPY b /\n"


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """Make a fake what every command gets from `choose()`."""
    fake = FakeEngine(tmp_path)
    monkeypatch.setattr(engines, "choose", lambda name=None: (fake, "It is a fake."))
    return fake


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder with a Dockerfile."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE)
    return folder


def subcommands() -> dict[str, ArgumentParser]:
    """Return each command's parser."""
    found = next(action for action in make_parser()._actions if isinstance(action, _SubParsersAction))
    for parser in found.choices.values():
        parser.add_options(parser)
    return dict(found.choices)


def test_every_command_and_option_has_help() -> None:
    """No command, option or argument is without its line in --help."""
    listed = make_parser().format_help()
    for name, parser in subcommands().items():
        assert re.search(rf"^ +{name} +\S", listed, re.MULTILINE), f"{name} is not listed"
        assert parser.description
        for action in parser._actions:
            assert action.help, f"{name} {action.dest} has no help"


def test_commands_are_those_promised() -> None:
    """The command line has the commands that users script against."""
    promised = {"doctor", "build", "history", "images", "save", "load", "rm", "prune", "run"}
    assert promised <= set(subcommands())


def test_every_command_is_where_its_parser_says() -> None:
    """The name that each command's parser has for it is one of a function."""
    for name, parser in subcommands().items():
        assert callable(command(parser.get_default("command"))), name


def test_the_readme_shows_only_what_there_is() -> None:
    """Each `dockerlab COMMAND` line of the README is a command."""
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"^dockerlab ([a-z]+)", readme, re.MULTILINE))
    assert shown
    assert shown <= set(subcommands())


def test_every_command_takes_engine_and_json() -> None:
    """`--json` goes with every command, `--engine` with every one that may use either."""
    for name, parser in subcommands().items():
        options = {option for action in parser._actions for option in action.option_strings}
        assert "--json" in options, name
        assert ("--engine" in options) == (name not in ("bases", "bundle", "grade", "start")), name


def test_build_takes_docker_s_flags(engine: FakeEngine, project: Path, tmp_path: Path) -> None:
    """-t, -f, --target, --build-arg, --no-cache, --squash, --secret and --builder reach the engine."""
    (tmp_path / "secret").write_text("s3cret")
    (project / "other").write_text(DOCKERFILE)
    line = ["build", "-t", "a:1", "-f", str(project / "other"), "--target", "s", "--build-arg", "K=V=W"]
    line += [
        "--no-cache",
        "--squash",
        "--secret",
        f"id=one,src={tmp_path / 'secret'}",
        "--builder",
        "legacy",
        str(project),
    ]
    assert main(line) == 0
    seen = engine.seen[0]
    assert {key: seen[key] for key in seen if key not in ("context", "options")} == {
        "tag": "a:1",
        "target": "s",
        "build_args": {"K": "V=W"},
        "secrets": {"one": b"s3cret"},
        "no_cache": True,
        "squash": True,
        "builder": "legacy",
    }


def test_build_arg_without_value_comes_from_the_environment(
    engine: FakeEngine, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--build-arg K` takes K from the environment, and is left out where it is not set."""
    monkeypatch.setenv("SET", "1")
    monkeypatch.delenv("UNSET", raising=False)
    assert main(["build", "--build-arg", "SET", "--build-arg", "UNSET", str(project)]) == 0
    assert engine.seen[0]["build_args"] == {"SET": "1"}


def test_a_build_arg_is_text(
    engine: FakeEngine, project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build argument that is not UTF-8 is refused as Docker refuses it; a secret may hold any bytes."""
    assert main(["build", "--build-arg", "A=caf\udce9", str(project)]) == 2
    assert "--build-arg A is not UTF-8" in capsys.readouterr().err
    monkeypatch.setenv("S", "caf\udce9")
    assert main(["build", "--secret", "id=s,env=S", str(project)]) == 0
    assert engine.seen[0]["secrets"] == {"s": b"caf\xe9"}


def test_build_reads_a_dockerfile_from_stdin(
    engine: FakeEngine, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`-f -` takes the Dockerfile from standard input, as bytes: a comment need not be UTF-8."""
    given = io.TextIOWrapper(io.BytesIO(b"FROM scratch\r\n# caf\xe9\r\nRUN one\r\n"))
    monkeypatch.setattr(sys, "stdin", given)
    assert main(["build", "-q", "-f", "-", str(project)]) == 0
    assert capsys.readouterr().out.startswith("sha256:")


def test_build_prints_result_and_progress_apart(
    engine: FakeEngine, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The result, which names the engine, is on stdout; the progress is on stderr."""
    assert main(["build", "-t", "a:1", str(project)]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("built a:1 sha256:")
    assert "3 steps, 1 cached, 1.5 s; 2 layers, 4.00 kB unpacked; fake engine" in printed.out
    assert "#1 [1/3] RUN a" in printed.err


def test_build_as_json(engine: FakeEngine, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` prints one object; `--progress json` one event a line on stderr."""
    assert main(["build", "--json", "--progress", "json", "-t", "a:1", str(project)]) == 0
    printed = capsys.readouterr()
    shape = json.loads(printed.out)
    assert (shape["reference"], shape["engine"], shape["layers_added"]) == ("a:1", "fake engine", 2)
    assert [step["cached"] for step in shape["steps"]] == [True, None, False]
    assert [layer["size_unpacked"] for layer in shape["layers"]] == [1000, 3000]
    events = [json.loads(line) for line in printed.err.splitlines()]
    assert [event["event"] for event in events[:4]] == ["note", "started", "log", "finished"]


def test_a_failed_build_is_one_error(
    engine: FakeEngine, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A failing RUN ends with 1 and an error that names the line, without a traceback; --json has it too."""
    (project / "Dockerfile").write_text("FROM scratch\nRUN false\n")
    assert main(["build", "--json", str(project)]) == 1
    printed = capsys.readouterr()
    assert "error: Dockerfile line 2: the command ended with exit code 1" in printed.err
    assert "Traceback" not in printed.err
    error = json.loads(printed.out)["error"]
    assert (error["type"], error["line"], error["exit_code"]) == ("RunError", 2, 1)


def test_ctrl_c_ends_with_130(engine: FakeEngine, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An interrupted build ends with 130 and no traceback."""
    (project / "Dockerfile").write_text("FROM scratch\nRUN hang\n")
    assert main(["build", str(project)]) == 130
    assert capsys.readouterr().err.splitlines()[-1] == (
        "Interrupted: nothing was kept of step 1; what was built before stays cached."
    )


@pytest.mark.parametrize(
    "line",
    [
        [],
        ["frobnicate"],
        ["build"],
        ["save", "a:1"],
        ["build", "--builder", "x", "."],
        ["build", "--secret", "x", "."],
    ],
)
def test_wrong_use_ends_with_2(
    engine: FakeEngine, line: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """What is not how a command is used ends with 2 and the usage."""
    assert main(line) == 2
    assert "usage: dockerlab" in capsys.readouterr().err


@pytest.mark.parametrize(
    "line",
    [
        ["build", "nowhere"],
        ["build", "-f", "nowhere", "."],
        ["load", "-i", "nowhere"],
        ["history", "nowhere"],
    ],
)
def test_what_is_not_there_ends_with_1(
    engine: FakeEngine, line: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder, Dockerfile, archive or image that is not there is named, with exit code 1."""
    assert main(line) == 1
    assert re.match(r"error: .*nowhere", capsys.readouterr().err)


def test_history_is_newest_first(
    engine: FakeEngine, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`history` prints rows as `docker history` does, the newest first; its JSON has the oldest first."""
    main(["build", "-q", "-t", "a:1", str(project)])
    capsys.readouterr()
    assert main(["history", "a:1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "fake engine" in lines[0]
    assert [re.search(r"COPY|LABEL|RUN", line)[0] for line in lines[2:]] == ["COPY", "LABEL", "RUN"]  # type: ignore[index]
    assert main(["history", "--json", "a:1"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["created_by"][:4] for row in rows] == ["RUN ", "LABE", "COPY"]


def test_images_save_load_rm_prune(
    engine: FakeEngine, project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each of these says what it did, and in JSON what it did it to."""
    archive = tmp_path / "out.tar"
    engine.freed = 1_500_000
    main(["build", "-q", "-t", "a:1", str(project)])
    capsys.readouterr()

    def printed(*line: str) -> Any:
        assert main(list(line)) == 0
        out = capsys.readouterr().out
        return json.loads(out) if "--json" in line else out

    assert "a:1" in printed("images")
    assert printed("images", "--json")["images"][0]["reference"] == "a:1"
    assert printed("save", "-o", str(archive), "a:1").startswith(f"wrote {archive}")
    assert printed("load", "--json", "-i", str(archive)) == {"images": [archive.read_text()]}
    assert printed("rm", "a:1") == "removed a:1\n"
    assert printed("prune") == "freed 1.50 MB, fake engine\n"


def test_run_ends_with_the_command_s_exit_code(
    engine: FakeEngine, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`run` passes the command on, options included, prints its output and ends with its exit code."""
    main(["build", "-q", "-t", "a:1", str(project)])
    capsys.readouterr()
    assert main(["run", "a:1", "ls", "-l", "--json"]) == 0
    assert capsys.readouterr().out == "ran ['ls', '-l', '--json']\n"
    assert main(["run", "a:1", "exit 3"]) == 3


def test_a_path_that_cannot_be_written_is_one_error(
    engine: FakeEngine, project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Saving into a folder that is not there ends with 1 and names the path, without a traceback."""
    main(["build", "-q", "-t", "a:1", str(project)])
    assert main(["save", "-o", str(tmp_path / "missing" / "out.tar"), "a:1"]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert "out.tar" in printed


def test_doctor_reports_each_part(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """doctor looks at engine, tools, store, registry and bases; what is missing has a next step."""
    monkeypatch.setenv("DOCKERLAB_REGISTRY_MIRROR", "127.0.0.1:9")
    assert main(["doctor", "--json"]) == 0
    findings = json.loads(capsys.readouterr().out)["findings"]
    names = [finding["name"] for finding in findings]
    assert names == ["engine", "docker", "buildx", "sandbox", "store", "registry", "bases"]
    assert findings[0]["found"] == "fake engine. It is a fake."
    registry = findings[5]
    assert (registry["ok"], registry["found"]) == (
        False,
        "http://127.0.0.1:9/v2/ does not answer (ConnectionError)",
    )
    assert all(finding["hint"] for finding in findings if not finding["ok"])


@pytest.mark.skipif(sys.platform != "linux", reason="the embedded engine is for Linux")
def test_doctor_verifies_images(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """--verify reads the store's images again; one changed byte is found, and what the hint says mends it."""
    from dockerlab.engines.embedded import EmbeddedEngine

    monkeypatch.setenv("DOCKERLAB_HOME", str(tmp_path))
    monkeypatch.setenv("DOCKERLAB_REGISTRY_MIRROR", "127.0.0.1:9")
    kept = EmbeddedEngine(tmp_path)
    text, context = "FROM scratch\nCOPY a /\n", Context.files({"a": "content"})
    image = kept.build(text, context=context, tag="app:1").image
    assert main(["doctor", "--verify"]) == 0
    assert "1 image in the store read again, every digest is right" in capsys.readouterr().out
    blob = kept.store.blob_path(image.layers[0].diff_id)
    blob.write_bytes(blob.read_bytes().replace(b"content", b"c0ntent"))
    assert main(["doctor", "--verify", "--json"]) == 1
    (finding,) = (one for one in json.loads(capsys.readouterr().out)["findings"] if one["name"] == "images")
    assert "app:1: Layer 1 should have the digest" in finding["found"]
    assert "dockerlab rm" in finding["hint"]
    kept.remove("app:1")
    kept.prune()
    kept.build(text, context=context, tag="app:1")
    assert main(["doctor", "--verify"]) == 0


def test_doctor_without_an_engine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where nothing can build, doctor says so with the next step and ends with 1."""

    def refuse(name: str | None = None) -> None:
        raise EngineError("No engine can be used here.", hint="Install Docker.")

    monkeypatch.setattr(engines, "choose", refuse)
    monkeypatch.setenv("DOCKERLAB_REGISTRY_MIRROR", "127.0.0.1:9")
    assert main(["doctor"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("No engine can be used here.")
    assert lines[1].strip() == "Install Docker."


@pytest.mark.parametrize(
    ("mirror", "url"),
    [
        ("", "https://registry-1.docker.io/v2/"),
        ("localhost:5000", "http://localhost:5000/v2/"),
        ("mirror.example/", "https://mirror.example/v2/"),
        ("http://mirror.example", "http://mirror.example/v2/"),
    ],
)
def test_doctor_asks_the_mirror(mirror: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry that is asked is the mirror that is set, else Docker Hub."""
    monkeypatch.setenv("DOCKERLAB_REGISTRY_MIRROR", mirror)
    assert doctor.registry_url() == url


def test_a_registry_that_asks_for_a_token_answers(
    monkeypatch: pytest.MonkeyPatch, registry_answer: Callable[[int], None]
) -> None:
    """401 means there is a registry, 503 that there is none to use."""
    registry_answer(401)
    assert doctor._registry().ok
    registry_answer(503)
    assert not doctor._registry().ok


@pytest.fixture
def registry_answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return a function that sets the status code with which the registry answers."""

    def answer(status: int) -> None:
        response = requests.Response()
        response.status_code = status
        monkeypatch.setattr(requests, "get", lambda url, timeout: response)

    return answer


def test_python_m_dockerlab() -> None:
    """`python -m dockerlab` is the command line, and help needs no engine."""
    done = subprocess.run(
        [sys.executable, "-m", "dockerlab", "--version"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.startswith("dockerlab ")


def test_on_the_embedded_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A real build, its history, its archive read into another store, and its removal, by commands alone."""
    if sys.platform != "linux":
        pytest.skip("the embedded engine runs on Linux")
    monkeypatch.setattr(engines, "_chosen", {})
    monkeypatch.setenv("DOCKERLAB_ENGINE", "embedded")
    monkeypatch.setenv("DOCKERLAB_HOME", str(tmp_path / "one"))
    project = tmp_path / "project"
    project.mkdir()
    (project / "Dockerfile").write_text("FROM scratch\nCOPY hello /\nLABEL a=b\n")
    (project / "hello").write_text("hello\n")

    def printed(*line: str) -> Any:
        assert main([*line, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    built = printed("build", "-t", "hello:1", str(project))
    assert built["engine"].startswith("embedded")
    assert [layer["size_unpacked"] for layer in built["layers"]] == [6]
    assert printed("build", "-t", "hello:1", str(project))["steps"][1]["cached"] is True
    assert [row["layer"] for row in printed("history", "hello:1")["rows"]] == [1, None]
    assert printed("save", "-o", str(tmp_path / "out.tar"), "hello:1")["bytes"] > 0

    monkeypatch.setenv("DOCKERLAB_HOME", str(tmp_path / "two"))
    monkeypatch.setattr(engines, "_chosen", {})
    assert printed("load", "-i", str(tmp_path / "out.tar"))["images"] == ["hello:1"]
    assert printed("images")["images"][0]["id"] == built["id"]
    assert printed("rm", "hello:1") == {"removed": ["hello:1"]}
    assert printed("prune")["freed"] > 0
    assert printed("images")["images"] == []


def test_a_dockerfile_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A misspelt instruction on the real engine ends with 1, its line, and a next step."""
    if sys.platform != "linux":
        pytest.skip("the embedded engine runs on Linux")
    monkeypatch.setattr(engines, "_chosen", {})
    monkeypatch.setenv("DOCKERLAB_HOME", str(tmp_path / "one"))
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPPY a /\n")
    assert main(["build", "--engine", "embedded", str(tmp_path)]) == 1
    assert (
        "error: Dockerfile line 2: unknown instruction COPPY\nDid you mean COPY?" in capsys.readouterr().err
    )
