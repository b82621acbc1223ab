"""What a .dockerignore leaves of a folder: by BuildKit, asked about many in one build, and by the lab."""

from __future__ import annotations

import random
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from dockerlab.context.context import Context

LAYERS = 60  # ignore files asked about in one build: below the limit of an overlay mount

TREE = [
    "a",
    "b.pyc",
    "A.PYC",
    "[x]",
    "x",
    "!keep",
    "a b",
    "#hash",
    "d/a",
    "d/b.pyc",
    "d/e/a",
    "d/e/b.pyc",
    "d/e/f/g",
    "node/x.js",
    "node/y/x.js",
    "node/y/z.md",
    "src/d/a",
    "src/1",
    "src/e.tar.gz",
    "é.txt",
    "d1/d",
    "w/.hidden",
    ".git/config",
]


def random_patterns(seed: int) -> str:
    """Make a random ignore file from pieces that mean something."""
    pick = random.Random(seed)
    parts = [
        "*",
        "**",
        "?",
        "a",
        "d",
        "e",
        "src",
        "node",
        "*.pyc",
        "[a-e]",
        "[^a]",
        "x.js",
        "y",
        "b*",
        ".*",
        "f",
        "*.*",
        "a|d",
        "[x\\]]",
        "d+",
        "^d",
    ]
    lines = []
    for _ in range(pick.randint(1, 5)):
        line = "/".join(pick.choice(parts) for _ in range(pick.choice([1, 1, 2, 2, 3])))
        lines.append(pick.choice(["", "", "!", "/"]) + line + pick.choice(["", "", "", "/"]))
    return "\n".join(lines)


def _buildx() -> str | None:
    """Return why BuildKit cannot be asked here, or None."""
    if shutil.which("docker") is None:
        return "no docker command"
    for command in (["docker", "version"], ["docker", "buildx", "inspect"]):
        if subprocess.run(command, capture_output=True, timeout=60).returncode:
            return f"{' '.join(command)} failed"
    return None


def sent_by_buildkit(files: Sequence[str], root: Path) -> dict[str, set[str]]:
    """Return for each ignore file the paths that BuildKit sends: one named context for each.

    Skips the test where there is no BuildKit.
    """
    reason = _buildx()
    if reason:
        pytest.skip(f"needs BuildKit: {reason}")
    arguments = []
    for number, text in enumerate(files):
        _write(root / f"c{number}", text)
        arguments.append(f"--build-context=c{number}={root / f'c{number}'}")
    (root / "main").mkdir()
    found: dict[str, set[str]] = {text: set() for text in files}
    for start in range(0, len(files), LAYERS):
        numbers = range(start, min(start + LAYERS, len(files)))
        lines = ["FROM scratch", *(f"COPY --from=c{number} . /c{number}/" for number in numbers)]
        (root / "main" / "Dockerfile").write_text("\n".join(lines))
        out = root / "out.tar"
        command = ["docker", "buildx", "build", "-q", f"--output=type=tar,dest={out}"]
        command += [*arguments[start : start + LAYERS], str(root / "main")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr
        with tarfile.open(out) as tar:
            for name in tar.getnames():
                top, _, rest = name.strip("/").partition("/")
                if rest:
                    found[files[int(top[1:])]].add(rest)
    return found


def sent_by_us(text: str, folder: Path) -> set[str]:
    """Return the paths that a context of ours has."""
    _write(folder, text)
    return set(Context.folder(folder).tree())


def _write(folder: Path, text: str) -> None:
    for path in TREE:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(path)
    (folder / "empty").mkdir()
    (folder / ".dockerignore").write_text(text, newline="")
