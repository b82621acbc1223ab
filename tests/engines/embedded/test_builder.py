"""The builder: what makes a layer, what is cached, what history rows and errors say. No RUN here."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockerlab import errors
from dockerlab.context.context import Context, File
from dockerlab.engines.embedded import EmbeddedEngine
from dockerlab.engines.results import Build, Event, Finished, Note, Started
from dockerlab.image.image import EMPTY_LAYER


@pytest.fixture
def engine(tmp_path: Path) -> EmbeddedEngine:
    """An engine with an empty store of its own."""
    return EmbeddedEngine(tmp_path / "home")


def cached(build: Build) -> list[bool | None]:
    """Return the cached flag of every step after FROM."""
    return [step.cached for step in build.steps if step.keyword != "FROM"]


def paths(build: Build, layer: int = -1) -> list[str]:
    """Return the paths in one layer of the image."""
    return [entry.path for entry in build.image.layers[layer].entries]


def test_metadata_makes_no_layer(engine: EmbeddedEngine) -> None:
    """Eleven metadata instructions make eleven history rows and no layer."""
    text = """FROM scratch
ENV A=1
LABEL a=b
EXPOSE 80
CMD ["x"]
ENTRYPOINT ["y"]
USER 1000
ARG V=1
VOLUME /data
STOPSIGNAL SIGINT
HEALTHCHECK NONE
SHELL ["/bin/sh", "-c"]
"""
    image = engine.build(text).image
    assert (len(image.layers), len(image.history), all(row.empty for row in image.history)) == (0, 11, True)


def test_workdir_makes_a_layer_even_where_the_folder_exists(engine: EmbeddedEngine) -> None:
    """WORKDIR on an existing folder stores the empty layer; WORKDIR / stores none."""
    build = engine.build("FROM scratch\nWORKDIR /app\nWORKDIR /app\nWORKDIR /\n")
    assert paths(build, 0) == ["app"]
    assert [layer.diff_id for layer in build.image.layers][1:] == [EMPTY_LAYER]


def test_workdir_belongs_to_the_user(engine: EmbeddedEngine) -> None:
    """A folder that WORKDIR makes belongs to the current USER."""
    entry = engine.build("FROM scratch\nUSER 1000:50\nWORKDIR /app\n").image.layers[0].entries[0]
    assert (entry.uid, entry.gid, entry.mode) == (1000, 50, 0o755)


def test_copy_a_folder_copies_its_content(engine: EmbeddedEngine) -> None:
    """COPY of a folder puts its content into the destination, owned by root, modes kept."""
    context = Context.files({"src/a": "1", "src/sub/b": File("22", 0o755)})
    layer = engine.build("FROM scratch\nCOPY src /app\n", context=context).image.layers[0]
    found = {entry.path: (entry.kind, entry.mode, entry.uid, entry.size) for entry in layer.entries}
    assert found == {
        "app": ("dir", 0o755, 0, 0),
        "app/a": ("file", 0o644, 0, 1),
        "app/sub": ("dir", 0o755, 0, 0),
        "app/sub/b": ("file", 0o755, 0, 2),
    }


def test_a_layer_names_unchanged_parents(engine: EmbeddedEngine) -> None:
    """A COPY into an existing folder stores that folder's entry again, but not its other content."""
    context = Context.files({"a": "1", "b": "2"})
    build = engine.build("FROM scratch\nCOPY a /app/x/\nCOPY b /app/x/\n", context=context)
    assert paths(build) == ["app", "app/x", "app/x/b"]


def test_second_build_is_cached_and_the_same_image(engine: EmbeddedEngine) -> None:
    """Building the same again runs nothing and gives the same image id."""
    text, context = "FROM scratch\nCOPY a /\nLABEL x=y\nWORKDIR /w\n", Context.files({"a": "1"})
    first, second = (engine.build(text, context=context) for _ in range(2))
    assert cached(first) == [False, None, False]
    assert cached(second) == [True, None, True]
    assert first.image.id == second.image.id


