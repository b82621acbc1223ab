"""Sample apps for lessons and exercises, a folder each: small, real, and they run."""

from __future__ import annotations

from pathlib import Path

_NOT_SOURCE = {"__pycache__", "node_modules"}


def files(name: str) -> dict[str, str | bytes]:
    """Return a sample app as a build context: path -> content, text where it is UTF-8.

    Raises FileNotFoundError when there is no sample app of that name.
    """
    folder = Path(__file__).parent / name
    if name in _NOT_SOURCE or not folder.is_dir():
        raise FileNotFoundError(f"There is no sample app {name!r}.")
    found = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and not _NOT_SOURCE.intersection(inside.parts):
            found[inside.as_posix()] = _text_or_bytes(path.read_bytes())
    return found


def _text_or_bytes(data: bytes) -> str | bytes:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data
