"""`docker build --output`: an image's files as a folder or a tar, or the image as an archive."""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dockerlab.engines.results import Engine
from dockerlab.errors import ContextError, OptionError
from dockerlab.image.image import Image

_TYPES = ("local", "tar", "oci", "docker")


@dataclass(frozen=True)
class Output:
    """One --output; `dest` is None for "-", standard output."""

    type: str
    dest: Path | None

    def write(self, image: Image, engine: Engine) -> None:
        """Write an image as it was asked for; oci and docker are one format, that of `save`."""
        if self.type == "local" and self.dest is not None:
            with tempfile.TemporaryFile() as packed:
                _write_tar(image, packed)
                packed.seek(0)
                self.dest.mkdir(parents=True, exist_ok=True)
                try:
                    with tarfile.open(fileobj=packed) as tar:
                        tar.extractall(self.dest, filter=_mine)
                except tarfile.TarError as error:
                    hint = "Give an empty folder: a link in this one leads out of it."
                    raise ContextError(f"--output cannot write to {self.dest}: {error}", hint=hint) from error
            return
        if self.dest is not None:
            self.dest.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.dest and self.dest.parent, prefix=".dockerlab-") as folder:
            part = Path(folder) / "part"
            if self.type == "tar":
                with part.open("wb") as out:
                    _write_tar(image, out)
            else:
                engine.save([image.reference or image.id], part)
            if self.dest is not None:
                part.replace(self.dest)
            else:
                with part.open("rb") as done:
                    shutil.copyfileobj(done, sys.stdout.buffer)


def read_output(text: str) -> Output | None:
    """Read "type=tar,dest=FILE", a folder's name or "-"; None: the image is kept, which is done anyway."""
    if text == "-":
        return Output("tar", None)
    if "=" not in text:
        return Output("local", Path(text))
    fields = dict(part.partition("=")[::2] for part in text.split(","))
    kind, dest = fields.pop("type", ""), fields.pop("dest", "")
    if kind not in _TYPES:
        raise OptionError(f"--output type={kind} is not done here: it may be {', '.join(_TYPES)}.")
    if fields:
        raise OptionError(f"--output {next(iter(fields))}= is not done here: it takes type and dest.")
    if not dest and kind == "docker":
        return None
    if not dest or (dest == "-" and kind == "local"):
        raise OptionError(f"--output type={kind} needs dest=PATH.")
    return Output(kind, None if dest == "-" else Path(dest))


def _write_tar(image: Image, out: BinaryIO) -> None:
    from dockerlab.engines.embedded.squash import net_change

    net_change((), image.layers).write(out)


def _mine(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    """Give what is written to whoever writes it, as BuildKit does; devices are left out."""
    if member.isdev():
        return None
    found = tarfile.tar_filter(member, folder).replace(mode=member.mode, uname="", gname="", deep=False)
    return found.replace(uid=os.getuid(), gid=os.getgid(), deep=False) if hasattr(os, "getuid") else found
