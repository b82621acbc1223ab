"""A Build is its image's ID, whatever its name points to later: on both engines."""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

import dockerlab as lab
from dockerlab.analysis.ledger import ledger
from dockerlab.engines.docker.engine import DockerEngine
from dockerlab.engines.results import Build, Engine
from dockerlab.errors import ImageNotFoundError
from dockerlab.image.image import validate
from tests.engines.conftest import docker

NAME = "dockerlab/test-engine-handle:1"
Make = Callable[[str], Build]


@pytest.fixture
def engine(each_engine: Engine) -> Engine:
    """Return each engine with a store of its own."""
    return each_engine


@pytest.fixture
def make(engine: Engine) -> Make:
    """Return what builds a busybox image that prints a word, always under one name."""

    def build(word: str) -> Build:
        text = f'FROM dockerlab/test-engine-base:1\nRUN echo {word} > /word\nCMD ["cat", "/word"]\n'
        return engine.build(text, tag=NAME)

    return build


def test_a_build_is_the_image_it_was(engine: Engine, make: Make, tmp_path: Path) -> None:
    """After its name has moved on, a build runs, is read, saved and drawn as what it was."""
    first, second = make("first"), make("second")
    assert first.image.id != second.image.id
    for build, word in ((first, "first\n"), (second, "second\n")):
        assert lab.run(build, engine=engine).output == word
        assert lab.run(build.image, engine=engine).output == word
        assert engine.run(build.image.id).output == word
        kept = engine.image(build.image.id)
        assert (kept.id, kept.config, validate(kept)) == (build.image.id, build.image.config, [])
        assert ledger(kept).all == ledger(build.image).all
        engine.save([build.image.id], tmp_path / f"{word}.tar")
        assert lab.read_archive(tmp_path / f"{word}.tar").config == build.image.config
    assert engine.image(NAME).id == second.image.id
    assert [one.reference for one in engine.images()].count(NAME) == 1


def test_prune_leaves_what_a_build_holds(engine: Engine, make: Make) -> None:
    """A prune takes an image that lost its name once nobody has the build, and not before."""
    first, _second = make("first"), make("second")
    engine.prune()
    assert engine.run(first.image.id).output == "first\n"
    assert validate(first.image) == []
    identity = first.image.id
    del first
    engine.prune()
    with pytest.raises(ImageNotFoundError):
        engine.image(identity)
    assert engine.run(NAME).output == "second\n"


OTHER = """
import sys
from pathlib import Path
if sys.argv[1] == "docker":
    from dockerlab.engines.docker.engine import DockerEngine
    engine = DockerEngine(root=Path(sys.argv[2]))
else:
    from dockerlab.engines.embedded import EmbeddedEngine
    engine = EmbeddedEngine(Path(sys.argv[2]))
text = 'FROM dockerlab/test-engine-base:1\\nRUN echo theirs > /word\\nCMD ["cat", "/word"]\\n'
build = engine.build(text, tag=sys.argv[3])
print(build.image.id, flush=True)
sys.stdin.readline()
"""


def test_two_kernels_on_one_store(engine: Engine, make: Make, tmp_path: Path) -> None:
    """What another kernel built under the name stays while that kernel lives, and goes after its end."""
    folder = tmp_path / ("docker" if engine.name == "docker" else "store")
    with subprocess.Popen(
        [sys.executable, "-c", OTHER, engine.name, str(folder), NAME],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        theirs = other.stdout.readline().strip()
        assert theirs.startswith("sha256:")
        ours = make("ours")
        engine.prune()
        assert engine.run(theirs).output == "theirs\n"
        other.kill()
        other.wait()
    engine.prune()
    with pytest.raises(ImageNotFoundError):
        engine.image(theirs)
    assert engine.run(ours.image.id).output == "ours\n"


@pytest.mark.parametrize("each_engine", ["docker"], indirect=True)
def test_names_that_only_keep_are_no_images_of_their_own(make: Make, engine: Engine) -> None:
    """What keeps an image in Docker shows in no listing of the lab's, and is gone after a prune.

    Another store of the lab's on the same Docker leaves it alone.
    """

    def named() -> set[str]:
        return set(docker("images", "--format", "{{.Repository}}:{{.Tag}}", "dockerlab/kept").split())

    before = named()
    builds = [make("first"), make("second")]
    (kept,) = {name for name in named() - before if name.endswith(builds[0].image.id[7:19])}
    assert not [one for one in engine.images() if one.reference.startswith("dockerlab/kept")]
    with tempfile.TemporaryDirectory() as other:
        DockerEngine(root=Path(other)).prune()
    assert engine.run(builds[0].image.id).output == "first\n"
    builds.clear()
    engine.prune()
    assert kept not in named()
