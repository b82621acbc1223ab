"""One contract, both engines: what each call takes, returns and raises."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from dockerlab.context.context import Context, File
from dockerlab.engines.results import Builder, Engine, Ran
from dockerlab.errors import (
    BuildError,
    ContextError,
    DockerfileError,
    DockerlabError,
    EngineError,
    ImageError,
    ImageNotFoundError,
    RegistryError,
    RunError,
    RunTimeoutError,
    StoreError,
)
from tests.engines.conftest import BASE

NAME = "dockerlab/test-engine-contract:latest"
NOWHERE = "dockerlab/test-engine-nowhere:1"


@pytest.fixture
def built(each_engine: Engine) -> str:
    """Build an image; return its ID."""
    text = "FROM scratch\nCOPY a /\nLABEL b=c\n"
    return each_engine.build(text, context=Context.files({"a": "1"}), tag=NAME).image.id


def test_what_a_reference_means(each_engine: Engine, built: str) -> None:
    """A name without a tag is that of :latest, Docker Hub's is the same; an ID and its start work too."""
    short = built.removeprefix("sha256:")[:12]
    for reference in (NAME, NAME.removesuffix(":latest"), f"docker.io/{NAME}", built, short):
        assert each_engine.image(reference).id == built, reference


def unknown(name: str) -> dict[str, Callable[[Engine, Path], object]]:
    """Return each call that takes a reference, made with this one."""
    return {
        "image": lambda engine, folder: engine.image(name),
        "run": lambda engine, folder: engine.run(name, ["true"]),
        "save": lambda engine, folder: engine.save([name], folder / "out.tar"),
        "remove": lambda engine, folder: engine.remove(name),
    }


@pytest.mark.parametrize("reference", [NOWHERE, "sha256:" + "0" * 64, "0123456789ab"])
def test_an_image_that_is_not_there(reference: str, each_engine: Engine, tmp_path: Path) -> None:
    """Each call that takes a reference raises ImageNotFoundError, names it, and leaves nothing."""
    for name, call in unknown(reference).items():
        with pytest.raises(ImageNotFoundError) as caught:
            call(each_engine, tmp_path)
        assert reference in caught.value.message, name
        assert caught.value.hint, name
    assert each_engine.last_build(reference) is None
    assert not list(tmp_path.glob("*.tar*"))


@pytest.mark.parametrize("reference", ["UPPER", "a:b:c", "", "a b", "-x"])
def test_what_is_no_reference(reference: str, each_engine: Engine, tmp_path: Path) -> None:
    """Text that cannot be a reference raises ImageError wherever one is taken."""
    for name, call in unknown(reference).items():
        with pytest.raises(ImageError):
            print(name, call(each_engine, tmp_path))


