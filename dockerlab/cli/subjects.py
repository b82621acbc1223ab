"""What a command is pointed at: a folder or Dockerfile to build, an archive, a layout, or an image's name."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dockerlab import engines
from dockerlab.analysis.history import name_of
from dockerlab.analysis.made_from import made_from
from dockerlab.cli.archived import image_at
from dockerlab.cli.build import writer
from dockerlab.context.context import Context
from dockerlab.dockerfile.parser import Dockerfile, parse
from dockerlab.engines.results import Build
from dockerlab.errors import ContextError
from dockerlab.image.image import Image
from dockerlab.inputs import default_tag, held_image, read_dockerfile
from dockerlab.shared_options import key_values


@dataclass(frozen=True)
class NamedImage:
    """An image with what is known of how it was made. `engine` is None for one that was read from a file."""

    what: Image | Build
    dockerfile: Dockerfile | None
    engine: str | None
    find_image: Callable[[str], Image | None]

    def with_lines(self) -> Image | Build:
        """Return the image, with the lines of its Dockerfile where that is known."""
        if self.dockerfile is None or isinstance(self.what, Build):
            return self.what
        return made_from(self.what, self.dockerfile, name_of(self.what))


def find(where: str, args: Namespace) -> NamedImage:
    """Return what `where` names; only a folder with a Dockerfile, a Dockerfile or a name needs an engine.

    A path that exists comes before an image's name. Raises the DockerlabError of what went wrong.
    """
    path = Path(where)
    written = Path(args.file) if getattr(args, "file", None) else None
    image = image_at(where, args.reference)
    if image is not None:
        return _read(image, written)
    named = any((path / name).is_file() for name in ("Dockerfile", "dockerfile"))
    if path.is_dir() and (named or written is not None):
        return _built(path, written or path / "Dockerfile", args)
    if path.is_file():
        return _built(path.absolute().parent, path, args)
    if path.exists() or where.endswith(".tar") or where.startswith((".", "/", "~")):
        raise ContextError(
            f"There is no image in {where}.",
            hint="Give a folder with a Dockerfile, an archive of `docker save`, an OCI layout, or a name.",
        )
    engine, _ = engines.choose(args.engine)
    return NamedImage(
        engine.image(where),
        parse(read_dockerfile(written)) if written else None,
        engine.describe(),
        partial(held_image, engine),
    )


def _read(image: Image, written: Path | None) -> NamedImage:
    return NamedImage(image, parse(read_dockerfile(written)) if written else None, None, lambda _: None)


def _built(folder: Path, written: Path, args: Namespace) -> NamedImage:
    engine, _ = engines.choose(args.engine)
    name = folder.absolute().name
    build = engine.build(
        read_dockerfile(written),
        context=Context.folder(folder, dockerfile=written.name),
        tag=default_tag(name),
        build_args=key_values(args.build_arg),
        no_cache=args.no_cache,
        on_event=writer(quiet=args.json),
    )
    return NamedImage(build, build.dockerfile, build.engine, partial(held_image, engine))
