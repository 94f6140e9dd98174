"""Remembering: answered rows become events in the online store, so that history features know them.

It happens just after the answer, in a thread: the decision log is what makes a row durable, and the online
store can be rebuilt from it.
"""

from __future__ import annotations

import queue
import threading
import time
from typing import Any, NamedTuple

from bluegold.features.online import OnlineStore
from bluegold.production.execution import FAULTS
from bluegold.telemetry.log import Log

__all__ = ["Memory"]

_LOG = Log("production")
_MOST = 100_000
_BATCH = 2_000
_GATHER_S = 0.025


class _Event(NamedTuple):
    stores: tuple[OnlineStore, ...]
    identity: str
    values: dict[str, Any]


class Memory(threading.Thread):
    """Writes events behind the answers.

    A store that fails (or a backlog of 100,000 events) costs history, never an answer; it is logged and counted.
    """

    def __init__(self) -> None:
        super().__init__(name="memory", daemon=True)
        self._events: queue.SimpleQueue[_Event | None] = queue.SimpleQueue()
        self.lost = 0

    def observe(self, stores: tuple[OnlineStore, ...], identity: str, values: dict[str, Any]) -> None:
        """Hand over one answered row; the same identity again changes nothing."""
        if self._events.qsize() >= _MOST:
            self.lost += 1
            return
        self._events.put(_Event(stores, identity, values))

    def run(self) -> None:
        """Write until stopped: what has gathered goes into one transaction."""
        stopping = False
        while not stopping:
            gathered = [self._events.get()]
            time.sleep(_GATHER_S)
            while len(gathered) < _BATCH and not self._events.empty():
                gathered.append(self._events.get())
            stopping = None in gathered
            self._write([event for event in gathered if event is not None])

    def stop(self) -> None:
        """Write what was handed over, then end."""
        self._events.put(None)
        if self.is_alive():
            self.join(timeout=5.0)

    def _write(self, events: list[_Event]) -> None:
        for store in dict.fromkeys(store for event in events for store in event.stores):
            rows = [(event.values, event.identity) for event in events if store in event.stores]
            try:
                store.observe_many(rows)
            except FAULTS:
                for row in rows:  # the transaction was undone whole: find the row that does not fit
                    self._write_one(store, *row)

    def _write_one(self, store: OnlineStore, values: dict[str, Any], identity: str) -> None:
        try:
            store.observe(values, identity)
        except FAULTS as error:
            self.lost += 1
            if self.lost.bit_count() == 1:  # the 1st, 2nd, 4th, 8th ... loss is worth a line
                _LOG.error("history events lost", lost=self.lost, last=str(error))
