from __future__ import annotations

import threading

import pytest

from dockerlab.interrupt import Cancel, cancellable, ended_by


def test_a_stop_ends_what_another_thread_waits_for() -> None:
    """Asking calls the ending, the wait is over, and the waiting thread gets KeyboardInterrupt."""
    stop, gate, waits = Cancel(), threading.Event(), threading.Event()
    ended: list[str] = []

    def work() -> None:
        try:
            with cancellable(stop), ended_by(gate.set):
                waits.set()
                gate.wait(10)
        except KeyboardInterrupt:
            ended.append("interrupted")

    thread = threading.Thread(target=work)
    thread.start()
    assert waits.wait(10)
    stop()
    thread.join(10)
    assert ended == ["interrupted"]
    assert stop.asked


def test_a_stop_before_the_wait_prevents_it() -> None:
    """When the end was asked for already, the block is not entered."""
    stop, entered = Cancel(), False
    stop()
    with pytest.raises(KeyboardInterrupt), cancellable(stop), ended_by(lambda: None):
        entered = True
    assert not entered


def test_without_a_stop_nothing_changes() -> None:
    """Outside of `stoppable` a block runs as if it stood alone, and an ending is forgotten with its block."""
    called: list[int] = []
    with ended_by(lambda: called.append(1)):
        pass
    stop = Cancel()
    with cancellable(stop), ended_by(lambda: called.append(2)):
        pass
    stop()
    assert called == []
