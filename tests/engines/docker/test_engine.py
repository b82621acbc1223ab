import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from dockerlab.context.context import Context
from dockerlab.engines.docker.engine import DockerEngine
from dockerlab.engines.results import Build, Builder, Event, Finished, Log, Note, OnEvent, Started
from dockerlab.errors import (
    BuildError,
    ContextError,
    DockerfileError,
    EngineError,
    ImageError,
    ImageNotFoundError,
    RegistryError,
    RunError,
    RunTimeoutError,
)
from dockerlab.image.archive_reader import read_archive
from dockerlab.image.image import EMPTY_LAYER, validate
from tests.engines.conftest import BASE, docker

TAG = "dockerlab/test-engine:1"
BOTH: list[Builder] = ["buildkit", "legacy"]


def _flags(build: Build) -> list[tuple[str, bool | None]]:
    return [(step.keyword, step.cached) for step in build.steps]


def _made(build: Build) -> list[tuple[str, bool]]:
    return [(step.keyword, step.diff_id is not None) for step in build.steps if step.keyword != "FROM"]


@pytest.mark.parametrize("builder", BOTH)
def test_metadata_makes_no_layer(engine: DockerEngine, builder: Builder) -> None:
    """Eleven metadata instructions leave eleven history rows and no layer, with either builder."""
    rows = ["LABEL a=b", "ENV A=1", "ARG V=1", "EXPOSE 80", "USER 0", "CMD true", "ENTRYPOINT true"]
    rows += ["STOPSIGNAL 9", 'SHELL ["/bin/sh"]', "HEALTHCHECK NONE", "VOLUME /v"]
    text = "\n".join([f"FROM {BASE}", *rows])
    built = engine.build(text, tag=TAG, builder=builder)
    assert (built.layers_added, built.image.base_layers) == (0, 1)
    assert len(built.image.history) == 12
    assert validate(built.image) == []


def test_what_makes_a_layer_under_buildkit(engine: DockerEngine) -> None:
    """WORKDIR makes a layer even where the folder exists, RUN true makes an empty one, WORKDIR / none."""
    built = engine.build(f"FROM {BASE}\nWORKDIR /\nWORKDIR /tmp\nRUN true\nRUN echo x > /x\n", tag=TAG)
    assert _made(built) == [("WORKDIR", False), ("WORKDIR", True), ("RUN", True), ("RUN", True)]
    assert built.steps[3].diff_id == EMPTY_LAYER
    assert built.layers_added == 3
    assert built.image.tree().read("x") == b"x\n"


def test_what_makes_a_layer_under_the_legacy_builder(engine: DockerEngine) -> None:
    """The legacy builder makes a layer for neither an existing WORKDIR nor a RUN that changes nothing."""
    text = f"FROM {BASE}\nWORKDIR /\nWORKDIR /tmp\nRUN true\nWORKDIR /new\nRUN echo x > /x\n"
    built = engine.build(text, tag=TAG, builder="legacy")
    assert _made(built) == [
        ("WORKDIR", False),
        ("WORKDIR", False),
        ("RUN", False),
        ("WORKDIR", True),
        ("RUN", True),
    ]


CHANGES = {
    "LABEL v=1": "LABEL v=2",
    "EXPOSE 80": "EXPOSE 81",
    'CMD ["a"]': 'CMD ["b"]',
    "ENV V=1": "ENV V=2",
    "WORKDIR /one": "WORKDIR /two",
}


@pytest.mark.parametrize("old", CHANGES)
@pytest.mark.parametrize("builder", BOTH)
def test_a_change_above_copy_and_run(engine: DockerEngine, builder: Builder, old: str) -> None:
    """Changed metadata above a COPY and a RUN: BuildKit reuses both (ENV: the COPY), legacy neither."""
    context = Context.files({"f": old})
    text = f"FROM {BASE}\n{old}\nCOPY f /f\nRUN cat /f > /g\n"
    engine.build(text, context=context, tag=TAG, builder=builder)
    again = engine.build(text, context=context, tag=TAG, builder=builder)
    assert [cached for keyword, cached in _flags(again) if keyword in ("COPY", "RUN")] == [True, True]
    changed = engine.build(text.replace(old, CHANGES[old]), context=context, tag=TAG, builder=builder)
    expected = {"ENV": [True, False], "WORKDIR": [False, False]}.get(old.split()[0], [True, True])
    if builder == "legacy":
        expected = [False, False]
    assert [cached for keyword, cached in _flags(changed) if keyword in ("COPY", "RUN")] == expected


