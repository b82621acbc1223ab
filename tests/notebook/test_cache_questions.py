"""lab.why, lab.compare_builders, lab.what_if and `dockerlab why`, on builds that need no base."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

import dockerlab as lab
from dockerlab import engines
from dockerlab.analysis.cache import DERIVED, Edit
from dockerlab.cli import main
from dockerlab.context.context import Context
from dockerlab.dockerfile.parser import Dockerfile
from dockerlab.dockerfile.scope import BuildArguments
from dockerlab.dockerfile.stages import global_args
from dockerlab.engines.cache.inputs import base_key
from dockerlab.engines.cache.keys import changes, sentence
from dockerlab.engines.cache.planned_build import PlannedBuild
from dockerlab.engines.results import Engine
from dockerlab.errors import EngineError, ImageNotFoundError

TEXT = "FROM scratch\nLABEL v=1\nCOPY a /a\nCOPY b /b\n"
FILES = {"a": "1", "b": "2"}


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """An embedded engine with an empty store, which is the only one here: Docker does not answer."""
    embedded = pytest.importorskip("dockerlab.engines.embedded", exc_type=ImportError)
    made: Engine = embedded.EmbeddedEngine(tmp_path / "home")

    def choose(name: str | None = None) -> tuple[Engine, str]:
        if name == "docker":
            raise EngineError("No Docker daemon answers.")
        return made, "It is the test's."

    monkeypatch.setattr(engines, "choose", choose)
    return made


def test_why_takes_a_build_or_the_tag_of_the_last_one(engine: Engine) -> None:
    """A build and its tag give the same verdicts; a tag of no build is an error that says what to do."""
    lab.build(TEXT, context=FILES, tag="app:1", quiet=True)
    build = lab.build(TEXT, context={**FILES, "b": "3"}, tag="app:1", quiet=True)
    shown = lab.why(build)
    assert [row[2] for row in shown.rows] == ["nothing to cache", "nothing to cache", "hit", "miss"]
    assert "b changed: its content was" in shown.text()
    assert lab.why("app:1").rows == shown.rows
    assert "<table>" in shown.html()
    with pytest.raises(ImageNotFoundError, match="No build of nothing is known"):
        lab.why("nothing")


def test_compare_builders_without_docker(engine: Engine) -> None:
    """Where Docker is not, the embedded column stands alone, the table says why, nothing is left behind."""
    shown = lab.compare_builders(TEXT, {"b": {"b": "3"}, "label": ("v=1", "v=2")}, context=FILES)
    assert shown.table.columns == ("edit", "line", "instruction", "embedded")
    assert [row[3] for row in shown.table.rows] == ["cached", "ran", "cached", "cached"]
    assert "BuildKit is not here: No Docker daemon answers." in shown.table.note
    assert engine.images() == []


def test_comparing_twice_finds_the_same(engine: Engine) -> None:
    """An earlier comparison does not fill the cache for the next one, nor one edit for another."""
    edits = {"b": Edit(files={"b": "3"}), "b again": Edit(files={"b": "3"})}
    tables = [lab.compare_builders(TEXT, edits, context=FILES).table.rows for _ in range(2)]
    assert tables[0] == tables[1]
    assert [row[3] for row in tables[0]] == ["cached", "ran"] * 2


def test_comparing_with_no_builder(engine: Engine) -> None:
    """When none of the builders asked for is here, that is an error."""
    with pytest.raises(EngineError, match="None of these builders is here"):
        lab.compare_builders(TEXT, {}, builders=["buildkit", "legacy"])


def test_what_if_shows_a_given_order(engine: Engine) -> None:
    """An order of the learner's gets a row of its own between the given and the best one."""
    build = lab.build(TEXT, context=FILES, quiet=True, no_cache=True)
    shown = lab.what_if(build, order=[4, 3], changes_per_week={3: 5000, 4: 0.5})  # whatever the machine does
    assert [row[:2] for row in shown.table.rows][:2] == [("as it is", "2 3 4"), ("your order", "2 4 3")]
    assert shown.data.best.lines[-1] == 3


