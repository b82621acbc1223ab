"""The options of `docker build` mean the same on both engines, or are refused by name."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from dockerlab.context.context import Context
from dockerlab.engines.options import BUILDKIT_ONLY, BuildOptions
from dockerlab.engines.results import Build, Engine
from dockerlab.errors import DockerlabError, EngineError
from tests.engines.conftest import BASE

NAME = "dockerlab/test-engine-options:1"
OTHER = "dockerlab/test-engine-options:2"


def read(build: Build, path: str) -> bytes | None:
    """Return the content of a file of a built image."""
    return build.image.tree().read(path)


def test_an_image_has_every_name_it_was_given(each_engine: Engine) -> None:
    """Each further tag is a name of the image, and `why` knows the build by each."""
    options = BuildOptions(tags=(OTHER,))
    built = each_engine.build(
        "FROM scratch\nCOPY a /\n", context=Context.files({"a": "1"}), tag=NAME, options=options
    )
    assert [each_engine.image(name).id for name in (NAME, OTHER)] == [built.image.id] * 2
    last = each_engine.last_build(OTHER)
    assert last is not None
    assert [step.text for step in last.steps] == [step.text for step in built.steps]
    each_engine.remove(OTHER)
    assert each_engine.image(NAME).id == built.image.id


def test_labels_stand_in_the_config_and_over_the_dockerfile_s(each_engine: Engine) -> None:
    """--label wins over LABEL, makes no layer and no history row."""
    text = "FROM scratch\nLABEL a=file b=file\n"
    built = each_engine.build(text, tag=NAME, options=BuildOptions(labels={"b": "option", "c": ""}))
    labels = built.image.config["config"]["Labels"]
    assert {name: labels[name] for name in "abc"} == {"a": "file", "b": "option", "c": ""}
    assert len(built.image.history) == 1


def test_a_build_context_of_its_own_name(each_engine: Engine, tmp_path: Path) -> None:
    """--from of a named context reads a folder, without what its .dockerignore leaves out, or an image."""
    (tmp_path / "more").mkdir()
    for name in ("kept", "left", ".dockerignore"):
        (tmp_path / "more" / name).write_text("left\n")
    text = "FROM scratch\nCOPY --from=more . /more/\nCOPY --from=image /etc/passwd /\n"
    options = BuildOptions(contexts={"more": str(tmp_path / "more"), "image": f"docker-image://{BASE}"})
    built = each_engine.build(text, tag=NAME, options=options)
    assert read(built, "more/kept") == b"left\n"
    assert read(built, "more/left") is None
    assert (read(built, "passwd") or b"").startswith(b"root:")
    another = secrets.token_hex()  # what no other build has
    (tmp_path / "more" / "kept").write_text(another)
    again = each_engine.build(text, tag=NAME, options=options)
    assert [step.cached for step in again.steps] == [None, False, False]
    assert read(again, "more/kept") == another.encode()


def test_from_a_named_image(each_engine: Engine) -> None:
    """FROM of a named context starts from that image, whatever a registry has under the name."""
    options = BuildOptions(contexts={"app-base": f"docker-image://{BASE}"})
    built = each_engine.build("FROM app-base\nRUN echo hi > /hi\n", tag=NAME, options=options)
    assert read(built, "hi") == b"hi\n"
    assert read(built, "bin/busybox") is not None


def test_no_network(each_engine: Engine) -> None:
    """--network none leaves a RUN the loopback device alone, one that says --network=default too."""
    text = f"FROM {BASE}\nRUN cat /proc/net/dev > /one\nRUN --network=default cat /proc/net/dev > /two\n"
    alone = each_engine.build(text, tag=NAME, options=BuildOptions(network="none"))
    assert [(read(alone, name) or b"").count(b":") for name in ("one", "two")] == [1, 1]
    built = each_engine.build(text, tag=NAME)
    assert [step.cached for step in built.steps] == [None, False, False]
    assert (read(built, "one") or b"").count(b":") > 1


def test_stages_that_are_built_anew(each_engine: Engine) -> None:
    """--no-cache-filter runs the named stages' steps again and no others, and the reason says so."""
    text = (
        f"FROM {BASE} AS one\nRUN echo 1 > /one\nFROM {BASE} AS two\nRUN echo 2 > /two\n"
        "FROM scratch\nCOPY --from=one /one /\nCOPY --from=two /two /\n"
    )
    each_engine.build(text, tag=NAME)
    built = each_engine.build(text, tag=NAME, options=BuildOptions(no_cache_filter=("TWO",)))
    ran = {step.text: step for step in built.steps if step.keyword == "RUN"}
    assert ran["RUN echo 1 > /one"].cached
    assert ran["RUN echo 2 > /two"].cached is False
    assert ran["RUN echo 2 > /two"].reason == "the cache was turned off for this build (--no-cache)"


def test_another_platform_is_refused(each_engine: Engine) -> None:
    """This machine's platform is taken; another one is refused by name before anything is built."""
    from dockerlab.image.platform import here

    each_engine.build(
        "FROM scratch\n", tag=NAME, options=BuildOptions(platform=f"linux/{here().architecture}")
    )
    for platform in ("linux/riscv64", "windows/amd64", f"linux/{here().architecture},linux/riscv64"):
        with pytest.raises(EngineError, match=platform):
            each_engine.build("FROM scratch\n", options=BuildOptions(platform=platform))


def test_pull_asks_the_registry_again(each_engine: Engine) -> None:
    """--pull does not take a base from the store: where no registry has it, the build fails."""
    each_engine.build(f"FROM {BASE}\n", tag=NAME)
    with pytest.raises(DockerlabError):
        each_engine.build(f"FROM {BASE}\n", tag=NAME, options=BuildOptions(pull=True))


@pytest.mark.parametrize("flag", BUILDKIT_ONLY)
def test_what_only_buildkit_has_is_refused_by_name(flag: str, tmp_path: Path) -> None:
    """The embedded engine names the flag and says why, and builds nothing."""
    from dockerlab.engines.embedded import EmbeddedEngine

    engine = EmbeddedEngine(tmp_path)
    with pytest.raises(EngineError, match=f"--{flag}: .*\\.\nLeave it out, or build with --engine docker"):
        engine.build("FROM scratch\n", tag=NAME, options=BuildOptions(buildkit={flag: ("1",)}))
    assert engine.images() == []


def test_what_only_buildkit_has_reaches_it(each_engine: Engine) -> None:
    """--add-host and --shm-size are in force in a RUN on Docker."""
    if each_engine.name != "docker":
        pytest.skip("refused there, as the test above says")
    text = f"FROM {BASE}\nRUN cat /etc/hosts /proc/mounts > /seen\n"
    options = BuildOptions(buildkit={"add-host": ("lab.test:10.1.2.3",), "shm-size": ("96m",)})
    seen = read(each_engine.build(text, tag=NAME, options=options), "seen") or b""
    assert b"10.1.2.3\tlab.test" in seen
    assert b"size=98304k" in seen


def test_the_legacy_builder_takes_none_of_them(each_engine: Engine) -> None:
    """With builder="legacy" an option is refused, not ignored."""
    with pytest.raises(EngineError, match=r"legacy"):
        each_engine.build("FROM scratch\n", builder="legacy", options=BuildOptions(labels={"a": "b"}))
