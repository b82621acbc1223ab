"""What a caller may pass for a Dockerfile."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockerlab.errors import ContextError
from dockerlab.inputs import read_dockerfile


def test_a_dockerfile_is_read_as_it_is(tmp_path: Path) -> None:
    r"""Line ends stay as written, `\r` alone too, and bytes that are not UTF-8 pass, for comments."""
    (tmp_path / "Dockerfile").write_bytes(b"# caf\xe9\r\nFROM a\rb\n")
    assert read_dockerfile(tmp_path / "Dockerfile") == "# caf\udce9\r\nFROM a\rb\n"


def test_lower_case_is_found(tmp_path: Path) -> None:
    """Where there is no Dockerfile, `dockerfile` is read, beside a file of another name not."""
    (tmp_path / "dockerfile").write_text("FROM lower\n")
    assert read_dockerfile(tmp_path / "Dockerfile") == "FROM lower\n"
    (tmp_path / "other").write_text("FROM other\n")
    with pytest.raises(ContextError, match="Other cannot be read"):
        read_dockerfile(tmp_path / "Other")
    (tmp_path / "Dockerfile").write_text("FROM upper\n")
    assert read_dockerfile(tmp_path / "Dockerfile") in ("FROM upper\n", "FROM lower\n")