@pytest.mark.parametrize("builder", BOTH)
def test_flags_of_instructions_that_do_nothing(engine: DockerEngine, builder: Builder) -> None:
    """Metadata has no cached flag under BuildKit; the legacy builder caches every line."""
    text = f"FROM {BASE}\nENV A=flags\nRUN echo $A\n"
    engine.build(text, tag=TAG, builder=builder)
    again = engine.build(text, tag=TAG, builder=builder)
    assert _flags(again) == [("FROM", None), ("ENV", None if builder == "buildkit" else True), ("RUN", True)]


@pytest.mark.parametrize("builder", BOTH)
def test_no_cache_runs_everything_again(engine: DockerEngine, builder: Builder) -> None:
    """With no_cache a RUN that was built before runs again and prints again."""
    text = f"FROM {BASE}\nRUN echo said\n"
    engine.build(text, tag=TAG, builder=builder)
    again = engine.build(text, tag=TAG, builder=builder, no_cache=True)
    assert (again.steps[1].cached, again.steps[1].log) == (False, ("said",))


@pytest.mark.parametrize("builder", ["buildkit", "legacy"])
def test_squash_is_refused(engine: DockerEngine, builder: Builder) -> None:
    """No builder of Docker's is asked to squash: one ignores it, the other seldom may."""
    with pytest.raises(EngineError, match="does not squash on Docker"):
        engine.build("FROM scratch\n", tag=TAG, builder=builder, squash=True)


def test_no_cache_and_workdir(engine: DockerEngine) -> None:
    """BuildKit reuses a WORKDIR even with no_cache, and reports it so."""
    text = f"FROM {BASE}\nWORKDIR /reused\nRUN true\n"
    engine.build(text, tag=TAG)
    again = engine.build(text, tag=TAG, no_cache=True)
    assert _flags(again) == [("FROM", None), ("WORKDIR", True), ("RUN", False)]


def test_equal_steps_of_two_stages_are_done_once(engine: DockerEngine) -> None:
    """BuildKit reports equal steps under one stage's name: the other stage's lines show the same step."""
    text = f"""FROM {BASE} AS one
WORKDIR /x
RUN echo shared > f
FROM {BASE} AS two
WORKDIR /x
RUN echo shared > f
RUN echo own > g
FROM scratch
COPY --from=one /x/f /one
COPY --from=two /x/g /two
"""
    built = engine.build(text, tag=TAG, no_cache=True)
    by_line = {step.line: step for step in built.steps}
    assert [by_line[line].cached for line in (2, 3, 5, 6, 7, 9, 10)] == [False] * 7
    assert by_line[3].seconds == by_line[6].seconds > 0
    reasons = {by_line[line].reason for line in (3, 6)}
    assert sum("the same step" in str(reason) for reason in reasons) == 1
    assert any("BuildKit does it once" in reason for reason in reasons if reason)
    assert built.image.base_layers == 0
    assert built.base is None
    assert sorted(built.image.tree()) == ["one", "two"]


def test_stages_that_nothing_needs(engine: DockerEngine) -> None:
    """BuildKit leaves an unused stage out, the legacy builder runs it."""
    text = f"FROM {BASE} AS unused\nRUN echo unused\nFROM {BASE}\nRUN echo used\n"
    stages = [{step.stage for step in engine.build(text, tag=TAG, builder=builder).steps} for builder in BOTH]
    assert stages == [{"1"}, {"unused", "1"}]


def test_a_target_and_the_stage_below_it(engine: DockerEngine) -> None:
    """A target built on an earlier stage has that stage's lines too, each with its layer."""
    text = f"FROM {BASE} AS a\nRUN echo a > /a\nENV X=1\nFROM a AS b\nRUN echo b > /b\nFROM b\nRUN false\n"
    for builder in BOTH:
        built = engine.build(text, tag=TAG, target="b", builder=builder)
        assert [(step.stage, step.keyword) for step in built.steps] == [
            *(("a", "FROM"), ("a", "RUN"), ("a", "ENV"), ("b", "FROM"), ("b", "RUN"))
        ]
        assert [step.diff_id for step in built.steps if step.keyword == "RUN"] == [
            layer.diff_id for layer in built.image.layers[1:]
        ]
        assert built.base == BASE