@pytest.mark.parametrize(
    ("above", "flags"),
    [
        ("LABEL v=2", [None, True, True]),
        ('CMD ["b"]', [None, True, True]),
        ("EXPOSE 81", [None, True, True]),
        ("ENV V=2", [None, True, True]),
        ("USER 2", [None, True, False]),
        ("WORKDIR /other", [False, False, False]),
    ],
)
def test_what_a_change_above_does_to_copy_and_workdir(
    engine: EmbeddedEngine, above: str, flags: list[bool | None]
) -> None:
    """Metadata above a COPY never misses it; USER is an input of WORKDIR; WORKDIR is a layer below all."""
    before = {
        "LABEL": "LABEL v=1",
        "CMD": 'CMD ["a"]',
        "EXPOSE": "EXPOSE 80",
        "ENV": "ENV V=1",
        "USER": "USER 1",
    }
    context = Context.files({"a": "1"})
    first = before.get(above.split()[0], "WORKDIR /one")
    engine.build(f"FROM scratch\n{first}\nCOPY a /x/\nWORKDIR /y\n", context=context, tag="t")
    again = engine.build(f"FROM scratch\n{above}\nCOPY a /x/\nWORKDIR /y\n", context=context, tag="t")
    assert cached(again) == flags


def test_touching_a_file_keeps_the_cache(engine: EmbeddedEngine, tmp_path: Path) -> None:
    """The modification time of a source file is no part of the key; its mode and its content are."""
    import os

    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "a").write_text("1")
    text = "FROM scratch\nCOPY a /\n"
    engine.build(text, context=Context.folder(folder), tag="t")
    os.utime(folder / "a", (1, 1))
    assert cached(engine.build(text, context=Context.folder(folder), tag="t")) == [True]
    (folder / "a").chmod(0o600)
    by_mode = engine.build(text, context=Context.folder(folder), tag="t")
    assert cached(by_mode) == [False]
    assert "0644" in str(by_mode.steps[1].reason)
    assert "0600" in str(by_mode.steps[1].reason)
    (folder / "a").write_text("2")
    by_content = engine.build(text, context=Context.folder(folder), tag="t")
    assert cached(by_content) == [False]
    assert str(by_content.steps[1].reason).startswith("a changed: its content was sha256:")


def test_unneeded_stages_are_left_out(engine: EmbeddedEngine) -> None:
    """A stage that the target does not use is not built."""
    text = (
        "FROM scratch AS used\nCOPY a /\nFROM scratch AS unused\nCOPY nosuch /\n"
        "FROM scratch\nCOPY --from=used /a /b\n"
    )
    build = engine.build(text, context=Context.files({"a": "1"}))
    assert [step.stage for step in build.steps] == ["used", "used", "2", "2"]
    assert build.image.tree().read("b") == b"1"


def test_copy_from_a_rebuilt_stage_with_the_same_bytes_is_cached(engine: EmbeddedEngine) -> None:
    """COPY --from is keyed by what it copies, not by how the stage came to be."""
    text = "FROM scratch AS one\nCOPY {} /x/\nFROM scratch\nCOPY --from=one /x/a /b\n"
    engine.build(text.format("a"), context=Context.files({"a": "1"}), tag="t")
    again = engine.build(text.format("a junk"), context=Context.files({"a": "1", "junk": "j"}), tag="t")
    assert cached(again) == [False, True]


def test_add_unpacks_an_archive(engine: EmbeddedEngine) -> None:
    """ADD unpacks a local tar with its owners; COPY stores it as it is."""
    import io
    import tarfile

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        info = tarfile.TarInfo("d/f")
        info.size, info.uid = 3, 7
        tar.addfile(info, io.BytesIO(b"abc"))
    context = Context.files({"x.tar.gz": out.getvalue()})
    added = engine.build("FROM scratch\nADD x.tar.gz /to/\n", context=context)
    node = added.image.tree().get("to/d/f")
    assert node is not None
    assert (node.entry.uid, added.image.tree().read("to/d/f")) == (7, b"abc")
    copied = engine.build("FROM scratch\nCOPY x.tar.gz /to/\n", context=context)
    assert paths(copied) == ["to", "to/x.tar.gz"]


