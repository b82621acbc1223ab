"""What is printed: one table to paste, or JSON."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tools.bench.memory import Peak
from tools.bench.turns import Figure

_VERSIONS = {
    "Docker": ("docker", "version", "--format", "{{.Server.Version}}"),
    "buildah": ("buildah", "--version"),
    "proot": ("proot", "--version"),
}


def machine() -> str:
    """Say in one line what all this was measured on."""
    parts = [f"{platform.system()} {platform.release()}", f"{os.cpu_count()} processors"]
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        parts.append(f"{int(meminfo.read_text().split()[1]) / 1e6:.0f} GB memory")
    parts.append(f"Python {platform.python_version()}")
    for name, command in _VERSIONS.items():
        if shutil.which(command[0]):
            said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
            version = re.search(r"\d+\.\d+\.\d+", said)
            if version:
                parts.append(f"{name} {version[0]}")
    return ", ".join(parts)


def table(figures: Sequence[Figure], peaks: Sequence[Peak], *, title: str) -> str:
    """Return Markdown: times with their range, ratios with theirs, goals, and memory."""
    lines = [title, ""]
    if figures:
        lines += ["| work | who | runs | time | ratio | goal | load |", "|---|---|---|---|---|---|---|"]
    before = ""
    for one in figures:
        ratio = ""
        if one.ratio is not None:
            ratio = f"{one.ratio:.2f} of {one.beside} ({one.lowest:.2f}-{one.highest:.2f})"
        goal = "" if one.goal is None else f"{one.goal:g}"
        if one.met is not None:
            goal += ", met" if one.met else ", missed"
        time = f"{_seconds(one.seconds)} s ({_seconds(one.fastest)}-{_seconds(one.slowest)})"
        work = "" if one.work == before else one.work
        lines.append(
            f"| {work} | {one.contender} | {one.runs} | {time} | {ratio} | {goal} | {one.load:.1f} |"
        )
        before = one.work
    if peaks:
        small, large = (f"{size / 1e6:,.0f} MB" for size in (peaks[0].small_bytes, peaks[0].large_bytes))
        lines += ["", f"| peak memory, MB | {small} | {large} | more |", "|---|---|---|---|"]
        lines += [
            f"| {one.work} | {one.small / 1e6:.0f} | {one.large / 1e6:.0f} | {one.more / 1e6:+.0f} |"
            for one in peaks
        ]
    return "\n".join(lines)


def as_json(figures: Sequence[Figure], peaks: Sequence[Peak], *, title: str) -> str:
    """Return the same for a program: seconds, bytes, ratios."""
    return json.dumps(
        {
            "machine": title,
            "figures": [{**asdict(one), "met": one.met} for one in figures],
            "memory": [{**asdict(one), "more": one.more} for one in peaks],
        },
        indent=1,
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}" if seconds < 1 else f"{seconds:.2f}" if seconds < 10 else f"{seconds:.1f}"
