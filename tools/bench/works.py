"""The builds that are timed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dockerlab import examples

BASE = "dockerlab/bench-base"
APT = "RUN apt-get update && apt-get install -y --no-install-recommends {} && rm -rf /var/lib/apt/lists/*\n"
Files = Mapping[str, str | bytes]


@dataclass(frozen=True)
class Work:
    """One build: its Dockerfile, its context, and what of it the cache may serve."""

    name: str
    title: str
    text: str
    files: Files
    goal: float  # for our time by BuildKit's
    runs: int
    cached: bool = False  # built before, and nothing changed
    edited: str = ""  # built before, and this file gets another line each time
    alone: bool = False  # for an ordinary user

    def context(self, folder: Path) -> None:
        """Write the Dockerfile's context."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def prepare(self, folder: Path) -> Callable[[], None]:
        """Return what is to be done to the context before each build."""
        path, count = folder / self.edited, iter(range(1_000_000))

        def edit() -> None:
            with path.open("a", encoding="utf-8") as file:
                file.write(f"# edit {next(count)} in {folder.name}\n")  # two builders may share a cache

        return edit if self.edited else lambda: None


_PAGES: Files = {f"pages/{number // 50}/{number}.html": f"page {number}\n" * 40 for number in range(500)}
# Debian's own Flask: one source of packages for all contenders.
_WEB_APP = (
    f"FROM {BASE}\n"
    "ENV PYTHONUNBUFFERED=1\n"
    + APT.format("python3-flask")
    + """WORKDIR /srv/app
RUN useradd --system --home-dir /srv/app web
COPY requirements.txt .
COPY templates templates
COPY app.py .
RUN python3 -m compileall -q .
EXPOSE 8000
USER web
CMD ["python3", "app.py"]
"""
)
_APP = examples.files("webapp")
_PYTHON = f"FROM {BASE}\n" + APT.format("python3")

WORKS = (
    Work("copy", "COPY of 500 files", "FROM scratch\nCOPY pages /srv/pages\n", _PAGES, 0.2, 7),
    Work(
        "runs",
        "10 trivial RUNs",
        f"FROM {BASE}\n" + "".join(f"RUN echo {number} > /{number}\n" for number in range(10)),
        {},
        0.2,
        7,
    ),
    Work("apt", "apt update, python3, rm lists", _PYTHON, {}, 1.0, 3),
    Work("web", "a web app in 12 steps", _WEB_APP, _APP, 1.0, 3),
    Work("edit", "the web app, app.py edited", _WEB_APP, _APP, 0.2, 7, edited="app.py"),
    Work("cached", "the web app, all cached", _WEB_APP, _APP, 0.1, 7, cached=True),
    Work("alone", "apt as above, an ordinary user", _PYTHON, {}, 2.0, 3, alone=True),
)
