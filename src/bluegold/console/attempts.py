"""Attempts to sign in: whoever gives wrong keys again and again waits longer and longer, in a bounded memory.

A key cannot be guessed (it has 256 random bits), but trying one costs the machine 40 ms and leaves no trace; with this,
neither is free.  Attempts count against the user whose key was tried, and, more patiently, against the address: on one
machine everybody has the same.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from bluegold.security.identities import Identities

__all__ = ["FORGOTTEN_S", "Attempts"]

#: After so long without an attempt, earlier ones are forgotten.
FORGOTTEN_S = 15 * 60.0
_MOST = 1024


class _Rule(msgspec.Struct, frozen=True):
    """How many attempts are free, and how long the longest wait is, in seconds."""

    free: int
    longest_s: float


_OF_USER, _OF_ADDRESS = _Rule(5, 300.0), _Rule(20, 30.0)


class _Mark(msgspec.Struct):
    count: int
    until: float
    seen: float


class Attempts:
    """The attempts at one console.  Threads share it.

    Args:
        identities: says whose key was tried.
        clock: seconds that only ever go forward.

    Example:
        >>> import pathlib, tempfile
        >>> from bluegold.core.workspace import Workspace
        >>> attempts = Attempts(Identities.open(Workspace.create(pathlib.Path(tempfile.mkdtemp()))), lambda: 0.0)
        >>> [attempts.begin("127.0.0.1", "bg_1_2") for _ in range(23)][-4:]
        [0.0, 1.0, 1.0, 1.0]
    """

    def __init__(self, identities: Identities, clock: Callable[[], float] = time.monotonic) -> None:
        self._identities = identities
        self._clock = clock
        self._lock = threading.Lock()
        self._marks: dict[_Rule, OrderedDict[str, _Mark]] = {_OF_USER: OrderedDict(), _OF_ADDRESS: OrderedDict()}

    def begin(self, address: str, key: str) -> float:
        """Count an attempt before it is made, so that many at once count too.

        Returns:
            seconds to wait instead of making it; 0.0 when it may be made.
        """
        now = self._clock()
        with self._lock:
            marks = [(self._mark(name, rule, now), rule) for name, rule in self._names(address, key)]
            wait = max(mark.until - now for mark, _ in marks)
            if wait > 0:
                return wait
            for mark, rule in marks:
                mark.count, mark.seen = mark.count + 1, now
                if mark.count >= rule.free:
                    mark.until = now + min(rule.longest_s, 2.0 ** min(mark.count - rule.free, 30))
        return 0.0

    def held(self, address: str, key: str) -> None:
        """The key was right: its user starts anew, and the address has one attempt fewer."""
        with self._lock:
            for name, rule in self._names(address, key):
                mark = self._marks[rule].get(name)
                if mark is not None and rule is _OF_ADDRESS:
                    mark.count, mark.until = max(mark.count - 1, 0), 0.0
                elif mark is not None:
                    del self._marks[rule][name]

    def failed(self, address: str, key: str) -> tuple[tuple[str, int], ...]:
        """The key was wrong: against whom, and how many attempts, when that is worth a line in the audit chain.

        That is when the free ones are used up, and at every doubling; so few lines are written however many try.
        """
        with self._lock:
            names = self._names(address, key)
            counts = [(name, mark.count, rule.free) for name, rule in names if (mark := self._marks[rule].get(name))]
        turns = ((name, count, count // free) for name, count, free in counts if count and count % free == 0)
        return tuple((name, count) for name, count, turn in turns if turn & (turn - 1) == 0)

    def _names(self, address: str, key: str) -> list[tuple[str, _Rule]]:
        """What an attempt counts against; a key of nobody counts against the address alone."""
        public = key.split("_", 2)[1] if key.count("_") > 1 else ""
        user = next((one.name for one in self._identities.users() if one.key == public), None)
        return [(f"address {address}", _OF_ADDRESS), *([(f"user {user}", _OF_USER)] if user is not None else [])]

    def _mark(self, name: str, rule: _Rule, now: float) -> _Mark:
        marks = self._marks[rule]
        mark = marks.pop(name, None)
        if mark is None or now - max(mark.seen, mark.until) > FORGOTTEN_S:
            mark = _Mark(count=0, until=0.0, seen=now)
        marks[name] = mark  # the newest is the last; the oldest is given up first
        while len(marks) > _MOST:
            marks.popitem(last=False)
        return mark
