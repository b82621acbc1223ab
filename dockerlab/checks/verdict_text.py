"""How a verdict says what was found: in one line, cut where it is long, and cut where two texts differ."""

from __future__ import annotations

from itertools import takewhile

from dockerlab.engines.results import Ran
from dockerlab.errors import DockerlabError, RunError

_SHOWN = 80  # characters


def ended(result: Ran) -> str:
    """Say what a command printed; of a failed one its exit code and last line, where Python says why."""
    lines = result.output.strip().splitlines()
    if result.exit_code and len(lines) > 1:
        return f"exit code {result.exit_code}, its last line {_quoted(lines[-1])}"
    printed = f"prints {_quoted(result.output)}" if lines else "prints nothing"
    return printed if result.exit_code == 0 else f"exit code {result.exit_code}, {printed}"


def shown(content: bytes) -> str:
    """Quote a text in one line."""
    return _quoted(content.decode("utf-8", "replace"))


def _quoted(text: str) -> str:
    return repr(" ".join(text[:10_000_000].split()))


def contrast(found: str, wanted: str) -> tuple[str, str]:
    """Cut two texts so that the first place where they differ is seen in both."""
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(found, wanted, strict=False)))
    start = max(0, same - _SHOWN // 2) if max(len(found), len(wanted)) > _SHOWN and found != wanted else 0
    return _cut(found, start), _cut(wanted, start)


def _cut(text: str, start: int) -> str:
    before = "…" if start else ""
    part = text[start : start + _SHOWN]
    return f"{before}{part}{'…' if start + _SHOWN < len(text) else ''}"


def trouble(error: DockerlabError) -> str:
    """Say why a build with edited files failed: the line, and the last thing it printed."""
    where = f"line {error.line}: " if error.line else ""
    last = f", {_cut(repr(error.log[-1].strip()), 0)}" if isinstance(error, RunError) and error.log else ""
    return f"built again with other files it fails at {where}{_cut(error.message, 0)}{last}"
