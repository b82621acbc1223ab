"""SIGKILL at any moment of any action leaves a store that is right, and the next action works.

`--kills N` says how many kills in each sandbox (200 in `make survival`), `--seed N` repeats an earlier run.
"""

from __future__ import annotations

import itertools
import os
import random
import re
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dockerlab.engines.embedded import EmbeddedEngine, user_namespace
from dockerlab.engines.embedded import sandbox as sandboxes
from dockerlab.engines.embedded.sandbox.proot.proot import ProotSandbox
from dockerlab.engines.embedded.store.store import Store
from dockerlab.errors import EngineError
from dockerlab.image.archive_reader import read_archive
from dockerlab.image.filesystem import Entry
from dockerlab.image.image import Image, Layer
from dockerlab.image.image import validate as wrong_in_image
from dockerlab.image.platform import here
from dockerlab.image.tar_writer import LayerWriter
from tests.engines.embedded import killed
from tests.engines.embedded.host_root_image import base_layer
from tests.engines.embedded.store_contents import Content, content, wrong_in_layout
from tests.engines.embedded.test_registry import push, real_registry

ROOT = Path(__file__).parents[3]
ACTIONS = ("build", "pull", "save", "build", "load", "prune", "build", "tag", "build")
LONGEST = 60.0  # seconds any one action may take
BIG = 6_000_000  # bytes of a layer that is loaded or pulled


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make as many tests as kills were asked for."""
    if "kill" in metafunc.fixturenames:
        metafunc.parametrize("kill", range(metafunc.config.getoption("kills")))


@dataclass
class Lab:
    """A store, what must be in it, and what kills have met so far."""

    folder: Path
    engine_name: str
    chance: random.Random
    seed: int
    registry: str | None = None
    pushed: dict[str, str] = field(default_factory=dict)  # image -> reference at the registry
    ids: dict[str, str] = field(default_factory=dict)  # what must be there: name -> image id
    expected: Content = field(default_factory=dict)  # what DOCKERFILE builds
    seconds: dict[str, float] = field(default_factory=dict)  # how long each action takes undisturbed
    landed: Counter[tuple[str, str]] = field(default_factory=Counter)  # (action, what it was at) -> kills
    left: Counter[str] = field(default_factory=Counter)  # what kills left behind -> how often

    @property
    def root(self) -> Path:
        """The store's folder."""
        return self.folder / "store"

    @property
    def archive(self) -> Path:
        """Where images are saved to."""
        return self.folder / "out" / "saved.tar"

    def engine(self) -> EmbeddedEngine:
        """Open the store anew, as a process that comes later does."""
        return EmbeddedEngine(self.root)

    def arguments(self, action: str, number: int) -> tuple[str, str]:
        """Return the image an action is about, and the archive or the reference that goes with it."""
        if action == "build":
            return f"built:{number % 3}", "-"
        if action == "save":
            return "kept:1", str(self.archive)
        if action == "load":
            return f"load:{number % 2}", str(self.folder / f"load-{number % 2}.tar")
        if action == "pull":
            name = self.pushed[f"pull:{number % 2}"]
            return name, name
        return "kept:0", "-"

    def prepare(self, action: str, number: int, name: str) -> None:
        """Give the action something to do: layers that are not here, an archive that is, things to prune."""
        store = Store(self.root)
        if action in ("load", "pull") and name in self.ids:
            image = store.image(name)
            store.remove(name)
            del self.ids[name]
            for layer in image.layers:
                store.forget_layer(layer.diff_id)
        if action == "save" and number % 2:
            self.archive.unlink(missing_ok=True)
        if action == "prune":
            put(store, None, [random_layer(store, number)])
            for item in range(20):
                store.put_step(f"{number} {item}", {"diff_id": "gone"})
            with store.cache_mount(f"cache {number}") as folder:
                for item in range(200):
                    (folder / str(item)).write_bytes(bytes(5000))


def put(store: Store, name: str | None, layers: Sequence[Layer]) -> None:
    """Store an image of these layers."""
    config = {"architecture": here().architecture, "os": "linux", "config": {"Env": ["PATH=/usr/bin:/bin"]}}
    store.put_image({**config, "history": [{} for _ in layers]}, layers, reference=name)


def random_layer(store: Store, seed: int) -> Layer:
    """Store a layer with one file of random bytes."""
    data = random.Random(seed).randbytes(BIG)
    with store.new_layer() as new:
        writer = LayerWriter(new)
        writer.add(Entry(f"big-{seed}", "file", size=len(data)), data)
        writer.close()
        return new.commit()


