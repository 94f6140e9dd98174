"""The circuit breaker: a store that fails or is slow is left alone for a while, so that it delays nobody."""

from __future__ import annotations

import concurrent.futures
import threading
import time
from collections.abc import Callable
from typing import Generic, Literal, TypeVar

from bluegold.production.execution import FAULTS
from bluegold.telemetry.log import Log

__all__ = ["Breaker", "LastKnown"]

_LOG = Log("production")

T = TypeVar("T")


class Breaker:
    """Counts failures in a row; after some it is open, and then lets one attempt through at a time.

    Args:
        name: what it stands around, for the log.
        failures: how many in a row open it; one that took longer than ``slow_s`` opens it at once.
        slow_s: seconds after which even a success counts as a failure.
        open_s: seconds it stays open the first time; twice as long after every failed attempt, at most a minute.

    Example:
        >>> breaker = Breaker("store", failures=2, open_s=60.0)
        >>> [breaker.failed(), breaker.state, breaker.failed(), breaker.state, breaker.allows()]
        [None, 'closed', None, 'open', False]
    """

    def __init__(self, name: str, *, failures: int = 3, slow_s: float = 0.25, open_s: float = 1.0) -> None:
        self._name = name
        self._most = failures
        self._first = self._wait = open_s
        self._in_a_row = 0
        self._until = 0.0
        self._trying = False
        self._lock = threading.Lock()
        self.slow_s = slow_s
        self.state: Literal["closed", "open", "half-open"] = "closed"

    def allows(self) -> bool:
        """Whether to try now; the one attempt of a half-open breaker must be followed by its result."""
        if self.state == "closed":
            return True
        with self._lock:
            if self._trying or time.monotonic() < self._until:
                return False
            self._trying = True
            self.state = "half-open"
            return True

    def probe(self, attempt: Callable[[], object]) -> None:
        """Let a thread make the one attempt of an open breaker when that is due; whoever asks waits for nothing.

        Args:
            attempt: reads from what the breaker stands around; it raises when that fails.
        """
        if self.state == "closed" or not self.allows():
            return
        threading.Thread(target=self._probed, args=(attempt,), name=f"probe of {self._name}", daemon=True).start()

    def _probed(self, attempt: Callable[[], object]) -> None:
        began = time.monotonic()
        try:
            attempt()
        except FAULTS:
            self.failed()
        else:
            self.succeeded(time.monotonic() - began)

    def succeeded(self, seconds: float = 0.0) -> None:
        """It worked, in so many seconds."""
        if seconds > self.slow_s:
            self.failed(at_once=True)
        elif self.state != "closed" or self._in_a_row:
            with self._lock:
                if self.state != "closed":
                    _LOG.info("the circuit is closed again", around=self._name)
                self.state, self._in_a_row, self._wait, self._trying = "closed", 0, self._first, False

    def failed(self, *, at_once: bool = False) -> None:
        """It did not work."""
        with self._lock:
            self._in_a_row += 1
            if self.state == "closed" and not at_once and self._in_a_row < self._most:
                return
            if self.state == "closed":
                _LOG.error("the circuit is open", around=self._name, failures=self._in_a_row)
            else:
                self._wait = min(2 * self._wait, 60.0)
            self.state, self._trying, self._until = "open", False, time.monotonic() + self._wait


class LastKnown(Generic[T]):
    """Reads a value through a breaker within a time limit; else gives the last one that was read, and says why.

    Args:
        read: reads the value; may take long or fail.
        first: what is given before anything was read.
        breaker: the breaker around what is read.
        limit: seconds to wait for it.

    Example:
        >>> known = LastKnown(lambda: 7, 0, Breaker("store"))
        >>> known.get()
        (7, '')
    """

    def __init__(self, read: Callable[[], T], first: T, breaker: Breaker, limit: float = 0.5) -> None:
        self._read = read
        self._value = first
        self._breaker = breaker
        self._limit = limit
        self._pool = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="last-known")
        self._pending: concurrent.futures.Future[T] | None = None
        self._trouble = ""
        self._read_before = False

    def get(self) -> tuple[T, str]:
        """The value, and why it is not fresh; an empty text when it is."""
        pending = self._pending
        if pending is not None and not pending.done() and self._read_before:
            return self._value, self._trouble  # the slow read goes on by itself; nobody else waits for it
        if pending is None and not self._breaker.allows():
            return self._value, self._trouble
        began = time.monotonic()
        pending = self._pending = pending or self._pool.submit(self._read)
        return self._waited(pending, began)

    def _waited(self, pending: concurrent.futures.Future[T], began: float) -> tuple[T, str]:
        try:
            self._value, self._trouble = pending.result(self._limit), ""
            self._pending = None
            self._breaker.succeeded(time.monotonic() - began)
        except concurrent.futures.TimeoutError:
            self._trouble = f"no answer within {self._limit:g} s"
            self._breaker.failed()
        except FAULTS as error:
            self._pending, self._trouble = None, str(error)
            self._breaker.failed()
        self._read_before = True
        return self._value, self._trouble

    def close(self) -> None:
        """Wait for no slow read."""
        self._pool.shutdown(wait=False, cancel_futures=True)
