"""--chmod, octal and symbolic; the conformance suite holds many more of them against BuildKit."""

from __future__ import annotations

import pytest

from dockerlab.engines.embedded.chmod import read_chmod
from dockerlab.errors import DockerfileError


@pytest.mark.parametrize(
    ("text", "file", "folder"),
    [
        ("0711", 0o711, 0o711),
        ("u+x", 0o744, 0o755),
        ("u=rwX,go=rX", 0o644, 0o755),
        ("a+x=r", 0o444, 0o444),
        ("g=u+w", 0o664, 0o775),
        ("g=uw", 0o624, 0o725),  # what was copied is replaced by what was named after it
        ("=t", 0o1644, 0o1755),  # the sticky bit is all that it clears and sets
        ("o+s", 0o644, 0o755),  # others have no such bit
        ("u-X", 0o644, 0o655),
    ],
)
def test_what_becomes_of_a_mode(text: str, file: int, folder: int) -> None:
    """A file of mode 0644 and a folder of mode 0755 get the modes that BuildKit gives them."""
    chmod = read_chmod(text, 1)
    assert (chmod.of(0o644, folder=False), chmod.of(0o755, folder=True)) == (file, folder)


@pytest.mark.parametrize(("text", "mode"), [("3777", 0o755), ("700", 0o700), ("go=", 0o755)])
def test_folders_made_on_the_way(text: str, mode: int) -> None:
    """A number counts for them under the umask 022 and without the special bits, a change does not."""
    assert read_chmod(text, 1).new_folder == mode


@pytest.mark.parametrize(
    "text", ["", "888", "17777", "0o755", "-1", "X", "u", "u+y", ",u+x", "u+x,", "755+1"]
)
def test_what_is_no_mode(text: str) -> None:
    """Anything else is refused with its line."""
    with pytest.raises(DockerfileError, match="--chmod") as caught:
        read_chmod(text, 7)
    assert caught.value.line == 7