@pytest.fixture(scope="module", params=["namespaces", "proot"])
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Make a store with images, an undisturbed build to compare with, and the time each action takes."""
    seed = request.config.getoption("seed")
    seed = random.SystemRandom().randrange(1 << 32) if seed is None else seed
    chance = random.Random(f"{seed} {request.param}")
    made = Lab(tmp_path_factory.mktemp(request.param), request.param, chance, seed)
    base = base_layer(made.folder)
    if base is None:
        pytest.skip("this host lacks one of the core tools a test image is made of")
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("DOCKERLAB_SANDBOX", request.param)
        for name in ("DOCKERLAB_REGISTRY_MIRROR", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            patch.delenv(name, raising=False)
        store = Store(made.root)
        try:
            chosen = sandboxes.choose(store.work)
        except EngineError as error:
            pytest.skip(error.message)
        if isinstance(chosen, ProotSandbox) and not chosen.holds:
            pytest.skip("what this proot holds goes on outside when it is killed")
        with store.new_layer() as new, base.open_tar() as tar:
            new.write(tar.read())
            bottom = new.commit()
        put(store, "base:1", [bottom])
        for number in range(2):
            put(store, f"kept:{number}", [bottom, random_layer(store, number)])
        fill(made, bottom, stack)
        made.archive.parent.mkdir()
        made.ids = {row.reference: row.id for row in store.images()}
        measure(made)
        print(f"\nseed {seed}, {request.param}")
        yield made
    # Said whatever pytest captures: these figures are what the run is for.
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(report(made))


def fill(lab: Lab, bottom: Layer, stack: ExitStack) -> None:
    """Make the archives that are loaded and push the images that are pulled, each with a layer of its own."""
    other = Store(lab.folder / "other")
    with other.new_layer() as new, bottom.open_tar() as tar:
        new.write(tar.read())
        new.commit()
    for number in range(2):
        put(other, f"load:{number}", [bottom, random_layer(other, 10 + number)])
        other.save([f"load:{number}"], lab.folder / f"load-{number}.tar")
    (lab.folder / "registry").mkdir()
    lab.registry = stack.enter_context(real_registry(lab.folder / "registry"))
    for number in range(2):
        layers = [bottom, random_layer(other, 20 + number), random_layer(other, 30 + number)]
        put(other, f"pull:{number}", layers)
        lab.pushed[f"pull:{number}"] = f"{lab.registry}/lab/pull:{number}"
        push(other, f"pull:{number}", lab.pushed[f"pull:{number}"])


def measure(lab: Lab) -> None:
    """Do each action undisturbed, and a build twice: its second time counts, its result is what is right."""
    for number, action in enumerate(["build", *dict.fromkeys(ACTIONS)], -len(ACTIONS)):
        name, place = lab.arguments(action, number)
        lab.prepare(action, number, name)
        child = start(lab, action, number, name, place)
        assert child.stdin is not None
        assert child.stdout is not None
        began = time.monotonic()
        child.stdin.write(b"go\n")
        line = b""
        for line in child.stdout:  # noqa: B007 - the last one counts
            lab.seconds[action] = time.monotonic() - began
        assert line == b"done\n", action
        child.communicate(timeout=LONGEST)
        settle(lab)
        image = Store(lab.root).image(name)
        if action == "build":
            lab.expected = without_number(image, number)


def without_number(image: Image, number: int) -> Content:
    """Return an image's content but for the one file that tells which build it was of."""
    assert image.tree().read("number") == str(number).encode()
    assert f"NUMBER={number}" in image.config["config"]["Env"]
    found = content(image)
    del found["number"]
    return found


def start(lab: Lab, action: str, number: int, name: str, place: str) -> subprocess.Popen[bytes]:
    """Start a process that is about to do an action; it waits for a line."""
    child = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.engines.embedded.killed",
            action,
            str(lab.root),
            str(number),
            name,
            place,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        bufsize=0,
        start_new_session=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    return child


def test_a_kill(lab: Lab, kill: int) -> None:
    """After a kill every image is whole or not there; the same action and a build then do what they should.

    Half of the kills end the process that builds alone, half everything that it has started as well.
    """
    action = ACTIONS[kill % len(ACTIONS)]
    name, place = lab.arguments(action, kill)
    lab.prepare(action, kill, name)
    moment, alone = lab.chance.uniform(0, lab.seconds[action]), lab.chance.random() < 0.5
    settle(lab)
    child = start(lab, action, kill, name, place)
    at, started = killed_at(child, moment, alone=alone)
    told = at == "done" or action == "build"
    lab.landed[action, at if told else third(moment, lab.seconds[action])] += 1
    wait_until_gone(started)
    look_at_leftovers(lab)

    assert str(lab.root) not in Path("/proc/self/mountinfo").read_text()
    assert wrong_in_layout(lab.root) == []
    engine = lab.engine()
    assert engine.store.validate() == []
    check_images(lab, engine, action, name, kill)
    if action == "save" and lab.archive.exists():
        assert wrong_in_image(read_archive(lab.archive, name)) == []

    killed.act(action, lab.root, kill, name, place, lambda event: None)
    settle(lab)
    if action == "build":
        assert without_number(engine.image(name), kill) == lab.expected
    elif action == "save":
        assert wrong_in_image(read_archive(lab.archive, name)) == []
        assert [path.name for path in lab.archive.parent.iterdir()] == [lab.archive.name]
    killed.build(engine, kill + 1_000_000, "next:1", lambda event: None)
    settle(lab)
    assert without_number(engine.image("next:1"), kill + 1_000_000) == lab.expected
    assert engine.store.validate() == []
    assert leftovers(lab) == []
    try:
        found = killed.holding_secret(lab.root / "work")
    except PermissionError:  # in a user namespace not every file is our own
        found = user_namespace.call(killed.holding_secret, lab.root / "work")
    assert found == []


