"""A store as one file, and out of it again: what `dockerlab bundle` carries to machines without a network.

    layer-lab/README.txt       what to do with it
    layer-lab/wheels/          the course and all that it needs, for pip
    layer-lab/store.tar.zst    a store that is read in place (shared.py), and the mirror of packages

The outer tar is not compressed: `python3 -m tarfile -e FILE` takes the wheels out where nothing is installed.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
from pathlib import Path, PurePosixPath

import zstandard

from dockerlab.engines.embedded.store import durable
from dockerlab.engines.embedded.store.shared import BUNDLE
from dockerlab.engines.embedded.store.store import Store
from dockerlab.errors import ImageError, StoreError
from dockerlab.image.filesystem import CHUNK

TOP = "layer-lab"
_STORE = f"{TOP}/store.tar.zst"
_KEPT = ("oci-layout", "index.json", "blobs", "index", "steps", "mirror", "proot-debian")
_LEVEL = 6  # of zstd: a minute for a course; more saves little
_HINT = "Copy the file again, or make it again with `dockerlab bundle create`."


def pack(root: Path, file: Path, *, wheels: Path, readme: str) -> None:
    """Write the store at `root`, as `leave_shared` left it, and the wheels to a file; whole or not at all."""
    packed, aside = root.parent / "store.tar.zst", root.parent / "bundle.tar"
    compressor = zstandard.ZstdCompressor(level=_LEVEL, threads=-1)
    with (
        packed.open("wb") as out,
        compressor.stream_writer(out) as stream,
        tarfile.open(fileobj=stream, mode="w|") as tar,
    ):
        for name in _KEPT:
            if (root / name).exists():
                tar.add(root / name, name)
    with aside.open("wb") as out, tarfile.open(fileobj=out, mode="w") as tar:
        about = tarfile.TarInfo(f"{TOP}/README.txt")
        about.size = len(readme.encode())
        tar.addfile(about, io.BytesIO(readme.encode()))
        for wheel in sorted(wheels.iterdir()):
            tar.add(wheel, f"{TOP}/wheels/{wheel.name}")
        tar.add(packed, _STORE)
    packed.unlink()
    aside.replace(file)


def use(store: Store, file: Path) -> None:
    """Unpack a bundle into a store, in place of one that is there; ImageError for a file that is damaged."""
    store.need_writable()
    if not file.is_file():
        raise StoreError(
            f"There is no file {file}.", hint="Give the file that `dockerlab bundle create` wrote."
        )
    with durable.plain_errors(store.root), durable.claimed_folder(store.root / "tmp") as folder:
        try:
            with tarfile.open(file) as outer:
                packed = outer.extractfile(_STORE)
                assert packed is not None
                with (
                    zstandard.ZstdDecompressor().stream_reader(packed) as stream,
                    tarfile.open(fileobj=stream, mode="r|") as inner,
                ):
                    _unpack(inner, folder / "new")
        except (tarfile.TarError, zstandard.ZstdError, KeyError, EOFError) as error:
            raise ImageError(f"{file} is no bundle, or only a part of one ({error}).", hint=_HINT) from error
        proot = folder / "new" / "proot-debian"
        if proot.exists() and not (store.work / proot.name).exists():
            proot.rename(store.work / proot.name)
        drop(store)
        (folder / "new").rename(store.root / BUNDLE)


def _unpack(tar: tarfile.TarFile, into: Path) -> None:
    """Write the files of a store; every blob has the digest that its name says."""
    for member in tar:
        name = PurePosixPath(member.name)
        if name.is_absolute() or ".." in name.parts or name.parts[0] not in _KEPT:
            raise ImageError(f'The bundle holds "{member.name}", which belongs to no store.', hint=_HINT)
        path = into / name
        if member.isdir():
            path.mkdir(parents=True, exist_ok=True)
        elif member.issym() and name.parts[0] == "proot-debian" and _leads_inside(member.linkname):
            path.symlink_to(member.linkname)
        elif (source := tar.extractfile(member)) is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as out:
                shutil.copyfileobj(source, out, CHUNK)
            path.chmod(member.mode & 0o755 | 0o600)
            if name.parts[0] == "blobs":
                _check(path)


def _leads_inside(link: str) -> bool:
    """Tell whether a link stays in its folder: what follows in the tar could be written through it."""
    return not link.startswith("/") and ".." not in PurePosixPath(link).parts


def _check(blob: Path) -> None:
    digest = hashlib.sha256()
    with blob.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != blob.name:
        raise ImageError(f"The bundle's layer {blob.name[:12]} has another digest than its name.", hint=_HINT)


def drop(store: Store) -> bool:
    """Stop using a bundle; tell whether one was in use."""
    store.need_writable()
    there = (store.root / BUNDLE).exists()
    with durable.plain_errors(store.root):
        durable.remove_tree(store.root / BUNDLE)
    return there
