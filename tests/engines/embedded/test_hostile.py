"""Archives, layers and RUNs that want out of the image they are in: nothing outside is touched."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
import zstandard

from dockerlab.context.context import Context
from dockerlab.engines.embedded import EmbeddedEngine
from dockerlab.engines.embedded import sandbox as sandboxes
from dockerlab.engines.embedded.bases.pull import pull
from dockerlab.errors import DockerlabError, EngineError, ImageError, RegistryError
from tests.engines.embedded.test_disk import with_base
from tests.engines.embedded.test_registry import Fake, digest
from tests.engines.embedded.test_store import CONFIG

Member = tuple[str, bytes, str]  # name, type, link text or content


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Path]:
    """Give a folder of this machine that must stay as it is."""
    folder = tmp_path / "victim"
    folder.mkdir()
    (folder / "kept").write_text("kept")
    yield folder
    assert [path.name for path in folder.iterdir()] == ["kept"]
    assert (folder / "kept").read_text() == "kept"


@pytest.fixture(params=["namespaces", "proot"])
def engine(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EmbeddedEngine:
    """Give an engine with the image base:1 in each sandbox."""
    monkeypatch.setenv("DOCKERLAB_SANDBOX", request.param)
    made = with_base(tmp_path / "store", tmp_path)
    try:
        sandboxes.choose(made.store.work)
    except EngineError as error:
        pytest.skip(error.message)
    return made


def tar_of(members: Sequence[Member], *, headers: dict[str, str] | None = None) -> bytes:
    """Return a tar of any members, as a hostile archive may hold them."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, errors="surrogateescape") as tar:
        for name, kind, text in members:
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.pax_headers = kind, 0o755, headers or {}
            if kind == tarfile.REGTYPE:
                info.size = len(text)
            elif kind in (tarfile.BLKTYPE, tarfile.CHRTYPE):
                info.devmajor, info.devminor = (int(number) for number in text.split())
            else:
                info.linkname = text
            tar.addfile(info, io.BytesIO(text.encode()) if kind == tarfile.REGTYPE else None)
    return out.getvalue()


def archive_of(layers: Sequence[bytes], path: Path, *, packed_by: Callable[[bytes], bytes] = bytes) -> Path:
    """Write an archive in the form of `docker save` with these layers as the image evil:1."""
    rootfs = {"type": "layers", "diff_ids": [digest(layer) for layer in layers]}
    config = json.dumps({**CONFIG, "history": [{} for _ in layers], "rootfs": rootfs}).encode()
    blobs = {f"l{number}": packed_by(layer) for number, layer in enumerate(layers)}
    rows = [{"Config": "c.json", "RepoTags": ["evil:1"], "Layers": list(blobs)}]
    with tarfile.open(path, "w") as tar:
        for item, data in {"c.json": config, **blobs, "manifest.json": json.dumps(rows).encode()}.items():
            info = tarfile.TarInfo(item)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


FILE, LINK, SYMLINK, FOLDER = tarfile.REGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE
LEADING_OUT: dict[str, list[list[Member]]] = {
    "parents": [[("../../../../../../../../../..VICTIM/x", FILE, "x")]],
    "absolute": [[("VICTIM/x", FILE, "x")]],
    "hard link out": [[("x", LINK, "../../../../../../../../../..VICTIM/kept")]],
    "absolute hard link": [[("x", LINK, "VICTIM/kept")], [("x", FILE, "y")]],
    "through a symlink": [[("a", SYMLINK, "VICTIM"), ("a/x", FILE, "x")]],
    "through a symlink below": [[("a", SYMLINK, "VICTIM")], [("a/x", FILE, "x")]],
    "through two": [
        [("a", SYMLINK, "b"), ("b", SYMLINK, "VICTIM")],
        [("a/x", FILE, "x"), ("b/x", FILE, "x")],
    ],
    "hard link to a symlink": [[("a", SYMLINK, "VICTIM/kept"), ("b", LINK, "a")], [("b", FILE, "x")]],
    "hard link through a symlink": [[("a", SYMLINK, "VICTIM"), ("b", LINK, "a/kept")], [("b", FILE, "x")]],
    "whiteout through a symlink": [[("a", SYMLINK, "VICTIM")], [("a/.wh.kept", FILE, "")]],
    "opaque through a symlink": [[("a", SYMLINK, "VICTIM")], [("a/.wh..wh..opq", FILE, "")]],
    "the root as a symlink": [[(".", SYMLINK, "VICTIM"), ("x", FILE, "x")]],
    "a folder of the machine": [[("proc", SYMLINK, "VICTIM"), ("dev", SYMLINK, "VICTIM")]],
    "a file for a folder": [
        [("a", FOLDER, ""), ("a/x", FILE, "1"), ("a", SYMLINK, "VICTIM"), ("a/x", FILE, "2")]
    ],
    "the same twice": [[("a", FILE, "1"), ("a", FILE, "2"), ("a", FOLDER, ""), ("a", FILE, "3")]],
    "devices": [[("d", tarfile.BLKTYPE, "254 0"), ("m", tarfile.CHRTYPE, "1 1")]],
}


