"""Every form an image is stored in, read by every command."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dockerlab import engines
from dockerlab.cli import main
from dockerlab.engines.embedded.engine import EmbeddedEngine
from dockerlab.errors import ImageError, ImageNotFoundError
from dockerlab.image.archive_reader import Stored, read_archive
from dockerlab.image.image import validate
from dockerlab.image.oci import MANIFEST
from tests.archives import (
    ABSENT,
    LAYERS,
    NAMED,
    OTHER,
    PLATFORM,
    ROWS,
    SHAPES,
    Files,
    before_25,
    config,
    containerd,
    index,
    layout,
    manifest,
    oci,
    packed,
    platforms,
    sha,
    unpacked,
    write,
)

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command with --json on an empty store and gives what it printed."""
    engine = EmbeddedEngine(tmp_path / "store")
    monkeypatch.setattr(engines, "choose", lambda name=None: (engine, "It was passed in."))

    def command(*argv: str | Path) -> dict[str, Any]:
        code = main([*map(str, argv), "--json"])
        out, err = capsys.readouterr()
        assert (code, err) == (0, ""), out
        found: dict[str, Any] = json.loads(out)
        return found

    return command


def _load(run: Run, path: Path) -> None:
    (name,) = run("load", "-i", path)["images"]
    assert sorted(engines.choose()[0].image(name).tree()) == ["big", "etc", "etc/b", "etc/c"]
    assert engines.choose()[0].image(name).tree().read("etc/c") == b"three"


def _ledger(run: Run, path: Path) -> None:
    assert run("ledger", path)["all"]["content"] == 3 + 3 + 5000 + 5


def _explore(run: Run, path: Path) -> None:
    assert "/etc/c" in json.dumps(run("explore", path, "--find", "c"))


def _advise(run: Run, path: Path) -> None:
    assert run("advise", path, "--no-hadolint")["findings"] == []


def _history(run: Run, path: Path) -> None:
    assert run("history", path)["engine"] is None


def _compare(run: Run, path: Path) -> None:
    reference = packed(oci(), path.parent / "reference.tar")
    assert run("compare", path, reference)["shared"]["layers"] == 2


