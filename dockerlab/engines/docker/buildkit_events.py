"""What `docker buildx build --progress=rawjson` prints: BuildKit's status messages, as JSON objects.

Source: BuildKit, client.SolveStatus (vertexes, statuses, logs, warnings); buildx, util/progress, "rawjson".
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

CONTEXT = "[internal] load build context"


@dataclass
class Vertex:
    """One node of BuildKit's graph, as far as it was reported."""

    digest: str
    name: str
    inputs: tuple[str, ...] = ()
    started: float | None = None  # seconds since the epoch, by the builder's clock
    completed: float | None = None
    cached: bool = False
    error: str = ""
    log: list[str] = field(default_factory=list)
    spent: float = 0.0  # seconds of the start-to-end spans that are over
    partial: bytes = b""  # a log line that has not ended yet

    @property
    def done(self) -> bool:
        """Tell whether it ended well."""
        return self.completed is not None and not self.error

    @property
    def seconds(self) -> float:
        """Return how long it took, in seconds."""
        return self.spent


class Objects:
    """Splits a stream of lines into the JSON objects it holds and the lines that are none.

    buildx 0.13 indents its objects over many lines, later versions write one a line.
    """

    def __init__(self) -> None:
        self._open: list[str] = []
        self.other: list[str] = []

    def feed(self, line: str) -> Mapping[str, Any] | None:
        """Take one line; return the object it completes, if it does."""
        text = line.rstrip("\r\n")
        if not self._open and not text.startswith("{"):
            self.other.append(text)
            return None
        self._open.append(text)
        if not text.endswith("}") or (text != "}" and len(self._open) > 1):
            return None
        try:
            found = json.loads("\n".join(self._open))
        except ValueError:
            if text == "}" or len(self._open) == 1:
                self.other += self._open  # looked like an object, is an error's text
                self._open = []
            return None
        self._open = []
        return found if isinstance(found, dict) else None

    def end(self) -> None:
        """Count what never became an object as text."""
        self.other += self._open
        self._open = []


class Graph:
    """All vertexes of one build, kept up to date by feed()."""

    def __init__(self, on_log: Callable[[Vertex, str], None] | None = None) -> None:
        self.vertexes: dict[str, Vertex] = {}
        self.warnings: list[str] = []
        self._transfers: dict[tuple[str, str], int] = {}
        self._on_log = on_log

    def feed(self, message: Mapping[str, Any]) -> None:
        """Take one status message."""
        for one in message.get("vertexes") or ():
            self._vertex(one)
        for one in message.get("statuses") or ():
            self._transfers[one.get("vertex", ""), one.get("id", "")] = int(one.get("current") or 0)
        for one in message.get("logs") or ():
            vertex = self.vertexes.get(one.get("vertex", ""))
            if vertex is not None:
                self._log(vertex, base64.b64decode(one.get("data") or ""))
        for one in message.get("warnings") or ():
            self.warnings.append(base64.b64decode(one.get("short") or "").decode("utf-8", "replace"))

    @property
    def context_bytes(self) -> int:
        """Return the bytes of build context that were sent, BuildKit's own few bytes per file included."""
        return sum(
            current
            for (digest, name), current in self._transfers.items()
            if name.startswith("transferring context")
            and digest in self.vertexes
            and self.vertexes[digest].name == CONTEXT
        )

    @property
    def failed(self) -> Vertex | None:
        """Return the vertex that failed, not one that was only stopped because another failed."""
        broken = [vertex for vertex in self.vertexes.values() if vertex.error]
        own = [vertex for vertex in broken if "context canceled" not in vertex.error]
        return next(iter(own or broken), None)

    def _vertex(self, one: Mapping[str, Any]) -> None:
        digest = str(one["digest"])
        vertex = self.vertexes.setdefault(digest, Vertex(digest, ""))
        vertex.name = str(one.get("name") or vertex.name)
        vertex.inputs = tuple(one.get("inputs") or vertex.inputs)
        vertex.cached = bool(one.get("cached", vertex.cached))
        vertex.error = str(one.get("error") or vertex.error)
        started, completed = one.get("started"), one.get("completed")
        if started:
            at = seconds(started)
            if vertex.started is None or at != vertex.started:
                vertex.started, vertex.completed = at, None
        if completed:
            if vertex.completed is None and vertex.started is not None:
                vertex.spent += max(0.0, seconds(completed) - vertex.started)
            vertex.completed = seconds(completed)
            for text in self._rest(vertex):
                self._say(vertex, text)

    def _log(self, vertex: Vertex, data: bytes) -> None:
        *whole, vertex.partial = (vertex.partial + data).split(b"\n")
        for raw in whole:
            self._say(vertex, _text(raw))

    def _rest(self, vertex: Vertex) -> Iterator[str]:
        if vertex.partial:
            rest, vertex.partial = vertex.partial, b""
            yield _text(rest)

    def _say(self, vertex: Vertex, text: str) -> None:
        vertex.log.append(text)
        if self._on_log is not None:
            self._on_log(vertex, text)


def _text(raw: bytes) -> str:
    """Return a log line as a terminal would show it: a carriage return starts the line over."""
    return raw.rstrip(b"\r").rpartition(b"\r")[2].decode("utf-8", "replace")


def seconds(stamp: str) -> float:
    """Return an RFC 3339 time, fractions of any length, as seconds since the epoch."""
    main, _, rest = stamp.partition(".")
    digits = rest.rstrip("Z").partition("+")[0].partition("-")[0]
    zone = "+00:00"
    if stamp[-1] != "Z":
        zone = stamp[-6:]
        main = main.removesuffix(zone)
    whole = datetime.fromisoformat(main.removesuffix("Z") + zone).astimezone(timezone.utc).timestamp()
    return whole + (float(f"0.{digits}") if digits else 0.0)
