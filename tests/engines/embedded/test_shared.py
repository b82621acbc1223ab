"""$DOCKERLAB_BASES: bases and builds of another store are read in place, and that store stays as it is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dockerlab.cli import main
from dockerlab.context.context import Context, File
from dockerlab.engines.embedded import EmbeddedEngine
from dockerlab.engines.embedded.store.shared import VARIABLE, Shared
from dockerlab.errors import EngineError, ImageNotFoundError, StoreError
from dockerlab.image.archive_reader import read_archive

WARM = 'FROM tools:1\nCOPY a.txt /a.txt\nRUN ["/bin/sh", "-c", "echo b > /b.txt"]\n'


@pytest.fixture(scope="module")
def busybox() -> bytes:
    """Return a program that needs no library."""
    program = shutil.which("busybox")
    if program is None:
        pytest.skip("needs a statically linked busybox (busybox-static)")
    return Path(program).read_bytes()


@pytest.fixture
def place(tmp_path: Path, busybox: bytes, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a place made by the command: the base tools:1, and the steps of a build on it."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("DOCKERLAB_REGISTRY_MIRROR", "127.0.0.1:9")
    place, project = tmp_path / "place", tmp_path / "project"
    project.mkdir()
    (project / "a.txt").write_text("a\n")
    (project / "Dockerfile").write_text(WARM)
    place.mkdir()
    engine = EmbeddedEngine(place)
    try:
        _ = engine.sandbox
    except EngineError as error:
        pytest.skip(error.message)
    context = Context.files({"busybox": File(busybox, mode=0o755)})
    engine.build("FROM scratch\nCOPY busybox /bin/sh\n", context=context, tag="tools:1")
    assert main(["bases", "--into", str(place), "--warm", str(project), "tools:1"]) == 0
    assert not any(path for name in ("work", "downloads", "kept") for path in (place / name).iterdir())
    monkeypatch.setenv(VARIABLE, str(place))
    return place


def contents(place: Path) -> dict[str, tuple[int, int, int]]:
    """Return all that a write, a removal or a change of rights would change."""
    found = {str(path): path.lstat() for path in [place, *place.rglob("*")]}
    return {path: (one.st_mode, one.st_size, one.st_mtime_ns) for path, one in found.items()}


def test_bases_and_builds_are_read_in_place(place: Path, tmp_path: Path) -> None:
    """No registry is asked, what was built there is cached, its bytes are not copied, and nothing changes."""
    before = contents(place)
    engine = EmbeddedEngine(tmp_path / "own")
    context = Context.folder(tmp_path / "project")
    warm = engine.build(WARM, context=context, tag="warm:1")
    assert [step.cached for step in warm.steps] == [None, True, True]
    more = engine.build(WARM + 'RUN ["/bin/sh", "-c", "echo c > /c.txt"]\n', context=context, tag="more:1")
    assert [step.cached for step in more.steps] == [None, True, True, False]
    assert engine.run("more:1", ["/bin/sh", "-c", "read x < /b.txt; echo $x"]).output == "b\n"
    blobs = {path.name for path in (tmp_path / "own" / "blobs" / "sha256").iterdir()}
    assert [layer.diff_id[7:] in blobs for layer in more.image.layers] == [False, False, False, True]
    assert engine.store.validate() == []
    assert contents(place) == before


def test_what_is_built_on_it_outlives_a_prune_and_is_saved_whole(place: Path, tmp_path: Path) -> None:
    """A prune takes nothing of the place, and an archive has the layers that lie there."""
    before = contents(place)
    engine = EmbeddedEngine(tmp_path / "own")
    built = engine.build(WARM, context=Context.folder(tmp_path / "project"), tag="warm:1")
    engine.prune()
    engine.save(["warm:1"], tmp_path / "warm.tar")
    with pytest.raises(ImageNotFoundError):
        engine.remove("tools:1")
    saved = read_archive(tmp_path / "warm.tar", "warm:1")
    assert [layer.diff_id for layer in saved.layers] == [layer.diff_id for layer in built.image.layers]
    assert saved.tree().get("bin/sh") is not None
    assert contents(place) == before


def test_its_images_are_listed_and_a_name_of_ones_own_counts(place: Path, tmp_path: Path) -> None:
    """The place's bases are among the images; an image of the store with that name stands for it."""
    engine = EmbeddedEngine(tmp_path / "own")
    assert [one.reference for one in engine.images()] == ["tools:1"]
    theirs = engine.image("tools:1").id
    built = engine.build("FROM tools:1\nLABEL mine=1\n", tag="tools:1")
    assert built.image.id != theirs
    assert [one.id for one in engine.images()] == [built.image.id]
    assert engine.image("tools:1").id == built.image.id


def test_a_place_that_is_none_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder without bases is named, with the command that makes it one; doctor says the same."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(StoreError, match="nowhere, where no base images are") as caught:
        EmbeddedEngine(tmp_path / "own")
    assert f"dockerlab bases --into {tmp_path / 'nowhere'}" in caught.value.hint
    main(["doctor", "--engine", "embedded"])
    said = capsys.readouterr().out
    assert f"--  shared bases  {VARIABLE} is {tmp_path / 'nowhere'}" in said


def test_doctor_names_the_place(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`dockerlab doctor` says where shared bases are and which."""
    monkeypatch.setenv("DOCKERLAB_HOME", str(tmp_path / "own"))
    main(["doctor", "--engine", "embedded"])
    assert f"ok  shared bases  {place}: tools:1\n" in capsys.readouterr().out


def test_a_place_is_readable_for_others_and_is_its_own(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever makes more bases in it works on the place itself, whatever the variable says."""
    assert place.stat().st_mode & 0o005 == 0o005
    assert Shared.given(place) is None
    monkeypatch.delenv(VARIABLE)
    assert Shared.given(place) is None
