"""Images of a Docker daemon, taken from `docker save` once each and kept as blobs to read in place.

Below the folder given: blobs/sha256/ (uncompressed layer tars by diff ID, configs), index/ (parsed layers),
images/ (one record per image ID). Every file is written whole under another name first, so that many kernels
may share the folder and a crash leaves nothing half done.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import posixpath
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from dockerlab import oci
from dockerlab.errors import ImageError, StoreError, StoreFullError
from dockerlab.image import BlobLayer, Image, history_rows
from dockerlab.keptindex import write_whole
from dockerlab.streams import decompress, detect_compression

_MAX_JSON = 16 << 20


@dataclass(frozen=True)
class Record:
    """What is kept of one image."""

    config: str  # digest of the config blob
    layers: tuple[str, ...]  # diff IDs, lowest first
    base_layers: int = 0
    ours: bool = False  # built by this package
    stand_in: str | None = None  # the reference its base stands in for


def home() -> Path:
    """Return $DOCKERLAB_HOME, else "dockerlab" in the place this system has for an application's data."""
    if here := os.environ.get("DOCKERLAB_HOME"):
        return Path(here).expanduser().absolute()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home()) / "dockerlab"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "dockerlab"
    data = os.environ.get("XDG_DATA_HOME", "")
    return (Path(data) if data.startswith("/") else Path.home() / ".local" / "share") / "dockerlab"


