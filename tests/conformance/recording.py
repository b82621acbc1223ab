"""BuildKit's outcomes kept in a folder, for a run that may not ask BuildKit: that of an ordinary user.

Kept are the cases that have a RUN and one build, which are those that the proot sandbox is tried on:

    names.json        what the @words stood for
    bases/            the archives of the bases, named by their words
    docker            which Docker's BuildKit it was
    outcomes.json     case -> the configs of its images, or why it was refused
    layers/           layer tars by their digests
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from dockerlab.errors import BuildError
from dockerlab.image.image import Image, history_rows
from dockerlab.image.layer import BlobLayer

from .building import Made, Outcome
from .case import Case, Names
from .daemon import Docker, column


def record(
    folder: Path,
    docker: Docker,
    outcomes: Iterable[tuple[Case, Outcome]],
    names: Names,
    archives: Mapping[str, Path],
) -> None:
    """Write the outcomes of the cases that proot is tried on; what the folder held before is gone."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "bases").mkdir(parents=True)
    (folder / "layers").mkdir()
    for word, path in archives.items():
        shutil.copyfile(path, folder / "bases" / word)
    kept = {}
    for case, outcome in outcomes:
        if "proot" not in case.sandboxes:
            continue
        kept[case.name] = {
            "error": str(outcome.error) if outcome.error is not None else None,
            "configs": [build.image.config for build in outcome.builds],
        }
        for layer in (layer for build in outcome.builds for layer in build.image.layers):
            place = folder / "layers" / layer.diff_id
            if not place.exists():
                with layer.open_tar() as tar, place.open("wb") as out:
                    shutil.copyfileobj(tar, out)
    (folder / "docker").write_text(docker)
    (folder / "outcomes.json").write_text(json.dumps(kept))
    (folder / "names.json").write_text(json.dumps(dict(names.words)))


class Recording:
    """Answers as an Oracle does, from a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._outcomes = json.loads((folder / "outcomes.json").read_text())

    @property
    def docker(self) -> Docker:
        """The Docker that made them."""
        return column((self._folder / "docker").read_text())

    @property
    def names(self) -> Names:
        """What the @words stood for."""
        return Names(json.loads((self._folder / "names.json").read_text()))

    @property
    def archives(self) -> Mapping[str, Path]:
        """The archives of the bases by word."""
        return {path.name: path for path in (self._folder / "bases").iterdir()}

    def __getitem__(self, case: Case) -> Outcome:
        known = self._outcomes.get(case.name)
        if known is None:
            pytest.skip("BuildKit's outcome of this case was not recorded")
        error = BuildError(known["error"]) if known["error"] is not None else None
        return Outcome(tuple(Made(self._image(config), ()) for config in known["configs"]), error)

    def alone(self, case: Case) -> Outcome:
        """Return the same: nothing here was built twice."""
        return self[case]

    def _image(self, config: Mapping[str, object]) -> Image:
        rootfs = config["rootfs"]
        assert isinstance(rootfs, dict)
        layers = tuple(BlobLayer(self._folder / "layers" / digest, digest) for digest in rootfs["diff_ids"])
        return Image(
            reference=None, id="", config=config, layers=layers, history=history_rows(config, layers)
        )
