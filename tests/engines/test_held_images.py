import os
import subprocess
import sys
from pathlib import Path

import pytest

from dockerlab.engines.held_images import HeldImages
from tests.tiny_images import stack

HOLD = """
import sys
from pathlib import Path
from dockerlab.engines.held_images import HeldImages
kept = HeldImages(Path(sys.argv[1]))
with kept.changing():
    kept.hold("theirs")
print("held", flush=True)
sys.stdin.read()
"""


def _held(kept: HeldImages) -> set[str]:
    with kept.changing():
        return kept.held()


def test_what_another_process_holds_is_known_until_it_dies(tmp_path: Path) -> None:
    """A key that a process holds is seen by another one, and free once that process was killed."""
    kept = HeldImages(tmp_path / "kept")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "kept")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert _held(kept) == {"theirs"}
        other.kill()
        other.wait()
        assert _held(kept) == set()
    assert [path.name for path in (tmp_path / "kept").iterdir()] == [".lock"]


def test_an_image_is_held_while_the_object_lives(tmp_path: Path) -> None:
    """Two objects of one image hold it until the last of them is gone; no file stays."""
    kept = HeldImages(tmp_path / "kept")
    first, second = (stack(tmp_path, [{"f": b"x"}]) for _ in range(2))
    with kept.changing():
        kept.hold_image(first)
        kept.hold_image(second)
    assert _held(kept) == {first.id.removeprefix("sha256:")[:12]}
    del first
    assert len(_held(kept)) == 1
    del second
    assert _held(kept) == set()
    assert [path.name for path in (tmp_path / "kept").iterdir()] == [".lock"]


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")
def test_many_images_take_one_descriptor(tmp_path: Path) -> None:
    """Who holds hundreds of images keeps one file open for all of them; what it lets go is free."""
    kept = HeldImages(tmp_path / "kept")
    with kept.changing():
        releases = [kept.hold(f"key{number}") for number in range(300)]
    opened = [os.path.realpath(path) for path in Path("/proc/self/fd").iterdir()]
    assert len([path for path in opened if path.startswith(f"{tmp_path}/")]) == 1
    for release in releases[10:]:
        release()
    assert _held(kept) == {f"key{number}" for number in range(10)}