def test_onbuild_of_the_base(engine: DockerEngine) -> None:
    """What the base's ONBUILD brings are steps on the line of the FROM; its layers are added."""
    below = f"FROM {BASE}\nONBUILD RUN echo one > /one\nONBUILD ENV T=1\n"
    engine.build(below, tag="dockerlab/test-engine-on:1")
    notes: list[Event] = []
    text = "FROM dockerlab/test-engine-on:1\nRUN echo two > /two\nRUN echo three > /three\n"
    built = engine.build(text, tag=TAG, no_cache=True, on_event=notes.append)
    brought = [("RUN", False), ("ENV", None)]
    assert _flags(built) == [("FROM", None), *brought, ("RUN", False), ("RUN", False)]
    assert [step.line for step in built.steps] == [1, 1, 1, 2, 3]
    assert (built.image.base_layers, built.layers_added) == (1, 3)
    made = [step.diff_id for step in built.steps if step.keyword == "RUN"]
    assert made == [layer.diff_id for layer in built.image.layers[1:]]
    assert not [note for note in notes if isinstance(note, Note)]


def test_variables_and_a_working_folder_of_slash(engine: DockerEngine) -> None:
    """Variables in FROM, COPY and WORKDIR, and a WORKDIR that turns out to be /, do not shift the lines."""
    text = """ARG BASE=nosuch
FROM $BASE
ARG WHERE=/
WORKDIR $WHERE
ARG NAME
COPY ${NAME} /copied/
WORKDIR copied
WORKDIR ..
RUN cat copied/f
"""
    built = engine.build(
        text,
        tag=TAG,
        context=Context.files({"f": "hi\n"}),
        build_args={"BASE": BASE, "NAME": "f"},
        no_cache=True,
    )
    assert [(step.line, step.cached) for step in built.steps] == [
        *((2, None), (3, None), (4, None), (5, None), (6, False), (7, False), (8, None), (9, False))
    ]
    assert built.steps[-1].log == ("hi",)
    assert built.base == BASE


def test_context_sent(engine: DockerEngine) -> None:
    """BuildKit reads only what COPY names, the legacy builder all that .dockerignore lets through."""
    files = {
        "small": "s" * 1000,
        "big": "b" * 500_000,
        "ignored": "i" * 900_000,
        ".dockerignore": "ignored\n",
    }
    text = "FROM scratch\nCOPY small /\n"
    sent = [
        engine.build(text, tag=TAG, context=Context.files(files), builder=builder).context_bytes
        for builder in BOTH
    ]
    assert 1000 <= sent[0] < 3000
    assert 500_000 <= sent[1] < 520_000


@pytest.mark.parametrize("ignore", [None, "c\n", "c\n.dockerignore\n"])
@pytest.mark.parametrize("builder", BOTH)
def test_what_a_copy_of_everything_copies(engine: DockerEngine, builder: Builder, ignore: str | None) -> None:
    """COPY . takes the context as .dockerignore leaves it, and nothing of ours."""
    files = {"a": "a", "d/b": "b", "c": "c"} | ({} if ignore is None else {".dockerignore": ignore})
    built = engine.build("FROM scratch\nCOPY . /\n", tag=TAG, context=Context.files(files), builder=builder)
    extra = {None: ["c"], "c\n": [".dockerignore"], "c\n.dockerignore\n": []}[ignore]
    assert sorted(built.image.tree()) == sorted(["a", "d", "d/b", *extra])


def test_the_ignore_file_of_the_dockerfile(engine: DockerEngine) -> None:
    """<Dockerfile>.dockerignore goes before .dockerignore on both builders."""
    files = {
        "a": "a",
        "b": "b",
        "My.dockerignore": "a\n*.dockerignore\n.dockerignore\n",
        ".dockerignore": "b\n",
    }
    for builder in BOTH:
        context = Context.files(files, dockerfile="My")
        built = engine.build("FROM scratch\nCOPY . /\n", tag=TAG, context=context, builder=builder)
        assert sorted(built.image.tree()) == ["b"], builder