def aimed(members: Sequence[Member], victim: Path) -> list[Member]:
    """Return the members with the victim's path where they name it."""
    return [
        (name.replace("VICTIM", str(victim)), kind, text.replace("VICTIM", str(victim)))
        for name, kind, text in members
    ]


@pytest.mark.parametrize("case", LEADING_OUT)
def test_a_layer_that_leads_out(case: str, engine: EmbeddedEngine, victim: Path, tmp_path: Path) -> None:
    """A layer from an archive is refused by a typed error, or what it says happens inside the image."""
    with engine.image("base:1").layers[0].open_tar() as tar:
        base = tar.read()
    layers = [tar_of(aimed(layer, victim)) for layer in LEADING_OUT[case]]
    try:
        engine.load(archive_of([base, *layers], tmp_path / "evil.tar"))
    except ImageError:
        assert [row.reference for row in engine.images()] == ["base:1"]
        assert engine.store.validate() == []
        return
    steps = ["COPY f /a/", "WORKDIR /a/w", "RUN echo y > /a/y; echo z > /x; sed -n 1q /d; true"]
    for recipe in (steps[-1], "\n".join(steps)):
        with suppress(DockerlabError):  # any other kind of error goes through
            text = f"FROM evil:1\nENV PATH=/usr/bin:/bin\n{recipe}\n"
            engine.build(text, context=Context.files({"f": "f"}))
    assert engine.store.validate() == []


@pytest.mark.parametrize("case", LEADING_OUT)
@pytest.mark.parametrize("engine", ["proot"], indirect=True)  # which has nothing else to hold it back
def test_an_added_archive_that_leads_out(
    case: str, engine: EmbeddedEngine, victim: Path, tmp_path: Path
) -> None:
    """ADD unpacks an archive inside the image, whatever its names and links say, or refuses it."""
    members = [member for layer in LEADING_OUT[case] for member in aimed(layer, victim)]
    text = "FROM base:1\nADD x.tar.gz /\nRUN echo y > /a/y; echo x > /x; true\n"
    context = Context.files({"x.tar.gz": gzip.compress(tar_of(members))})
    with suppress(DockerlabError):
        built = engine.build(text, context=context)
        assert all(".." not in path.split("/") for path in built.image.tree())
    assert engine.store.validate() == []


def test_symlinks_of_an_image_do_not_lead_a_build_out(engine: EmbeddedEngine, victim: Path) -> None:
    """COPY, ADD, WORKDIR, cache, bind and secret mounts below a symlink to the machine's path stay inside."""
    text = f"""FROM base:1
RUN ln -s {victim} /out && ln -s ../../../../../../..{victim} /up
COPY f /out/
COPY f /up/copied
ADD x.tar /out/unpacked/
WORKDIR /out/work
RUN --mount=type=cache,target=/out/cache --mount=type=bind,target=/up/bound \\
    --mount=type=secret,id=s,target=/out/secret --mount=type=tmpfs,target=/up/tmp \\
    echo 1 > /out/run; echo 2 > /up/cache/2; echo 3 > here; rm -rf /out/kept
"""
    context = Context.files({"f": "f", "x.tar": tar_of([("y", FILE, "y")])})
    tree = engine.build(text, context=context, secrets={"s": b"s"}).image.tree()
    inside = str(victim).strip("/")
    for name in ("f", "copied", "unpacked/y", "work/here", "run"):
        assert f"{inside}/{name}" in tree, name


