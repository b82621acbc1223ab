"""One action on a store, in a process that a test kills: `python -m tests.engines.embedded.killed`.

It says "ready", waits for a line, then says what it is at, a line each, and "done" at the end.
"""

from __future__ import annotations

import io
import random
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

from dockerlab.context.context import Context, File
from dockerlab.engines.embedded import EmbeddedEngine
from dockerlab.engines.embedded.bases.pull import pull
from dockerlab.engines.results import Event, Note, OnEvent, Started

DOCKERFILE = """\
FROM base:1 AS made
ARG NUMBER
COPY many /src
RUN --mount=type=cache,target=/cache --mount=type=secret,id=token : $NUMBER; \\
    cat /src/* > /cache/all.new && mv /cache/all.new /cache/all && cat /run/secrets/token > /dev/null; \\
    cp -r /src /out; cat /cache/all > /out/all; chown -R 7:8 /out; ln /out/all /out/twin; rm -r /src
FROM base:1
ARG NUMBER
COPY --chown=3:4 number /
COPY --from=made /out /app
COPY --chmod=4755 number /here-only
ADD packed.tar.gz /unpacked/
RUN : $NUMBER; rm /here-only; mkdir -p /made/deep; chmod 700 /made/deep; \\
    for one in 1 2 3 4 5 6 7 8 9; do for two in 0 1 2 3 4 5; do echo $one > /made/$one$two; done; done; \\
    mv /made /kept; mkdir /made; ln -s ../kept /made/link; id -u > /kept/deep/id
WORKDIR /app/work
ENV NUMBER=$NUMBER
"""
SECRET = b"what no leftover may hold"
TAGS = 30


def holding_secret(folder: Path) -> list[Path]:
    """Return the files below a folder that hold the secret."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return [path for path in files if SECRET in path.read_bytes()]


def context(number: int) -> Context:
    """Return the files of the build: the same for every number but for one file."""
    chance = random.Random(1)
    many = {f"many/{one}": chance.randbytes(chance.randrange(60_000)) for one in range(60)}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as tar:
        for one in range(20):
            info = tarfile.TarInfo(f"deep/{one}")
            info.size, info.uid = 10_000, one
            tar.addfile(info, io.BytesIO(chance.randbytes(10_000)))
    return Context.files({**many, "packed.tar.gz": out.getvalue(), "number": File(str(number), 0o600)})


def build(engine: EmbeddedEngine, number: int, name: str, on_event: OnEvent) -> None:
    """Build DOCKERFILE so that no step which depends on the number is cached."""
    engine.build(
        DOCKERFILE,
        context=context(number),
        tag=name,
        build_args={"NUMBER": str(number)},
        secrets={"token": SECRET},
        on_event=on_event,
    )


def act(action: str, root: Path, number: int, name: str, place: str, on_event: OnEvent) -> None:
    """Do `action` in the store at `root`; `place` is an archive, or a reference at a registry."""
    engine = EmbeddedEngine(root)
    actions: dict[str, Callable[[], object]] = {
        "build": lambda: build(engine, number, name, on_event),
        "save": lambda: engine.save([name], Path(place)),
        "load": lambda: engine.load(Path(place)),
        "pull": lambda: pull(place, engine.store, on_event=on_event),
        "prune": engine.prune,
        "tag": lambda: [engine.store.tag(name, f"tagged:{one}") for one in range(TAGS)],
    }
    actions[action]()


def below(pid: int, *, depth: int = 100) -> list[int]:
    """Return the processes that a process has started, and those that they have."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents.setdefault(parent, []).append(int(path.parent.name))
    found, level = [], [pid]
    for _ in range(depth):
        level = [child for one in level for child in parents.get(one, [])]
        found += level
    return found


def main() -> None:
    """Do what the arguments say: ACTION ROOT NUMBER NAME PLACE."""
    action, root, number, name, place = sys.argv[1:]

    def say(event: Event) -> None:
        if isinstance(event, Started):
            print(f"{event.text.split()[0]} of stage {event.stage}", flush=True)
        elif isinstance(event, Note):
            print(event.text.split()[0].lower(), flush=True)

    print("ready", flush=True)
    sys.stdin.readline()
    act(action, Path(root), int(number), name, place, say)
    print("done", flush=True)


if __name__ == "__main__":
    main()
