"""Time builds on every engine at hand, cold and cached, and the analysis of an image beside dive.

Medians of a few runs, in milliseconds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from dockerlab.context import Context
from dockerlab.engines import Engine, choose
from dockerlab.errors import DockerlabError
from tools import bench_analysis
from tools.course import read_course

BASE = read_course().bases[0]
RUNS = "".join(f"RUN echo {number} >/{number}\n" for number in range(5))
FILES = {f"{folder}/{number}": f"{folder} {number}\n" * 20 for folder in "abc" for number in range(200)}
WORK: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "five RUN that write a line": (f"FROM {BASE}\n{RUNS}", {}),
    "three COPY of 200 files": ("FROM scratch\nCOPY a /a\nCOPY b /b\nCOPY c /c\n", FILES),
    "COPY one file of 20 MB": ("FROM scratch\nCOPY big /big\n", {"big": "x" * 20_000_000}),
}


@dataclass(frozen=True)
class Measure:
    """Milliseconds of wall time, the median of `runs` builds."""

    engine: str
    work: str
    runs: int
    cold: float  # with no_cache
    cached: float


def measure(engine: Engine, work: str, *, runs: int) -> Measure:
    """Build one piece of work `runs` times without and with the cache."""
    dockerfile, files = WORK[work]
    times: dict[bool, list[float]] = {True: [], False: []}
    for no_cache in (True, False):
        for _ in range(runs):
            began = time.perf_counter()
            engine.build(dockerfile, context=Context.files(files), tag="dockerlab/bench", no_cache=no_cache)
            times[no_cache].append(1000 * (time.perf_counter() - began))
    cold, cached = (statistics.median(times[no_cache]) for no_cache in (True, False))
    return Measure(engine=engine.describe(), work=work, runs=runs, cold=cold, cached=cached)


def main() -> int:
    """Print a table, or JSON; an engine that is not here is named with its reason."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", choices=("builds", "analysis"), help="leave the other part out")
    options = parser.parse_args()
    measures: list[Measure] = []
    reading: bench_analysis.Reading | None = None
    for name in ("embedded", "docker"):
        try:
            engine, _ = choose(name)
            engine.build(f"FROM {BASE}\n", tag="dockerlab/bench")
            if options.only != "analysis":
                measures += [measure(engine, work, runs=options.runs) for work in WORK]
            engine.remove("dockerlab/bench")
            if reading is None and options.only != "builds":
                reading = bench_analysis.measure(engine, runs=options.runs)
        except DockerlabError as error:
            print(f"{name}: {error}", file=sys.stderr)
    if options.json:
        analysis = None if reading is None else {**asdict(reading), "ratio": reading.ratio}
        print(json.dumps({"builds": [asdict(one) for one in measures], "analysis": analysis}, indent=1))
        return 0 if measures or reading else 1
    if measures:
        print(f"{'engine':30} {'work':30} {'cold ms':>9} {'cached ms':>9}")
        for one in measures:
            print(f"{one.engine:30} {one.work:30} {one.cold:9.0f} {one.cached:9.0f}")
    if reading is not None:
        print(bench_analysis.text(reading))
    return 0 if measures or reading else 1


if __name__ == "__main__":
    sys.exit(main())