def test_a_command_that_runs(each_engine: Engine) -> None:
    """The exit code and what was printed come back; a program that is not there has ended with 127."""
    ran = each_engine.run(BASE, ["/bin/sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (ran.exit_code, sorted(ran.output.split())) == (3, ["err", "out"])
    assert each_engine.run(BASE, ["/nowhere"]).exit_code == 127


def test_a_command_that_takes_too_long(each_engine: Engine) -> None:
    """RunTimeoutError, which is no failed build, says how long it had and what to do."""
    with pytest.raises(RunTimeoutError, match=r"still running after 0\.5 seconds") as caught:
        each_engine.run(BASE, ["sleep", "100"], timeout=0.5)
    assert caught.value.hint
    assert not isinstance(caught.value, BuildError)


def test_an_image_without_a_command(each_engine: Engine, built: str) -> None:
    """Running it without saying what is a BuildError with the next step."""
    with pytest.raises(BuildError, match="has no command") as caught:
        each_engine.run(built)
    assert caught.value.hint


def test_an_archive_goes_round(each_engine: Engine, built: str, tmp_path: Path) -> None:
    """What was saved is loaded under its name and its ID, and load says the name."""
    each_engine.save([NAME], tmp_path / "out.tar")
    each_engine.remove(NAME)
    with pytest.raises(ImageNotFoundError):
        each_engine.image(NAME)
    assert each_engine.load(tmp_path / "out.tar") == [NAME]
    assert each_engine.image(NAME).id == built


def test_what_is_no_archive(each_engine: Engine, tmp_path: Path) -> None:
    """A file that is not there, that is none, or that is cut off raises ImageError."""
    (tmp_path / "text").write_text("no archive\n" * 1000)
    each_engine.save([BASE], tmp_path / "whole.tar")
    whole = (tmp_path / "whole.tar").read_bytes()
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    for name in ("nowhere", "text", "cut"):
        with pytest.raises(ImageError):
            print(name, each_engine.load(tmp_path / name))


def test_a_folder_that_is_not_there(each_engine: Engine, built: str, tmp_path: Path) -> None:
    """An archive that cannot be written raises StoreError that names the path."""
    with pytest.raises(StoreError, match=r"nowhere"):
        each_engine.save([built], tmp_path / "nowhere" / "out.tar")


@pytest.mark.parametrize(
    ("text", "kind", "line"),
    [
        ("FROM scratch\nFROBNICATE\n", DockerfileError, 2),
        ("FROM scratch\nCOPY nowhere /\n", ContextError, 2),
        (f"FROM {BASE}\nRUN exit 3\n", RunError, 2),
        (f"FROM {NOWHERE}\n", RegistryError, 1),
        (f"FROM scratch\nCOPY --from={NOWHERE} / /\n", RegistryError, 2),
    ],
)
def test_a_build_that_fails(text: str, kind: type[DockerlabError], line: int, each_engine: Engine) -> None:
    """A failed build has the type of what is to be mended, the line, and what to do, and makes no image."""
    with pytest.raises(DockerlabError) as caught:
        each_engine.build(text, tag="dockerlab/test-engine-failed:1")
    assert type(caught.value) is kind
    assert caught.value.line == line
    assert caught.value.hint
    with pytest.raises(ImageNotFoundError):
        each_engine.image("dockerlab/test-engine-failed:1")


def test_what_is_asked_for_wrongly(each_engine: Engine) -> None:
    """A stage that is not there is a DockerfileError; a builder that is another engine's an EngineError."""
    with pytest.raises(DockerfileError, match="nowhere"):
        each_engine.build("FROM scratch AS a\n", target="nowhere")
    other: Builder = "buildkit" if each_engine.name == "embedded" else "embedded"
    with pytest.raises(EngineError):
        each_engine.build("FROM scratch\n", builder=other)
    with pytest.raises(ImageError):
        each_engine.build("FROM scratch\n", tag="UPPER")


def test_a_build_can_be_made_again_from_what_it_remembers(each_engine: Engine) -> None:
    """Context, target, arguments and secrets are in the Build's recipe, and make the same layers again."""
    text = (
        f"FROM {BASE} AS one\nARG WORD\nCOPY a /\n"
        "RUN --mount=type=secret,id=key test -s /run/secrets/key && echo $WORD > /word\n"
        "FROM one AS two\nRUN false\n"
    )
    context = Context.files({"a": "1", "b": "2", ".dockerignore": "b\n"})
    asked = {"target": "one", "build_args": {"WORD": "w"}, "secrets": {"key": b"k"}}
    first = each_engine.build(text, context=context, tag=NAME, **asked)  # type: ignore[arg-type]
    try:
        recipe = first.recipe
        assert recipe.context is context
        assert (recipe.target, recipe.build_args["WORD"], recipe.secrets) == ("one", "w", {"key": b"k"})
        again = each_engine.build(
            first.dockerfile,
            context=recipe.context,
            tag=NAME,
            target=recipe.target,
            build_args=recipe.build_args,
            secrets=recipe.secrets,
            options=recipe.options,
        )
        assert [layer.diff_id for layer in again.image.layers] == [
            layer.diff_id for layer in first.image.layers
        ]
    finally:
        each_engine.remove(NAME)


def test_a_bind_mount_is_read_from_the_context(each_engine: Engine) -> None:
    """context_bytes counts what a RUN's bind mounts show of the context, and each file once."""
    files: dict[str, str | bytes | File] = {
        "big": secrets.token_bytes(300_000),
        "small": "s",
        "other": b"o" * 900_000,
    }
    mount = "--mount=source=big,target=/b"
    text = f"FROM {BASE}\nRUN {mount} wc -c /b\nRUN {mount} test -s /b\nCOPY small /\n"
    try:
        read = each_engine.build(text, context=Context.files(files), tag=NAME).context_bytes
    finally:
        each_engine.remove(NAME)
    assert 300_000 <= read < 310_000


def test_a_command_without_the_entry_point(each_engine: Engine) -> None:
    """Without the entry point the arguments are the whole command, and the image's settings hold."""
    text = f'FROM {BASE}\nWORKDIR /tmp\nUSER 65534\nENTRYPOINT ["echo"]\nCMD ["pwd"]\n'
    image = each_engine.build(text, tag=NAME).image.id
    try:
        assert each_engine.run(image, ["pwd"]) == Ran(0, "pwd\n")
        assert each_engine.run(image, ["sh", "-c", "pwd; id -u"], entrypoint=False) == Ran(0, "/tmp\n65534\n")
        assert each_engine.run(image, ["/nothing"], entrypoint=False).exit_code == 127
    finally:
        each_engine.remove(NAME)