def killed_at(child: subprocess.Popen[bytes], moment: float, *, alone: bool) -> tuple[str, list[int]]:
    """Let the child begin, kill it after `moment` seconds; return what it was at and what it had started."""
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(b"go\n")
    deadline = time.monotonic() + moment
    said = b""
    while (left := deadline - time.monotonic()) > 0 and select.select([child.stdout], [], [], left)[0]:
        data = os.read(child.stdout.fileno(), 1 << 16)
        if not data:
            break
        said += data
    started = []
    for pid in killed.below(child.pid):
        with suppress(ProcessLookupError):
            started.append(os.pidfd_open(pid))
    child.kill()
    for handle in started if not alone else ():
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
    rest, _ = child.communicate(timeout=LONGEST)
    lines = (said + rest).decode().splitlines()
    return (lines[-1] if lines else "begin"), started


def wait_until_gone(handles: list[int]) -> None:
    """Wait until processes have ended of their own accord."""
    deadline = time.monotonic() + LONGEST
    for handle in handles:
        left = max(0.0, deadline - time.monotonic())
        assert select.select([handle], [], [], left)[0], "a process outlived the build that started it"
        os.close(handle)


def third(moment: float, whole: float) -> str:
    """Say where in an action a moment lies."""
    return ("first third", "second third", "last third")[min(2, int(3 * moment / whole))]


def check_images(lab: Lab, engine: EmbeddedEngine, action: str, name: str, number: int) -> None:
    """Hold the images of the store against those that must be there."""
    there = {row.reference: row.id for row in engine.images()}
    tagged = {there.pop(one) for one in list(there) if one.startswith("tagged:")}
    assert tagged <= {lab.ids["kept:0"]}
    new, old = there.pop(name, None), lab.ids.get(name)
    assert there == {one: id for one, id in lab.ids.items() if one != name}
    assert new is not None or old is None, f"{name} is lost"
    if new != old and action == "build":
        assert without_number(engine.image(name), number) == lab.expected
    for one in there:
        assert content(engine.image(one)), one


def settle(lab: Lab) -> None:
    """Take what is in the store now for what must be there from now on."""
    rows = Store(lab.root).images()
    lab.ids = {row.reference: row.id for row in rows if not row.reference.startswith("tagged:")}


LEFT = {
    r"store/tmp/\w+": "a file half written, or a RUN's mounts",
    r"store/downloads/.*\.part": "a download half done",
    r"store/work/(rootless/)?runs/\w+": "a RUN's folder (namespaces)",
    r"store/work/proot/tree-\d+/dirty": "a work tree half changed (proot)",
    r"store/work/probes/\w+": "a trial of the sandbox (proot)",
    r"store/work/proot/tree-\d+/scratch/.+": "a RUN's scratch files (proot)",
    r"out/\.saved\.tar.*": "an archive half written",
}


def leftovers(lab: Lab) -> list[str]:
    """Return what is in the store and beside the archive that no finished action leaves there."""
    places = (
        *("store/tmp/*", "store/downloads/*", "store/work/*/*", "store/work/rootless/runs/*", "out/.*"),
        *("store/work/proot/*/dirty", "store/work/proot/*/scratch/*"),
    )
    paths = itertools.chain.from_iterable(lab.folder.glob(place) for place in places)
    names = [path.relative_to(lab.folder).as_posix() for path in paths]
    return [what for name in names for pattern, what in LEFT.items() if re.fullmatch(pattern, name)]


def look_at_leftovers(lab: Lab) -> None:
    """Count what a kill left: it shows that kills met the store in the middle of its work."""
    lab.left.update(set(leftovers(lab)))


def report(lab: Lab) -> str:
    """Return the figures of all kills in one sandbox."""
    lines = [f"\nkills in {lab.engine_name}: {sum(lab.landed.values())}, seed {lab.seed}"]
    for action in dict.fromkeys(ACTIONS):
        where = {at: count for (one, at), count in sorted(lab.landed.items()) if one == action}
        told = ", ".join(f"{at} {count}" for at, count in where.items())
        lines.append(f"  {action:6} {sum(where.values()):4} of {lab.seconds[action]:.2f} s: {told}")
    lines += [f"  left behind: {what}: {count}" for what, count in lab.left.most_common()]
    return "\n".join(lines)