@pytest.mark.parametrize("builder", BOTH)
def test_events_tell_the_whole_build(engine: DockerEngine, builder: Builder) -> None:
    """Every step starts once and ends once, logs lie between, and the steps are those of the result."""
    seen: list[Event] = []
    text = f"FROM {BASE}\nENV A=1\nRUN echo one; echo two\nLABEL x=y\n"
    built = engine.build(text, tag=TAG, builder=builder, no_cache=True, on_event=seen.append)
    steps = [event.step.number for event in seen if isinstance(event, Finished)]
    assert sorted(steps) == [1, 2, 3, 4] == sorted(one.number for one in seen if isinstance(one, Started))
    order = [event for event in seen if isinstance(event, Started | Log | Finished)]
    run = [type(event).__name__ for event in order if 3 in (getattr(event, "number", 0), _number(event))]
    assert run == ["Started", "Log", "Log", "Finished"]
    assert {event.total for event in seen if isinstance(event, Started | Finished)} == {4}
    assert built.steps[2].log == ("one", "two")
    assert built.engine.startswith("Docker ")
    assert built.engine.endswith("BuildKit" if builder == "buildkit" else "legacy builder")


def _number(event: Event) -> int:
    return event.step.number if isinstance(event, Finished) else 0


@pytest.mark.parametrize("builder", BOTH)
def test_a_failing_run(engine: DockerEngine, builder: Builder) -> None:
    """A RUN that fails raises RunError with its line, exit code and output."""
    text = f"FROM {BASE}\nRUN true\nRUN echo before; \\\n  exit 3\nRUN true\n"
    with pytest.raises(RunError, match=r"line 3: RUN echo before; .*ended with exit code 3") as caught:
        engine.build(text, tag=TAG, builder=builder)
    assert (caught.value.exit_code, caught.value.line, caught.value.log) == (3, 3, ("before",))


@pytest.mark.parametrize("builder", BOTH)
def test_a_missing_file(engine: DockerEngine, builder: Builder) -> None:
    """A COPY of what is not there raises ContextError with the line and the path."""
    with pytest.raises(
        ContextError, match='Dockerfile line 2: "nosuch" is not in the build context'
    ) as caught:
        engine.build("FROM scratch\nCOPY nosuch /\n", tag=TAG, builder=builder)
    assert caught.value.line == 2


@pytest.mark.parametrize("builder", BOTH)
def test_a_base_that_is_nowhere(engine: DockerEngine, builder: Builder) -> None:
    """An unknown base raises RegistryError at its FROM, with what to try next."""
    text = "FROM scratch AS x\nFROM 127.0.0.1:9/nosuch:1\n"
    with pytest.raises(RegistryError, match="the registry cannot be reached") as caught:
        engine.build(text, tag=TAG, builder=builder)
    assert caught.value.line == 2
    assert "Check the network" in caught.value.hint


def test_errors_only_docker_finds(engine: DockerEngine) -> None:
    """What our parser lets pass and BuildKit refuses is a DockerfileError with the line all the same."""
    with pytest.raises(DockerfileError) as caught:
        engine.build(f"FROM {BASE}\nRUN true\nEXPOSE 80/nosuch\n", tag=TAG)
    assert caught.value.line == 3


def test_a_secret_reaches_the_run_and_nothing_else(engine: DockerEngine) -> None:
    """A secret is there while its RUN runs and in no layer."""
    text = f"FROM {BASE}\nRUN --mount=type=secret,id=token cat /run/secrets/token; echo\n"
    built = engine.build(text, tag=TAG, secrets={"token": b"s3cret"}, no_cache=True)
    assert built.steps[1].log == ("s3cret",)
    assert "run/secrets/token" not in built.image.tree() or not built.image.tree().read("run/secrets/token")
    with pytest.raises(EngineError, match="legacy builder has no secrets"):
        engine.build(text, tag=TAG, secrets={"token": b"s3cret"}, builder="legacy")