def test_the_command_builds_a_folder_and_explains_it(
    engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`dockerlab why PATH` builds and explains; `dockerlab why TAG` explains the same without building."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "Dockerfile").write_text(TEXT)
    for name, content in FILES.items():
        (folder / name).write_text(content)
    assert main(["why", str(folder)]) == 0
    assert "it was not built before" in capsys.readouterr().out
    (folder / "a").write_text("9")
    assert main(["why", "--json", str(folder)]) == 0
    shape = json.loads(capsys.readouterr().out)
    assert [step["verdict"] for step in shape["steps"]] == ["nothing to cache"] * 2 + ["miss"] * 2
    assert shape["steps"][2]["changes"][0]["name"] == "a"
    assert shape["steps"][3]["why"] == "an earlier step (line 3) ran again"
    assert (shape["note"], shape["reasons_from"]) == (None, "the builder's cache keys")
    assert main(["why", "dockerlab/app"]) == 0
    assert "an earlier step (line 3) ran again" in capsys.readouterr().out
    assert main(["why", "nothing"]) == 1


def derived(text: str, files: Mapping[str, str], *, legacy: bool = False) -> list[Mapping[str, object]]:
    """Return the inputs that are worked out for each line of a Dockerfile on a base with one ENV."""
    dockerfile: Dockerfile = lab.parse(text)
    args = global_args(dockerfile, {}, None)
    base = {"Env": ["PATH=/bin"], "WorkingDir": "/base", "User": "app"}
    planned = PlannedBuild(
        dockerfile,
        Context.files(files),
        BuildArguments({}, args),
        lambda name: ([f"layer of {name}"], base),
        legacy,
    )
    return [step.inputs for step in planned.steps(dockerfile.stages)]


def test_inputs_derived_for_docker() -> None:
    """ENV, ARG, USER, WORKDIR, the base's config and the files read are all among a step's inputs."""
    text = "FROM base\nARG V=1\nENV W=$V-x\nWORKDIR sub\nCOPY d*/f ./\nRUN make\nLABEL a=b\n"
    origin, arg, env, workdir, copied, ran, label = derived(text, {"d1/f": "1", "d2/f": "2", "e/f": "3"})
    assert origin == {"image": "base", "layers": base_key(["layer of base"])}
    assert (arg, env, label) == ({}, {}, {})
    assert (workdir["folder"], workdir["user"]) == ("/base/sub", "app")
    assert (copied["destination"], sorted(copied["files"])) == ("/base/sub/", ["d1/f", "d2/f"])  # type: ignore[call-overload]
    assert ran["environment"] == {"V": "1", "PATH": "/bin", "W": "1-x"}
    assert ran["parent"] != copied["parent"] != workdir["parent"]


def test_the_legacy_builder_s_inputs_are_every_line() -> None:
    """For the legacy builder a LABEL has inputs too, and what stands below it depends on it."""
    one, other = (derived(f"FROM base\nLABEL a={v}\nRUN x\n", {}, legacy=True) for v in "12")
    assert one[1]["line"] == "LABEL a=1"
    assert one[2]["parent"] != other[2]["parent"]


def test_a_stage_that_files_come_from_is_an_input() -> None:
    """COPY --from depends on the last step of that stage, as nothing of its files is known."""
    text = "FROM base AS build\nRUN {}\nFROM base\nCOPY --from=build /x /y\n"
    one, other = (derived(text.format(command), {})[3] for command in ("one", "two"))
    found = changes(one, other)
    assert [(change.input, change.name) for change in found] == [("from", "stage build")]
    assert sentence(found, {}) == "what it takes from stage build changed"


def test_long_values_are_shown_where_they_differ() -> None:
    """Of two long commands that differ near their ends, the sentence shows that part of both."""
    start = "apt-get install " + "package " * 40
    found = changes(
        {"command": ["/bin/sh", "-c", f"{start}one"]}, {"command": ["/bin/sh", "-c", f"{start}two"]}
    )
    said = sentence(found, {})
    assert said.endswith('package two"')
    assert 'package one", is "' in said
    assert len(said) < 260


def test_the_note_on_docker_is_plain() -> None:
    """The note says who worked the reasons out and from what."""
    assert "worked out by the lab" in DERIVED
    assert "Dockerfile and the context" in DERIVED
