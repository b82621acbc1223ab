"""Several processes, as several notebooks are, on one store at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dockerlab.engines.embedded import EmbeddedEngine
from dockerlab.engines.embedded import sandbox as sandboxes
from dockerlab.errors import EngineError
from tests.engines.embedded import killed
from tests.engines.embedded.store_contents import content, wrong_in_layout
from tests.engines.embedded.test_disk import with_base

ROOT = Path(__file__).parents[3]
BUILDER = """if True:
    import sys
    from pathlib import Path
    from dockerlab.engines.embedded import EmbeddedEngine
    from tests.engines.embedded import killed
    root, who = Path(sys.argv[1]), int(sys.argv[2])
    engine = EmbeddedEngine(root)
    for turn in range(2):
        killed.build(engine, 7, "same:1", lambda event: None)
        killed.build(engine, 100 + 10 * who + turn, f"own:{who}", lambda event: None)
        engine.build(f"FROM base:1\\nRUN echo {who} {turn} > /x\\n")  # unnamed: a prune may take it
    print("done")
"""
PRUNER = """if True:
    import select, sys
    from pathlib import Path
    from dockerlab.engines.embedded import EmbeddedEngine
    from dockerlab.engines.embedded.store import upkeep
    from dockerlab.errors import StoreError
    upkeep._BUILD_WAIT = 0.1
    engine, pruned, refused = EmbeddedEngine(Path(sys.argv[1])), 0, 0
    while not select.select([sys.stdin], [], [], 0)[0]:  # until it is told to stop
        try:
            engine.prune()
            pruned += 1
        except StoreError as error:
            assert "A build is running" in error.message, error
            refused += 1
    print(pruned, refused)
"""


def process(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Start Python on a piece of code."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


@pytest.mark.parametrize("sandbox", ["namespaces", "proot"])
def test_builds_and_prunes_at_once(sandbox: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same and other Dockerfiles built by three processes while a fourth prunes: all images are right.

    A prune does its work between builds, or says that a build is running.
    """
    monkeypatch.setenv("DOCKERLAB_SANDBOX", sandbox)
    engine = with_base(tmp_path / "store", tmp_path)
    try:
        sandboxes.choose(engine.store.work)
    except EngineError as error:
        pytest.skip(error.message)
    killed.build(engine, 7, "first:1", lambda event: None)
    right = content(engine.image("first:1"))
    builders = [process(BUILDER, engine.store.root, who) for who in range(3)]
    pruner = process(PRUNER, engine.store.root)
    for builder in builders:
        said, errors = builder.communicate(timeout=200)
        assert (said, builder.returncode) == ("done\n", 0), errors
    said, errors = pruner.communicate("stop\n", timeout=60)
    assert pruner.returncode == 0, errors
    pruned, refused = map(int, said.split())
    assert pruned + refused > 0
    names = {row.reference for row in engine.images()}
    assert names == {"base:1", "first:1", "same:1", "own:0", "own:1", "own:2"}
    assert content(engine.image("same:1")) == right
    for who in range(3):
        own = content(engine.image(f"own:{who}"))
        assert engine.image(f"own:{who}").tree().read("number") == str(101 + 10 * who).encode()
        assert {**own, "number": right["number"]} == right
    assert wrong_in_layout(engine.store.root) == engine.store.validate() == []
    engine.prune()
    assert engine.store.validate() == []
    again = EmbeddedEngine(engine.store.root)
    killed.build(again, 7, "last:1", lambda event: None)
    assert content(again.image("last:1")) == right
