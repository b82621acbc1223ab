"""What a COPY source names."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockerlab.context import Context
from dockerlab.engines.embedded import EmbeddedEngine

DOCKERFILE = """\
FROM scratch AS work
COPY src /app/src/
FROM scratch
COPY --from=work {source} /x/
"""


@pytest.mark.parametrize("source", ["/app/src/*.pyc", "/app/*/*.pyc", "/app/src/app.py[c]"])
def test_a_wildcard_below_a_folder_finds_files_and_keeps_their_names(source: str, tmp_path: Path) -> None:
    """COPY --from with a wildcard in its last part copies each file that fits, under its own name."""
    context = Context.files({"src/app.pyc": "compiled", "src/app.py": "source"})
    built = EmbeddedEngine(tmp_path).build(DOCKERFILE.format(source=source), context=context, tag="t:1")
    assert sorted(entry.path for entry in built.image.layers[-1].entries) == ["x", "x/app.pyc"]