ESCAPES = """
for root in /proc/1/root /proc/self/root /proc/1/cwd /proc/self/cwd /proc/self/root/../../.. /../../..; do
  echo x > $root{victim}/x && echo "wrote by $root"
done
for way in /proc/*/root; do echo x > $way{victim}/x && echo "wrote by $way"; done
for file in /proc/sysrq-trigger /proc/sys/kernel/core_pattern /sys/kernel/uevent_helper
do
  echo x > $file && echo "wrote $file"
done
mount -t tmpfs x /mnt && echo mounted
for place in / /dev /tmpfs /bound /cache; do
  mknod $place/block b {major} {minor} && sed -n 1q $place/block && echo "read the disk in $place"
  mknod $place/zero c 1 5 && sed -n 1q $place/zero && echo "used a device in $place"
done
kill -9 {pid} && echo killed
test -d /proc/{pid}/fd && echo "sees the machine's processes"
sed -n 1q /proc/kcore && echo "read the kernel's memory"
echo tried
"""


def test_a_run_in_namespaces_does_not_get_out(
    victim: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root, by known ways: none writes a file, reads a device, mounts, or meets a process outside."""
    monkeypatch.setenv("DOCKERLAB_SANDBOX", "namespaces")
    engine = with_base(tmp_path / "store", tmp_path)
    try:
        sandboxes.choose(engine.store.work)
    except EngineError as error:
        pytest.skip(error.message)
    disk = os.stat("/").st_dev  # noqa: PTH116
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        script = ESCAPES.format(victim=victim, major=os.major(disk), minor=os.minor(disk), pid=bystander.pid)
        text = f"""FROM base:1
RUN --mount=type=cache,target=/cache --mount=type=tmpfs,target=/tmpfs --mount=type=bind,rw,target=/bound <<EOF
{script}
EOF
"""
        (step,) = (step for step in engine.build(text).steps if step.keyword == "RUN")
        bad = ("wrote", "mounted", "read", "used", "killed", "sees")
        assert [line for line in step.log if line.startswith(bad)] == []
        assert step.log[-1] == "tried"
        assert bystander.poll() is None
    finally:
        bystander.communicate(b"\n")
    # What a container has does work.
    engine.build("FROM base:1\nRUN echo x > /dev/null && sed -n 1q /dev/null && test -c /dev/zero\n")


BOMB = 150_000_000  # bytes that a few kB unpack to
MEMORY = 110_000_000  # bytes of memory that must do


@pytest.mark.parametrize("how", ["add gzip", "add zstd", "load gzip", "load zstd"])
def test_a_bomb_takes_no_memory(how: str, tmp_path: Path) -> None:
    """What unpacks to far more than the memory allowed is unpacked to disk, piece by piece."""
    packed_by = gzip.compress if "gzip" in how else zstandard.ZstdCompressor().compress
    plain = tar_of([("small", FILE, "s"), ("zeros", FILE, "\0" * BOMB), ("last", FILE, "l")])
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "x.tar").write_bytes(packed_by(plain))
    if how.startswith("load"):
        archive_of([plain], tmp_path / "evil.tar", packed_by=packed_by)
    code = """if True:
        import resource, sys
        from pathlib import Path
        from dockerlab.context.context import Context
        from dockerlab.engines.embedded import EmbeddedEngine
        root, how, limit = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
        engine = EmbeddedEngine(root / "store")
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        if how.startswith("add"):
            context = Context.folder(root / "context")
            engine.build("FROM scratch\\nADD x.tar /\\n", context=context, tag="evil:1")
        else:
            engine.load(root / "evil.tar")
        tree = engine.image("evil:1").tree()
        print(tree.get("zeros").entry.size, tree.read("small"), tree.read("last"))
    """
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path, how, str(MEMORY)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert done.stdout == f"{BOMB} b's' b'l'\n", done.stderr


def header(size: bytes, kind: bytes = b"0") -> bytes:
    """Return a tar header whose size field is these twelve bytes."""
    block = bytearray(tar_of([("a", FILE, "")])[:512])
    block[124:136], block[156:157], block[148:156] = size, kind, b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


BELOW_ZERO = (-512).to_bytes(12, "big", signed=True)
ODD = {
    "a size below zero": header(BELOW_ZERO),
    "an extended header below zero": header(BELOW_ZERO, b"x"),
    "a long name below zero": header(BELOW_ZERO, b"L"),
    "a pax size below zero": tar_of([("a", FILE, "")], headers={"size": "-512"}),
    "a pax size of 4000 digits": tar_of([("a", FILE, "")], headers={"size": "9" * 4000}),
    "an owner below zero": tar_of([("a", FILE, "")], headers={"uid": "-5"}),
    "a time without end": tar_of([("a", FILE, "")], headers={"mtime": "9" * 300}),
    "a sparse size below zero": tar_of(
        [("a", FILE, "")], headers={"GNU.sparse.map": "0,1", "GNU.sparse.size": "-7"}
    ),
    "a zero byte in a name": tar_of([("a", FILE, "")], headers={"path": "a\0b"}),
    "cut in a header": tar_of([("a", FILE, "x")])[:300],
    "cut in a content": tar_of([("a", FILE, "x" * 5000)])[:1024],
    "no tar at all": b"nothing " * 200,
}


@pytest.mark.parametrize("case", ODD)
def test_headers_that_no_tar_has(case: str, tmp_path: Path) -> None:
    """A layer with a header that leads nowhere is refused when it is loaded; ADD comes to an end."""
    engine = EmbeddedEngine(tmp_path / "store")
    with pytest.raises(ImageError):
        engine.load(archive_of([ODD[case]], tmp_path / "odd.tar"))
    assert engine.images() == []
    assert engine.store.validate() == []
    with suppress(DockerlabError):
        engine.build("FROM scratch\nADD odd.tar /\n", context=Context.files({"odd.tar": ODD[case]}))


NAMES = ["caf\udce9", "\udcff\udcfe/x", "new\nline", "x" * 200, "d/" * 120 + "x", "é" * 120]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_names_of_any_bytes(name: str, engine: EmbeddedEngine, tmp_path: Path) -> None:
    """Names that are not UTF-8, have newlines or are long come through a load, a RUN and a save."""
    with engine.image("base:1").layers[0].open_tar() as tar:
        base = tar.read()
    engine.load(archive_of([base, tar_of([(name, FILE, "content")])], tmp_path / "names.tar"))
    built = engine.build("FROM evil:1\nENV PATH=/usr/bin:/bin\nRUN ls / > /list\n", tag="names:1")
    assert built.image.tree().read(name) == b"content"
    engine.save(["names:1"], tmp_path / "saved.tar")
    other = EmbeddedEngine(tmp_path / "other")
    other.load(tmp_path / "saved.tar")
    assert other.image("names:1").tree().read(name) == b"content"


def test_a_header_of_megabytes(engine: EmbeddedEngine, tmp_path: Path) -> None:
    """A name no file system takes is a typed error where it is unpacked; the store stays right."""
    with engine.image("base:1").layers[0].open_tar() as tar:
        base = tar.read()
    engine.load(archive_of([base, tar_of([("x" * 3_000_000, FILE, "")])], tmp_path / "long.tar"))
    with pytest.raises(DockerlabError):
        engine.build("FROM evil:1\nENV PATH=/usr/bin:/bin\nRUN true\n")
    assert engine.store.validate() == []


def test_a_pulled_layer_that_leads_out_is_refused(tmp_path: Path) -> None:
    """A registry's layer whose names lead out makes no image, and the blob does not stay."""
    engine = EmbeddedEngine(tmp_path / "store")
    fake = Fake()
    try:
        bad = tar_of([("../../x", FILE, "x")])
        fake.image(gzip.compress(bad), digest(bad))
        with pytest.raises(RegistryError, match="leads out"):
            pull(fake.reference, engine.store)
    finally:
        fake.server.shutdown()
        fake.server.server_close()
    assert engine.images() == []
    assert not engine.store.has_layer(digest(bad))