VERBS = {
    "load": _load,
    "ledger": _ledger,
    "explore": _explore,
    "advise": _advise,
    "history": _history,
    "compare": _compare,
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_command_reads_every_form(tmp_path: Path, run: Run, shape: str, verb: str) -> None:
    """Every command takes an image in every form it is stored in, and finds the same in it."""
    VERBS[verb](run, write(shape, tmp_path))


@pytest.mark.parametrize("shape", SHAPES)
def test_every_form_is_the_same_image(tmp_path: Path, shape: str) -> None:
    """Whatever the form, the layers are right, the rows are whole, and the name and the ID are known."""
    image = read_archive(write(shape, tmp_path))
    wrong = [] if "history" not in shape or "null" in shape or "absent" in shape else validate(image)
    assert [text for text in wrong if not text.startswith("The history has")] == []
    own = [layer.diff_id for layer in image.layers if layer.entries]
    assert own == [sha(layer) for layer in LAYERS]
    assert image.reference == (None if shape.endswith("of an ID") else "box:1")
    if not shape.startswith(("history", "docker before 1.10")):
        assert image.id == sha(config())
        assert [row.created_by for row in image.history] == [row["created_by"] for row in ROWS]
    for row in image.history:
        assert isinstance(row.created, str)
        assert isinstance(row.created_by, str)


def test_an_image_of_before_1_10_has_the_history_docker_gives_it(tmp_path: Path) -> None:
    """Each folder is a layer and a row, the command of its container being what made it."""
    image = read_archive(write("docker before 1.10", tmp_path))
    assert [row.created_by for row in image.history] == [row["created_by"] for row in ROWS]
    assert [row.layer for row in image.history] == list(image.layers)
    assert image.config["config"] == {"Env": ["X=1"]}
    assert not {"id", "parent"} & image.config.keys()


# Which image


def two(**more: Any) -> Files:
    """Return a layout with two images, one of them for two platforms."""
    files: Files = {}
    one = manifest(files, config(author="1"), list(LAYERS), annotations={**NAMED, **more})
    inner = manifest(files, config(author="2"), list(LAYERS), platform=PLATFORM)
    alien = manifest(files, config(author="3", architecture="s390x"), list(LAYERS), platform=OTHER)
    note = {"io.containerd.image.name": "docker.io/library/other:1"}
    return layout(one, index(files, alien, inner, annotations=note), files=files)


def test_this_machines_platform_is_taken_and_any_other_by_digest(tmp_path: Path) -> None:
    """Of an image for several platforms a name means this machine's; a digest means the very one."""
    stored = Stored.open(packed(two(), tmp_path / "two.tar"))
    assert [one.names for one in stored.images] == [("box:1",), ("other:1",)]
    assert stored.image("other:1").config["author"] == "2"
    alien = sha(config(author="3", architecture="s390x"))
    assert stored.image(alien).config["author"] == "3"
    assert stored.image(alien[7:19]).config["author"] == "3"


def test_several_images_are_told_apart_by_name(tmp_path: Path) -> None:
    """Without a name several images are an error that lists them; a name nobody has lists them too."""
    path = packed(two(), tmp_path / "two.tar")
    with pytest.raises(ImageError, match=r"holds several images(.|\n)*box:1 .*other:1") as caught:
        read_archive(path)
    assert "s390x" in caught.value.hint
    with pytest.raises(ImageNotFoundError, match=r"no image named none:1(.|\n)*It holds box:1 .*other:1"):
        read_archive(path, "none:1")


def test_load_takes_all_images_of_an_archive(tmp_path: Path) -> None:
    """load() stores each image under its names, of several platforms this machine's."""
    engine = EmbeddedEngine(tmp_path / "store")
    assert engine.load(packed(two(), tmp_path / "two.tar")) == ["box:1", "other:1"]
    assert engine.image("other:1").config["author"] == "2"
    assert engine.store.validate() == []


def test_one_image_under_two_names_is_one_image(tmp_path: Path) -> None:
    """An image that an index lists once for each name is found by both, and is no two images."""
    files: Files = {}
    other = {**NAMED, "io.containerd.image.name": "docker.io/me/box:2"}
    listed = [manifest(files, config(), list(LAYERS), annotations=notes) for notes in (NAMED, other)]
    stored = Stored.open(packed(layout(*listed, files=files), tmp_path / "x.tar"))
    assert [one.names for one in stored.images] == [("box:1", "me/box:2")]
    assert stored.image().id == stored.image("me/box:2").id == sha(config())
    assert stored.image("me/box:2").reference == "me/box:2"


def test_what_is_not_there_is_named_with_what_is(tmp_path: Path) -> None:
    """A platform whose blobs were not pulled is named, and so is the one that is there."""
    path = packed(containerd(attested=False), tmp_path / "x.tar")
    with pytest.raises(ImageError, match=r"lacks the manifest blobs/sha256/abab.* for linux/s390x") as caught:
        read_archive(path, str(ABSENT["digest"]))
    assert f"It holds box:1 (linux/{PLATFORM['architecture']})." in caught.value.hint
    files = platforms()
    own = sha(config())
    del files[f"blobs/sha256/{own[7:]}"]
    image = read_archive(packed(files, tmp_path / "y.tar"), "box:1")
    assert image.config["architecture"] == "s390x"  # all that is whole


# Files that are not what they say


LIES: dict[str, tuple[Callable[[], Files], str]] = {
    "a layer not there": (
        lambda: {name: data for name, data in oci().items() if name[13:] != sha(LAYERS[1])[7:]},
        "lacks the layer blobs/sha256/",
    ),
    "a config not there": (
        lambda: {name: data for name, data in oci().items() if name[13:] != sha(config())[7:]},
        "lacks the config blobs/sha256/",
    ),
    "a config changed": (
        lambda: {**oci(), f"blobs/sha256/{sha(config())[7:]}": config(os="x")},
        "has the digest",
    ),
    "rows for an object": (lambda: {**before_25(), "manifest.json": b"{}"}, "a JSON list was expected"),
    "an index of numbers": (lambda: {**oci(), "index.json": b'{"manifests": [1]}'}, "not an image archive"),
    "an index that is a number": (
        lambda: {**oci(), "index.json": b'{"manifests": 7}'},
        "not an image archive",
    ),
    "no digest": (lambda: {**oci(), "index.json": b'{"manifests": [{}]}'}, "not an image archive"),
    "a digest of numbers": (
        lambda: {**oci(), "index.json": b'{"manifests": [{"digest": 5}]}'},
        "not an image archive",
    ),
    "layers that are a number": (
        lambda: {**before_25(), "manifest.json": b'[{"Config": "x", "Layers": 5}]'},
        "not an image archive",
    ),
    "JSON without end": (lambda: {**oci(), "index.json": b"[" * 100_000}, "is not JSON"),
    "a root of layers that is none": (lambda: before_25(config(rootfs=[1])), "not an image archive"),
    "a parent that is its own": (
        lambda: {"a/json": b'{"parent": "a"}', "a/layer.tar": LAYERS[0], "repositories": b'{"x":{"1":"a"}}'},
        "lacks the layer a below a",
    ),
    "a parent not there": (
        lambda: {"a/json": b'{"parent": "b"}', "a/layer.tar": LAYERS[0]},
        "lacks the layer b below a",
    ),
    "links in a circle": (
        lambda: {**before_25(), "a/layer.tar": "../d/layer.tar", "d/layer.tar": "../a/layer.tar"},
        "lacks the layer a/layer.tar",
    ),
    "no image": (lambda: layout(files={}), "holds no image"),
}


def _endless() -> Files:
    files: Files = {}
    at = manifest(files, config(), list(LAYERS))
    for _ in range(8):
        at = index(files, at)
    return layout(at, files=files)


LIES["indexes without end"] = (_endless, "nested more than 4 deep")


@pytest.mark.parametrize("lie", LIES)
def test_an_archive_that_is_not_what_it_says_is_refused(tmp_path: Path, lie: str) -> None:
    """What does not fit is one ImageError for every way in, and nothing is left in the store."""
    files, says = LIES[lie][0](), LIES[lie][1]
    path = packed(files, tmp_path / "x.tar")
    engine = EmbeddedEngine(tmp_path / "store")
    for read in (read_archive, engine.load):
        with pytest.raises(ImageError, match=says):
            read(path)
    assert engine.images() == []
    assert engine.store.validate() == []


def test_a_folder_whose_links_lead_out_is_refused(tmp_path: Path) -> None:
    """A layout's blob that is a link to a file outside, or a name with .. in it, is not there."""
    folder = unpacked(oci(), tmp_path / "layout")
    layer = folder / "blobs" / "sha256" / sha(LAYERS[0])[7:]
    (tmp_path / "outside").write_bytes(LAYERS[0])
    layer.unlink()
    layer.symlink_to(tmp_path / "outside")
    with pytest.raises(ImageError, match="lacks the layer"):
        read_archive(folder)
    rows = [{"Config": "../outside", "RepoTags": [], "Layers": []}]
    with pytest.raises(ImageError, match=r"lacks the config \.\./outside"):
        read_archive(unpacked({"manifest.json": json.dumps(rows).encode()}, tmp_path / "rows"))


def test_names_that_are_no_references_are_no_names(tmp_path: Path) -> None:
    """A ref.name may be any text (OCI image-layout.md): an image with such a one has no name."""
    files: Files = {}
    note = {"org.opencontainers.image.ref.name": "What I made, v2!"}
    path = packed(
        layout(manifest(files, config(), list(LAYERS), annotations=note), files=files), tmp_path / "x.tar"
    )
    assert read_archive(path).reference is None
    assert EmbeddedEngine(tmp_path / "store").load(path) == [sha(config())]


def test_a_compressed_archive_is_unpacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many images are loaded from it, a compressed file is read through once; then it is gone."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    files: Files = {}
    listed = [
        manifest(
            files,
            config(author=str(number)),
            list(LAYERS),
            annotations={"io.containerd.image.name": f"docker.io/library/box:{number}"},
        )
        for number in range(20)
    ]
    path = packed(layout(*listed, files=files), tmp_path / "many.tar")
    path.write_bytes(gzip.compress(path.read_bytes()))
    code = f"""if True:
        from pathlib import Path
        from dockerlab.image import archive_files
        from dockerlab.engines.embedded import EmbeddedEngine
        counts = []
        whole = archive_files.decompress
        def counted(*args, **more):
            counts.append(1)
            return whole(*args, **more)
        archive_files.decompress = counted
        found = EmbeddedEngine(Path({str(tmp_path / "store")!r})).load(Path({str(path)!r}))
        print(len(found), len(counts))
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "20 1\n"
    assert list((tmp_path / "tmp").iterdir()) == []


def test_blobs_by_sha512_are_checked_too(tmp_path: Path) -> None:
    """A manifest may be named by another digest than sha256, and is checked against it."""
    files: Files = {}
    manifest(files, config(), list(LAYERS))
    data = next(data for data in files.values() if b"schemaVersion" in data)
    assert isinstance(data, bytes)
    digest = hashlib.sha512(data).hexdigest()
    files[f"blobs/sha512/{digest}"] = data
    listed = {"mediaType": MANIFEST, "digest": f"sha512:{digest}", "size": len(data)}
    assert read_archive(packed(layout(listed, files=files), tmp_path / "x.tar")).id == sha(config())
    files[f"blobs/sha512/{digest}"] = data + b" "
    with pytest.raises(ImageError, match="has the digest"):
        read_archive(packed(layout({**listed, "size": len(data) + 1}, files=files), tmp_path / "y.tar"))