@pytest.mark.parametrize("builder", BOTH)
def test_interrupting_a_build(engine: DockerEngine, builder: Builder) -> None:
    """Ctrl-C during a RUN comes through, ends the build in Docker too, and the next build is right."""
    text = f"FROM {BASE}\nRUN echo begun; sleep 43210\n"

    def interrupt(event: Event) -> None:
        if isinstance(event, Log):
            timer.start()

    timer = threading.Timer(0.0, os.kill, (os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        engine.build(text, tag=TAG, builder=builder, no_cache=True, on_event=interrupt)
    timer.join()
    deadline = time.monotonic() + 20
    while subprocess.run(["pgrep", "-f", "sleep 43210"], capture_output=True, check=False).stdout:
        assert time.monotonic() < deadline, "the RUN goes on in Docker"
    assert engine.build(f"FROM {BASE}\nRUN true\n", tag=TAG, builder=builder).steps[1].keyword == "RUN"


def test_someone_else_s_image_is_left_alone(engine: DockerEngine) -> None:
    """An image without our mark is neither removed nor overwritten, though it was built on one of ours."""
    engine.build(f"FROM {BASE}\nRUN true\n", tag=TAG)
    other = "dockerlab-test-engine-other:1"
    text = f"FROM {TAG}\nENV A=1\n"
    command = ["docker", "buildx", "build", "--builder=default", "--load", "-q", "-t", other, "-"]
    subprocess.run(command, input=text, text=True, check=True, capture_output=True)
    try:
        assert docker("inspect", "--format", '{{index .Config.Labels "dev.dockerlab"}}', other) == "1"
        with pytest.raises(EngineError, match="was not built by dockerlab"):
            engine.remove(other)
        with pytest.raises(EngineError, match="an image of your own"):
            engine.build("FROM scratch\nENV A=1\n", tag=other)
        assert other not in [one.reference for one in engine.images()]
        assert engine.image(other).reference == other
    finally:
        docker("rmi", other)


def test_our_mark_shows_in_no_history(engine: DockerEngine) -> None:
    """The label is in the config alone: no history row and no layer comes from it, with either builder."""
    for builder in BOTH:
        built = engine.build(f"FROM {BASE}\nENV A=1\n", tag=TAG, builder=builder)
        assert [row.empty for row in built.image.history] == [False, True]
        assert not any("dev.dockerlab" in row.created_by for row in built.image.history)


def test_images_run_save_load_remove(engine: DockerEngine, tmp_path: Path) -> None:
    """An image is listed, runs, is saved, removed and loaded again, and is the same image."""
    tag = "dockerlab/test-engine-cycle:1"
    built = engine.build(f'FROM {BASE}\nRUN echo x > /x\nCMD ["cat", "/x"]\n', tag=tag)
    (line,) = [one for one in engine.images() if one.reference == tag]
    assert (line.id, line.layers, line.size_unpacked) == (built.image.id, 2, built.image.size_unpacked)
    assert engine.run(tag).output == "x\n"
    ran = engine.run(tag, ["sh", "-c", "echo out; echo err >&2; exit 4"])
    assert (ran.exit_code, sorted(ran.output.split())) == (4, ["err", "out"])
    assert engine.run(tag, ["nosuch"]).exit_code == 127
    archive = tmp_path / "a.tar"
    engine.save([tag], archive)
    assert read_archive(archive, tag).config == built.image.config
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]
    engine.remove(tag)
    with pytest.raises(ImageNotFoundError, match="no image named dockerlab/test-engine-cycle:1"):
        engine.image(tag)
    assert engine.load(archive) == [tag]
    assert engine.image(tag).id == built.image.id
    engine.remove(tag)


def test_a_command_that_does_not_end(engine: DockerEngine) -> None:
    """A command that outlives its timeout is ended, its container removed."""
    with pytest.raises(RunTimeoutError, match=r"still running after 0\.5 seconds"):
        engine.run(BASE, ["sleep", "100"], timeout=0.5)
    assert docker("ps", "-aq", "--filter", f"ancestor={BASE}") == ""


def test_an_image_without_a_command(engine: DockerEngine) -> None:
    """Running an image that says nothing to run is an error with the next step."""
    with pytest.raises(BuildError, match="has no command"):
        engine.run(BASE)


def test_layers_are_kept_once(engine: DockerEngine) -> None:
    """Two images on one base share its blob in the lab's folder; prune drops what Docker no longer has."""
    tag = "dockerlab/test-engine-gone:1"
    built = engine.build(f"FROM {BASE}\nRUN echo only here > /only\n", tag=tag)
    blobs = engine.cache.root / "blobs" / "sha256"
    own = blobs / built.image.layers[1].diff_id[7:]
    assert own.exists()
    docker("rmi", tag)
    engine.build(f"FROM {BASE}\nENV A=1\n", tag=TAG)
    assert engine.prune() >= 0
    assert not own.exists()
    assert (blobs / built.image.layers[0].diff_id[7:]).exists()


def test_a_stand_in_never_takes_the_real_name(base: str, tmp_path: Path) -> None:
    """A base that cannot be pulled is served by a stand-in under our own name, with both builders."""
    archive = tmp_path / "base.tar"
    docker("save", "-o", str(archive), base)
    asked: list[str] = []

    def maker(reference: str, on_event: OnEvent) -> Path | None:
        asked.append(reference)
        return archive

    engine = DockerEngine(root=tmp_path / "docker", stand_in=maker)
    name = "test-engine.invalid/debian:trixie-slim"
    text = f"FROM {name} AS a\nWORKDIR /w\nRUN echo x > x\nFROM {name}\nCOPY --from=a /w/x /x\nRUN cat /x\n"
    for builder in BOTH:
        notes: list[Event] = []
        built = engine.build(text, tag=TAG, builder=builder, on_event=notes.append, no_cache=True)
        assert (built.base, built.stand_in, built.image.stand_in) == (name, name, name)
        assert (built.image.base_layers, built.layers_added) == (1, 1 + (builder == "buildkit"))
        assert [step.cached for step in built.steps if step.keyword in ("RUN", "COPY", "WORKDIR")] == [
            False
        ] * 4
        assert name in built.steps[0].text
        assert any(isinstance(note, Note) and "stand-in" in note.text for note in notes)
    assert asked == [name]
    assert docker("images", "-q", name) == ""
    assert docker("images", "-q", "dockerlab/stand-in:test-engine.invalid-debian-trixie-slim")
    engine.remove("dockerlab/stand-in:test-engine.invalid-debian-trixie-slim")


def test_a_base_that_can_be_pulled_needs_no_stand_in(registry: str, base: str, tmp_path: Path) -> None:
    """With a registry that has the base it is pulled, and nobody is asked for a stand-in."""
    name = f"{registry}/test-engine:1"
    docker("tag", base, name)
    try:
        docker("push", "-q", name)
    finally:
        docker("rmi", name)

    def maker(reference: str, on_event: OnEvent) -> Path | None:
        raise AssertionError(reference)

    engine = DockerEngine(root=tmp_path / "docker", stand_in=maker)
    try:
        built = engine.build(f"FROM {name}\nENV A=1\n", tag="dockerlab/test-engine-pulled:1")
        assert (built.base, built.stand_in, built.image.base_layers) == (name, None, 1)
        with pytest.raises(EngineError, match="was not built by dockerlab"):
            engine.remove(name)
        engine.remove("dockerlab/test-engine-pulled:1")
    finally:
        docker("rmi", name)


def test_loading_what_is_not_there(engine: DockerEngine, tmp_path: Path) -> None:
    """A missing archive is an ImageError that names it."""
    with pytest.raises(ImageError, match=r"nosuch\.tar cannot be read: No such file"):
        engine.load(tmp_path / "nosuch.tar")


def test_a_wrong_target_and_a_wrong_builder(engine: DockerEngine) -> None:
    """A stage that is not there and a builder that is not Docker's are refused before anything is built."""
    with pytest.raises(DockerfileError, match='no stage "x"'):
        engine.build(f"FROM {BASE}\n", target="x", tag=TAG)
    with pytest.raises(EngineError, match='"embedded" builder is not part of Docker'):
        engine.build(f"FROM {BASE}\n", builder="embedded", tag=TAG)


def test_an_image_without_layers_is_read(engine: DockerEngine) -> None:
    """Docker refuses to save an image of FROM scratch and metadata alone; it is read all the same."""
    build = engine.build("FROM scratch\nLABEL a=b\n", tag="dockerlab/test-no-layers:1")
    try:
        image = engine.image("dockerlab/test-no-layers:1")
        assert (image.layers, build.layers_added) == ((), 0)
        assert [row.created_by for row in image.history] == ["LABEL a=b"]
        assert "dockerlab/test-no-layers:1" in [one.reference for one in engine.images()]
    finally:
        engine.remove("dockerlab/test-no-layers:1")
