"""Online features behind a breaker and bulkheads: a store that fails costs freshness, one feature costs only itself.

What cannot be read is what was last read for the same entity, or nothing; either way the answer is flagged
``feature:stale``, and the training-time rule for missing values applies.  While the breaker is open no request reads
at all: a thread of its own tries whether the store has come back.
"""

from __future__ import annotations

import struct
import time
from typing import Any

import msgspec

from bluegold.core.errors import StoreError
from bluegold.features.row import OnlineReader, OnlineView, Window
from bluegold.features.specs import HistorySpec, LookupSpec
from bluegold.production.execution import FAULTS
from bluegold.production.operations.breaker import Breaker

__all__ = ["GuardedReader"]

KEPT = 20_000
UNREADABLE = (*FAULTS, msgspec.MsgspecError, struct.error)
NOTHING: Window = (0, 0, 0, 0)
Missed = tuple[HistorySpec | LookupSpec, tuple[Any, ...], int]
"""What could not be read: which feature, of whom, at which moment."""


class GuardedReader:
    """Reads through ``inner`` while the breaker allows it.

    Args:
        inner: the reader of the online store.
        breaker: the breaker around that store, shared by all who read it.
    """

    def __init__(self, inner: OnlineReader, breaker: Breaker) -> None:
        self._inner = inner
        self._breaker = breaker
        self._known: dict[tuple[bytes, Any], Any] = {}
        self._missed: Missed | None = None
        self._stale: list[str] = []

    def view(self) -> _GuardedView:
        """The state as it is now, or as far as it is known."""
        self._stale = []
        return _GuardedView(self, self._inner, self._breaker)

    def stale(self) -> tuple[str, ...]:
        """Flags for what the last view could not read, each once."""
        if not self._stale:
            return ()
        found, self._stale = self._stale, []
        return tuple(dict.fromkeys(f"{name}:stale" for name in found))

    def keep(self, place: tuple[bytes, Any], value: Any) -> None:
        """Remember what was read; beyond some entries the oldest is forgotten."""
        known = self._known
        known[place] = value
        if len(known) > KEPT:
            known.pop(next(iter(known)))

    def try_again(self) -> None:
        """Read once more what could not be read; belongs in a thread, for it may take long.

        Raises:
            StoreError: it cannot be read yet.
        """
        with self._inner.view() as view:
            if self._missed is None:
                return
            spec, key, at = self._missed
            if isinstance(spec, HistorySpec):
                view.window(spec, key, at)
            else:
                view.lookup(spec, key, at)

    def known(self, place: tuple[bytes, Any], name: str, default: Any, missed: Missed) -> Any:
        """What was read last; the answer gets a flag."""
        self._missed = missed
        self._stale.append(name)
        return self._known.get(place, default)


class _GuardedView:
    __slots__ = ("_began", "_breaker", "_inner", "_opened", "_reader", "_source", "_store_failed")

    def __init__(self, reader: GuardedReader, source: OnlineReader, breaker: Breaker) -> None:
        self._reader = reader
        self._source = source
        self._breaker = breaker
        self._opened: Any = None
        self._inner: OnlineView | None = None
        self._store_failed = False

    def __enter__(self) -> _GuardedView:
        if self._breaker.state != "closed":
            self._breaker.probe(self._reader.try_again)
        else:
            self._began = time.monotonic()
            try:
                opened = self._source.view()
                self._inner = opened.__enter__()
                self._opened = opened
            except (OSError, StoreError):
                self._breaker.failed()
        return self

    def __exit__(self, *_: object) -> None:
        if self._opened is None:
            return
        self._opened.__exit__(None, None, None)
        if self._store_failed:
            self._breaker.failed()
        else:
            self._breaker.succeeded(time.monotonic() - self._began)

    def window(self, spec: HistorySpec, entity: tuple[Any, ...], at: int) -> Window:
        place = (spec.stream, entity)
        try:
            if self._inner is not None:
                found = self._inner.window(spec, entity, at)
                self._reader.keep(place, found)
                return found
        except UNREADABLE as error:
            self._store_failed |= isinstance(error, OSError | StoreError)
        known: Window = self._reader.known(place, spec.name, NOTHING, (spec, entity, at))
        return known

    def lookup(self, spec: LookupSpec, key: tuple[Any, ...], at: int) -> tuple[Any, ...] | None:
        place = (spec.stream, key)
        try:
            if self._inner is not None:
                found = self._inner.lookup(spec, key, at)
                self._reader.keep(place, found)
                return found
        except UNREADABLE as error:
            self._store_failed |= isinstance(error, OSError | StoreError)
        known: tuple[Any, ...] | None = self._reader.known(place, spec.table, None, (spec, key, at))
        return known