class ImageCache:
    """Reads images by ID; `export` is `docker save` of one ID, as chunks of bytes."""

    def __init__(self, root: Path, export: Callable[[str], Iterable[bytes]]) -> None:
        self.root = root
        self._export = export

    def read(self, identity: str, reference: str | None) -> Image:
        """Return the image of an ID, saving it out of Docker when that was not done before."""
        record = self.record(identity)
        if record is None or not self.holds(identity):
            old = record
            with _writing(self.root):
                record = self._save(identity)
                if old is not None:
                    record = replace(old, config=record.config, layers=record.layers)
                self._write_record(identity, record)
        config = json.loads(self._blob(record.config).read_bytes())
        layers = tuple(
            BlobLayer(self._blob(digest), digest, index=self.root / "index" / f"{digest[7:]}.json")
            for digest in record.layers
        )
        labels = (config.get("config") or {}).get("Labels") or {}
        return Image(
            reference=reference,
            id=record.config,
            config=config,
            layers=layers,
            history=history_rows(config, layers),
            base_layers=record.base_layers,
            stand_in=record.stand_in or labels.get(oci.STAND_IN),
        )

    def holds(self, identity: str) -> bool:
        """Tell whether all of an image is here, so that reading it asks nothing of Docker."""
        record = self.record(identity)
        return record is not None and all(
            self._blob(digest).exists() for digest in (record.config, *record.layers)
        )

    def mark_built(self, identity: str, *, base_layers: int, stand_in: str | None) -> None:
        """Remember that an image is one we built, and what its base is."""
        record = self.record(identity)
        assert record is not None
        with _writing(self.root):
            self._write_record(
                identity, replace(record, base_layers=base_layers, ours=True, stand_in=stand_in)
            )

    def record(self, identity: str) -> Record | None:
        """Return what is known of an image ID; a damaged record counts as none."""
        try:
            known = json.loads(self._record_path(identity).read_text("utf-8"))
            known["layers"] = tuple(known["layers"])
            return Record(**known)
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def built(self) -> set[str]:
        """Return the IDs of the images we built."""
        found = {f"sha256:{path.stem}" for path in (self.root / "images").glob("*.json")}
        return {identity for identity in found if (record := self.record(identity)) and record.ours}

    def prune(self, alive: set[str]) -> int:
        """Remove what is kept of images not in `alive`, the IDs Docker has; return the bytes freed."""
        used: set[str] = set()
        for path in (self.root / "images").glob("*.json"):
            record = self.record(f"sha256:{path.stem}")
            if record is None or f"sha256:{path.stem}" not in alive:
                path.unlink(missing_ok=True)
            else:
                used |= {record.config[7:], *(digest[7:] for digest in record.layers)}
        freed = 0
        for folder in ("blobs/sha256", "index"):
            for path in (self.root / folder).glob("*"):
                if path.name.partition(".")[0] not in used:
                    freed += path.stat().st_size
                    path.unlink(missing_ok=True)
        return freed

    def _save(self, identity: str) -> Record:
        for folder in ("blobs/sha256", "index", "images"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        documents: dict[str, bytes] = {}
        digests: dict[str, str] = {}  # member -> diff ID
        links: dict[str, str] = {}
        stream = _Chunks(self._export(identity))
        try:
            with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|") as tar:
                for member in tar:
                    if member.issym():
                        links[member.name] = posixpath.normpath(
                            posixpath.join(posixpath.dirname(member.name), member.linkname)
                        )
                    elif member.islnk():
                        links[member.name] = member.linkname
                    elif member.isfile():
                        self._member(member, cast(BinaryIO, tar.extractfile(member)), documents, digests)
        except tarfile.TarError as error:
            raise ImageError(
                f"What `docker save {identity[7:19]}` sent is not a whole archive: {error}.",
                hint="See whether Docker is running, and try again.",
            ) from error
        return self._assembled(identity, documents, digests, links)

    def _member(
        self, member: tarfile.TarInfo, content: BinaryIO, documents: dict[str, bytes], digests: dict[str, str]
    ) -> None:
        folder, _, name = member.name.rpartition("/")
        if folder == "blobs/sha256" and self._blob(f"sha256:{name}").exists():
            digests[member.name] = f"sha256:{name}"  # an uncompressed layer that is here: nothing to write
            return
        head = cast(Any, content).peek(4)[:4]
        if head[:1] in (b"{", b"[") and member.size <= _MAX_JSON:
            data = content.read()
            try:
                json.loads(data)
            except ValueError:
                digests[member.name] = self._keep(iter([data]))
            else:
                documents[member.name] = data
        elif (
            member.size > _MAX_JSON
            or name == "layer.tar"
            or folder == "blobs/sha256"
            or name.endswith(".tar")
        ):
            compression = detect_compression(head)
            digests[member.name] = self._keep(decompress(content, compression, source=member.name))

    def _keep(self, data: Iterator[bytes]) -> str:
        """Store bytes under their digest, and return it."""
        sha = hashlib.sha256()
        handle, name = tempfile.mkstemp(dir=self.root, prefix=".layer-")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as out:
                for chunk in data:
                    sha.update(chunk)
                    out.write(chunk)
                out.flush()
                os.fsync(out.fileno())
            digest = f"sha256:{sha.hexdigest()}"
            temporary.replace(self._blob(digest))
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return digest

    def _assembled(
        self,
        identity: str,
        documents: Mapping[str, bytes],
        digests: Mapping[str, str],
        links: Mapping[str, str],
    ) -> Record:
        what = f"What `docker save {identity[7:19]}` sent"
        manifest = json.loads(documents.get("manifest.json", b"[]"))
        if len(manifest) != 1:
            raise ImageError(f"{what} has {len(manifest)} images in its manifest.json, one was expected.")
        name = manifest[0]["Config"]
        known = digests.get(name)  # a config that is here already
        raw = documents[name] if name in documents else self._blob(known).read_bytes() if known else None
        if raw is None:
            raise ImageError(f"{what} lacks the config {name}.")
        layers = tuple(digests.get(links.get(one, one), "") for one in manifest[0]["Layers"] or ())
        wanted = tuple((json.loads(raw).get("rootfs") or {}).get("diff_ids") or ())
        if layers != wanted:
            wrong = next((pair for pair in zip(layers, wanted, strict=False) if pair[0] != pair[1]), None)
            detail = (
                f"a layer is {wrong[0] or 'missing'} instead of {wrong[1]}" if wrong else "layers are missing"
            )
            raise ImageError(f"{what} does not fit its config: {detail}.")
        config = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        if not self._blob(config).exists():
            write_whole(self._blob(config), raw)
        return Record(config, layers)

    def _write_record(self, identity: str, record: Record) -> None:
        write_whole(self._record_path(identity), json.dumps(asdict(record)).encode())

    def _record_path(self, identity: str) -> Path:
        return self.root / "images" / f"{identity.removeprefix('sha256:')}.json"

    def _blob(self, digest: str) -> Path:
        return self.root / "blobs" / "sha256" / digest.removeprefix("sha256:")


class _Chunks:
    """What tarfile's stream mode reads from: chunks as they come."""

    def __init__(self, source: Iterable[bytes]) -> None:
        self._source = iter(source)
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        parts, have = [self._rest], len(self._rest)
        while size < 0 or have < size:
            chunk = next(self._source, b"")
            if not chunk:
                break
            parts.append(chunk)
            have += len(chunk)
        data = b"".join(parts)
        cut = len(data) if size < 0 else size
        self._rest = data[cut:]
        return data[:cut]


def archive_without_layers(known: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> bytes:
    """Return what `docker save` would send of an image that has no layer, made from what Docker tells of it.

    `known` is `docker inspect`'s answer, `history` that of `docker history`, the newest row first.
    """
    rows = [
        {
            "created": datetime.fromtimestamp(row["Created"], timezone.utc).isoformat(),
            "created_by": row.get("CreatedBy") or "",
            "comment": row.get("Comment") or "",
            "empty_layer": True,
        }
        for row in reversed(history)
        if row.get("CreatedBy")
    ]
    config = {
        "architecture": known.get("Architecture"),
        "os": known.get("Os"),
        "created": known.get("Created"),
        "config": {name: value for name, value in (known.get("Config") or {}).items() if value},
        "rootfs": {"type": "layers", "diff_ids": []},
        "history": rows,
    }
    manifest = [{"Config": "config.json", "RepoTags": known.get("RepoTags") or [], "Layers": []}]
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, document in (("config.json", config), ("manifest.json", manifest)):
            data = json.dumps(document).encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


@contextlib.contextmanager
def _writing(root: Path) -> Iterator[None]:
    """Turn the operating system's write errors into ours."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFullError(
                f"No space is left in {root}.",
                hint="Run `dockerlab prune`, or set DOCKERLAB_HOME to a folder on a larger disk.",
            ) from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise StoreError(
                f"{root} cannot be written: {error.strerror}.",
                hint="Set DOCKERLAB_HOME to a folder you can write to.",
            ) from error
        raise


def archive_under(image: Image, reference: str, out: BinaryIO, *, labels: Mapping[str, str]) -> None:
    """Write an archive that `docker load` takes, naming the image `reference` and nothing else."""
    config = json.loads(json.dumps(image.config))
    inner = config["config"] = config.get("config") or {}
    inner["Labels"] = {**(inner.get("Labels") or {}), **labels}
    raw = json.dumps(config).encode()
    name = f"{hashlib.sha256(raw).hexdigest()}.json"
    names = [f"{number}-{layer.diff_id[7:]}/layer.tar" for number, layer in enumerate(image.layers)]
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for layer, member in zip(image.layers, names, strict=True):
            info = tarfile.TarInfo(member)
            info.size = layer.size_tar
            with layer.open_tar() as content:
                tar.addfile(info, content)
        manifest = json.dumps([{"Config": name, "RepoTags": [reference], "Layers": names}]).encode()
        for member, data in ((name, raw), ("manifest.json", manifest)):
            info = tarfile.TarInfo(member)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