def test_history_rows_read_as_buildkits(engine: EmbeddedEngine) -> None:
    """Rows of layers end in "# buildkit"; rows of metadata do not, nor does WORKDIR."""
    text = (
        "FROM scratch\nARG V=1\nCOPY --chown=1:2 a /\nEXPOSE 80 53/udp\nENV X=1 Y='two words'\nWORKDIR /w\n"
    )
    image = engine.build(text, context=Context.files({"a": "1"})).image
    assert [row.created_by for row in image.history] == [
        "ARG V=1",
        "COPY --chown=1:2 a / # buildkit",
        "EXPOSE [53/udp 80/tcp]",
        "ENV X=1 Y=two words",
        "WORKDIR /w",
    ]


def test_arguments_reach_from_and_stages(engine: EmbeddedEngine) -> None:
    """An ARG before FROM needs to be declared again in a stage; a build argument overrides its default."""
    text = "ARG V=1\nFROM scratch\nLABEL before=$V\nARG V\nLABEL after=$V\n"
    labels = [
        engine.build(text, build_args=args).image.config["config"]["Labels"] for args in ({}, {"V": "2"})
    ]
    assert labels == [{"before": "", "after": "1"}, {"before": "", "after": "2"}]


def test_steps_are_announced_in_order(engine: EmbeddedEngine) -> None:
    """Each step starts, then finishes, and numbers run from 1 to the total."""
    events: list[Event] = []
    engine.build("FROM scratch\nWORKDIR /a\nWORKDIR /b\n", on_event=events.append)
    seen = [
        (event.number, event.total) if isinstance(event, Started) else (event.step.number, event.total)
        for event in events
        if isinstance(event, Started | Finished)
    ]
    assert seen == [(1, 3), (1, 3), (2, 3), (2, 3), (3, 3), (3, 3)]


def test_a_check_directive_is_not_ignored_in_silence(engine: EmbeddedEngine) -> None:
    """`# check=` asks BuildKit's own checks for something: the build says that none are run, and goes on."""
    events: list[Event] = []
    engine.build("# check=error=true\nFROM scratch\n", on_event=events.append)
    notes = [event.text for event in events if isinstance(event, Note)]
    assert notes == ["# check=error=true is for BuildKit's checks: none are run here."]


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("FROM scratch\nCOPY nosuch /\n", errors.ContextError, ["line 2", "nosuch"]),
        ("FROM scratch\nCOPY ap.py /\n", errors.ContextError, ["line 2", 'Did you mean "app.py"']),
        ("FROM scratch\nEXPOSE eighty\n", errors.DockerfileError, ["line 2", "eighty"]),
        ("FROM scratch\nCOPY --chmod=rw app.py /\n", errors.DockerfileError, ["line 2", "--chmod"]),
        (
            "FROM scratch\nADD git://127.0.0.1:9/x.git /x\n",
            errors.BuildError,
            ["line 2", "git ls-remote failed"],
        ),
        ("FROM scratch\nRUN --mount=type=ssh,required true\n", errors.UnsupportedError, ["line 2", "ssh"]),
    ],
)
def test_errors_name_the_line_and_what_was_found(
    engine: EmbeddedEngine, text: str, kind: type[errors.DockerlabError], words: list[str]
) -> None:
    """A build that cannot go on says which line, what it found, and what to do; nothing is tagged."""
    with pytest.raises(kind) as caught:
        engine.build(text, context=Context.files({"app.py": ""}), tag="t")
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert caught.value.hint
    assert engine.images() == []


def test_an_unknown_target_names_the_stages(engine: EmbeddedEngine) -> None:
    """--target with a name that is not there lists the ones that are."""
    with pytest.raises(errors.DockerfileError, match=r"nosuch(.|\n)*one, 1"):
        engine.build("FROM scratch AS one\nFROM scratch\n", target="nosuch")
