"""A store as one file: what comes out of it is read in place, and a file that is not whole is refused."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from dockerlab.cli import main
from dockerlab.context.context import Context
from dockerlab.engines.embedded import EmbeddedEngine, mirror
from dockerlab.engines.embedded.store import bundle, upkeep
from dockerlab.engines.embedded.store.shared import VARIABLE
from dockerlab.errors import ImageError, ImageNotFoundError, StoreError

TEXT = "FROM base:1\nCOPY a.txt /a.txt\n"
CONTEXT = Context.files({"a.txt": "a\n"})


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a bundle's store: base:1, the step of a build on it, a page of the mirror."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("DOCKERLAB_HOME", str(tmp_path / "own"))
    engine = EmbeddedEngine(tmp_path / "making" / "store")
    engine.build("FROM scratch\nCOPY a.txt /base.txt\n", context=CONTEXT, tag="base:1")
    engine.build(TEXT, context=CONTEXT)
    (engine.store.root / mirror.FOLDER).mkdir()
    (engine.store.root / mirror.FOLDER / "page").write_bytes(b'{"url": "", "status": 200, "type": ""}\nx')
    upkeep.leave_shared(engine.store)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "dockerlab-1-py3-none-any.whl").write_bytes(b"wheel")
    return engine.store.root


@pytest.fixture
def file(made: Path, tmp_path: Path) -> Path:
    """Return the bundle."""
    bundle.pack(made, tmp_path / "lab.bundle", wheels=tmp_path / "wheels", readme="How to.\n")
    return tmp_path / "lab.bundle"


def test_a_bundle_that_is_used_is_read_in_place_until_it_is_dropped(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bases, steps and the mirror are there with no variable set; dropped, they are gone."""
    with tarfile.open(file) as tar:
        assert tar.getnames() == [
            "layer-lab/README.txt",
            "layer-lab/wheels/dockerlab-1-py3-none-any.whl",
            "layer-lab/store.tar.zst",
        ]
    for _ in range(2):  # also in place of one that is there
        assert main(["bundle", "use", str(file), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["bases"] == ["base:1"]
    engine = EmbeddedEngine()
    assert [step.cached for step in engine.build(TEXT, context=CONTEXT).steps] == [None, True]
    assert [path.name for path in (mirror.folder(engine.store) or tmp_path).iterdir()] == ["page"]
    main(["doctor", "--engine", "embedded"])
    assert f"{tmp_path / 'own' / 'bundle'}: base:1" in capsys.readouterr().out
    assert main(["bundle", "drop"]) == 0
    with pytest.raises(ImageNotFoundError):
        EmbeddedEngine().store.image("base:1")


@pytest.mark.parametrize("kept", [0, 1_500, 3_500])
def test_a_part_of_a_bundle_is_refused_and_the_one_in_use_stays(
    file: Path, tmp_path: Path, kept: int
) -> None:
    """A copy that was cut off is named as such; nothing of it stays, and what was in use is still in use."""
    engine = EmbeddedEngine()
    bundle.use(engine.store, file)
    part = tmp_path / "part"
    part.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(ImageError, match="no bundle, or only a part of one"):
        bundle.use(engine.store, part)
    assert list((engine.store.root / "tmp").iterdir()) == []
    assert EmbeddedEngine().store.image("base:1").reference == "base:1"


def test_a_layer_whose_digest_is_another_is_refused(made: Path, tmp_path: Path) -> None:
    """What a bundle holds is checked as what a registry sends."""
    blob = next((made / "blobs" / "sha256").iterdir())
    blob.write_bytes(blob.read_bytes() + b"more")
    bundle.pack(made, tmp_path / "wrong", wheels=tmp_path / "wheels", readme="")
    with pytest.raises(ImageError, match="another digest than its name"):
        bundle.use(EmbeddedEngine().store, tmp_path / "wrong")
    with pytest.raises(StoreError, match="There is no file"):
        bundle.use(EmbeddedEngine().store, tmp_path / "nothing")
