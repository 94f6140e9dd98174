"""The default engine: the work runs here, in this process."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, TypeVar

from bluegold.core.errors import BluegoldError, StageError
from bluegold.engine.protocol import DEFAULT, Limits

__all__ = ["LocalEngine", "TimedOut"]

T = TypeVar("T")


class TimedOut(StageError):
    """The work did not end in its time; unlike a refusal it may be tried again."""


class LocalEngine:
    """Run work in the calling thread, stopped by a timer signal when it takes too long.

    On the main thread the limit interrupts the work; on any other thread signals cannot arrive, so
    an overrun is reported when the work comes back.  Use :class:`SubprocessEngine` to be able to
    stop work that never comes back.

    Example:
        >>> LocalEngine().run(max, 3, 7)
        7
    """

    name = "local"

    def run(self, task: Callable[..., T], *args: Any, limits: Limits = DEFAULT) -> T:
        """Run ``task(*args)``; see :meth:`Engine.run`."""
        for attempt in range(limits.retries + 1):
            try:
                with _limit(limits.timeout_s):
                    return task(*args)
            except TimedOut:
                if attempt == limits.retries:
                    raise
            except BluegoldError:
                raise
            except (OSError, ArithmeticError, RuntimeError):
                if attempt == limits.retries:
                    raise
        raise AssertionError("unreachable")


@contextlib.contextmanager
def _limit(seconds: float) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        started = time.monotonic()
        yield
        if time.monotonic() - started > seconds:
            raise _overrun(seconds)
        return

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise _overrun(seconds)

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def _overrun(seconds: float) -> TimedOut:
    return TimedOut(
        f"the work did not end within {seconds:g} s",
        way_out="give it fewer rows, or raise timeout_s in the stage's contract",
    )
