"""Ending a build from another thread, as Ctrl-C ends one that runs in the main thread.

stop = Cancel()
thread: with cancellable(stop): engine.build(...)      # raises KeyboardInterrupt
button: stop()
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Cancel:
    """The wish to end what another thread does. Calling it asks; it may be called from any thread."""

    def __init__(self) -> None:
        self._asked = False
        self._endings: list[Callable[[], object]] = []
        self._lock = threading.Lock()

    def __call__(self) -> None:
        """Ask for the end."""
        with self._lock:
            self._asked = True
            for end in self._endings:
                end()

    @property
    def asked(self) -> bool:
        """Tell whether the end was asked for."""
        return self._asked

    def check(self) -> None:
        """Raise KeyboardInterrupt when the end was asked for."""
        if self._asked:
            raise KeyboardInterrupt

    @contextmanager
    def ending(self, end: Callable[[], object]) -> Iterator[None]:
        """Call `end` when the end is asked for while the block runs, from the thread that asks."""
        with self._lock:
            self.check()
            self._endings.append(end)
        try:
            yield
        finally:
            with self._lock:
                self._endings.remove(end)


_current: ContextVar[Cancel | None] = ContextVar("stop", default=None)


@contextmanager
def cancellable(stop: Cancel) -> Iterator[None]:
    """Let `stop` end what this thread does in the block, where it waits in an `ended_by` block."""
    token = _current.set(stop)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def ended_by(end: Callable[[], object]) -> Iterator[None]:
    """Wait for something in the block that `end` brings to its end; then KeyboardInterrupt is raised.

    `end` runs in another thread, once, and must not block. Without a Stop for this thread nothing is done.
    """
    stop = _current.get()
    if stop is None:
        yield
        return
    with stop.ending(end):
        yield
    stop.check()
