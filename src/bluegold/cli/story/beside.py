"""Work beside the story: what is developed while the story goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Generic, TypeVar

__all__ = ["Beside"]

T = TypeVar("T")


class Beside(Generic[T]):
    """One piece of work on a thread of its own, begun when somebody says so.

    Leaving the ``with`` block by an error asks the work to stop: at its next report it ends, and nobody waits longer
    than that.

    Args:
        work: called with a function that it calls from time to time.

    Example:
        >>> with Beside(lambda report: 7) as beside:
        ...     beside.start()
        ...     beside.result()
        7
    """

    def __init__(self, work: Callable[[Callable[[Any], None]], T]) -> None:
        self._work = work
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="beside")
        self._future: Future[T] | None = None

    def start(self) -> None:
        """Begin, unless it has begun."""
        if self._future is None:
            self._future = self._pool.submit(self._work, self._report)

    def result(self) -> T:
        """What the work made; waits for it, and raises what it raised."""
        self.start()
        assert self._future is not None  # noqa: S101 - start() has made it
        return self._future.result()

    def _report(self, _event: object) -> None:
        if self._stop.is_set():
            raise KeyboardInterrupt

    def __enter__(self) -> Beside[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=error is not None)
