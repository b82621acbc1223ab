"""Building a case on an engine, and what came of it."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dockerlab.context.context import Context
from dockerlab.dockerfile.parser import parse
from dockerlab.engines.docker.engine import DockerEngine
from dockerlab.engines.results import Engine, Step
from dockerlab.errors import DockerfileError, DockerlabError
from dockerlab.image.image import Image

from .case import Case, Item, Names, write_context

PREFIX = "dockerlab/test-conformance"
TOGETHER = 3  # builds that BuildKit is given at once: it waits for the disk more than it computes


@dataclass(frozen=True)
class Made:
    """What one build made."""

    image: Image
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Outcome:
    """What an engine made of a case: its builds, or why it refused."""

    builds: tuple[Made, ...]
    error: DockerlabError | None = None


def build(engine: Engine, case: Case, names: Names, folder: Path) -> Outcome:
    """Build a case, and a second time if it says so; `folder` gets its contexts."""
    tag = f"{PREFIX}-{names.words['nonce']}:{case.name}"
    builds: list[Made] = []
    again = case.again
    items: dict[str, Item] = dict(case.context)
    try:
        builds.append(
            _once(
                engine,
                case.text,
                case.build_args,
                case.secrets,
                case,
                names,
                folder / f"{case.name}-1",
                items,
                tag,
            )
        )
        if again is not None:
            changed = {**items, **again.context}
            builds.append(
                _once(
                    engine,
                    case.text if again.text is None else again.text,
                    case.build_args if again.build_args is None else again.build_args,
                    case.secrets if again.secrets is None else again.secrets,
                    case,
                    names,
                    folder / f"{case.name}-2",
                    {path: item for path, item in changed.items() if item is not None},
                    tag,
                    no_cache=again.no_cache,
                )
            )
    except DockerlabError as error:
        return Outcome(tuple(builds), error)
    return Outcome(tuple(builds))


def _once(
    engine: Engine,
    text: str,
    build_args: Mapping[str, str],
    secrets: Mapping[str, bytes],
    case: Case,
    names: Names,
    folder: Path,
    items: Mapping[str, Item],
    tag: str,
    *,
    no_cache: bool = False,
) -> Made:
    root = write_context(folder, items, names, name=f"{case.name} {folder.name} {names.words['nonce']}")
    built = engine.build(
        names.fill(text),
        context=Context.folder(root),
        tag=tag,
        target=case.target,
        build_args={name: names.fill(value) for name, value in build_args.items()},
        secrets=secrets,
        no_cache=no_cache,
    )
    return Made(built.image, built.steps)


def _unread(case: Case, names: Names) -> str | None:
    """Return the case's first text that our parser does not read, or None."""
    again = case.again.text if case.again is not None else None
    for text in (case.text, again or case.text):
        try:
            parse(names.fill(text))
        except DockerfileError:
            return names.fill(text)
    return None


def _builds(text: str, folder: Path, case: Case) -> bool:
    """Tell whether BuildKit builds a text as it is; nothing is kept of it."""
    command = ["docker", "buildx", "build", "--quiet", "--output=type=cacheonly", "--file=-", str(folder)]
    for name, value in case.build_args.items():
        command += ["--build-arg", f"{name}={value}"]
    return (
        subprocess.run(
            command, input=text.encode("utf-8", "surrogateescape"), capture_output=True, check=False
        ).returncode
        == 0
    )


class Oracle:
    """BuildKit's outcome of every case that was selected; builds run ahead of the tests that ask.

    `fresh` loads new bases and returns their names. `unread`: give it what our own parser refuses, too.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        names: Names,
        folder: Path,
        *,
        fresh: Callable[[], Names],
        unread: bool,
    ) -> None:
        self._give_unread = unread
        self._names = names
        self._folder = folder
        self._fresh = fresh
        self._local = threading.local()
        self._slots = threading.Semaphore(TOGETHER)
        self._turn = threading.Lock()  # who waits for several slots keeps the others from taking them
        self._extra: list[Outcome] = []
        self._pool = ThreadPoolExecutor(TOGETHER)
        self._built: dict[str, Future[Outcome]] = {
            case.name: self._pool.submit(self._ahead, case) for case in cases
        }

    def __getitem__(self, case: Case) -> Outcome:
        return self._built[case.name].result(timeout=200)

    def alone(self, case: Case) -> Outcome:
        """Have BuildKit build a case while it builds nothing else, on bases that nothing was built on yet.

        With several builds at once BuildKit now and then does a step again that is in its cache.
        """
        with self._slots_held(TOGETHER):
            names = self._fresh()
            outcome = self._build(case, names, self._folder / f"{case.name}-alone-{len(self._extra)}")
        self._extra.append(outcome)
        return outcome

    def close(self) -> dict[str, Outcome]:
        """End what is still building; return what was built, by case."""
        self._pool.shutdown(cancel_futures=True)
        return {name: one.result() for name, one in self._built.items() if one.done() and not one.cancelled()}

    @property
    def images(self) -> list[str]:
        """The IDs of the images that were made; to be asked for after `close`."""
        outcomes = [*self.close().values(), *self._extra]
        return [build.image.id for outcome in outcomes for build in outcome.builds]

    def _ahead(self, case: Case) -> Outcome:
        with self._slots_held(1):
            return self._build(case, self._names, self._folder / case.name)

    def _build(self, case: Case, names: Names, folder: Path) -> Outcome:
        if not hasattr(self._local, "engine"):  # an engine each: an HTTP session serves one thread
            self._local.engine = DockerEngine(root=self._folder / "taken")
        outcome = build(self._local.engine, case, names, folder)
        # The engine reads a Dockerfile before it hands it on: what it refuses, BuildKit must refuse too.
        unread = _unread(case, names) if outcome.error is not None and self._give_unread else None
        if unread is not None and _builds(unread, folder / f"{case.name}-{len(outcome.builds) + 1}", case):
            return Outcome(outcome.builds)
        return outcome

    @contextmanager
    def _slots_held(self, count: int) -> Iterator[None]:
        held = 0
        try:
            with self._turn:
                for _ in range(count):
                    assert self._slots.acquire(timeout=200), "BuildKit is still at work on other cases"
                    held += 1
            yield
        finally:
            for _ in range(held):
                self._slots.release()
