"""Time builds, archives and analysis beside BuildKit, the legacy builder, buildah, proot-distro and dive.

All take turns, so that a ratio holds on a machine that does other things too: it is the median over the
rounds of one time by the other. What is not installed is left out with the reason. Images made in Docker
carry a label of ours and are removed; everything else lies in a temporary folder ($TMPDIR says where).
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path

from dockerlab.engines.embedded import EmbeddedEngine
from dockerlab.errors import DockerlabError
from dockerlab.image.archive_reader import read_archive
from tools.bench import archives, builders, commands, memory, ordinary, report
from tools.bench.builders import BUILDKIT, OURS, Builder, Ours
from tools.bench.turns import FAILURES, Figure, Turn, reason, take, tell
from tools.bench.works import WORKS, Work
from tools.course import read_course

OUR_COMMAND = "dockerlab build, as a command"
ROOTLESS_GOAL = 1.0  # of BuildKit's time, for apt as an ordinary user where there are namespaces
COMMAND_GOAL = 0.6  # of BuildKit's time, for a build that is all cached
NAMES = (*(work.name for work in WORKS), "commands", "archives", "analysis", "memory")


class Bench:
    """What a run has set up and what it has measured so far."""

    def __init__(self, folder: Path, stack: ExitStack, *, runs: int | None, quick: bool) -> None:
        self.folder = folder
        self.runs = runs
        self.quick = quick
        self.figures: list[Figure] = []
        self.peaks: list[memory.Peak] = []
        self._stack = stack
        self._base = folder / "base.tar"
        self._offered: dict[str, Builder] | None = None
        tell("the base image")
        builders.export_base(read_course().bases[0], self._base)
        self.engine = EmbeddedEngine(folder / "store")
        self.engine.load(self._base)

    def measure(self, name: str) -> None:
        """Do one of NAMES. Raises those of FAILURES."""
        if name == "memory":
            self.peaks += memory.measure(self.folder, self._base, tell=tell)
        elif name == "commands":
            docker = BUILDKIT in self._builders(WORKS[0])
            commands.measure(
                self.engine, self.folder, runs=self.runs or 9, docker=docker, tell=tell, found=self.figures
            )
        elif name in ("archives", "analysis"):
            self._archives(name)
        else:
            self._build(next(work for work in WORKS if work.name == name))

    def _build(self, work: Work) -> None:
        turns: dict[str, Turn] = {}
        asked = self._builders(work)
        if self.quick:
            asked = {
                name: asked[name]
                for name in (OURS, OUR_COMMAND, ordinary.OURS_ROOTLESS, ordinary.OURS_ALONE, BUILDKIT)
                if name in asked
            }
        for number, (name, builder) in enumerate(asked.items()):
            context = self.folder / f"{work.name}-{number}"
            context.mkdir()
            context.chmod(0o755)
            work.context(context)
            dockerfile = context.with_suffix(".Dockerfile")
            dockerfile.write_text(work.text, encoding="utf-8")
            build = partial(builder.build, dockerfile, context, cache=work.cached or bool(work.edited))
            turns[name] = Turn(build, work.prepare(context))
        runs = self.runs or work.runs
        goals = {OURS: work.goal, **({OUR_COMMAND: COMMAND_GOAL} if work.cached else {})}
        if work.alone:
            goals = {ordinary.OURS_ROOTLESS: ROOTLESS_GOAL, ordinary.OURS_ALONE: work.goal}
        take(work.title, turns, runs=runs, beside=BUILDKIT, goals=goals, tell=tell, found=self.figures)

    def _builders(self, work: Work) -> dict[str, Builder]:
        if self._offered is None:
            self._offered = {
                OURS: Ours(self.engine),
                OUR_COMMAND: builders.our_command(self.engine.store.root),
                **self._set_up("docker", lambda: builders.docker(self._base)),
                **self._set_up("buildah", lambda: builders.buildah(self.folder, self._base)),
            }
        if not work.alone:
            return self._offered
        layer = self.folder / "base-layer.tar"
        with read_archive(self._base).layers[0].open_tar() as tar, layer.open("wb") as out:
            while chunk := tar.read(1 << 20):
                out.write(chunk)
        docker = {name: builder for name, builder in self._offered.items() if name == BUILDKIT}
        return {
            **self._set_up(
                ordinary.OURS_ROOTLESS, lambda: ordinary.ours(self.folder, self._base, sandbox="namespaces")
            ),
            **self._set_up(
                ordinary.OURS_ALONE, lambda: ordinary.ours(self.folder, self._base, sandbox="proot")
            ),
            **docker,
            **self._set_up(ordinary.PROOT_DISTRO, lambda: ordinary.proot_distro(self.folder, layer)),
        }

    def _set_up(
        self, name: str, enter: Callable[[], AbstractContextManager[dict[str, Builder]]]
    ) -> dict[str, Builder]:
        tell(f"setting up {name}")
        try:
            return self._stack.enter_context(enter())
        except FAILURES as error:
            tell(f"{name} is left out: {reason(error)}")
            return {}

    def _archives(self, name: str) -> None:
        archive = self.folder / "300.tar"
        size = archives.prepare(self.engine, archive)
        if name == "analysis":
            archives.analysis(archive, size, runs=self.runs or 7, tell=tell, found=self.figures)
            return
        docker = BUILDKIT in self._builders(WORKS[0])
        archives.save_and_load(
            self.engine, archive, size, runs=self.runs or 5, docker=docker, tell=tell, found=self.figures
        )


def main() -> int:
    """Print a table, or JSON; an interrupt prints what was measured until then."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=NAMES, metavar="NAME", help=f"one of {', '.join(NAMES)}; repeat it"
    )
    parser.add_argument("--runs", type=int, help="rounds that count (default: 3 to 7)")
    parser.add_argument(
        "--quick", action="store_true", help="of the builders, only this one, its command and BuildKit"
    )
    parser.add_argument("--json", action="store_true", help="print JSON: seconds, bytes and ratios")
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # who uses a command has its bytecode
    before = os.getloadavg()[0]
    code = 0
    bench: Bench | None = None
    with tempfile.TemporaryDirectory(prefix="dockerlab-bench-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        try:
            with ExitStack() as stack:
                bench = Bench(Path(name), stack, runs=options.runs, quick=options.quick)
                for one in options.only or NAMES:
                    try:
                        bench.measure(one)
                    except FAILURES as error:
                        tell(f"{one} was given up: {reason(error)}")
                        code = 1
        except KeyboardInterrupt:
            tell("interrupted: this is what was measured until now")
            code = 130
        except DockerlabError as error:
            print(error, file=sys.stderr)
            return 1
    title = f"{report.machine()}; load average {before:.1f} before, {os.getloadavg()[0]:.1f} after"
    show = report.as_json if options.json else report.table
    print(show(bench.figures, bench.peaks, title=title) if bench else "")
    return code


if __name__ == "__main__":
    sys.exit(main())
