"""Peak memory of builds, save, load, pull and the account, for an image of 100 MB and one of 1 GB.

Each is done in a process of its own, which says what its memory came to: `python -m tools.bench.memory ACTION
FOLDER BYTES`. Files that are mapped count too, as far as they were touched.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dockerlab.analysis.ledger import ledger
from dockerlab.context.context import Context
from dockerlab.engines.embedded import EmbeddedEngine
from dockerlab.errors import EngineError
from dockerlab.image.archive_reader import read_archive
from tools.bench.turns import FAILURES, reason, run
from tools.bench.works import BASE
from tools.course import ROOT

SMALL, LARGE = 100_000_000, 1_000_000_000
_NAME = "dockerlab/bench-memory"
_FILE = 100_000  # bytes of each of the many files


@dataclass(frozen=True)
class Peak:
    """The most memory (resident bytes) one piece of work took, for a small and a large image."""

    work: str
    small_bytes: int  # of the images
    large_bytes: int
    small: int  # of the processes
    large: int

    @property
    def more(self) -> int:
        """Bytes the large image took more."""
        return self.large - self.small


def measure(work: Path, base: Path, *, tell: Callable[[str], None]) -> list[Peak]:
    """Measure each action on both sizes; `base` is an archive of the base image."""
    peaks: dict[str, dict[int, int]] = {title: {} for title in _ACTIONS}
    for size in (SMALL, LARGE):
        with tempfile.TemporaryDirectory(dir=work) as name:
            folder = Path(name)
            shutil.copyfile(base, folder / "base.tar")
            _write_context(folder / "context", size)
            with _registry(folder) as address:
                for title, action in _ACTIONS.items():
                    tell(f"memory: {title}, {size / 1e6:,.0f} MB")
                    if title == "pull" and not address:
                        tell("memory: pull is left out: docker-registry and skopeo are not both installed")
                        continue
                    try:
                        if title == "pull":
                            _push(folder, address)
                        said = run(
                            [sys.executable, "-m", __name__, action.__name__, name, str(size)],
                            env={**os.environ, "PYTHONPATH": str(ROOT), "BENCH_REGISTRY": address},
                        )
                        peaks[title][size] = int(said)
                    except FAILURES as error:
                        tell(f"memory: {title} failed: {reason(error)}")
    return [
        Peak(title, SMALL, LARGE, found[SMALL], found[LARGE])
        for title, found in peaks.items()
        if len(found) == 2
    ]


# What each process does, in this order; `folder` holds context/, base.tar and what was made before.


def build_copy(folder: Path, size: int) -> None:
    """COPY one file of that size."""
    del size
    context = Context.folder(folder / "context")
    _engine(folder).build("FROM scratch\nCOPY big /big\n", context=context, tag=_NAME)


def build_run(folder: Path, size: int) -> None:
    """RUN a command that writes that much."""
    engine = EmbeddedEngine(folder / "store-run")
    engine.load(folder / "base.tar")
    engine.build(f"FROM {BASE}\nRUN head -c {size} /dev/urandom > /big\n", tag=_NAME)


def save(folder: Path, size: int) -> None:
    """Write the copied image to an archive."""
    del size
    shutil.rmtree(folder / "store-run")
    _engine(folder).save([_NAME], folder / "image.tar")


def load(folder: Path, size: int) -> None:
    """Read that archive into an empty store."""
    del size
    EmbeddedEngine(folder / "store-load").load(folder / "image.tar")


def pull(folder: Path, size: int) -> None:
    """Pull that image from a registry on loopback into an empty store."""
    del size
    shutil.rmtree(folder / "store-load")
    EmbeddedEngine(folder / "store-pull").bases.get(f"{os.environ['BENCH_REGISTRY']}/big:1")


def account(folder: Path, size: int) -> None:
    """Account for an archive that stores the same file in two layers, so that contents are compared."""
    del size
    ledger(read_archive(folder / "twice.tar"))


def twice(folder: Path, size: int) -> None:
    """COPY that file into two layers, and save the image."""
    del size
    engine = _engine(folder)
    context = Context.folder(folder / "context")
    engine.build("FROM scratch\nCOPY big /a\nCOPY big /b\n", context=context, tag=f"{_NAME}-twice")
    engine.save([f"{_NAME}-twice"], folder / "twice.tar")


def many(folder: Path, size: int) -> None:
    """COPY as many bytes in files of 100 kB, and save the image."""
    del size
    engine = _engine(folder)
    context = Context.folder(folder / "context")
    engine.build("FROM scratch\nCOPY many /many\n", context=context, tag=f"{_NAME}-many")
    engine.save([f"{_NAME}-many"], folder / "many.tar")


def account_many(folder: Path, size: int) -> None:
    """Account for an archive of many files."""
    del size
    ledger(read_archive(folder / "many.tar"))


_ACTIONS: dict[str, Callable[[Path, int], None]] = {
    "build, COPY of one file": build_copy,
    "build, RUN that writes it": build_run,
    "save": save,
    "load": load,
    "pull": pull,
    "build and save, two layers of it": twice,
    "account of these two layers": account,
    "build and save, files of 100 kB": many,
    "account of these files": account_many,
}


def _engine(folder: Path) -> EmbeddedEngine:
    return EmbeddedEngine(folder / "store")


def _write_context(folder: Path, size: int) -> None:
    folder.mkdir()
    with (folder / "big").open("wb") as file:
        for number in range(size // 1_000_000):
            file.write(os.urandom(1000) * 1000 if number % 2 else os.urandom(1_000_000))
    for number in range(size // _FILE):
        path = folder / "many" / str(number // 100) / str(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(number.to_bytes(4, "little") * (_FILE // 4))


def _push(folder: Path, address: str) -> None:
    source = f"docker-archive:{folder / 'image.tar'}"
    run(["skopeo", "copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false", source,
         f"docker://{address}/big:1"])  # fmt: skip


@contextmanager
def _registry(folder: Path) -> Iterator[str]:
    """Run a registry on loopback; give its address, "" where it or skopeo is not installed."""
    program = shutil.which("docker-registry")
    if program is None or shutil.which("skopeo") is None:
        yield ""
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    config = folder / "registry.yml"
    config.write_text(
        "version: 0.1\nlog: {level: error}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/registry}}}}\nhttp: {{addr: '{address}'}}\n",
        encoding="utf-8",
    )
    process = subprocess.Popen(
        [program, "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(address)
        yield address
    finally:
        process.terminate()
        process.wait()


def _wait_for(address: str) -> None:
    host, _, port = address.partition(":")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise EngineError(f"The registry at {address} did not start within 20 seconds.")


def main() -> None:
    """Do one action and print the most memory this process, or one it started, took, in bytes."""
    name, folder, size = sys.argv[1:]
    action = next(one for one in _ACTIONS.values() if one.__name__ == name)
    action(Path(folder), int(size))
    status = Path("/proc/self/status").read_text(encoding="ascii")
    high = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert high is not None
    print(1024 * max(int(high[1]), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))


if __name__ == "__main__":
    main()
